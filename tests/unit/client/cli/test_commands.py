import pytest

from tests.unit.client.cli.fakes import Recorded
from trunkline import AsyncClient, Done, Report, Timings, Usage, assistant, user
from trunkline.cli.commands import COMMANDS, Commands, report_lines
from trunkline.cli.talks import Talk, Talks


def done(context="full", **report):
    timings = Timings(queue=0.0, first_content=0.02, total=1.5)
    ran = Report("resp_1", "websocket", "preferred", context, "x", timings=timings, bytes_sent=500, **report)
    return Done(assistant("x"), "stop", Usage(80, 40, 0, 20, 5), "m", "openai", None, ran)


@pytest.fixture
async def talks():
    async with AsyncClient("127.0.0.1:1") as client:
        conversation = client.conversation("first", model="m", instructions="Be brief.", temperature=0)
        conversation.messages += [user("Hello."), assistant("Hi.")]
        conversation.continuation = "token"
        yield Talks(conversation, named=True)


async def said(talks, *lines):
    terminal = Recorded()
    for line in lines:
        await Commands(talks, terminal).run(line)
    return terminal.text


async def test_a_fork_is_a_copy_and_the_way_back_leaves_it(talks):
    first = talks.current
    said_first = await said(talks, "/fork")
    copy = talks.current.conversation
    assert said_first == f"A copy, session {copy.session_id}; /back returns to first.\n"
    assert copy.messages == first.conversation.messages
    assert copy.messages is not first.conversation.messages
    assert (copy.continuation, copy.instructions, copy.options) == ("token", "Be brief.", {"temperature": 0})
    assert await said(talks, "/back", "/back") == "Back in session first.\nNothing was forked.\n"
    assert talks.current is first


async def test_a_new_conversation_is_empty_and_leaves_all_forks(talks):
    await said(talks, "/fork", "/model other", "/new")
    new = talks.current.conversation
    assert (new.messages, new.continuation, new.model) == ([], "", "other")
    assert await said(talks, "/back") == "Nothing was forked.\n"


async def test_the_model_is_shown_and_changed(talks):
    assert await said(talks, "/model", "/model  m2 ", "/model") == "m\nFrom the next turn on: m2\nm2\n"


async def test_what_is_no_command_is_said_and_changes_nothing(talks):
    before = talks.current
    assert await said(talks, "/", "/NEW", "/new now") == (
        "There is no /; /help lists what there is.\n"
        "There is no /NEW; /help lists what there is.\n"
        "/new takes nothing after it.\n"
    )
    assert talks.current is before


async def test_help_names_every_command(talks):
    lines = (await said(talks, "/help")).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(COMMANDS)
    assert (
        len({line.index(command.does) for line, command in zip(lines, COMMANDS.values(), strict=False)}) == 1
    )


def test_a_report_of_the_last_turn_and_of_all(talks):
    talk = Talk(talks.current.conversation)
    assert list(report_lines(talk)) == ["No turn of this conversation has ended."]
    talk.reports += [done(), done("incremental", bytes_saved=4000, ignored_events={"b": 1, "a": 2})]
    first, *rest = report_lines(talk)
    assert first.startswith(
        "last turn  websocket (preferred, cold) · incremental (x) · 500 B sent, 4.0 kB saved"
    )
    assert rest == [
        "response   resp_1 · m · openai",
        "phases     queue 0 ms · first word 20 ms · all 1.5 s",
        "tokens     80 input, 40 of them cached · 20 output, 5 of them reasoning",
        "ignored    2 a, 1 b",
        "all turns  2, 1 of them incremental (50 %) · 1.0 kB sent, 4.0 kB saved",
    ]
