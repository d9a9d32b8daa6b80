"""What the upstream knows: the reasons for a full request, the canonical comparison, and the bookkeeping
of a chain.
"""

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.history import History, full_plan, orphans, without_reasoning
from service.domain.messages import (
    Item,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    UpstreamItemPart,
    items_of,
)
from service.domain.plan import ContextReason

FINGERPRINT = {ContextReason.MODEL_CHANGED: b"m", ContextReason.TOOLS_CHANGED: b"t"}
LINE = 7


def user(text: str) -> Message:
    return Message(Role.USER, (TextPart(text),))


def assistant(*parts) -> Message:
    return Message(Role.ASSISTANT, parts or (TextPart("answer"),))


def result(call_id: str, text: str = "42") -> Message:
    return Message(Role.TOOL, (ToolResultPart(call_id, (TextPart(text),)),))


CALL = ToolCallPart("call_1", "add", '{"a": 1, "b": [2, 3]}')
THOUGHT = ReasoningPart("rs_1", ("hm",), "sealed")


def items(*messages: Message) -> tuple[Item, ...]:
    return tuple(items_of(messages))


def turn(
    history: History,
    asked: tuple[Item, ...],
    answer: Message,
    response_id="resp_1",
    *,
    fingerprint=FINGERPRINT,
    line=LINE,
    stored=False,
):
    """Plans, consumes and commits, as a turn that completes does. Returns what was sent."""
    plan = history.plan(asked, fingerprint, line)
    chain = history.consume(line)
    added = (*plan.items, *items_of((answer,)))
    base = chain if plan.incremental else None
    sizes = [10] * len(added)
    known_on = None if stored else line
    history.commit(base, added, sizes, fingerprint=fingerprint, response_id=response_id, line_id=known_on)
    return plan


def history_of(asked: tuple[Item, ...], answer: Message, *, stored=False) -> History:
    history = History()
    turn(history, asked, answer, stored=stored)
    return history


def test_first_turn_is_full():
    plan = History().plan(items(user("a")), FINGERPRINT, LINE)
    assert plan == full_plan(items(user("a")), ContextReason.FIRST_TURN)
    assert not plan.incremental


def test_an_echoed_answer_is_continued_with_the_new_items_only():
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(user("a"), assistant(), user("b")), FINGERPRINT, LINE)
    assert plan.items == items(user("b"))
    assert plan.previous_response_id == "resp_1"
    assert plan.reason is ContextReason.CONTINUED
    assert plan.bytes_known == 20


def test_planning_changes_nothing():
    history = history_of(items(user("a")), assistant())
    asked = items(user("a"), assistant(), user("b"))
    assert history.plan(asked, FINGERPRINT, LINE) == history.plan(asked, FINGERPRINT, LINE)


def test_original_fault_parent_taken_from_whatever_completed_last():
    """A chain is valid on one connection: on another, the same history is sent in full."""
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(user("a"), assistant(), user("b")), FINGERPRINT, LINE + 1)
    assert plan.reason is ContextReason.NEW_CONNECTION
    assert plan.previous_response_id == ""
    assert len(plan.items) == 3


def test_original_fault_counts_messages_instead_of_comparing_content():
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(user("EDITED"), assistant(), user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED
    assert len(plan.items) == 3


def test_original_fault_full_context_together_with_previous_response_id():
    history = history_of(items(user("a")), assistant())
    for asked in (items(user("x")), items(user("a"), assistant())):
        assert history.plan(asked, FINGERPRINT, LINE).previous_response_id == ""


def test_original_fault_new_user_messages_dropped_in_incremental_mode():
    history = history_of(items(user("a")), assistant(CALL))
    asked = items(
        user("a"),
        assistant(CALL),
        result("call_1"),
        user("and now?"),
        Message(Role.DEVELOPER, (TextPart("x"),)),
    )
    assert history.plan(asked, FINGERPRINT, LINE).items == asked[2:]


def test_a_consumed_chain_is_gone_until_a_turn_completes():
    history = history_of(items(user("a")), assistant())
    history.consume(LINE)
    plan = history.plan(items(user("a"), assistant(), user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.TURN_NOT_COMPLETED
    assert len(plan.items) == 3


def test_moving_to_another_connection_drops_the_chain():
    history = history_of(items(user("a")), assistant())
    asked = items(user("a"), assistant(), user("b"))
    plan = history.plan(asked, FINGERPRINT, LINE)
    history.consume(LINE)
    history.line_closed(LINE)
    history.moved(plan)
    again = history.plan(asked, FINGERPRINT, LINE + 1)
    assert again == full_plan(asked, ContextReason.NEW_CONNECTION)
    history.consume(LINE)
    assert history.plan(asked, FINGERPRINT, LINE + 1).reason is ContextReason.TURN_NOT_COMPLETED


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ((user("EDITED"),), ContextReason.HISTORY_EDITED),
        ((user("a"), assistant()), ContextReason.EMPTY_SUFFIX),
    ],
)
def test_a_moved_full_turn_keeps_its_reason(asked, reason):
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(*asked), FINGERPRINT, LINE)
    history.consume(LINE)
    history.moved(plan)
    assert history.plan(items(*asked), FINGERPRINT, LINE + 1).reason is reason


