import pytest

from service.domain.messages import Transport
from service.domain.report import LineState, Peer, SessionView, TransportReason


@pytest.mark.parametrize("state", LineState)
def test_a_session_is_live_while_its_connection_is_open(state):
    view = SessionView("s", state, 0, 0, 0, 1.0, 1.0)
    assert view.live is (state in (LineState.IDLE, LineState.BUSY))


def test_the_reasons_are_lower_case_names_of_their_members():
    assert all(reason.value == reason.name.lower() for reason in TransportReason)


@pytest.mark.parametrize(
    ("allowed", "wishes"),
    [
        (Transport.AUTO, set(Transport)),
        (Transport.SSE, {Transport.AUTO, Transport.SSE}),
        (Transport.WEBSOCKET, {Transport.AUTO, Transport.WEBSOCKET}),
    ],
)
def test_an_upstream_allows_both_transports_or_one(allowed, wishes):
    peer = Peer.at("a", "http://host/v1", allowed)
    assert {wish for wish in Transport if peer.allows(wish)} == wishes
    assert (peer.host, peer.port) == ("host", 80)
