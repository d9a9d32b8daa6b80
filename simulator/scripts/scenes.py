"""The named answers that use tools, as `sim:NAME(…)` asks for them: one for each tool of the upstream.

A tool of the upstream runs within the answer: `web_search`, `file_search`, `code_interpreter`,
`image_generation`, `shell(container=true)`, `tool_search`, `program`. A tool of the caller ends the
answer, which goes on when the output is sent: `custom`, `shell`, `local_shell`, `apply_patch`,
`computer`, `mcp`, `namespace`, and `tool_search(by_client=true)`. None of them needs to be offered, but
names are taken from the tools that are.
"""

import json

from simulator.errors import Json
from simulator.scripts import actions, hosted
from simulator.scripts.catalog import named, report
from simulator.scripts.steps import Emit, Incomplete, Item, Reason, Say, Script, Start
from simulator.scripts.turn import Turn, text_of

_PAGE = "https://tides.example/today"
_FUNCTION: Json = {
    "type": "function",
    "name": "tide_at",
    "description": "The tide at an hour.",
    "parameters": {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]},
    "strict": False,
    "defer_loading": True,
}


@named
def web_search(turn: Turn, query: str = "tides today", citations: int = 1, thoughts: bool = False) -> Script:
    """A search, the opening of a page and a look into it, then a text that cites pages."""
    sources = [f"{_PAGE}/{number}" for number in range(1, citations + 1)]
    wanted = "web_search_call.action.sources" in (turn.body.get("include") or ())
    text = " ".join(["High tide is at six."] + [f"[{number}]" for number in range(1, citations + 1)])
    cited = [
        hosted.url_citation(text, f"[{number}]", url, f"Tides {number}")
        for number, url in enumerate(sources, start=1)
    ]
    return Script(
        *([Reason(("The answer is on the web.",))] if thoughts else []),
        hosted.web_search(query, sources if wanted else ()),
        hosted.open_page(_PAGE),
        *([Reason(("Now find the hour.",))] if thoughts else []),
        hosted.find_in_page(_PAGE, "high tide"),
        Say(text, citations=tuple(cited)),
    )


@named
def file_search(turn: Turn, query: str = "tides") -> Script:
    """A search in files, then a text that cites one. The results only where `include` names them."""
    found = {
        "file_id": "file-tides",
        "filename": "tides.md",
        "score": 0.9,
        "text": "High tide: six.",
        "attributes": {},
    }
    included = "file_search_call.results" in (turn.body.get("include") or ())
    text = "The file says six."
    citation = hosted.file_citation("file-tides", "tides.md", len(text) - 1)
    return Script(hosted.file_search(query, [found] if included else None), Say(text, citations=(citation,)))


@named
def code_interpreter(turn: Turn, code: str = "print(6 * 7)", logs: str = "42\n") -> Script:
    """A run of code, then a text that cites a file in the container."""
    included = "code_interpreter_call.outputs" in (turn.body.get("include") or ())
    text = "The plot is in sandbox:/mnt/data/tides.png."
    cited = hosted.container_citation(text, "sandbox:/mnt/data/tides.png", "cfile_tides", "tides.png")
    return Script(hosted.code_interpreter(code, logs if included else None), Say(text, citations=(cited,)))


@named
def image_generation(
    turn: Turn, prompt: str = "A harbour at high tide.", partial: int = 2, size: int = 0
) -> Script:
    """An image, with partial ones before it. `size` makes it that many characters, and no image."""
    image = "A" * size if size else hosted.PIXEL
    return Script(hosted.image_generation(prompt, partial, image), Say("Here it is."))


