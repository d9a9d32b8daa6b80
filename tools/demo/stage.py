"""Show turns on the screen, and check that each did what it demonstrates: `Stage`, `perform`."""

import asyncio
import json
import signal
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tools.demo.processes import DemoError
from tools.demo.screen import Screen, milliseconds, size
from trunkline import (
    AsyncConversation,
    AsyncRun,
    AsyncTurn,
    Done,
    ItemProgress,
    Report,
    TextDelta,
    TrunklineError,
)

TURN_TIMEOUT_S = 120.0


@dataclass
class Stage:
    """What a demo shows its turns with. `rows` collects the lines of the summary.

    `upstream`: the URL of the upstream whose own endpoints are called, if it is `simulated`.
    """

    screen: Screen
    upstream: str
    simulated: bool
    rows: list[tuple[str, Report]] = field(default_factory=list)
    number: int = 0

    def title(self, text: str, why: str) -> None:
        self.number += 1
        self.screen.title(self.number, text, why)

    def ask(self, text: str, directive: str = "") -> str:
        """Show the question. For the simulated model, append a directive; a real one gets none."""
        self.screen.said("you", text, "cyan")
        return f"{text} {directive}" if directive and self.simulated else text

    async def turn(self, conversation: AsyncConversation, text: str, name: str) -> Report:
        turn = conversation.stream(self.ask(text), timeout=TURN_TIMEOUT_S)
        return (await self.show(turn, name))[-1]

    async def show(self, events: AsyncTurn | AsyncRun, name: str) -> list[Report]:
        """Show events as they arrive. Returns the report of each turn."""
        reports: list[Report] = []
        speaking = False
        with self.screen.waiting_for("waiting for the model"):
            async with events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        if not speaking:
                            self.screen.speaker("model")
                            speaking = True
                        self.screen.stream(event.delta)
                    elif isinstance(event, ItemProgress) and event.event_type.endswith(".searching"):
                        self.screen.said("tool", f"{event.item_type}: searching", "cyan")
                    elif isinstance(event, Done):
                        self.show_end(event)
                        reports.append(event.report)
                        speaking = False
        self.rows += [(f"{self.number} {name}", report) for report in reports]
        return reports

    def show_end(self, done: Done) -> None:
        if done.refusal:
            self.screen.said("model", f"(refuses) {done.refusal}")
        for call in done.tool_calls:
            self.screen.said("calls", f"{call.name} {call.arguments}", "cyan")
        for cited in done.annotations:
            self.screen.said("cites", f"{cited.get('title', '')} {cited.get('url', '')}", "cyan")
        self.screen.report(done.report)

    def claim(
        self, report: Report, *, transport: str, context: str, why: str = "", upstream: str = ""
    ) -> None:
        was = f"{report.transport}, {report.context} ({report.context_reason}){_at(report.upstream)}"
        expected = f"{transport}, {context}" + (f" ({why})" if why else "") + _at(upstream)
        fits = (report.transport, report.context, report.upstream) == (transport, context, upstream)
        self.check(fits and why in ("", report.context_reason), f"expected {expected}, was {was}")

    def check(self, holds: bool, problem: str) -> None:
        if not holds:
            raise DemoError(f"turn {self.number}: {problem}")

    async def simulate(self, **settings: int | None) -> None:
        await self.simulator("settings", json.dumps(settings).encode())

    async def simulator(self, endpoint: str, body: bytes | None = None, *, at: str = "") -> Any:
        """Call one of the simulator's own endpoints. `at`: host and port of another one than the demo's."""
        url = f"{f'http://{at}' if at else self.upstream.removesuffix('/v1')}/sim/{endpoint}"
        directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def call() -> Any:
            with directly.open(url, body, timeout=5) as answer:
                return json.load(answer)

        return await asyncio.to_thread(call)

    def summary(self) -> None:
        heading = ("turn", "transport", "context", "why", "sent", "saved", "first")
        rows = [
            (
                name,
                report.transport,
                report.context.upper(),
                report.context_reason,
                size(report.bytes_sent),
                size(report.bytes_saved),
                milliseconds(report.timings.first_content),
            )
            for name, report in self.rows
        ]
        self.screen.line()
        self.screen.table([heading, *rows])
        warm = [report for _, report in self.rows if report.incremental]
        sent = sum(report.bytes_sent for report in warm)
        whole = sent + sum(report.bytes_saved for report in warm)
        self.screen.line()
        self.screen.line(
            f"{len(warm)} of {len(self.rows)} turns were incremental: they sent {size(sent)} in place of"
            f" {size(whole)}.",
            "green",
        )


def _at(upstream: str) -> str:
    return f" at {upstream}" if upstream else ""


def perform(play: Callable[[Screen], Coroutine[Any, Any, None]]) -> int:
    """Run a demo and return its exit code."""
    screen = Screen()
    # SIGTERM must end the children, too, so it is handled as Ctrl-C is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(play(screen))
    except KeyboardInterrupt:
        screen.line("stopped")
        return 130
    except (DemoError, TrunklineError) as error:
        screen.line(f"demo: {error}", "red")
        return 1
    return 0
