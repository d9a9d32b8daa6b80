"""Build the request body except for its input: model, instructions, tools, options and the extra body.

What is not set is not sent; zero and false are set.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from service.domain.messages import CompletionRequest, Options, TextFormat, Tool, ToolChoice
from service.domain.plan import ChainFingerprint, ContextReason
from service.wire.json_input import parse_object, refused
from service.wire.pieces import pieces

Json = dict[str, object]

SERVICE_KEYS = frozenset({
    "type", "input", "model", "instructions", "tools", "previous_response_id", "conversation", "stream",
    "stream_options", "stream_id", "background", "generate", "include", "prompt_cache_options",
})  # fmt: skip
"""Keys that only the service sets: neither the extra body nor the hook may."""

Named = Mapping[str, "Named | None"]

_LEAF = None
OPTION_KEYS: Named = {
    **dict.fromkeys((
        "temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "store", "metadata",
        "prompt_cache_key", "service_tier", "truncation", "safety_identifier",
    ), _LEAF),
    "tool_choice": dict.fromkeys(("type", "mode", "name", "tools"), _LEAF),
    "reasoning": dict.fromkeys(("effort", "summary"), _LEAF),
    "text": {"verbosity": _LEAF, "format": dict.fromkeys(("type", "name", "schema", "strict"), _LEAF)},
}  # fmt: skip
"""Keys that have an option in the proto, and those within them. The extra body may add keys to their objects,
but not set these again.
"""

_DIGESTED_BY_NAME = SERVICE_KEYS | OPTION_KEYS.keys() | {"context_management"}
"""Keys that are no extra ones to a chain's fingerprint."""

EXTRA = "options.extra_body_json"

DIGEST_BYTES = 16
_CANONICAL = msgspec.json.Encoder(order="deterministic")


def cache_key(tenant: str, session_id: str) -> str:
    """Return the `prompt_cache_key` of a session: a digest that names nobody, the same on each replica."""
    text = _CANONICAL.encode((tenant, session_id))
    return blake2b(text, digest_size=DIGEST_BYTES, person=b"prompt cache key").hexdigest()


def settings_of(request: CompletionRequest, cache_key: str = "") -> Json:
    """Build the body without type, input, previous_response_id and stream.

    `cache_key`: the `prompt_cache_key` where the caller sets none; empty: none.

    Raises TurnError INVALID_REQUEST when a JSON string is invalid.
    """
    body: Json = {"model": request.model}
    if request.instructions:
        body["instructions"] = request.instructions
    if request.tools:
        body["tools"] = [_tool(tool, index) for index, tool in enumerate(request.tools)]
    body["store"] = bool(request.options.store)
    # Without the first, a full request could not include the model's reasoning.
    body["include"] = list(dict.fromkeys(("reasoning.encrypted_content", *request.options.include)))
    body |= _options(request.options)
    if cache_key:
        body.setdefault("prompt_cache_key", cache_key)
    if request.options.extra_body_json:
        _merge(body, request.options.extra_body_json)
    return body


def fingerprint_of(body: Json, *, large: bool = False) -> ChainFingerprint:
    """Digest the settings that a chain may depend on. Key order does not matter; a missing key is null."""
    text = body.get("text")
    parts: dict[ContextReason, object] = {
        ContextReason.MODEL_CHANGED: body.get("model"),
        ContextReason.INSTRUCTIONS_CHANGED: body.get("instructions"),
        ContextReason.TOOLS_CHANGED: body.get("tools"),
        ContextReason.REASONING_CHANGED: body.get("reasoning"),
        ContextReason.TEXT_FORMAT_CHANGED: text.get("format") if isinstance(text, dict) else text,
        ContextReason.STORE_CHANGED: body.get("store"),
        ContextReason.TRUNCATION_CHANGED: body.get("truncation"),
        ContextReason.CONTEXT_MANAGEMENT_CHANGED: body.get("context_management"),
        ContextReason.EXTRA_BODY_CHANGED: {
            key: value for key, value in body.items() if key not in _DIGESTED_BY_NAME
        },
    }
    return {reason: _digest(value, large=large) for reason, value in parts.items()}


def _digest(value: object, *, large: bool) -> bytes:
    if value is None or value == {}:
        return b""  # fast path: most are not set
    if large:
        digest = blake2b(digest_size=DIGEST_BYTES)
        for piece in pieces(value, ordered=True):
            digest.update(piece)
        return digest.digest()
    return blake2b(_CANONICAL.encode(value), digest_size=DIGEST_BYTES).digest()


def _tool(tool: Tool, index: int) -> Json:
    if tool.definition_json:
        return parse_object(tool.definition_json, f"tools[{index}].definition_json")
    written: Json = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["parameters"] = _parameters(tool.parameters, f"tools[{index}].parameters")
    # Always sent, because the default differs between servers.
    written["strict"] = tool.strict
    return written


def _parameters(text: str, field: str) -> Json:
    schema = parse_object(text, field) if text else {}
    if schema.setdefault("type", "object") != "object":
        raise refused(field, 'the type of a schema of parameters must be "object"')
    schema.setdefault("properties", {})
    return schema


def _options(options: Options) -> Json:
    text: Json = {"format": _text_format(options.text_format), "verbosity": options.verbosity}
    reasoning: Json = {"effort": options.reasoning_effort, "summary": options.reasoning_summary}
    return _set_only(
        {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "max_output_tokens": options.max_output_tokens,
            "parallel_tool_calls": options.parallel_tool_calls,
            "tool_choice": _tool_choice(options.tool_choice),
            "reasoning": _set_only(reasoning),
            "text": _set_only(text),
            "metadata": dict(options.metadata),
            "prompt_cache_key": options.prompt_cache_key,
            "service_tier": options.service_tier,
            "truncation": options.truncation,
            "safety_identifier": options.safety_identifier,
        }
    )


def _set_only(values: Json) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "", {})}


def _tool_choice(choice: ToolChoice | None) -> object:
    if choice is None:
        return None
    if choice.definition_json:
        return parse_object(choice.definition_json, "options.tool_choice.definition_json")
    functions = [{"type": "function", "name": name} for name in choice.functions]
    if not functions:
        return choice.mode
    if not choice.mode:
        return functions[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": functions}


def _text_format(wanted: TextFormat | None) -> Json | None:
    if wanted is None:
        return None
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    schema = parse_object(wanted.schema, "options.text.json_schema.schema")
    return {"type": wanted.kind, "name": wanted.name, "schema": schema, "strict": wanted.strict}


def _merge(body: Json, text: str) -> None:
    """Merge the extra body into the body, and into the objects of its options."""
    extra = parse_object(text, EXTRA)
    for key in extra:
        if key in SERVICE_KEYS:
            raise refused(EXTRA, f'the key "{key}" belongs to the service')
    _merge_object(body, extra, OPTION_KEYS, "")


def _merge_object(into: Json, extra: Json, named: Named, path: str) -> None:
    for key, value in extra.items():
        if key not in named:
            into[key] = value
            continue
        inner, old = named[key], into.get(key, {})
        if inner is None or not (isinstance(value, dict) and isinstance(old, dict)):
            raise refused(EXTRA, f'the key "{path}{key}" has an option of its own')
        _merge_object(old, value, inner, f"{path}{key}.")
        if old:
            into[key] = old
