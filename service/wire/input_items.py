"""Encode items as the upstream's input, as JSON objects.

What the model generated is sent back as `output_text` and `refusal`; everything else as `input_*`. What the
contract does not name is sent as it came: items of the upstream as a whole, more keys beside those that have
a field. It was checked when it was read, so here it is only copied.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw

from service.domain.item_keys import item_type
from service.domain.messages import (
    FilePart,
    ImagePart,
    Item,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    UpstreamItemPart,
)

Json = dict[str, object]

BASE64_STEP = 3 * 256 * 1024

_KEYS = msgspec.json.Decoder(dict[str, Raw])

TOOL_ERROR_MARK = "[tool error] "
"""Prefix of a failed tool's output: the upstream has no flag for it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an upstream takes of items. `ids`: theirs, where responses are stored. `paired`: a thought only
    with what followed it.
    """

    ids: bool = True
    paired: bool = True


OPENAI = Dialect()


def sent(items: Sequence[Item], *, store: bool, paired: bool = True) -> list[Item | None]:
    """Return the items as a request holds them; None for a thought that no item of the model follows, unless
    the upstream takes thoughts alone.

    The upstream refuses such a thought: what it led to was cut off, or was left out by the caller. It also
    refuses the id of a thought whose follower has none (a caller may keep the one and drop the other): that
    thought goes without.
    """
    if not paired:
        return list(items)
    kept: list[Item | None] = []
    followed = named = False
    for item in reversed(items):
        first = item.parts[0]
        if not isinstance(first, ReasoningPart):
            kept.append(item)
            followed = item.role is Role.ASSISTANT
            named = bool(first.item_id) or isinstance(first, UpstreamItemPart)
        elif not followed:
            kept.append(None)
        elif store and not named:
            kept.append(Item(item.role, (replace(first, id=""),)))
        else:
            kept.append(item)
    kept.reverse()
    return kept


def item_jsons(item: Item, *, store: bool) -> list[Json | Raw]:
    """Encode the item: in one object, or in several where its texts have several ids.

    Ids are sent where responses are stored: elsewhere the upstream has nothing to look up by them. None are
    sent for reasoning that would be only an id there.
    """
    match item.parts[0]:
        case ToolCallPart() as call:
            written = _call(call)
        case ToolResultPart() as result:
            written = {"type": item_type(result), "call_id": result.call_id, "output": _output(result)}
        case ReasoningPart() as reasoning:
            if not (reasoning.encrypted_content or reasoning.content or (store and reasoning.id)):
                return []
            written = _reasoning(reasoning)
        case UpstreamItemPart(_, json):
            return [Raw(json.encode())]
        case _:
            return [
                _completed(_message(item.role, parts), parts, store=store) for parts in _messages(item.parts)
            ]
    return [_completed(written, item.parts, store=store)]


def _completed(written: Json, parts: Sequence[Part], *, store: bool) -> Json:
    """Add what the item had besides: its id, and the keys that the contract does not name."""
    item_id = parts[0].item_id
    if store and item_id:
        written["id"] = item_id
    for part in parts:
        if part.extra_json:
            for key, value in _KEYS.decode(part.extra_json).items():
                written.setdefault(key, value)
    return written


def _messages(parts: tuple[Part, ...]) -> Iterable[Sequence[Part]]:
    """Split parts of one role and phase where another item of the upstream begins."""
    if len(parts) == 1:
        return (parts,)
    messages: list[list[Part]] = []
    before: Part | None = None
    for part in parts:
        if before is None or part.item_id != before.item_id or (part.extra_json and not part.item_id):
            messages.append([])
        messages[-1].append(part)
        before = part
    return messages


def _call(call: ToolCallPart) -> Json:
    arguments = "input" if call.kind is ToolKind.CUSTOM else "arguments"
    return {
        "type": item_type(call),
        "call_id": call.call_id,
        "name": call.name,
        arguments: call.arguments,
    }


def _message(role: Role, parts: Sequence[Part]) -> Json:
    answer = role is Role.ASSISTANT
    message: Json = {
        "type": "message",
        "role": role.value,
        "content": [_said(part) if answer else _input(part) for part in parts],
    }
    # All texts of an item have one phase.
    if isinstance(first := parts[0], TextPart) and first.phase:
        message["phase"] = first.phase
    return message


def _said(part: Part) -> Json:
    match part:
        case TextPart():
            said: Json = {"type": "output_text", "text": part.text, "annotations": []}
            if part.annotations_json:
                said["annotations"] = Raw(part.annotations_json.encode())
            if part.logprobs_json:
                said["logprobs"] = Raw(part.logprobs_json.encode())
            return said
        case RefusalPart(text):
            return {"type": "refusal", "refusal": text}
        case _:
            raise TypeError(f"{type(part).__name__} cannot be part of a model's message")


def _input(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"type": "input_text", "text": text}
        case ImagePart():
            return _image(part)
        case FilePart():
            return _file(part)
        case _:
            raise TypeError(f"{type(part).__name__} cannot be input")


def _image(image: ImagePart) -> Json:
    # The upstream's types require `detail`; "auto" is its default.
    detail = image.detail or "auto"
    if image.file_id:
        return {"type": "input_image", "file_id": image.file_id, "detail": detail}
    url = image.url or _data_url(image.mime_type, image.data)
    return {"type": "input_image", "image_url": url, "detail": detail}


def _file(file: FilePart) -> Json:
    written: Json = {"type": "input_file"}
    if file.file_id:
        written["file_id"] = file.file_id
    elif file.url:
        written["file_url"] = file.url
    else:
        written["file_data"] = _data_url(file.mime_type, file.data)
    # The upstream refuses a name with a file id: that file has one already.
    if file.filename and not file.file_id:
        written["filename"] = file.filename
    return written


def _data_url(mime_type: str, data: bytes) -> str:
    # In steps, since one call holds the GIL for all of 32 MiB. A step is a multiple of three bytes, which are
    # written as four characters, so the pieces of base64 join without padding between them.
    steps = (b64encode(data[at : at + BASE64_STEP]).decode() for at in range(0, len(data), BASE64_STEP))
    return f"data:{mime_type};base64,{''.join(steps)}"


def _output(result: ToolResultPart) -> str | list[Json]:
    mark = TOOL_ERROR_MARK if result.is_error else ""
    match result.parts:
        case ():
            return mark
        case (TextPart(text),):
            return mark + text
        case parts:
            marked: list[Json] = [{"type": "input_text", "text": mark}] if mark else []
            return marked + [_input(part) for part in parts]


def _reasoning(part: ReasoningPart) -> Json:
    written: Json = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in part.summary],
    }
    if part.content:
        written["content"] = [{"type": "reasoning_text", "text": text} for text in part.content]
    if part.encrypted_content:
        written["encrypted_content"] = part.encrypted_content
    return written
