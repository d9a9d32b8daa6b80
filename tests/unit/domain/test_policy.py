from service.domain.policy import Cause, Policy
from service.domain.reasons import Fault


def test_a_loss_alone_proves_nothing():
    assert [cause for cause in Cause if not cause.proves_nothing_ran] == [Cause.LOSS]


def test_by_default_a_failure_is_final():
    policy = Policy(Fault.SERVICE, meaning="it broke", caller="report it")
    assert (policy.retryable, policy.replay, policy.route, policy.public) == (False, None, None, None)
