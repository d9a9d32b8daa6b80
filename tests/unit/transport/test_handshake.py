import pytest

from service.transport.handshake import HAPPY_EYEBALLS_DELAY_S, _next_address_after


@pytest.mark.parametrize(
    ("url", "delay"),
    [
        ("ws://127.0.0.1:1/v1", None),
        ("wss://[fd00::1]/v1", None),
        ("http://user:word@10.0.0.1:3128", None),
        ("wss://api.example.com/v1", HAPPY_EYEBALLS_DELAY_S),
        ("ws://localhost:1/v1", HAPPY_EYEBALLS_DELAY_S),
    ],
)
def test_only_a_name_has_a_next_address(url, delay):
    assert _next_address_after(url) == delay