@named
def mcp(turn: Turn, approval: bool = True, fails: bool = False, unlisted: bool = False) -> Script:
    """The tools of an MCP server, a request for approval, and after the answer the call or none.

    `unlisted`: the server does not answer. `fails`: the tool returns an error.
    """
    server = str((turn.tool("mcp") or {}).get("server_label", "harbour"))
    if unlisted:
        return Script(hosted.mcp_list_tools(server, (), "424 Failed Dependency"), Say("The server is away."))
    name, arguments = "tide.at", json.dumps({"hour": 6})
    answer = next((item for item in turn.answers if item["type"] == "mcp_approval_response"), None)
    if answer is None and approval:
        return Script(
            hosted.mcp_list_tools(server, [name]), hosted.mcp_approval_request(server, name, arguments)
        )
    if answer is not None and not answer["approve"]:
        return Script(Say("Then I do not know the tide."))
    approved_by = answer["approval_request_id"] if answer else None
    listing = [] if answer else [hosted.mcp_list_tools(server, [name])]
    call = hosted.mcp_call(server, name, arguments, "2.4 m", approved_by=approved_by, failed=fails)
    return Script(*listing, call, Say("The tool failed." if fails else "The tide is at 2.4 m."))


@named
def custom(turn: Turn, input: str = "select height from tides", cut: bool = False, n: int = 1) -> Script:  # noqa: A002
    """A call of a custom tool, whose input is free text, or n calls, one after the other.

    `cut`: the token limit ends it in the middle.
    """
    tool = turn.tool("custom") or {"name": "sql"}
    call = actions.custom_call(tool["name"], input, namespace=tool.get("namespace"), closed=not cut)
    if cut:
        return Script(call, Incomplete())
    return _asked(turn, "custom_tool_call_output", call, n)


@named
def shell(turn: Turn, command: str = "ls /tides", container: bool = False) -> Script:
    """A shell command, to be run by the caller, or by the upstream in a container."""
    if container:
        call_id = "call_hosted_shell"
        return Script(
            actions.shell_call([command], hosted=True, call_id=call_id),
            actions.shell_output(["high.txt\n"], call_id),
            Say("There is one file."),
        )
    return _asked(turn, "shell_call_output", actions.shell_call([command, "pwd"]))


@named
def local_shell(turn: Turn) -> Script:
    """A command for the caller's local shell; goes on once its output comes."""
    return _asked(turn, "local_shell_call_output", actions.local_shell_call(["ls", "/tides"]))


@named
def apply_patch(turn: Turn, path: str = "tides.txt") -> Script:
    """A patch that the caller applies to a file; goes on once the outcome comes."""
    operation = {"type": "update_file", "path": path, "diff": "@@\n-low\n+high\n"}
    return _asked(turn, "apply_patch_call_output", actions.apply_patch(operation))


@named
def computer(turn: Turn, warning: str = "") -> Script:
    """A click and a screenshot, for a caller who has a screen. `warning` asks for a safety check as well."""
    wanted: list[Json] = [{"type": "click", "x": 10, "y": 20, "button": "left"}, {"type": "screenshot"}]
    return _asked(turn, "computer_call_output", actions.computer_call(wanted, warning=warning))


@named
def tool_search(turn: Turn, goal: str = "the tide at an hour", by_client: bool = False) -> Script:
    """A search for deferred tools, by the upstream or by the caller; then a call of the one found."""
    if turn.results:
        return Script(Say(f"The tool says: {text_of(turn.results[-1]['output'])}"))
    search = hosted.tool_search(goal, by_client=by_client)
    if by_client and not turn.answers:
        return Script(search)
    found = next(
        (item["tools"] for item in turn.answers if item["type"] == "tool_search_output"), [_FUNCTION]
    )
    name = str(found[0].get("name", _FUNCTION["name"])) if found else _FUNCTION["name"]
    steps = [] if by_client else [search, hosted.tool_search_output([_FUNCTION])]
    return Script(*steps, namespaced_call(name))


@named
def namespace(turn: Turn) -> Script:
    """A call of a function that stands in a namespace."""
    if turn.results:
        return Script(Say(f"The tool says: {text_of(turn.results[-1]['output'])}"))
    return Script(namespaced_call("tide_at", "harbour"))


