"""The named answers that `sim:NAME(…)` in a message asks for, and the default answer.

Each name is a function from parameters to a script. Failures are in `simulator.scripts.trouble`.
"""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from simulator.errors import ApiError, Json
from simulator.scripts import directive
from simulator.scripts.directive import Directive
from simulator.scripts.sampling import sample
from simulator.scripts.steps import (
    Call,
    Incomplete,
    IncompleteReason,
    Pace,
    Phase,
    Reason,
    Refuse,
    Say,
    Script,
)
from simulator.scripts.turn import Turn, text_of

Builder = Callable[..., Script]
BUILDERS: dict[str, Builder] = {}
_FORCED = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "file_search": "file_search",
    "code_interpreter": "code_interpreter",
    "image_generation": "image_generation",
    "mcp": "mcp",
    "computer": "computer",
    "computer_use": "computer",
    "computer_use_preview": "computer",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "custom": "custom",
    "programmatic_tool_calling": "program",
}
"""The answer to a `tool_choice` that names a tool of this type."""

_LONGEST_QUOTE = 200
_MOST_NAMED = 5


def named(builder: Builder) -> Builder:
    """Register a builder under its own name."""
    BUILDERS[builder.__name__] = builder
    return builder


def build(wanted: Directive, turn: Turn) -> Script:
    """Build the script that a directive asks for. Raises ApiError for an unknown name or a wrong value."""
    builder = BUILDERS.get(wanted.name)
    if builder is None:
        raise ApiError(f"Unknown simulator directive: '{wanted.name}'.", code="invalid_value", param="input")
    hints = get_type_hints(builder)
    try:
        arguments = {
            name: msgspec.convert(value, hints[name], strict=False)
            for name, value in wanted.arguments.items()
        }
        inspect.signature(builder).bind(turn, **arguments)
    except (KeyError, TypeError, msgspec.ValidationError) as problem:
        message = f"Invalid arguments of simulator directive '{wanted.name}': {problem}."
        raise ApiError(message, code="invalid_value", param="input") from problem
    return builder(turn, **arguments)


def choose(turn: Turn) -> Script:
    """Choose the answer when no script was queued."""
    wanted = directive.find(turn.user_text)
    return build(wanted, turn) if wanted else default(turn)


def default(turn: Turn) -> Script:
    """Report what was received, in the form that the request demands: a tool, a call, JSON, or text."""
    function, schema = turn.function, turn.output_schema
    match turn.body.get("tool_choice"):
        case {"type": str(kind)} if kind in _FORCED and not turn.answers:
            return BUILDERS[_FORCED[kind]](turn)
    if turn.must_call and function is not None:
        return Script(_call(function, 1))
    if schema is not None:
        return Script(Say(json.dumps(sample(schema))))
    return Script(Say(report(turn)))


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manual. `room` is the module that has the answer."""

    name: str
    room: str
    arguments: tuple[str, ...]
    about: str


def entries() -> list[Entry]:
    """Return what is known of each name, sorted."""
    return [
        Entry(
            name,
            builder.__module__.rpartition(".")[2],
            tuple(_argument(parameter) for parameter in _parameters(builder)),
            (builder.__doc__ or "").partition("\n\n")[0],
        )
        for name, builder in sorted(BUILDERS.items())
    ]


def manual() -> str:
    """Return two lines for each name: its arguments, and what it does."""
    lines = [f"  sim:{entry.name}({', '.join(entry.arguments)})\n      {entry.about}" for entry in entries()]
    return "\n".join(lines)


def _parameters(builder: Builder) -> list[inspect.Parameter]:
    """The parameters that a directive may give: all but the turn."""
    return list(inspect.signature(builder, eval_str=True).parameters.values())[1:]


def _argument(parameter: inspect.Parameter) -> str:
    """`name=default`, as a directive writes it, and the other values of a closed set: `at=start|created`."""
    kinds = (parameter.annotation, *get_args(parameter.annotation))
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    match parameter.default:
        case str(default) if choices:
            values = [default, *(choice for choice in choices if choice != default)]
        case None:
            values = choices or ["…"]
        case bool(default):
            values = [str(default).lower()]
        case str(default):
            values = [default if re.fullmatch(r"[\w./]+", default) else f'"{default}"']
        case default:
            values = [str(default)]
    return f"{parameter.name}={'|'.join(values)}".replace("\n", "\\n")


def report(turn: Turn) -> str:
    """Describe in one or two sentences what a request contained."""
    kinds = [_described(item) for item in turn.new[:_MOST_NAMED]]
    kinds += ["…"] if len(turn.new) > _MOST_NAMED else []
    named_kinds = f" ({', '.join(kinds)})" if kinds else ""
    received = f"I received {_counted(len(turn.new), 'new item')}{named_kinds} over {turn.transport}"
    if turn.previous_response_id:
        received += (
            f", continuing {turn.previous_response_id} and already knew {_counted(len(turn.known), 'item')}."
        )
    else:
        received += ", and knew nothing before."
    quote = turn.user_text
    if len(quote) > _LONGEST_QUOTE:
        quote = quote[:_LONGEST_QUOTE] + "…"
    return f'{received} You said: "{quote}".' if quote else received


@named
def say(turn: Turn, text: str = "Hello.", phase: Phase | None = None) -> Script:
    """This text, as a commentary or a final answer where `phase` says so."""
    return Script(Say(text, phase))


@named
def echo(turn: Turn) -> Script:
    """What the user said, without the directive."""
    return Script(Say(directive.without(turn.user_text)))


@named
def words(turn: Turn, n: int = 10) -> Script:
    """A text of n words."""
    return Script(Say(_numbered(n)))


@named
def slow(turn: Turn, n: int = 10, delay_ms: float = 50.0) -> Script:
    """A text of n words, one after the other, with a pause before each delta."""
    return Script(Pace(delay_s=delay_ms / 1000), Say(_numbered(n)))


@named
def long(turn: Turn, bytes: int = 100_000) -> Script:  # noqa: A002 (the name of the directive's argument)
    """A text of so many bytes."""
    line = "The quick brown fox jumps over the lazy dog. "
    return Script(Pace(delta_size=1024), Say((line * (bytes // len(line) + 1))[:bytes]))


@named
def parts(turn: Turn, n: int = 2) -> Script:
    """One message with several content parts."""
    first, *more = [f"Part {number}." for number in range(1, n + 1)]
    return Script(Say(first, more=tuple(more)))


@named
def tools(turn: Turn, n: int = 1, parallel: int = 1) -> Script:
    """A tool loop: calls until n results follow the user's last message, then a summary of them."""
    results = turn.results
    if turn.function is None:
        return Script(Say("I was asked to use tools, but no function tool is offered."))
    if len(results) < n:
        at_once = 1 if turn.body.get("parallel_tool_calls") is False else parallel
        numbers = range(len(results) + 1, min(len(results) + at_once, n) + 1)
        return Script(*(_call(turn.function, number) for number in numbers))
    listed = " ".join(
        f"{number}: {text_of(result['output'])}" for number, result in enumerate(results, start=1)
    )
    return Script(Say(f"I called {turn.function['name']} {len(results)} times. Results: {listed}"))


