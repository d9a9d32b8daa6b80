"""Encode a request to compact a conversation, and decode its answer.

The upstream takes few of a turn's settings here, and refuses the others. Its answer is one JSON object, which
`answer_body` returns as the event that a whole response amounts to:

    {"type":"response.done","response":{"object":"response.compaction","output":[...],"usage":{...},...}}
"""

from __future__ import annotations

from service.domain.compaction import Compacted, is_compaction
from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest, items_of
from service.wire import error_classifier
from service.wire.bounds import MEBIBYTE, Bounds
from service.wire.compacted_items import message_of
from service.wire.error_events import read_error
from service.wire.input_items import OPENAI, Dialect
from service.wire.item_json import read_output
from service.wire.lifecycle import id_of, started
from service.wire.request import NO_LIMIT, write_input, write_json
from service.wire.server_events import Response, decode
from service.wire.tally import Tally
from service.wire.usage import read_usage

MAX_COMPACTED_BYTES = 48 * MEBIBYTE
"""Of an answer, as JSON. As messages, with their roles and ids, it fits one gRPC message (64 MiB)."""

DONE = "response.done"
FAILED = frozenset({"error", "response.failed"})
"""The events that an answer may be; see `answer_body`."""

NO_SUCH_ENDPOINT = frozenset({404, 405, 501})


def encode_compaction(
    request: CompletionRequest, *, cache_key: str = "", dialect: Dialect = OPENAI, most: int = NO_LIMIT
) -> bytearray:
    """Encode the body of the POST. Ids of items are sent where the upstream stores responses.

    `cache_key`: the `prompt_cache_key` where the caller sets none; empty: none.

    Raises TurnError INVALID_REQUEST when it takes more than `most` bytes; encoding stops there.
    """
    options = request.options
    settings = {
        "model": request.model,
        "instructions": request.instructions,
        "prompt_cache_key": options.prompt_cache_key or cache_key,
        "service_tier": options.service_tier,
    }
    body = bytearray()
    write_json(body, {key: value for key, value in settings.items() if value}, most)
    body[-1:] = b","
    items = tuple(items_of(request.messages))
    ids = bool(options.store) and dialect.ids
    write_input(body, items, ids=ids, paired=dialect.paired, large=request.large, most=most)
    body += b"}"
    return body


def read_compacted(frame: str | bytes) -> Compacted:
    """Decode the answer.

    Raises TurnError: what an error in its place means; PROTOCOL_ERROR when it is no compaction or over a
    bound.
    """
    size = len(frame)
    if size > MAX_COMPACTED_BYTES:
        raise _invalid(f"of more than {MAX_COMPACTED_BYTES} bytes")
    ignored = Tally()
    event = decode(frame, {DONE}, ignored)
    if event.type in FAILED:
        raise error_classifier.from_error(read_error(frame), continuing=False)
    response = event.response or Response()
    bounds = Bounds()
    raws = read_output(response.output, ignored)
    bounds.listed(raws)
    messages = tuple(message for raw in raws if (message := message_of(raw, bounds, ignored)))
    if event.type != DONE or not any(is_compaction(message.parts[0]) for message in messages):
        raise _invalid("without a compaction item")
    begun = started(id_of(response), response)
    usage = read_usage(response.usage, ignored)
    return Compacted(begun.response_id, begun.created_at, messages, usage, dict(ignored), size)


def refusal(error: TurnError) -> TurnError:
    """Return the error for the caller: one that says so where the upstream has no such endpoint."""
    status = error.upstream.status if error.upstream is not None else 0
    if status not in NO_SUCH_ENDPOINT or error.reason is not Reason.UPSTREAM_ERROR:
        return error
    message = f"the upstream has no compaction: it answered HTTP {status} to …/responses/compact"
    return TurnError(Reason.UPSTREAM_ERROR, message, retryable=False, upstream=error.upstream)


def _invalid(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream answered a compaction with a body {what}")
