"""Read the token counts of a response, each for itself: an odd one must not cost the others."""

from __future__ import annotations

from typing import Annotated

import msgspec

from service.domain.events import Usage
from service.wire import lenient
from service.wire.tally import Tally

MAX_USAGE_BYTES = 64 * 1024
"""A longer usage object is ignored. One of the API has 300 bytes."""

Tokens = Annotated[int, msgspec.Meta(ge=0, le=lenient.MAX_COUNT)]


class _Details(msgspec.Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    """Token counts by the names of the Responses API, and by those of Chat Completions."""

    input_tokens: Tokens | None = None
    prompt_tokens: Tokens | None = None
    input_tokens_details: _Details | None = None
    prompt_tokens_details: _Details | None = None
    output_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    output_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    total_tokens: Tokens | None = None


_USAGE = msgspec.json.Decoder(_Usage)
_NAMES = _Usage.__struct_fields__
_DETAILS = dict.fromkeys(_Details.__struct_fields__, lenient.count)


def read_usage(raw: msgspec.Raw, ignored: Tally) -> Usage | None:
    """Read the token counts, and keep the object as it is. An invalid count is 0, and counted in `ignored`.

    Returns None when there is no usage object.
    """
    if len(raw) > MAX_USAGE_BYTES or lenient.is_nothing(raw):
        return None
    try:
        counts = _USAGE.decode(raw)
    except lenient.UNREADABLE:
        try:
            counts = _field_by_field(lenient.fields_of(raw), ignored)
        except lenient.UNREADABLE:
            ignored.skip("usage")
            return None
    read = counts.input_tokens_details or counts.prompt_tokens_details or _Details()
    written = counts.output_tokens_details or counts.completion_tokens_details or _Details()
    input_tokens = counts.input_tokens or counts.prompt_tokens or 0
    output_tokens = counts.output_tokens or counts.completion_tokens or 0
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=read.cached_tokens or 0,
        cache_write_tokens=read.cache_write_tokens or 0,
        output_tokens=output_tokens,
        reasoning_tokens=written.reasoning_tokens or 0,
        total_tokens=counts.total_tokens or input_tokens + output_tokens,
        details_json=bytes(raw).decode(),
    )


def _field_by_field(fields: lenient.Fields, ignored: Tally) -> _Usage:
    def details(raw: bytes) -> _Details | None:
        try:
            inner = lenient.fields_of(raw)
        except lenient.UNREADABLE:
            return None
        return _Details(**lenient.read_fields(inner, _DETAILS, ignored, "usage."))

    shape: dict[str, lenient.Convert] = {
        name: details if name.endswith("_details") else lenient.count for name in _NAMES
    }
    return _Usage(**lenient.read_fields(fields, shape, ignored, "usage."))
