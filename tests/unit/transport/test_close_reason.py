import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close
from websockets.uri import parse_uri

from service.transport.close_reason import close_error, close_reason


def protocol(sent=None, received=None, *, answered=False):
    made = ClientProtocol(parse_uri("ws://up/v1"))
    made.close_sent = Close(sent, "") if sent else None
    made.close_rcvd = Close(received, "") if received else None
    made.close_rcvd_then_sent = answered if sent and received else None
    return made


@pytest.mark.parametrize(
    ("made", "flags", "word"),
    [
        (protocol(), {"dead": True}, "ping_timeout"),
        (protocol(1000), {}, "retired"),
        (protocol(1000, 1000), {}, "retired"),
        (protocol(1000), {"expired": True}, "expired"),
        (protocol(1001), {"expired": True}, "shutdown"),
        (protocol(1009), {}, "protocol_error"),
        (protocol(1000, 1000, answered=True), {}, "upstream_1000"),
        (protocol(received=1012), {}, "upstream_1012"),
        (protocol(received=4711), {}, "upstream_other"),
        (protocol(), {"cut_off": True}, "cut_off"),
        (protocol(), {}, "upstream_gone"),
    ],
)
def test_why_a_line_ended(made, flags, word):
    given = {"dead": False, "cut_off": False, "expired": False} | flags
    assert close_reason(made, **given) == word


def test_the_error_of_a_turn_names_the_silence_or_the_close():
    broken = protocol()
    assert close_error(broken, 0.0).message == "the upstream connection broke without a close frame"
    assert close_error(protocol(received=1011), 0.0).message.endswith("closed the connection with 1011")
    assert close_error(protocol(1009), 0.0).message == "we closed the upstream connection with 1009"
    assert close_error(broken, 40.0).message == "the upstream sent nothing for 40 s and answered no ping"