def test_a_closed_connection_drops_only_its_own_chain():
    history = history_of(items(user("a")), assistant())
    history.line_closed(LINE + 1)
    asked = items(user("a"), assistant(), user("b"))
    assert history.plan(asked, FINGERPRINT, LINE).incremental
    history.line_closed(LINE)
    assert history.plan(asked, FINGERPRINT, LINE).reason is ContextReason.NEW_CONNECTION
    history.line_closed(LINE)


@pytest.mark.parametrize("reason", FINGERPRINT, ids=lambda reason: reason.value)
def test_a_changed_fingerprint_breaks_the_chain_with_its_reason(reason):
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(user("a"), assistant(), user("b")), {**FINGERPRINT, reason: b"other"}, LINE)
    assert plan.reason is reason
    assert not plan.incremental


def test_nothing_new_is_sent_in_full():
    history = history_of(items(user("a")), assistant())
    plan = history.plan(items(user("a"), assistant()), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.EMPTY_SUFFIX


def test_a_shortened_history_is_an_edit():
    history = history_of(items(user("a"), assistant(), user("b")), assistant(TextPart("two")))
    plan = history.plan(items(user("a"), assistant()), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


def test_a_primed_chain_goes_with_everything():
    history = History()
    history.prime("resp_0", FINGERPRINT, LINE)
    plan = history.plan(items(user("a")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.PRIMED
    assert plan.previous_response_id == "resp_0"
    assert plan.items == items(user("a"))


def test_omitted_reasoning_is_no_edit_and_saves_nothing():
    history = history_of(items(user("a")), assistant(THOUGHT, TextPart("answer")))
    plan = history.plan(items(user("a"), assistant(), user("b")), FINGERPRINT, LINE)
    assert plan.items == items(user("b"))
    assert plan.bytes_known == 20


def test_reasoning_at_the_end_may_be_left_out_too():
    history = history_of(items(user("a")), assistant(TextPart("answer"), THOUGHT))
    plan = history.plan(items(user("a"), assistant()), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.EMPTY_SUFFIX


def test_reasoning_that_was_left_out_stays_known():
    history = history_of(items(user("a")), assistant(THOUGHT, TextPart("answer")))
    turn(history, items(user("a"), assistant(), user("b")), assistant(TextPart("two")), "resp_2")
    echoed = items(
        user("a"), assistant(THOUGHT, TextPart("answer")), user("b"), assistant(TextPart("two")), user("c")
    )
    plan = history.plan(echoed, FINGERPRINT, LINE)
    assert plan.items == items(user("c"))
    assert plan.previous_response_id == "resp_2"


def test_reasoning_that_changed_is_an_edit():
    history = history_of(items(user("a")), assistant(THOUGHT, TextPart("answer")))
    other = ReasoningPart("rs_1", ("hm",), "forged")
    plan = history.plan(items(user("a"), assistant(other, TextPart("answer")), user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


SEARCH = UpstreamItemPart("web_search_call", '{"type":"web_search_call","id":"ws_1"}')
OTHER = UpstreamItemPart("web_search_call", '{"type":"web_search_call","id":"ws_2"}')
EXTRA = TextPart("a", extra_json='{"new":1}')


@pytest.mark.parametrize(
    ("answer", "echo"),
    [
        ((SEARCH, TextPart("a")), (TextPart("a"),)),
        ((TextPart("a"), SEARCH, TextPart("b")), (TextPart("a"), TextPart("b"))),
        ((TextPart("a"), SEARCH), (TextPart("a"),)),
        ((THOUGHT, SEARCH, TextPart("a")), (SEARCH, TextPart("a"))),
        ((SEARCH, OTHER, TextPart("a")), (OTHER, TextPart("a"))),
        ((EXTRA,), (TextPart("a"),)),
        (
            (ReasoningPart("r", extra_json="[]"), ReasoningPart("r", extra_json="{}"), TextPart("a")),
            (ReasoningPart("r", extra_json="{}"), TextPart("a")),
        ),
        ((TextPart("b"), EXTRA), (TextPart("b"), EXTRA)),
        ((TextPart("a", item_id="1"), TextPart("b", item_id="2")), (TextPart("a"), TextPart("b"))),
        ((TextPart("a", "", "[1]", "[2]"),), (TextPart("a"),)),
    ],
    ids=[
        "item", "item between texts", "last item", "thought", "first item", "more keys", "thoughts", "kept",
        "ids", "citations",
    ],
)  # fmt: skip
def test_what_a_client_does_not_know_may_be_left_out_of_an_answer(answer, echo):
    history = history_of(items(user("q")), assistant(*answer))
    plan = history.plan(items(user("q"), assistant(*echo), user("b")), FINGERPRINT, LINE)
    assert plan.items == items(user("b"))


@pytest.mark.parametrize(
    ("answer", "echo"),
    [
        ((SEARCH, TextPart("a")), (OTHER, TextPart("a"))),
        ((TextPart("a"), SEARCH), (TextPart("a"), OTHER)),
        ((SEARCH, OTHER, TextPart("a")), (OTHER, SEARCH, TextPart("a"))),
        ((EXTRA,), (TextPart("a", extra_json='{"new":2}'),)),
        ((TextPart("a"),), (EXTRA,)),
        ((TextPart("a"), TextPart("b")), (TextPart("a"), TextPart("b"), TextPart("c"))),
        ((TextPart("a"), TextPart("b")), (TextPart("a"),)),
    ],
    ids=["item", "last item", "order", "more keys", "new keys", "more text", "less text"],
)
def test_what_a_caller_changed_in_an_answer_is_an_edit(answer, echo):
    history = history_of(items(user("q")), assistant(*answer))
    plan = history.plan(items(user("q"), assistant(*echo), user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


def test_what_the_caller_said_may_not_be_left_out():
    said = Message(Role.USER, (UpstreamItemPart("computer_call_output", "{}"),))
    history = history_of(items(user("q"), said), assistant())
    plan = history.plan(items(user("q"), assistant(), user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


def test_more_keys_stay_known_in_later_turns():
    history = history_of(items(user("a")), assistant(EXTRA))
    turn(history, items(user("a"), assistant(EXTRA), user("b")), assistant(EXTRA, CALL))
    asked = items(user("a"), assistant(EXTRA), user("b"), assistant(EXTRA, CALL), result("call_1"))
    assert history.plan(asked, FINGERPRINT, LINE).items == items(result("call_1"))
    changed = items(user("a"), assistant(EXTRA), user("b"), assistant(TextPart("a", extra_json="{}"), CALL))
    plan = history.plan((*changed, *items(result("call_1"))), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


def test_texts_that_form_one_item_have_its_size():
    history = history_of(items(user("q")), assistant(TextPart("a"), TextPart("b"), CALL))
    asked = items(user("q"), assistant(TextPart("a"), TextPart("b"), CALL), result("call_1"))
    assert history.plan(asked, FINGERPRINT, LINE).bytes_known == 30
    assert history.plan(asked[:-1], FINGERPRINT, LINE).reason is ContextReason.EMPTY_SUFFIX


def test_without_reasoning_keeps_everything_else():
    plan = full_plan(items(user("a"), assistant(THOUGHT, TextPart("answer"), CALL)), ContextReason.FIRST_TURN)
    kept = without_reasoning(plan)
    assert kept.items == items(user("a"), assistant(TextPart("answer"), CALL))
    assert kept.reason is plan.reason


def test_orphans_are_results_without_an_earlier_call():
    messages = (
        result("call_1"),
        assistant(CALL),
        Message(Role.TOOL, (ToolResultPart("call_1", ()), ToolResultPart("call_2", ()))),
    )
    assert list(orphans(messages)) == [(0, 0), (2, 1)]


def test_repr_tells_the_state_and_no_content():
    history = History()
    assert repr(history) == "History(no chain: first_turn)"
    turn(history, items(user("a secret")), assistant())
    assert repr(history) == "History(2 items, resp_1, line 7)"
    assert repr(history_of(items(user("a secret")), assistant(), stored=True)) == (
        "History(2 items, resp_1, stored)"
    )


# --- stored responses ---------------------------------------------------------------------------------------

ASKED = items(user("a"), assistant(), user("b"))


@pytest.mark.parametrize("line", [LINE, LINE + 1, None], ids=["its own line", "another line", "SSE"])
def test_a_stored_response_is_continued_over_anything(line):
    history = history_of(items(user("a")), assistant(), stored=True)
    history.line_closed(LINE)
    plan = history.plan(ASKED, FINGERPRINT, line)
    assert (plan.previous_response_id, plan.items) == ("resp_1", items(user("b")))


def test_a_stored_response_outlives_turns_that_fail():
    history = history_of(items(user("a")), assistant(), stored=True)
    for line in (LINE, None, LINE + 1):
        plan = history.plan(ASKED, FINGERPRINT, line)
        chain = history.consume(line)
        assert chain is not None
        assert chain.response_id == plan.previous_response_id == "resp_1"
        history.moved(plan)
    assert history.plan(ASKED, FINGERPRINT, LINE).incremental


def test_by_sse_a_chain_that_a_line_knows_is_neither_used_nor_lost():
    history = history_of(items(user("a")), assistant())
    assert history.plan(ASKED, FINGERPRINT, None) == full_plan(ASKED, ContextReason.SSE)
    assert history.consume(None) is None
    assert history.plan(ASKED, FINGERPRINT, LINE).incremental


def test_by_sse_without_a_chain_the_reason_is_sse():
    assert History().plan(ASKED, FINGERPRINT, None).reason is ContextReason.SSE


def test_by_sse_a_stored_response_that_does_not_fit_says_why():
    history = history_of(items(user("a")), assistant(), stored=True)
    assert history.plan(items(user("x")), FINGERPRINT, None).reason is ContextReason.HISTORY_EDITED


@pytest.mark.parametrize("stored", [False, True], ids=["of a line", "stored"])
def test_another_key_drops_the_chain(stored):
    history = history_of(items(user("a")), assistant(), stored=stored)
    history.rebound(ContextReason.NEW_CONNECTION)
    assert history.plan(ASKED, FINGERPRINT, LINE).reason is ContextReason.NEW_CONNECTION


def test_the_first_key_is_no_other():
    history = History()
    history.rebound(ContextReason.NEW_CONNECTION)
    assert history.plan(ASKED, FINGERPRINT, LINE).reason is ContextReason.FIRST_TURN


def test_a_warm_up_replaces_what_a_line_knows_and_nothing_that_is_stored():
    history = history_of(items(user("a")), assistant())
    history.prime("resp_0", FINGERPRINT, LINE)
    assert history.plan(ASKED, FINGERPRINT, LINE).previous_response_id == "resp_0"
    history = history_of(items(user("a")), assistant(), stored=True)
    history.prime("resp_0", FINGERPRINT, LINE)
    assert history.plan(ASKED, FINGERPRINT, LINE).previous_response_id == "resp_1"


# --- properties ---------------------------------------------------------------------------------------------

texts = st.text(max_size=8)
extras = st.sampled_from(["", '{"a":1}', '{"a":2}'])
answers = st.lists(
    st.one_of(
        st.builds(TextPart, texts, st.sampled_from(["", "commentary", "final_answer"])),
        st.builds(RefusalPart, texts),
        st.builds(
            ToolCallPart,
            texts,
            texts,
            st.one_of(texts, st.dictionaries(texts, st.integers()).map(json.dumps)),
        ),
        st.builds(ReasoningPart, texts, st.lists(texts, max_size=2).map(tuple), texts),
        st.builds(TextPart, texts, item_id=texts, extra_json=extras, annotations_json=extras),
        st.builds(ToolCallPart, texts, texts, texts, kind=st.sampled_from(ToolKind), extra_json=extras),
        st.builds(ReasoningPart, texts, extra_json=extras),
        st.builds(UpstreamItemPart, texts, texts, texts),
    ),
    min_size=1,
    max_size=5,
).map(lambda parts: Message(Role.ASSISTANT, tuple(parts)))
questions = st.one_of(
    st.builds(user, texts),
    st.builds(lambda text: Message(Role.SYSTEM, (TextPart(text),)), texts),
    st.builds(result, texts, texts),
)
turns = st.lists(st.tuples(st.lists(questions, min_size=1, max_size=3), answers), min_size=1, max_size=6)


@given(turns)
def test_echoed_answers_continue_without_loss_or_repetition(conversation):
    history = History()
    messages: list[Message] = []
    upstream: list[Item] = []
    for number, (asked, answer) in enumerate(conversation):
        messages += asked
        plan = turn(history, items(*messages), answer, f"resp_{number}")
        assert plan.incremental is (number > 0)
        upstream = (upstream if plan.incremental else []) + list(plan.items)
        assert upstream == list(items(*messages))
        upstream += items_of((answer,))
        messages.append(answer)


@given(turns, st.data())
def test_after_any_edit_the_upstream_has_the_callers_history(conversation, data):
    history = History()
    messages: list[Message] = []
    upstream: list[Item] = []
    for number, (asked, answer) in enumerate(conversation):
        messages += asked
        edit = data.draw(st.sampled_from(["keep", "drop first", "change first", "drop reasoning"]))
        if edit == "drop first" and len(messages) > 1:
            messages = messages[1:]
        elif edit == "change first":
            messages[0] = user("changed")
        elif edit == "drop reasoning":
            messages = [without(message) for message in messages if without(message).parts]
        plan = turn(history, items(*messages), answer, f"resp_{number}")
        upstream = (upstream if plan.incremental else []) + list(plan.items)
        assert spoken(upstream) == spoken(items(*messages))
        assert plan.items or not messages
        upstream += items_of((answer,))
        messages.append(answer)


@given(turns, st.data())
def test_whatever_a_client_leaves_out_of_answers_it_stays_incremental(conversation, data):
    history = History()
    messages: list[Message] = []
    for number, (asked, answer) in enumerate(conversation):
        messages += asked
        plan = turn(history, items(*messages), answer, f"resp_{number}")
        assert plan.incremental is (number > 0)
        assert plan.items == items(*(asked if number else messages))
        messages.append(data.draw(st.builds(left_out, st.just(answer), st.randoms())))


def left_out(answer: Message, random: Random) -> Message:
    """The answer as a client might echo it: without some of what it need not know."""
    kept = (part if random.random() < 0.5 else _plain(part) for part in answer.parts)
    return Message(answer.role, tuple(part for part in kept if part is not None))


def _plain(part: Part) -> Part | None:
    match part:
        case ReasoningPart() | UpstreamItemPart():
            return None
        case TextPart():
            return TextPart(part.text, part.phase)
        case _:
            return replace(part, extra_json="", item_id="")


@given(questions, answers, st.data())
def test_whatever_a_caller_changes_in_an_answer_is_an_edit(asked, answer, data):
    """The new content is nowhere in the answer, so nothing else can be what it was."""
    index = data.draw(st.integers(0, len(answer.parts) - 1))
    part = answer.parts[index]
    if data.draw(st.booleans()) and not isinstance(part, UpstreamItemPart):
        changed: Part = replace(part, extra_json='{"changed":1}')
    else:
        field = {ToolCallPart: "name", ReasoningPart: "encrypted_content", UpstreamItemPart: "json"}.get(
            type(part), "text"
        )
        changed = replace(part, **{field: "changed, and longer"})
    echo = Message(answer.role, (*answer.parts[:index], changed, *answer.parts[index + 1 :]))
    plan = history_of(items(asked), answer).plan(items(asked, echo, user("b")), FINGERPRINT, LINE)
    assert plan.reason is ContextReason.HISTORY_EDITED


def without(message: Message) -> Message:
    return Message(message.role, tuple(part for part in message.parts if not isinstance(part, ReasoningPart)))


def spoken(of) -> list[object]:
    """What was said, part by part, less what the upstream may hold beyond the caller's words: the model's
    reasoning, and those of its items that the caller left out.
    """
    return [part for item in of if not item.is_optional for part in item.parts]


@pytest.mark.parametrize(("count", "incremental"), [(4_095, True), (4_096, False)])
def test_a_chain_of_too_many_items_is_not_remembered(count, incremental):
    history = History()
    asked = items(*[user("a")] * count)
    history.commit(
        None,
        (*asked, *items(assistant())),
        [1] * (count + 1),
        fingerprint=FINGERPRINT,
        response_id="r",
        line_id=LINE,
    )
    plan = history.plan((*asked, *items(assistant(), user("b"))), FINGERPRINT, LINE)
    assert plan.incremental is incremental
    if not incremental:
        assert plan.reason is ContextReason.HISTORY_TOO_LONG


def test_a_result_after_a_compaction_is_no_orphan():
    sealed = UpstreamItemPart("compaction", '{"type":"compaction"}')
    for role in (Role.USER, Role.ASSISTANT):
        assert list(orphans([Message(role, (sealed,)), result("call_1")])) == []
    assert list(orphans([result("call_1"), Message(Role.USER, (sealed,)), result("call_2")])) == [(0, 0)]
    other = UpstreamItemPart("item_reference", "{}")
    assert list(orphans([Message(Role.USER, (other,)), result("call_1")])) == [(1, 0)]
