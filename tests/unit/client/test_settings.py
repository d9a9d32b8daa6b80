import grpc
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from trunkline import AsyncClient, Client, tracing
from trunkline.settings import Settings


def test_options_of_the_channel():
    options = dict(Settings().options())
    assert options["grpc.keepalive_time_ms"] == 30_000
    assert options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == 64 << 20
    assert options["grpc.primary_user_agent"].startswith("trunkline-python/")
    assert options["grpc.service_config_disable_resolution"] == 1
    assert options["grpc.initial_reconnect_backoff_ms"] < options["grpc.max_reconnect_backoff_ms"] == 2000


def test_the_callers_own_options_win():
    settings = Settings(keepalive=None, channel_options=[("grpc.primary_user_agent", "mine"), ("x", 1)])
    options = settings.options()
    assert options.count(("grpc.primary_user_agent", "mine")) == 1
    assert len(options) == len(dict(options))
    assert "grpc.keepalive_time_ms" not in dict(options)


def test_tls():
    own = grpc.ssl_channel_credentials()
    assert Settings().credentials() is None
    assert Settings(tls=own).credentials() is own
    assert isinstance(Settings(tls=True).credentials(), grpc.ChannelCredentials)


def test_who_calls_and_for_which_session():
    assert dict(Settings(token="t").metadata("s1")) == {"authorization": "Bearer t", "x-session-id": "s1"}
    assert Settings().metadata() == ()


def test_a_token_that_changes():
    tokens = iter("ab")
    settings = Settings(token=lambda: next(tokens))
    assert [settings.metadata()[0][1] for _ in range(2)] == ["Bearer a", "Bearer b"]


@pytest.mark.parametrize("session_id", ["né", "a\nb"])
def test_an_id_that_is_no_header_is_left_to_the_service(session_id):
    assert Settings().metadata(session_id) == ()


def test_the_token_is_not_shown():
    assert "secret" not in repr(Settings(token="secret"))
    for kind in (AsyncClient, Client):
        assert repr(kind("h:1", token="secret")) == f"<{kind.__name__} h:1>"


@pytest.fixture
def span():
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        yield


@pytest.mark.usefixtures("span")
def test_the_callers_trace_goes_along():
    assert dict(Settings().metadata())["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"


@pytest.mark.usefixtures("span")
def test_without_opentelemetry_there_is_no_trace(monkeypatch):
    monkeypatch.setattr(tracing, "inject", None)
    assert Settings().metadata() == ()
