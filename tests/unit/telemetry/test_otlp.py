"""Test that the OTLP encoding decodes to what the library would have sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from service.telemetry.otlp import HttpSpans, encode

NS = st.integers(0, 2**64 - 1)
TEXT = st.text(max_size=200)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
PLAIN = TEXT | st.booleans() | NUMBERS | st.binary(max_size=20)
VALUES = PLAIN | st.lists(TEXT, max_size=4).map(tuple) | st.dictionaries(TEXT, PLAIN, max_size=3) | st.none()
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=6)
STATES = st.sampled_from([None, TraceState(), TraceState([("vendor", "1"), ("other", "two")])])
CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(TraceFlags.SAMPLED)),
    STATES,
)
RESOURCES = [Resource({"service.name": "trunkline", "n": 1}), Resource({})]
SCOPES = [InstrumentationScope("trunkline"), InstrumentationScope("other", "1.2"), None]
SPANS = st.builds(
    ReadableSpan,
    TEXT,
    CONTEXTS,
    st.none() | CONTEXTS,
    st.sampled_from(RESOURCES),
    ATTRIBUTES,
    st.lists(st.builds(Event, TEXT, ATTRIBUTES, NS), max_size=3),
    st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=2),
    st.sampled_from(SpanKind),
    st.none(),
    st.sampled_from([Status(StatusCode.UNSET), Status(StatusCode.OK), Status(StatusCode.ERROR, "why")]),
    NS,
    NS,
    st.sampled_from(SCOPES),
)


def decoded(data):
    return ExportTraceServiceRequest.FromString(data)


@given(st.lists(SPANS, max_size=5))
def test_the_encoding_decodes_to_that_of_the_library(spans):
    assert decoded(encode(spans)) == encode_spans(spans)


def test_a_lone_surrogate_is_replaced_in_a_span():
    context = SpanContext(1, 2, False)
    reported = decoded(
        encode([ReadableSpan("a", context, attributes={"said": "x\ud800y"}, resource=RESOURCES[1])])
    )
    (span,) = reported.resource_spans[0].scope_spans[0].spans
    assert span.attributes[0].value.string_value == "x?y"


@pytest.mark.parametrize("spoilt", [ReadableSpan("a", None), object()])
def test_a_batch_that_cannot_be_encoded_is_logged(caplog, spoilt):
    exporter = HttpSpans("http://127.0.0.1:9/v1/traces")
    assert exporter.export([spoilt]) is SpanExportResult.FAILURE
    assert "a batch of spans is lost" in caplog.text


def test_nothing_is_sent_after_shutdown():
    exporter = HttpSpans("http://127.0.0.1:9/v1/traces")
    exporter.shutdown()
    assert exporter.export([]) is SpanExportResult.FAILURE
