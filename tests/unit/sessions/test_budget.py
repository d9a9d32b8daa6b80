import pytest

from service.domain.errors import Reason, TurnError
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.tenant import Caller
from service.sessions.budget import Budget

MIB = 2**20
ALPHA, BETA = Caller("alpha"), Caller("beta")


@pytest.fixture
def budget():
    return Budget(10 * MIB, 4 * MIB)


def refused(budget, caller, size):
    with pytest.raises(TurnError) as caught:
        budget.hold(caller, size)
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    assert "TRUNKLINE_MAX_REQUEST_BYTES_IN_FLIGHT" in caught.value.message
    return caught.value.message


def test_what_is_held_is_counted_until_the_end(budget):
    with budget.hold(Caller(), 6 * MIB):
        assert budget.bytes == 6 * MIB
        refused(budget, Caller(), 5 * MIB)
    assert budget.bytes == 0
    assert repr(budget) == "Budget(0/10485760 bytes of 0 tenants)"


def test_small_requests_are_not_counted(budget):
    with budget.hold(ALPHA, LARGE_BYTES) as hold:
        hold.grow(LARGE_BYTES)
        assert budget.bytes == 0


def test_a_tenant_has_half_of_it(budget):
    with budget.hold(ALPHA, 3 * MIB), budget.hold(BETA, 3 * MIB):
        assert "tenant 'alpha'" in refused(budget, ALPHA, 3 * MIB)


def test_without_tenants_one_caller_may_use_the_whole_budget(budget):
    with budget.hold(Caller(), 8 * MIB):
        assert budget.bytes == 8 * MIB


@pytest.mark.parametrize("most", [4 * MIB, 6 * MIB])
def test_one_request_of_the_allowed_size_always_fits(most):
    with Budget(most, 4 * MIB).hold(ALPHA, 4 * MIB):
        pass


def test_what_turns_out_to_be_heavy_takes_more(budget):
    with budget.hold(ALPHA, 1_000) as hold:
        hold.grow(MIB)
        assert budget.bytes == MIB
        hold.grow(1_000)
        assert budget.bytes == MIB
        with pytest.raises(TurnError):
            hold.grow(100 * MIB)
    assert budget.bytes == 0


def test_many_small_parts_weigh_more_than_their_bytes(budget):
    message = Message(Role.USER, (TextPart("a"),) * 500)
    with budget.hold(Caller("a"), 100) as hold:
        hold.weigh(CompletionRequest("s", "m", (message,), size=100))
        assert budget.bytes == 100 + 500 * 256


def test_bytes_are_released_after_the_last_thread_has_ended(budget):
    with budget.hold(ALPHA, MIB) as hold:
        hold.pin()
    assert budget.bytes == MIB
    hold.unpin()
    assert budget.bytes == 0
