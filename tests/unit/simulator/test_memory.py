import pytest

from simulator.errors import ApiError
from simulator.memory import SEAL_OF_WINDOW, Context, PromptCache, Remembered, Slot, Store, recall

USER = {"role": "user", "content": "Hello."}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "phase": "final_answer",
    "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "42"}


def known(*items) -> Context:
    return Context().extended(items)


@pytest.mark.parametrize(
    "again",
    [
        {"role": "user", "content": "Hello."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
        {"role": "assistant", "content": "Hi."},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed"},
        OUTPUT,
    ],
)
def test_equal_content_is_a_repetition(again):
    assert known(USER, ANSWER, CALL, OUTPUT).repeats([again]) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"role": "user", "content": "Hello!"},
        {"role": "developer", "content": "Hello."},
        {**CALL, "call_id": "call_2"},
        {**OUTPUT, "output": "43"},
    ],
)
def test_other_content_is_no_repetition(other):
    assert known(USER, ANSWER, CALL, OUTPUT).repeats([other]) == 0


def test_an_output_needs_its_call():
    with pytest.raises(ApiError, match=r"No tool call found for function call output with call_id call_1\."):
        known(USER, OUTPUT)
    assert len(known(USER, CALL, OUTPUT)) == 3
    assert len(known(USER, CALL).extended([OUTPUT])) == 3


def test_a_call_needs_its_output():
    with pytest.raises(ApiError, match=r"No tool output found for function call call_1\."):
        known(USER, CALL).refuse_unanswered_calls()
    known(USER, CALL, OUTPUT).refuse_unanswered_calls()


def test_a_truncated_call_was_never_made():
    truncated = {**CALL, "status": "incomplete"}
    known(truncated).refuse_unanswered_calls()
    with pytest.raises(ApiError):
        known(truncated, OUTPUT)


def test_recall_prefers_the_connection_to_the_store():
    slot, store = Slot(), Store()
    slot.latest = Remembered("resp_slot", known(USER), b"")
    store.keep("resp_stored", known(USER, ANSWER), [], limit=1)
    assert len(recall("resp_slot", slot, store)) == 1
    assert len(recall("resp_stored", slot, store)) == 2
    assert len(recall(None, slot, store)) == 0
    with pytest.raises(ApiError) as caught:
        recall("resp_other", slot, store)
    assert caught.value.message == "Previous response with id 'resp_other' not found."
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_only_the_continued_response_is_evicted():
    slot = Slot()
    slot.latest = Remembered("resp_1", known(USER), b"")
    slot.evict("resp_0")
    slot.evict(None)
    assert slot.latest is not None
    slot.evict("resp_1")
    assert slot.latest is None


def test_the_store_is_bounded():
    store = Store()
    for number in range(3):
        item = {**ANSWER, "id": f"msg_{number}"}
        store.keep(f"resp_{number}", known(item), [item], limit=2)
    assert store.find("resp_0") is None
    assert store.item("msg_2")["id"] == "msg_2"
    with pytest.raises(ApiError) as caught:
        store.item("msg_0")
    assert caught.value.status == 404


def test_a_common_beginning_is_cached_unless_the_preamble_differs():
    latest = Remembered("resp_1", known(USER, ANSWER), b"tools!!!")
    longer = known(USER, ANSWER, CALL)
    edited = known({**USER, "content": "Bye."}, ANSWER)
    assert latest.cached_tokens(longer, b"tools!!!") == 2 + known(USER, ANSWER).tokens
    assert latest.cached_tokens(edited, b"tools!!!") == 2
    assert latest.cached_tokens(longer, b"others") == 0


@pytest.mark.parametrize("kind", ["compaction", "compaction_summary"])
def test_what_a_compaction_stands_for_leaves_the_context(kind):
    sealed = {"type": kind, "encrypted_content": "gAAAAx"}
    context = known(USER, CALL, sealed, ANSWER)
    assert [entry.item for entry in context.compacted().entries] == [sealed, ANSWER]
    assert context.compacted().tokens < context.tokens
    # Its calls are remembered, and others may be hidden in it.
    assert len(context.compacted().extended([OUTPUT])) == 3
    assert len(known(sealed, {**OUTPUT, "call_id": "call_hidden"})) == 2


def test_what_a_window_holds_stays():
    context = known(USER, {"type": "compaction", "encrypted_content": SEAL_OF_WINDOW + "x"}, ANSWER)
    assert context.compacted() is context


def test_the_latest_prompts_are_found_by_their_key():
    cache, prompts = PromptCache(), [Remembered(f"resp_{number}", known(USER), b"") for number in range(3)]
    for key, prompt in zip(("a", "b", "a"), prompts, strict=True):
        cache.keep(key, prompt, limit=2)
    assert (cache.find("a"), cache.find("b"), cache.find("c")) == (prompts[2], prompts[1], None)
    cache.keep("c", prompts[0], limit=2)
    assert (cache.find("b"), cache.find("a")) == (None, prompts[2])
    for nothing in (None, ""):
        cache.keep(nothing, prompts[0], limit=2)
        assert cache.find(nothing) is None
