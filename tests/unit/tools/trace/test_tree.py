from tools.trace import tree


def raw_span(span_id, name, start, duration, parent="", **tags):
    links = tags.pop("links", ())
    return {
        "spanID": span_id,
        "operationName": name,
        "startTime": start,
        "duration": duration,
        "processID": "p1" if name == "call" else "p2",
        "references": [
            *([{"refType": "CHILD_OF", "spanID": parent}] if parent else []),
            *({"refType": "FOLLOWS_FROM", "spanID": link} for link in links),
        ],
        "tags": [{"key": key.replace("__", "."), "value": value} for key, value in tags.items()],
        "logs": [{"timestamp": start + 1000, "fields": [{"key": "event", "value": "sent"}]}],
    }


TRACE = {
    "processes": {"p1": {"serviceName": "caller"}, "p2": {"serviceName": "trunkline"}},
    "spans": [
        raw_span("c", "chat <m>", 3_000, 5_000, "b", error=True, error__type="CONNECTION_LOST", links=["x"]),
        raw_span("a", "call", 1_000, 9_000, rpc__response__status_code="OK"),
        raw_span("b", "server", 2_000, 7_000, "a", trunkline__attempts=2),
        raw_span("e", "stray", 2_500, 0, "elsewhere"),
    ],
}


def test_a_trace_is_read_as_a_tree():
    call, stray = tree.read(TRACE)
    assert [(depth, span.name) for depth, span in call.walk()] == [
        (0, "call"),
        (1, "server"),
        (2, "chat <m>"),
    ]
    assert stray.name == "stray"
    chat = call.children[0].children[0]
    assert (chat.service, chat.start, chat.duration, chat.failed) == ("trunkline", 0.003, 0.005, True)
    assert (chat.events, chat.links) == ([(0.001, "sent")], ["x"])


def test_the_tree_as_text():
    text = "\n".join(tree.lines(tree.read(TRACE)[0]))
    assert "   0.0 ms    9.0 ms   call  (caller)" in text
    assert "   2.0 ms    5.0 ms ✗     chat <m>  (trunkline)" in text
    for fact in ("OK", "attempts 2", "error CONNECTION_LOST", "sent 1.0", "links to x"):
        assert fact in text


def test_the_facts_of_an_attempt():
    tags = {
        "trunkline.attempt": 1,
        "trunkline.transport": "websocket",
        "trunkline.transport.reason": "preferred",
        "trunkline.context": "incremental",
        "trunkline.context.reason": "continued",
        "trunkline.bytes_sent": 10,
        "trunkline.bytes_saved": 90,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.output_tokens": 1,
    }
    span = tree.Span("c", "chat", "trunkline", 0.0, 0.0, tags, (), ())
    assert tree.facts(span) == (
        "attempt 1 · websocket (preferred) · incremental (continued) · 10 B sent, 90 saved"
        " · tokens 3 in (2 cached), 1 out"
    )
