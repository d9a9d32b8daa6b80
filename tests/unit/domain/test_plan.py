from service.domain.plan import ContextReason, Plan


def test_a_plan_is_incremental_if_it_continues_a_response():
    assert Plan((), "resp_1", ContextReason.CONTINUED).incremental
    assert not Plan((), "", ContextReason.FIRST_TURN).incremental


def test_the_reasons_are_lower_case_names_of_their_members():
    assert all(reason.value == reason.name.lower() for reason in ContextReason)
