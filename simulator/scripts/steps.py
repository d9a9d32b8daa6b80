"""The steps of a scripted answer (content, pace, endings, faults), and the script itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.scripts.faults import Fault

Phase = Literal["commentary", "final_answer"]
Shape = Literal[
    "natural",
    "nested",
    "flat",
    "status_code",
    "top_headers",
    "body",
    "message_only",
    "no_code",
    "response_failed",
]
IncompleteReason = Literal["max_output_tokens", "max_messages", "content_filter"]


@dataclass(frozen=True, slots=True)
class Start:
    """`response.created` and `response.in_progress`. Implied by the first step that has content.

    `queued`: a busy server says `response.queued` in between.
    """

    queued: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """A message.

    `more` are further content parts; `streamed` is how many characters of each part come as deltas.
    `citations` are the annotations of the first part, each announced by an event of its own.
    """

    text: str
    phase: Phase | None = None
    more: tuple[str, ...] = ()
    streamed: int | None = None
    closed: bool = True
    citations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """A message whose only part is a refusal."""

    text: str = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class Reason:
    """A reasoning item: summary parts, and the full text where a model shows it.

    `item_id` is for servers that give two items one id; None makes a new one.
    """

    summary: tuple[str, ...] = ()
    text: str = ""
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function call. Arguments are text: nothing says that they must be JSON."""

    name: str
    arguments: str = "{}"
    call_id: str | None = None
    closed: bool = True
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One event about an item between its beginning and its end. Where the item is, is added."""

    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A text of an item: `{event}.delta` with each piece, then `{event}.done` with `{name: text}`."""

    event: str
    name: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of any type that has no step of its own, such as the call of a hosted tool.

    `fields` are as in `output_item.done`, `begun` are those that differ in `output_item.added`.
    The item gets an id of this prefix, and with `called` a new `call_id`.
    """

    type: str
    prefix: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    begun: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Progress | Stream, ...] = ()
    called: bool = False
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Emit:
    """An event sent as it is, besides those of the content. Only `numbered` adds a sequence number."""

    event: Mapping[str, Any]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How the following content is cut into deltas, and the pause before each. None means word by word."""

    delta_size: int | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Send nothing for a while; pings are still answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Send nothing until `Simulator.open_gate(name)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Complete:
    """The ending `response.completed`. Implied by the end of the script; needed if something follows it."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The ending `response.incomplete`. Items left open end as incomplete."""

    reason: IncompleteReason = "max_output_tokens"


@dataclass(frozen=True, slots=True)
class Fail:
    """The ending with an error.

    Over HTTP and before the first event it is a status; otherwise an event of this shape.
    """

    message: str = "The server had an error while processing your request."
    code: str | None = "server_error"
    status: int = 500
    type: str = "server_error"
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    shape: Shape = "natural"
    usage: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """How another server's events differ from the original's. The defaults are the original."""

    sequence: bool = True
    """Whether events are numbered."""
    output: bool = True
    """Whether the last event repeats the items."""
    done_alias: bool = False
    """`response.done` in place of `response.completed`."""
    usage_alias: bool = False
    """The usage under the names of the older chat API."""
    index: bool = True
    """Whether events say which item, part or summary they are about by its index."""
    ends_last: bool = False
    """Whatever ends a part or an item is sent at the very end."""
    rotating_ids: bool = False
    """Items and the response have another id in each event."""
    named_by_call: bool = False
    """Function calls have no id; their deltas name the `call_id`."""
    sealed: bool = True
    """Whether reasoning items have `encrypted_content`, where it is included."""
    renamed_output: bool = False
    """Items have other ids in the last event."""
    stale_output: bool = False
    """The last event holds function calls as they were when they began."""
    odd_fields: bool = False
    """Fields of other types: numbers as text, usage out of range, arguments as an object."""
    between: Literal["everything", "whole_items", "nothing"] = "everything"
    """What is sent between the beginning and the end of the response."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How server-sent events are written: what the format allows, and parsers get wrong."""

    newline: str = "\n"
    comments: bool = False
    done: bool = False
    multiline: bool = False
    chunk_bytes: int | None = None
    last_blank_line: bool = True
    event_names: bool = True


Content = Say | Refuse | Reason | Call | Item
AfterEnding = Emit | Wait | Gate | Fault
Step = Start | Content | Pace | Complete | Incomplete | Fail | AfterEnding


@dataclass(frozen=True, init=False)
class Script:
    """One answer, from the first event to the last, for any transport."""

    steps: tuple[Step, ...]
    dialect: Dialect | None
    framing: Framing | None

    def __init__(self, *steps: Step, dialect: Dialect | None = None, framing: Framing | None = None) -> None:
        # By hand, so that a script takes its steps as arguments: Script(Say("Hello."), Drop()).
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "dialect", dialect)
        object.__setattr__(self, "framing", framing)