@named
def program(turn: Turn) -> Script:
    """A program that calls tools by itself (`programmatic_tool_calling`), and its output."""
    call_id = "call_program"
    return Script(
        hosted.program("return await tide_at({hour: 6})", call_id),
        hosted.program_output('"2.4 m"', call_id),
        Say("The tide is at 2.4 m."),
    )


@named
def compaction(turn: Turn) -> Script:
    """An item that replaces the conversation so far, then a text."""
    return Script(hosted.compaction(), Say(report(turn)))


@named
def queued(turn: Turn) -> Script:
    """A response that is queued before it begins."""
    return Script(Start(queued=True), Say(report(turn)))


@named
def audio(turn: Turn) -> Script:
    """Events of audio. The client declares them, though no item holds what they say."""
    return Script(
        *(
            Emit({"type": f"response.{kind}", **fields}, numbered=True)
            for kind, fields in (
                ("audio.delta", {"delta": "aGk="}),
                ("audio.transcript.delta", {"delta": "Hi."}),
                ("audio.transcript.done", {}),
                ("audio.done", {}),
            )
        ),
        Say("That was a greeting."),
    )


@named
def every_item(turn: Turn) -> Script:
    """One item of each type that an output may hold, those of the caller included."""
    answered = "call_every_{}".format
    return Script(
        Reason(("One of each.",)),
        *_every_hosted(),
        actions.custom_call("sql", "select 1", call_id=answered(1)),
        actions.custom_output("1", answered(1)),
        actions.shell_call(["ls"], call_id=answered(2)),
        actions.shell_output(["tides"], answered(2)),
        actions.local_shell_call(["ls"], call_id=answered(3)),
        actions.local_shell_output("tides", answered(3)),
        actions.apply_patch({"type": "delete_file", "path": "low.txt"}, call_id=answered(4)),
        actions.apply_patch_output("gone", answered(4)),
        actions.computer_call([{"type": "screenshot"}], call_id=answered(5)),
        actions.computer_output(answered(5)),
        namespaced_call("tide_at", "harbour", call_id=answered(6)),
        actions.function_output("2.4 m", answered(6)),
        Say("That was all."),
    )


def _every_hosted() -> tuple[Item, ...]:
    """One item of each tool that the upstream runs itself."""
    return (
        hosted.web_search("tides"),
        hosted.file_search("tides"),
        hosted.code_interpreter("1"),
        hosted.image_generation("tide"),
        hosted.mcp_list_tools("harbour", ["tide.at"]),
        hosted.mcp_approval_request("harbour", "tide.at", "{}", id="mcpr_every"),
        hosted.mcp_approval_response("mcpr_every"),
        hosted.mcp_call("harbour", "tide.at", "{}", "2.4 m"),
        hosted.tool_search("tides"),
        hosted.tool_search_output([_FUNCTION]),
        hosted.additional_tools([_FUNCTION]),
        hosted.program("1", "call_program"),
        hosted.program_output("1", "call_program"),
        hosted.compaction(),
    )


def namespaced_call(name: str, namespace: str | None = None, *, call_id: str | None = None) -> Item:
    """Return a function call as an item, with the fields that `Call` does not have."""
    fields: Json = {"name": name, "arguments": json.dumps({"hour": 6}), "status": "completed"}
    fields |= {"namespace": namespace} if namespace else {}
    fields |= {"call_id": call_id} if call_id else {}
    return Item("function_call", "fc", fields, {"status": "in_progress", "arguments": ""}, called=True)


def _asked(turn: Turn, answer: str, call: Item, n: int = 1) -> Script:
    """Ask the caller to act, until n answers are there."""
    found = [item for item in turn.answers if item["type"] == answer]
    return Script(Say(f"Thank you. {report(turn)}")) if len(found) >= n else Script(call)
