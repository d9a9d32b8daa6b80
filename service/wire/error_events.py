"""Error events and failed responses, read without more work than what is said in them is worth.

They come in too many shapes for one struct, so a small one is read whole. A large one echoes the request, or
is hostile: 16 MiB of brackets would be a hundred million bytes of objects. Of it only the fields of an error
are looked at, layer by layer, and only the beginning of a long text.
"""

from __future__ import annotations

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire.error_payload import LAYER_KEYS, MAX_LAYERS, MAX_MESSAGE_CHARACTERS
from service.wire.server_events import read_object

WHOLE_CHARACTERS = 64 * 1024
"""Up to here a frame is read whole: in 2 ms at most."""

VALUE_BYTES = 4 * MAX_MESSAGE_CHARACTERS
"""The same of one field of a large one."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_NOTHING = msgspec.Raw()


class _Layer(msgspec.Struct):
    """What `told_in` looks for, and nothing else."""

    type: msgspec.Raw = _NOTHING
    code: msgspec.Raw = _NOTHING
    message: msgspec.Raw = _NOTHING
    detail: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    param: msgspec.Raw = _NOTHING
    status: msgspec.Raw = _NOTHING
    status_code: msgspec.Raw = _NOTHING
    request_id: msgspec.Raw = _NOTHING
    response_id: msgspec.Raw = _NOTHING
    id: msgspec.Raw = _NOTHING
    headers: msgspec.Raw = _NOTHING
    response: msgspec.Raw = _NOTHING
    body: msgspec.Raw = _NOTHING


_LAYER = msgspec.json.Decoder(_Layer)


def read_error(frame: str | bytes) -> dict[str, object]:
    """What the frame says of a failure. Raises TurnError PROTOCOL_ERROR when it is no JSON object."""
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
    """The text that the JSON string begins with, cut between two characters: an escaped one has 12 bytes."""
    end = VALUE_BYTES
    while True:
        try:
            return msgspec.json.decode(raw[:end] + b'"', type=str)
        except _UNREADABLE:
            end -= 1  # at the latest, the text is empty