@named
def reason(turn: Turn, summary: str = "Looking at what was asked.", text: str = "") -> Script:
    """Reasoning with a summary, and a full text where one is given; then a text."""
    return Script(Reason((summary,) if summary else (), text), Say(report(turn)))


@named
def refuse(turn: Turn, text: str = Refuse().text) -> Script:
    """A refusal."""
    return Script(Refuse(text))


@named
def phases(turn: Turn) -> Script:
    """A commentary, then a final answer."""
    return Script(Say("Let me think about it.", "commentary"), Say(report(turn), "final_answer"))


@named
def unicode(turn: Turn) -> Script:
    """Text of every width, joined, right to left, and with what some parsers take for the end of a line."""
    astronaut = "\U0001f9d1\u200d\U0001f680"
    text = f"naïve e\u0301 — 你好 {astronaut} שלום \u2028 \u2029 \x85 \t 𝄞 \ufeff end."
    return Script(Pace(delta_size=1), Say(text))


@named
def incomplete(turn: Turn, reason: IncompleteReason = "max_output_tokens") -> Script:
    """A text that ends before its end, for this reason (`response.incomplete`)."""
    return Script(Say("This answer stops in the", closed=False), Incomplete(reason))


@named
def truncated_call(turn: Turn) -> Script:
    """A text, then a call whose arguments the limit of tokens cuts off."""
    return Script(
        Say("Let me look."), Call(_function_name(turn), '{"query": "how lo', closed=False), Incomplete()
    )


@named
def bad_arguments(turn: Turn) -> Script:
    """A call whose arguments are not valid JSON."""
    return Script(Call(_function_name(turn), '{"query": unquoted,}'))


def _call(function: Json, number: int) -> Call:
    schema: Any = function.get("parameters") or {"type": "object"}
    arguments = json.dumps(sample(schema, number))
    return Call(function["name"], arguments, namespace=function.get("namespace"))


def _function_name(turn: Turn) -> str:
    return str(turn.function["name"]) if turn.function else "lookup"


def _numbered(n: int) -> str:
    return " ".join(f"word{number}" for number in range(1, n + 1))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _described(item: Json) -> str:
    kind = item.get("type", "message")
    return f"{item['role']} message" if kind == "message" else str(kind).replace("_", " ")
