import pytest

from service.transport.frames import SplittingConnection
from service.transport.handshake import HAPPY_EYEBALLS_DELAY_S, _next_address_after, connect_to
from service.transport.receive_buffer import BufferedConnection
from tests.unit.transport.conftest import TLS


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


@pytest.mark.parametrize(("splits", "kind"), [(True, SplittingConnection), (False, BufferedConnection)])
async def test_frames_are_split_unless_that_is_left_out(peer, splits, kind):
    connection = await connect_to(peer.url, {}, TLS, splits_frames=splits)
    try:
        assert type(connection) is kind
    finally:
        connection.transport.abort()
        await connection.wait_closed()
