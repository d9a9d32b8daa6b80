import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import TurnError
from service.domain.events import Event, Started
from service.domain.messages import CompletionRequest, Options, items_of
from service.domain.plan import ContextReason, Plan
from service.wire.request import encode, prepare
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import (
    BEGINNINGS,
    DELTAS,
    DONES,
    ENDS,
    ITEMS,
    added,
    arguments_delta,
    call,
    created,
    done,
    ended,
    fed,
    frame,
    message,
    reasoning,
    text_delta,
)


def feed(decoder, *frames):
    return fed(decoder, *frames)


KINDS = st.sampled_from([*DELTAS, *DONES, *ITEMS, *BEGINNINGS, *ENDS, "error", "response.error", "new"])
NAMES = st.sampled_from(
    """
    type delta item_id output_index content_index summary_index sequence_number text refusal arguments
    stream_id response_id response item id status phase content call_id name summary encrypted_content output
    usage error code message param headers body input_tokens total_tokens incomplete_details reason model
    created_at
    """.split()  # noqa: SIM905  A list would be a page long.
)
TYPES = st.sampled_from(
    ["message", "function_call", "reasoning", "output_text", "refusal", "web_search_call"]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
JSON = st.recursive(
    VALUES | TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)
FRAMES = st.builds(
    lambda kind, rest: json.dumps(rest | {"type": kind}), KINDS, st.dictionaries(NAMES, JSON, max_size=6)
)


@given(
    st.lists(FRAMES | st.text(max_size=20) | st.binary(max_size=20) | JSON.map(json.dumps), max_size=8),
    st.booleans(),
)
def test_any_frames_give_events_or_one_error(frames, continuing):
    decoder = ResponseDecoder(continuing=continuing)
    events: list[Event] = []
    message = ""
    try:
        events += feed(decoder, created(), *frames)
    except TurnError as error:
        message = error.message
    assert len(message.splitlines()) <= 1
    partial = decoder.partial()
    assert partial is None or partial.parts
    assert [type(event) for event in events].count(Started) <= 1
    if decoder.finished:
        assert fed(decoder, "anything") == []


LETTERS = st.text("ab{}", max_size=4)


@st.composite
def answers(draw):
    """Draw a valid response: its frames, and the output they contain."""
    frames, output = [], []
    count = draw(st.integers(0, 4))
    for index in range(count):
        pieces = draw(st.lists(LETTERS, max_size=3))
        whole, sent = "".join(pieces), draw(st.integers(0, len(pieces)))
        match draw(st.sampled_from(["message", "call", "reasoning"])):
            case "message":
                item = message(whole, f"msg_{index}", phase=draw(st.sampled_from([None, "commentary"])))
                deltas = [text_delta(piece, index, f"msg_{index}") for piece in pieces]
            case "call":
                item = call(whole, f"fc_{index}", f"call_{index}")
                deltas = [arguments_delta(piece, index, f"fc_{index}") for piece in pieces]
            case _:
                item = reasoning(whole, item_id=f"rs_{index}", encrypted_content="sealed")
                kind = "response.reasoning_summary_text.delta"
                deltas = [
                    frame(kind, item_id=f"rs_{index}", output_index=index, summary_index=0, delta=piece)
                    for piece in pieces
                ]
        bare = item | {"content": [], "summary": [], "arguments": ""}
        frames += [added(index, bare), *deltas[:sent]]
        # An item ends before the next begins. Only the end of the response may report the last one.
        frames += [done(index, item)] if index < count - 1 or draw(st.booleans()) else []
        output.append(item)
    return frames, output


@given(answers())
def test_round_trip(answer):
    """The answer is sent back to the upstream unchanged, and the deltas add up to the message."""
    frames, output = answer
    decoder = ResponseDecoder(continuing=False)
    *events, end = feed(decoder, created(), *frames, ended(output=output))
    streamed: dict[int, str] = {}
    for event in events[1:]:
        streamed[event.content_index] = streamed.get(event.content_index, "") + event.delta
    request = CompletionRequest("s", "m", (end.message,), options=Options())
    turn = prepare(request)
    assert turn.items == tuple(items_of((end.message,)))
    sent = json.loads(encode(turn, Plan(turn.items, "", ContextReason.FIRST_TURN), websocket=True))["input"]
    assert sent == as_input(output)
    texts = [
        getattr(part, "text", None)
        or getattr(part, "arguments", None)
        or "".join(getattr(part, "summary", ()))
        for part in end.message.parts
    ]
    assert texts == [streamed.get(index, "") for index in range(len(texts))]
    assert not decoder.ignored


def as_input(output):
    """Convert output to the input it becomes: without the ids, and without thoughts at the end, that nothing
    follows.
    """
    written: list[dict[str, Any]] = []
    for item in output:
        keep = {
            key: item[key]
            for key in ("type", "role", "call_id", "name", "arguments", "encrypted_content")
            if key in item
        }
        if item["type"] == "reasoning":
            keep["summary"] = item["summary"]
        if item["type"] == "message":
            keep["content"] = list(item["content"])
            if item["phase"]:
                keep["phase"] = item["phase"]
        written.append(keep)
    while written and written[-1]["type"] == "reasoning":
        written.pop()
    return written
