"""The histories that a warm turn is measured with, and the meter of the event loop."""

import asyncio
import time

from bench.histories import Meter, history
from trunkline.gen.trunkline.v1 import message_pb2


def test_a_history_has_both_sides_and_its_size():
    messages = history(100, 10_000)
    assert [one.role for one in messages[:2]] == [message_pb2.ROLE_USER, message_pb2.ROLE_ASSISTANT]
    assert messages[-1].role == message_pb2.ROLE_ASSISTANT
    assert sum(len(one.parts[0].text.text) for one in messages) == 10_000
    assert len({one.parts[0].text.text for one in messages}) == 100


def test_the_meter_has_the_longest_time_between_two_waits(capsys):
    meter = Meter()

    async def work() -> None:
        time.sleep(0.02)  # noqa: ASYNC251  what a call that holds the loop does
        await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(meter)) as runner:
        runner.run(work())
    assert meter.held_s >= 0.02
    held = meter.held_s
    meter.report()
    shown, cpu = map(float, capsys.readouterr().out.split())
    assert (shown, meter.held_s) == (held, 0.0)
    assert cpu > 0
