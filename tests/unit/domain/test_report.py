import pytest

from service.domain.report import LineState, SessionView, TransportReason


@pytest.mark.parametrize("state", LineState)
def test_a_session_is_live_while_its_connection_is_open(state):
    view = SessionView("s", state, 0, 0, 0, 1.0, 1.0)
    assert view.live is (state in (LineState.IDLE, LineState.BUSY))


def test_the_reasons_are_lower_case_names_of_their_members():
    assert all(reason.value == reason.name.lower() for reason in TransportReason)
