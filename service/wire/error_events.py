"""Decode error events and failed responses with bounded work.

They come in too many shapes for one struct, so a small frame is decoded as a whole. A large one echoes the
request, or is hostile: 16 MiB of brackets would become a hundred million bytes of objects. Of a large frame
only the fields of an error are decoded, layer by layer, and only the beginning of a long text.
"""

from __future__ import annotations

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire.error_payload import LAYER_KEYS, MAX_LAYERS, MAX_MESSAGE_CHARACTERS
from service.wire.server_events import read_object

WHOLE_CHARACTERS = 64 * 1024
"""A frame up to this length is decoded as a whole, in 2 ms at most."""

VALUE_BYTES = 4 * MAX_MESSAGE_CHARACTERS
"""A field of a large frame up to this length is decoded as a whole."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_ABSENT = msgspec.Raw()


class _Layer(msgspec.Struct):
    """The fields that `parse_error_payload` reads, undecoded."""

    type: msgspec.Raw = _ABSENT
    code: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    detail: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    param: msgspec.Raw = _ABSENT
    status: msgspec.Raw = _ABSENT
    status_code: msgspec.Raw = _ABSENT
    request_id: msgspec.Raw = _ABSENT
    response_id: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT
    headers: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT
    body: msgspec.Raw = _ABSENT


_LAYER = msgspec.json.Decoder(_Layer)


def read_error(frame: str | bytes) -> dict[str, object]:
    """Decode the frame's fields about a failure.

    Raises TurnError PROTOCOL_ERROR when it is no JSON object.
    """
    if len(frame) <= WHOLE_CHARACTERS:
        return read_object(frame)
    return _layer(frame, MAX_LAYERS)


def _layer(data: str | bytes | msgspec.Raw, layers: int) -> dict[str, object]:
    try:
        layer = _LAYER.decode(data)
    except _UNREADABLE as error:
        raise TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent a malformed error: {error}") from error
    fields = ((name, getattr(layer, name)) for name in layer.__struct_fields__)
    return {name: _value(name, bytes(raw), layers - 1) for name, raw in fields if raw}


def _value(name: str, raw: bytes, layers: int) -> object:
    if len(raw) <= VALUE_BYTES:
        try:
            return msgspec.json.decode(raw)
        except _UNREADABLE:
            return None
    if raw.startswith(b'"'):
        return _beginning(raw)
    return _layer(raw, layers) if layers and name in LAYER_KEYS and raw.startswith(b"{") else None


def _beginning(raw: bytes) -> str:
    """Decode the beginning of a JSON string, cut between characters: an escaped one takes up to 12 bytes."""
    end = VALUE_BYTES
    while True:
        try:
            return msgspec.json.decode(raw[:end] + b'"', type=str)
        except _UNREADABLE:
            end -= 1  # at the latest, the text is empty
