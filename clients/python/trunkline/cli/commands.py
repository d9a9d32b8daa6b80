"""What a person may ask of the chat itself: a line that begins with a slash."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from trunkline.cli.talks import Talk, Talks
from trunkline.cli.terminal import Terminal
from trunkline.cli.words import rate, report_line, size, span
from trunkline.events import Done

SLASH = "/"
LABEL = 11


class Commands:
    def __init__(self, talks: Talks, terminal: Terminal) -> None:
        self._talks = talks
        self._terminal = terminal

    async def run(self, line: str) -> None:
        """Do what a line says. One that says nothing of ours is not sent to the model: it may be misspelt."""
        name, _, argument = line.strip().partition(" ")
        command = COMMANDS.get(name)
        if command is None:
            self._note(f"There is no {name}; /help lists what there is.", "yellow")
        elif argument and not command.argument:
            self._note(f"{name} takes nothing after it.", "yellow")
        else:
            await command.do(self, argument.strip())

    async def help(self, _: str) -> None:
        for name, command in COMMANDS.items():
            self._note(f"{name} {command.argument}".ljust(LABEL + 2) + command.does)
        self._note("A space before the slash sends the line to the model.", "dim")

    async def new(self, _: str) -> None:
        await self._talks.new()
        self._note(f"A new conversation, session {self._session}.", "dim")

    async def fork(self, _: str) -> None:
        before = self._session
        self._talks.fork()
        self._note(f"A copy, session {self._session}; /back returns to {before}.", "dim")

    async def back(self, _: str) -> None:
        returned = await self._talks.back()
        self._note(f"Back in session {self._session}." if returned else "Nothing was forked.", "dim")

    async def model(self, name: str) -> None:
        conversation = self._talks.current.conversation
        if name:
            conversation.model = name
        self._note(f"From the next turn on: {name}" if name else conversation.model, "dim")

    async def report(self, _: str) -> None:
        for line in report_lines(self._talks.current):
            self._note(line)

    @property
    def _session(self) -> str:
        return self._talks.current.conversation.session_id

    def _note(self, text: str, style: str = "") -> None:
        self._terminal.note(text, style)


@dataclass(frozen=True, slots=True)
class Command:
    does: str
    do: Callable[[Commands, str], Awaitable[None]]
    argument: str = ""


COMMANDS = {
    "/new": Command("begin a new conversation", Commands.new),
    "/fork": Command("try something in a copy of the conversation", Commands.fork),
    "/back": Command("leave the copy", Commands.back),
    "/model": Command(
        "use another model from the next turn on; without a name, show it", Commands.model, "NAME"
    ),
    "/report": Command("show how the last turn ran, and what all of them saved", Commands.report),
    "/help": Command("show this", Commands.help),
}


def report_lines(talk: Talk) -> Iterator[str]:
    """How the last turn of a conversation ran, and what all of them sent and saved."""
    if not talk.reports:
        yield "No turn of this conversation has ended."
        return
    last = talk.reports[-1]
    yield _row("last turn", report_line(last))
    yield _row("response", " · ".join(filter(None, (last.report.response_id, last.model, last.provider))))
    yield _row("phases", _phases(last))
    yield _row("tokens", _tokens(last))
    if ignored := last.report.ignored_events:
        yield _row("ignored", ", ".join(f"{count} {kind}" for kind, count in sorted(ignored.items())))
    yield _row("all turns", _totals(talk.reports))


def _row(label: str, text: str) -> str:
    return label.ljust(LABEL) + text


def _phases(done: Done) -> str:
    timings = done.report.timings
    phases = {
        "queue": timings.queue,
        "connect": timings.connect,
        "first event": timings.first_event,
        "first word": timings.first_content,
        "all": timings.total,
    }
    return " · ".join(f"{name} {span(value)}" for name, value in phases.items() if value is not None)


def _tokens(done: Done) -> str:
    usage = done.usage
    return (
        f"{usage.input_tokens} input, {usage.cached_input_tokens} of them cached"
        f" · {usage.output_tokens} output, {usage.reasoning_tokens} of them reasoning"
    )


def _totals(ends: Sequence[Done]) -> str:
    incremental = sum(done.report.incremental for done in ends)
    sent, saved = (sum(getattr(done.report, name) for done in ends) for name in ("bytes_sent", "bytes_saved"))
    return (
        f"{len(ends)}, {incremental} of them incremental ({rate(incremental, len(ends))})"
        f" · {size(sent)} sent, {size(saved)} saved"
    )
