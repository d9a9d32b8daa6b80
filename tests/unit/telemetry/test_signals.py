from service.telemetry.otel_env import Capture
from service.telemetry.signals import install, signals
from tests.watching import watching


def test_without_a_setup_everything_is_dropped():
    assert signals().tracer is None
    signals().instruments.turns.add(1, {})


def test_install_replaces_everything_and_without_arguments_resets():
    with watching(capture=Capture.SPAN_ONLY, upstream=("host", 443)):
        now = signals()
        assert now.tracer is not None
        assert (now.capture, now.upstream) == (Capture.SPAN_ONLY, ("host", 443))
        install()
        assert signals() is not now
        assert (signals().tracer, signals().capture) == (None, Capture.NO_CONTENT)
