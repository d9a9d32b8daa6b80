"""Decode server events into structs that hold only the fields the service reads.

Strictly first, which takes 0.5 µs; where that fails, field by field (`lenient`). What is not understood is
skipped and counted as "field:NAME": no odd field costs an answer. Only a frame that is no JSON object raises
TurnError PROTOCOL_ERROR. Output items stay raw here (`item_json`).
"""

from __future__ import annotations

from collections.abc import Container

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire import lenient
from service.wire.tally import Tally

_ABSENT = msgspec.Raw()


class IncompleteDetails(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """The `response` object of an event, in any state."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    service_tier: str | None = None
    incomplete_details: IncompleteDetails | None = None
    output: msgspec.Raw = _ABSENT
    usage: msgspec.Raw = _ABSENT


class ServerEvent(msgspec.Struct, gc=False):
    """Any server event. One flat struct for all types is faster than choosing a decoder by type.

    Large and rare fields stay raw until they are needed. Servers write null for missing fields.
    """

    type: str = ""
    delta: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    sequence_number: int | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    response_id: str | None = None
    response: Response | None = None
    item: msgspec.Raw = _ABSENT


JSON_DELTAS = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
"""Deltas that may be an object: it is taken for its JSON text."""

_EVENT = msgspec.json.Decoder(ServerEvent)


def decode(frame: str | bytes, understood: Container[str], ignored: Tally) -> ServerEvent:
    """Decode the frame; count in `ignored` what is not understood of it, if its type is in `understood`.

    Raises TurnError PROTOCOL_ERROR when it is no JSON object.
    """
    if isinstance(frame, bytes):
        raise _invalid("a frame that is not text")
    try:
        return _EVENT.decode(frame)
    except msgspec.ValidationError as error:
        try:
            fields = lenient.fields_of(frame)
        except lenient.UNREADABLE:
            raise _invalid(f"an invalid frame: {error}") from error
        return _event(fields, understood, ignored)
    except lenient.UNREADABLE as error:
        repaired = lenient.repair(frame)
        if repaired is None:
            raise _invalid(f"a frame that is not JSON: {error}") from error
        event = decode(repaired[0], understood, ignored)
        event.delta = event.delta and repaired[1]
        return event


def read_object(frame: str | bytes) -> dict[str, object]:
    """Decode the whole frame: errors come in too many shapes for a struct."""
    try:
        return msgspec.json.decode(frame, type=dict[str, object])
    except lenient.UNREADABLE as error:
        raise _invalid(f"an invalid frame: {error}") from error


def _event(fields: lenient.Fields, understood: Container[str], ignored: Tally) -> ServerEvent:
    kind = lenient.text(bytes(fields.get("type", b""))) or ""
    if kind not in understood:
        ignored = Tally()  # one of an unknown type may have any shape

    def response(raw: bytes) -> Response | None:
        try:
            inner = lenient.fields_of(raw)
        except lenient.UNREADABLE:
            return None
        return Response(**lenient.read_fields(inner, _RESPONSE_SHAPE, ignored))

    delta = lenient.text_or_json if kind in JSON_DELTAS else lenient.text
    return ServerEvent(
        **lenient.read_fields(fields, _EVENT_SHAPE | {"response": response, "delta": delta}, ignored)
    )


def _incomplete(raw: bytes) -> IncompleteDetails | None:
    try:
        return IncompleteDetails(lenient.text(bytes(lenient.fields_of(raw).get("reason", b""))))
    except lenient.UNREADABLE:
        return IncompleteDetails(lenient.text(raw))


_EVENT_SHAPE: dict[str, lenient.Convert] = {
    **dict.fromkeys(("type", "item_id", "text", "refusal", "response_id"), lenient.text),
    **dict.fromkeys(("arguments", "input"), lenient.text_or_json),
    **dict.fromkeys(("output_index", "content_index", "summary_index", "sequence_number"), lenient.whole),
    "item": lenient.untouched,
}
_RESPONSE_SHAPE: dict[str, lenient.Convert] = {
    **dict.fromkeys(("id", "model", "status", "service_tier"), lenient.text),
    **dict.fromkeys(("output", "usage"), lenient.untouched),
    "created_at": lenient.number,
    "incomplete_details": _incomplete,
}


def _invalid(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {what}")
