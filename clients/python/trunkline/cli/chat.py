"""`trunkline chat`: each line is a turn, or at a terminal a command.

Ctrl-C during a turn stops the turn; at the prompt, the second one in a row leaves. The event loop runs only
while a turn does: waiting for a person is plain reading.
"""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress

from trunkline.aio.conversation import AsyncConversation
from trunkline.aio.run import AsyncRun
from trunkline.cli.commands import SLASH, Commands
from trunkline.cli.exits import FAILED, INTERRUPTED, OK, code_of
from trunkline.cli.interrupts import Interrupts
from trunkline.cli.items import tool_name
from trunkline.cli.piped import piped
from trunkline.cli.reach import connect
from trunkline.cli.screen import Records, Screen, Show
from trunkline.cli.talks import Talks
from trunkline.cli.terminal import Terminal
from trunkline.errors import TrunklineError
from trunkline.events import Done, Start
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_TOOL, Part, UpstreamItemPart
from trunkline.items import APPROVAL_REQUEST, approval, fields_of
from trunkline.options import Options

PROMPT = "> "
APPROVE = "Approve {}? [y/N] "
ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def chat(given: Namespace, terminal: Terminal) -> int:
    client = connect(given, given.address)
    conversation = client.conversation(
        given.session,
        model=given.model,
        instructions=given.instructions,
        tools=given.tools,
        **_options(given),
    )
    interactive = sys.stdin.isatty() and not given.json
    if interactive:
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - makes input() edit and remember lines; not everywhere
        terminal.note(f"{given.model} at {given.address}, session {conversation.session_id}", "dim")
        terminal.note("Ctrl-C stops an answer, Ctrl-D leaves, /help lists commands.", "dim")
    show = Records(terminal) if given.json else Screen(terminal, given.address)
    talks = Talks(conversation, named=given.session is not None)
    with asyncio.Runner() as runner, Interrupts(runner) as interrupts:
        try:
            return Chat(talks, interrupts, terminal, show, interactive=interactive).run()
        finally:
            with suppress(asyncio.CancelledError):
                interrupts.run(talks.close())


class Chat:
    def __init__(
        self,
        talks: Talks,
        interrupts: Interrupts,
        terminal: Terminal,
        show: Show,
        *,
        interactive: bool,
    ) -> None:
        self._talks = talks
        self._commands = Commands(talks, terminal)
        self._interrupts = interrupts
        self._terminal = terminal
        self._show = show
        self._interactive = interactive
        self._lines = sys.stdin if interactive else piped(sys.stdin)

    @property
    def _conversation(self) -> AsyncConversation:
        return self._talks.current.conversation

    def run(self) -> int:
        """Until the lines end, or, where nobody sits there, until a turn does not end well."""
        warned = False
        while True:
            try:
                line = self._read()
                if line is None:
                    return OK
                code = self._do(line) if line.strip() else OK
                if code != OK and not self._interactive:
                    return code
                warned = False
            except KeyboardInterrupt:
                self._terminal.fresh_line()
                if warned or not self._interactive:
                    return INTERRUPTED
                warned = True
                self._terminal.note("\nCtrl-C once more, or Ctrl-D, leaves.", "dim")

    def _read(self) -> str | None:
        """A line; None: there are no more."""
        if self._interactive:
            try:
                line = self._interrupts.call(lambda: input(self._terminal.prompt(PROMPT)))
            except EOFError:
                self._terminal.note("\n")
                return None
        else:
            line = self._interrupts.call(self._lines.readline)
            if not line:
                return None
        return line.rstrip("\r\n")

    def _do(self, line: str) -> int:
        """A command, from a person only: what a script pipes in is for the model."""
        if not (self._interactive and line.startswith(SLASH)):
            return self._turn(line)
        with suppress(asyncio.CancelledError):
            self._interrupts.run(self._commands.run(line))
        return INTERRUPTED if self._interrupts.taken() else OK

    def _turn(self, line: str) -> int:
        """A line, and what the model asks a person meanwhile. Kept only where nothing waits in the end."""
        before = len(self._conversation.messages)
        run, waits = self._conversation.run(line), False
        try:
            while True:
                code = self._follow_to_end(run)
                if code != OK:
                    return code
                waits = bool(run.done.actions)
                if not waits:
                    return OK
                answers = self._answers(run.done.actions)
                if answers is None:
                    self._show.unanswered(run.done)
                    return FAILED
                run = self._conversation.answer(answers)
        finally:
            if waits:
                del self._conversation.messages[before:]

    def _answers(self, actions: Sequence[UpstreamItemPart]) -> list[Part] | None:
        """Ask about each approval. None: nobody sits here, or the model waits for something else."""
        if not self._interactive or any(action.type != APPROVAL_REQUEST for action in actions):
            return None
        return [approval(action, self._approves(action)) for action in actions]

    def _approves(self, request: UpstreamItemPart) -> bool:
        """Ask until the answer is one. No answer at all is a no."""
        question = APPROVE.format(tool_name(fields_of(request.json)))
        while True:
            try:
                said = self._interrupts.call(lambda: input(self._terminal.prompt(question))).strip().lower()
            except EOFError:
                self._terminal.note("\n")
                return False
            if said in ANSWERS:
                return ANSWERS[said]

    def _follow_to_end(self, run: AsyncRun) -> int:
        self._talks.current.began = True
        try:
            self._interrupts.run(self._follow(run))
        except asyncio.CancelledError:
            self._show.stopped()
        except TrunklineError as error:
            self._interrupts.taken()
            self._show.error(error)
            return code_of(error)
        # Also if the turn ended before the interrupt: a script that gets SIGINT must stop.
        return INTERRUPTED if self._interrupts.taken() else OK

    async def _follow(self, run: AsyncRun) -> None:
        messages = self._conversation.messages
        shown = len(messages)
        async with run:
            async for event in run:
                if isinstance(event, Start):
                    for message in messages[shown:]:
                        if message.role == ROLE_TOOL:
                            self._show.results(message)
                    shown = len(messages)
                elif isinstance(event, Done):
                    self._talks.current.reports.append(event)
                self._show.event(event)


def _options(given: Namespace) -> Options:
    options: Options = {"transport": given.transport, "resume": given.resume}
    if given.reasoning:
        options |= {"reasoning_effort": given.reasoning, "reasoning_summary": "auto"}
    return options
