"""What callers say of themselves in metadata: on spans and in the log, and nowhere else."""

from dataclasses import replace

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.telemetry import names
from tests.stack import MODEL, request, stack

METHOD = "trunkline.v1.CompletionService/"
TEAM = (("x-team", "search"), ("x-other", "hidden"))
SHOWN = "trunkline.caller.x-team"


@pytest.fixture
async def service(seen):
    shown = replace(seen.telemetry, caller_attributes=("x-team",))
    async with stack({"AUTH_TOKENS": "t0k3n=alpha"}, telemetry=shown) as running:
        yield running


def known(*more):
    return (*TEAM, ("authorization", "Bearer t0k3n"), *more)


def shown_on(span):
    return {name: value for name, value in span.attributes.items() if "caller" in name or value == "hidden"}


async def test_a_turn_shows_them_on_its_spans_and_in_its_line(service, seen, caplog):
    caplog.set_level("INFO", "service.turn")
    await service.done(request("Hello."), metadata=known())
    await seen.until(lambda: seen.named(f"{METHOD}StreamCompletion"))
    for name in (f"{METHOD}StreamCompletion", f"chat {MODEL}"):
        assert shown_on(seen.one(name)) == {SHOWN: "search"}
    (line,) = (record for record in caplog.records if record.getMessage() == "turn")
    assert vars(line)["caller.x-team"] == "search"
    assert "hidden" not in str(vars(line))


async def test_a_compaction_shows_them(service, seen, caplog):
    caplog.set_level("INFO", "service.compaction")
    asked = pb.CompactRequest(session_id="s1", model=MODEL, messages=request("Hello.").messages)
    await service.completions.Compact(asked, metadata=known())
    await seen.until(lambda: seen.named(f"{METHOD}Compact"))
    assert shown_on(seen.one(f"compact {MODEL}")) == {SHOWN: "search"}
    (line,) = (record for record in caplog.records if record.getMessage() == "compaction")
    assert vars(line)["caller.x-team"] == "search"


async def test_a_call_that_is_refused_shows_them_too(service, seen):
    with pytest.raises(grpc.aio.AioRpcError):
        await service.done(request("Hello."), metadata=TEAM)
    await seen.until(lambda: seen.named(f"{METHOD}StreamCompletion"))
    assert shown_on(seen.one(f"{METHOD}StreamCompletion")) == {SHOWN: "search"}


async def test_they_are_no_label(service, seen):
    await service.done(request("Hello."), metadata=known())
    await seen.until(lambda: seen.count(names.TURNS, ending="OK", transport="websocket"))
    labels = [labels for points in map(seen.points, vars(names).values()) for labels in points]
    assert labels
    assert "search" not in str(labels)


async def test_without_the_setting_nothing_is_shown(seen):
    async with stack(telemetry=seen.telemetry) as service:
        await service.done(request("Hello."), metadata=TEAM)
        await seen.until(lambda: seen.named(f"{METHOD}StreamCompletion"))
        assert not any(shown_on(span) for span in seen.spans)
