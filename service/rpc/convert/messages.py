"""Convert messages of the contract to messages of the domain.

Reading checks which part may occur in which role, and what each part must hold. Of JSON in a message only its
place in the conversation is read; what a model accepts is left to the upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from service.domain.history import orphans
from service.domain.item_keys import NAMED_KEYS, item_type
from service.domain.limits import MAX_ID, MAX_NAME, MAX_PARAGRAPHS, MAX_PARAGRAPHS_IN_ALL, MAX_PARTS, MAX_URL
from service.domain.messages import (
    FilePart,
    ImagePart,
    Message,
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
from service.gen.trunkline.v1 import message_pb2 as pb
from service.rpc.convert.enums import ROLES, TOOL_KINDS
from service.rpc.convert.json_fields import check_json, keys, named
from service.rpc.convert.part_contexts import PART_CONTEXTS, TOOL_RESULT, PartContext
from service.rpc.convert.validate import Violations, shown


def read_messages(found: Violations, messages: Sequence[pb.Message], most: int) -> tuple[Message, ...]:
    """Read the conversation. If a violation was found, the result is incomplete."""
    if not messages:
        found.add("messages", "is empty; send the whole conversation")
    if len(messages) > most:
        found.add("messages", f"has {len(messages)} messages; at most {most} are allowed")
        return ()
    before = len(found)
    reader = _Reader(found)
    read = [reader.message(index, message) for index, message in enumerate(messages)]
    if len(found) == before:  # otherwise a call may be missing only because its message was refused
        for message_index, part_index in orphans(read):
            path = f"messages[{message_index}].parts[{part_index}].tool_result.call_id"
            found.add(path, "answers no call of an earlier message")
    return tuple(read)


class _Reader:
    """Read parts, count them, and keep the position, so that a path is formatted only for a violation."""

    def __init__(self, found: Violations) -> None:
        self._found = found
        self._parts = 0
        self._paragraphs = 0
        self._path: list[int] = []
        self._kind = ""
        self._calls: dict[str, ToolKind] = {}

    def message(self, index: int, message: pb.Message) -> Message:
        self._path = [index]
        role = ROLES.get(message.role)
        if role is None:
            problem = "is not set" if message.role == 0 else f"{message.role} is not a role"
            self._found.add(f"messages[{index}].role", problem)
            return Message(Role.USER, ())
        # The model's message may be empty (a limit cut its only call), and can be sent back.
        if not message.parts and role is not Role.ASSISTANT:
            self._found.add(f"messages[{index}].parts", "is empty; a message has at least one part")
        return Message(role, self._read_parts(message.parts, PART_CONTEXTS[role]))

    def _read_parts(self, parts: Sequence[pb.Part], context: PartContext) -> tuple[Any, ...]:
        self._parts += len(parts)
        if self._parts > MAX_PARTS:
            self._found.add(
                "messages[].parts", f"are more than {MAX_PARTS} in all, the most that are allowed"
            )
            self._found.check()
        read = []
        depth = len(self._path)
        self._path.append(0)
        for index, part in enumerate(parts):
            self._path[depth] = index
            read.append(self._part(part, context))
        self._path.pop()
        return tuple(part for part in read if part is not None)

    def _part(self, part: pb.Part, context: PartContext) -> Part | None:
        kind = part.WhichOneof("part")
        self._kind = kind or ""
        if kind is None:
            self._add("", f"is empty; set one of {', '.join(sorted(context.parts))}")
            return None
        if kind not in context.parts:
            self._add("", f"does not belong into {context.name}; {', '.join(sorted(context.parts))} do")
            return None
        read = self._text(part.text, context) if kind == "text" else READERS[kind](self, getattr(part, kind))
        if kind == "upstream_item" and part.upstream_item.type in context.refused_items:
            self._add(".type", f"{shown(part.upstream_item.type)} does not belong into {context.name}")
        item_id, extra = part.item_id, part.extra_json
        return self._of_item(read, item_id, extra, context) if item_id or extra else read

    def _of_item(self, part: Part, item_id: str, extra: str, context: PartContext) -> Part:
        self._kind = ""  # both stand beside the kind of the part
        if not context.of_items:
            self._add(".item_id" if item_id else ".extra_json", f"does not belong into {context.name}")
        self._at_most(".item_id", item_id, MAX_ID)
        if extra:
            self._check_extra(extra, part)
        if isinstance(part, ReasoningPart):
            return replace(part, id=part.id or item_id, extra_json=extra)
        return replace(part, item_id=item_id, extra_json=extra)

    def _check_extra(self, extra: str, part: Part) -> None:
        if isinstance(part, UpstreamItemPart):
            self._add(".extra_json", "does not belong beside upstream_item, whose json has all keys")
            return
        named_keys = NAMED_KEYS[item_type(part)]
        try:
            for key in keys(extra):
                # A status is no content, so it has no field; a caller may have one to send.
                if key in named_keys and key != "status":
                    self._add(".extra_json", f"the key {shown(key)} has a field of its own")
        except ValueError as error:
            self._add(".extra_json", str(error))

    def _text(self, text: pb.TextPart, context: PartContext) -> TextPart:
        content = text.text  # read once: each access decodes it again
        if not content and not context.empty_text:
            self._add(".text", f"must not be empty in {context.name}")
        if text.phase:
            if not context.from_model:
                self._add(".phase", f"does not belong into {context.name}; only ROLE_ASSISTANT has phases")
            self._at_most(".phase", text.phase, MAX_NAME)
        annotations, logprobs = text.annotations_json, text.logprobs_json
        if annotations:
            self._check_json(".annotations_json", annotations, context)
        if logprobs:
            self._check_json(".logprobs_json", logprobs, context)
        return TextPart(content, text.phase, annotations, logprobs)

    def _check_json(self, field: str, text: str, context: PartContext) -> None:
        if not context.from_model:
            self._add(field, f"does not belong into {context.name}; only ROLE_ASSISTANT has it")
        try:
            check_json(text)
        except ValueError as error:
            self._add(field, str(error))

    def image(self, image: pb.ImagePart) -> ImagePart:
        url, data, file_id = self._source(image)
        self._at_most(".detail", image.detail, MAX_NAME)
        return ImagePart(url, data, file_id, image.mime_type, image.detail)

    def file(self, file: pb.FilePart) -> FilePart:
        url, data, file_id = self._source(file)
        self._at_most(".filename", file.filename, MAX_NAME)
        if data and not file.filename:
            self._add(".filename", "is required with data")
        return FilePart(url, data, file_id, file.filename, file.mime_type)

    def _source(self, part: pb.ImagePart | pb.FilePart) -> tuple[str, bytes, str]:
        """Return url, data and file_id, of which one is set. Each is read once: each access makes a copy."""
        source = part.WhichOneof("source")
        url = part.url if source == "url" else ""
        data = part.data if source == "data" else b""
        file_id = part.file_id if source == "file_id" else ""
        if source is None:
            self._add(".source", "is not set; set one of url, data and file_id")
        elif not (url or data or file_id):
            self._add(f".{source}", "must not be empty")
        elif data and not part.mime_type:
            self._add(".mime_type", "is required with data")
        self._at_most(".mime_type", part.mime_type, MAX_NAME)
        self._at_most(".file_id", file_id, MAX_ID)
        if not url.startswith("data:"):
            self._at_most(".url", url, MAX_URL)
        return url, data, file_id

    def tool_call(self, call: pb.ToolCallPart) -> ToolCallPart:
        call_id, name = call.call_id, call.name
        self._required(".call_id", call_id, MAX_ID)
        self._at_most(".name", name, MAX_ID)
        kind = TOOL_KINDS.get(call.kind)
        if kind is None:
            self._add(".kind", f"{call.kind} is not a kind of tool call")
            kind = ToolKind.FUNCTION
        self._calls[call_id] = kind
        return ToolCallPart(call_id, name, call.arguments, kind)

    def tool_result(self, result: pb.ToolResultPart) -> ToolResultPart:
        call_id = result.call_id
        self._required(".call_id", call_id, MAX_ID)
        parts = self._read_parts(result.parts, TOOL_RESULT)
        return ToolResultPart(call_id, parts, result.is_error, self._calls.get(call_id, ToolKind.FUNCTION))

    def upstream_item(self, item: pb.UpstreamItemPart) -> UpstreamItemPart:
        kind, json = item.type, item.json
        self._required(".type", kind, MAX_NAME)
        try:
            found = named(json)
        except ValueError as error:
            self._add(".json", str(error))
        else:
            if kind and found.type != kind:
                self._add(".type", f"is {shown(kind)}, but json has the type {shown(found.type or '')}")
        return UpstreamItemPart(kind, json)

    def reasoning(self, part: pb.ReasoningPart) -> ReasoningPart:
        self._at_most(".id", part.id, MAX_ID)
        self._paragraphs += len(part.summary) + len(part.content)
        if self._paragraphs > MAX_PARAGRAPHS_IN_ALL:
            most = f"{MAX_PARAGRAPHS_IN_ALL} in all, the most that are allowed"
            self._add("", f"paragraphs of summary and content are more than {most}")
            self._found.check()
        for name, paragraphs in (("summary", part.summary), ("content", part.content)):
            if len(paragraphs) > MAX_PARAGRAPHS:
                self._add(
                    f".{name}", f"has {len(paragraphs)} paragraphs; at most {MAX_PARAGRAPHS} are allowed"
                )
                return ReasoningPart(part.id)
        return ReasoningPart(part.id, tuple(part.summary), part.encrypted_content, tuple(part.content))

    def refusal(self, refusal: pb.RefusalPart) -> RefusalPart:
        return RefusalPart(refusal.text)

    def _required(self, field: str, value: str, characters: int) -> None:
        if not value:
            self._add(field, "is required")
        self._at_most(field, value, characters)

    def _at_most(self, field: str, value: str, characters: int) -> None:
        if len(value) > characters:
            self._add(field, f"has {len(value)} characters; at most {characters} are allowed")

    def _add(self, field: str, description: str) -> None:
        """Add a violation of the current part."""
        message, *parts = self._path
        # Only the result of a tool has parts of its own.
        path = ".tool_result".join(f".parts[{index}]" for index in parts)
        kind = f".{self._kind}" if self._kind else ""
        self._found.add(f"messages[{message}]{path}{kind}{field}", description)


READERS: dict[str, Callable[[_Reader, Any], Part]] = {
    "image": _Reader.image,
    "file": _Reader.file,
    "tool_call": _Reader.tool_call,
    "tool_result": _Reader.tool_result,
    "reasoning": _Reader.reasoning,
    "refusal": _Reader.refusal,
    "upstream_item": _Reader.upstream_item,
}
"""The readers of every part but text, whose check depends on the context."""
