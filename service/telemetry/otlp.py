"""Encode spans as the bytes of an OTLP request, and export them over HTTP.

The library's encoder builds a protobuf object for each attribute. That takes a tenth of a turn's time, in a
thread that competes with the event loop for the interpreter. This one writes the bytes directly: a field is a
tag (`number << 3 | wire type`), for texts and messages a length, and the data. Example: the attribute
`{"a": "b"}` of a span is `4A 08 | 0A 01 61 | 12 03 0A 01 62`, that is field 9, key "a", value "b".

It must write what the library's encoder would write; a test decodes both and compares them. Field numbers are
those of opentelemetry-proto 1: `trace.proto`, `common.proto`, `resource.proto`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import pack

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, TraceState
from opentelemetry.util.types import AnyValue

from service.telemetry.bounds import REMEMBERED_CHARACTERS

logger = logging.getLogger(__name__)

KINDS = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
REMOTE_IS_KNOWN, IS_REMOTE = 0x100, 0x200
"""Flags of a span: that it states whether its parent is remote, and that it is."""

PLAIN = frozenset({str, bool, int, float})

REMEMBERED = 4096
"""The number of encoded attributes cached: those of a tenant or a model recur. Only short ones."""


class HttpSpans(OTLPSpanExporter):
    """The library's exporter with the encoding of this module."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._shutdown:
            return SpanExportResult.FAILURE
        try:
            sent = self._client.export(encode(spans)).success
        except Exception as error:  # noqa: BLE001  any error costs one batch, not the exporter's thread
            logger.warning("a batch of spans is lost: %s", type(error).__name__)
            sent = False
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE


def encode(spans: Iterable[ReadableSpan]) -> bytes:
    """Return a serialised ExportTraceServiceRequest."""
    # By identity: comparing resources takes longer than encoding a span.
    origins: dict[int, dict[int, list[ReadableSpan]]] = {}
    for span in spans:
        scopes = origins.setdefault(id(span.resource), {})
        scopes.setdefault(id(span.instrumentation_scope), []).append(span)
    return b"".join(_field(1, _of_one_resource(list(scopes.values()))) for scopes in origins.values())


def _of_one_resource(scopes: list[list[ReadableSpan]]) -> bytes:
    resource = _field(1, _attributes(1, scopes[0][0].resource.attributes))
    return resource + b"".join(_field(2, _of_one_scope(spans)) for spans in scopes)


def _of_one_scope(spans: list[ReadableSpan]) -> bytes:
    scope = spans[0].instrumentation_scope
    named = b"" if scope is None else _text(1, scope.name) + _text(2, scope.version or "")
    return _field(1, named) + b"".join(_field(2, _span(span)) for span in spans)


def _span(span: ReadableSpan) -> bytes:
    context, parent = span.get_span_context(), span.parent
    assert context is not None, "an exported span has its ids"
    flags = REMOTE_IS_KNOWN | (IS_REMOTE if parent is not None and parent.is_remote else 0)
    return b"".join(
        (
            _ids(context),
            _state(context.trace_state),
            b"" if parent is None else b"\x22\x08" + parent.span_id.to_bytes(8, "big"),
            _text(5, span.name),
            b"\x30%c" % KINDS[span.kind],
            pack("<BQBQ", 0x39, span.start_time or 0, 0x41, span.end_time or 0),
            _attributes(9, span.attributes),
            *(_field(11, _event(event.timestamp, event.name, event.attributes)) for event in span.events),
            *(_field(13, _link(link.context, link.attributes)) for link in span.links),
            _status(span.status),
            b"\x85\x01" + pack("<I", flags),
        )
    )


def _status(status: Status) -> bytes:
    code = status.status_code.value
    return _field(15, _text(2, status.description or "") + (b"\x18%c" % code if code else b""))


def _event(at: int, name: str, attributes: Mapping[str, AnyValue] | None) -> bytes:
    return pack("<BQ", 0x09, at) + _text(2, name) + _attributes(3, attributes)


def _link(to: SpanContext, attributes: Mapping[str, AnyValue] | None) -> bytes:
    flags = REMOTE_IS_KNOWN | (IS_REMOTE if to.is_remote else 0)
    return _ids(to) + _attributes(4, attributes) + b"\x35" + pack("<I", flags)


def _ids(context: SpanContext) -> bytes:
    trace_id, span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
    return b"\x0a\x10" + trace_id + b"\x12\x08" + span_id


def _state(state: TraceState | None) -> bytes:
    return _text(3, ",".join(f"{key}={value}" for key, value in state.items())) if state else b""


def _attributes(number: int, attributes: Mapping[str, AnyValue] | None) -> bytes:
    if not attributes:
        return b""
    return b"".join([_attribute(number, name, value) for name, value in attributes.items()])


def _attribute(number: int, name: str, value: AnyValue) -> bytes:
    if type(value) in PLAIN and not (type(value) is str and len(value) > REMEMBERED_CHARACTERS):
        return _remembered(number, name, value)
    return _written(number, name, value)


def _written(number: int, name: str, value: AnyValue) -> bytes:
    return _field(number, _text(1, name) + _field(2, _value(value)))


_remembered = lru_cache(REMEMBERED, typed=True)(_written)


def _value(value: AnyValue) -> bytes:
    """Encode an AnyValue. It is a oneof, so unlike other fields it is written even if empty or zero."""
    match value:
        case None:
            return b""
        case bool():
            return b"\x10%c" % value
        case str():
            return _field(1, _utf8(value))
        case int():
            return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
        case float():
            return pack("<Bd", 0x21, value)
        case bytes():
            return _field(7, value)
        case Mapping():
            return _field(6, b"".join(_written(1, str(name), one) for name, one in value.items()))
        case _:
            return _field(5, b"".join(_field(1, _value(one)) for one in value))


def _text(number: int, text: str) -> bytes:
    return _field(number, _utf8(text)) if text else b""


def _utf8(text: str) -> bytes:
    """Encode as UTF-8. A lone surrogate is replaced; it must not fail the batch."""
    return text.encode(errors="replace")


def _field(number: int, data: bytes) -> bytes:
    size = len(data)
    if size < 0x80 and number < 16:
        return bytes((number << 3 | 2, size)) + data
    return _varint(number << 3 | 2) + _varint(size) + data


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
