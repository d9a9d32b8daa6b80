"""Find the session of a conversation by its messages.

A framework for agents hands over the whole history with each call and names no conversation. What it does
keep is the model's last answer, so a history up to and including an answer names the session that gave it:

    [a]            session 1, a new one       answers A: [a A] names it
    [a A b]        session 1                  answers B: [a A b B] names it from now on, and [a A] nothing
    [a A c]        session 2, a new one       a fork: [a A] is an older point of session 1
    [a A b B d]    session 1; if another call with it comes before the answer: session 3

So one call at a time continues the chain of a session. A wrong guess costs a full request, never content: the
service compares the messages with what the upstream knows.
"""

import re
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from trunkline.events import Done
from trunkline.gen.trunkline.v1.completion_pb2 import CompleteRequest, StreamCompletionRequest
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Message, Part
from trunkline.turn import Settle

MAX_SESSIONS = 1024
"""How many sessions are remembered. Those are forgotten first whose last turn ended first."""

DIGEST_BYTES = 16

SESSION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
"""What the service takes for an id. A name that is none is replaced by its digest."""


@dataclass(frozen=True, slots=True)
class Point:
    """How far a conversation has come, as digests: of what all frameworks keep, and of what most keep."""

    kept: bytes
    exact: bytes


@dataclass(frozen=True, slots=True)
class KnownSession:
    """A session between two turns."""

    session_id: str
    point: Point
    continuation: str


class FoundSession:
    """A session that a call has taken. Call `settle` with the end of its turn, in any case."""

    def __init__(self, known: KnownSession, reader: "Reader", ended: deque[KnownSession]) -> None:
        self._known = known
        self._reader = reader
        self._ended = ended

    def __repr__(self) -> str:
        return f"<FoundSession {self.session_id}>"

    @property
    def session_id(self) -> str:
        return self._known.session_id

    @property
    def continuation(self) -> str:
        """The token of its last turn, for this one; empty: the upstream stores nothing."""
        return self._known.continuation

    def settle(self, done: Done | None) -> None:
        """Let later calls find the session, after the answer. None: the turn failed, or its caller left.

        Takes no lock: it may run in a garbage collection, as the end of a turn that nobody reads any more.
        """
        if done is not None:
            for _ in self._reader.points([done.message]):
                pass
            token = done.continuation or self.continuation
            self._known = KnownSession(self.session_id, self._reader.point, token)
        self._ended.append(self._known)


class SessionFinder:
    """The sessions of one client. Safe for calls from several threads."""

    def __init__(self, max_sessions: int = MAX_SESSIONS) -> None:
        if max_sessions < 1:
            raise ValueError("max_sessions: at least 1")
        self._max_sessions = max_sessions
        self._lock = threading.Lock()
        self._ended: deque[KnownSession] = deque()
        self._known: OrderedDict[str, KnownSession] = OrderedDict()
        self._taken: set[str] = set()
        self._by_kept: dict[bytes, dict[str, KnownSession]] = {}

    def __len__(self) -> int:
        """How many sessions can be found."""
        with self._lock:
            self._note_ended()
            return len(self._known)

    def take(self, messages: Iterable[Message], name: str = "") -> FoundSession:
        """Return the session that knows most of these messages, or a new one.

        `name` is how the framework calls the conversation: the id of the new session, unless one has it
        already. So a conversation that another process began is found at the service.
        """
        reader = Reader()
        points = list(reader.points(messages))
        with self._lock:
            self._note_ended()
            known = next(filter(None, map(self._take_at, reversed(points))), None)
            # A new one whose turn fails stands where it was asked: the same call once more finds it.
            known = known or KnownSession(self._new_id(name), reader.point, "")
            self._taken.add(known.session_id)
        return FoundSession(known, reader, self._ended)

    def _new_id(self, name: str) -> str:
        if name and not SESSION_ID.fullmatch(name):
            name = blake2b(name.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
        free = name and name not in self._known and name not in self._taken
        return name if free else uuid.uuid4().hex

    def assign(self, request: StreamCompletionRequest | CompleteRequest, name: str = "") -> Settle | None:
        """Give a request the session that `take` finds. Returns what its turn is settled with.

        None: the request names a session itself.
        """
        if request.session_id:
            return None
        found = self.take(request.messages, name)
        request.session_id = found.session_id
        request.continuation = found.continuation or request.continuation
        return found.settle

    def _take_at(self, point: Point) -> KnownSession | None:
        """Take a session that stands here. Of several that read the same, the one that is exactly this."""
        if not (here := self._by_kept.get(point.kept)):
            return None
        found = next((one for one in here.values() if one.point == point), next(reversed(here.values())))
        self._forget(found)
        return found

    def _note_ended(self) -> None:
        while self._ended:
            session = self._ended.popleft()
            self._taken.discard(session.session_id)
            if before := self._known.get(session.session_id):  # settled twice
                self._forget(before)
            self._known[session.session_id] = session
            self._by_kept.setdefault(session.point.kept, {})[session.session_id] = session
            if len(self._known) > self._max_sessions:
                self._forget(next(iter(self._known.values())))

    def _forget(self, session: KnownSession) -> None:
        del self._known[session.session_id]
        here = self._by_kept[session.point.kept]
        del here[session.session_id]
        if not here:
            del self._by_kept[session.point.kept]


class Reader:
    """Digests a conversation, part by part.

    Of what the model said, all frameworks keep the texts, however they cut them into parts and messages, and
    the ids of calls. They drop thoughts and items that they do not know, and write JSON in another way. Most
    keep the ids of items and sealed thoughts, which no two answers share.
    """

    def __init__(self) -> None:
        self._kept = blake2b(digest_size=DIGEST_BYTES)
        self._exact = blake2b(digest_size=DIGEST_BYTES)
        self._role: int | None = None

    @property
    def point(self) -> Point:
        return Point(self._kept.digest(), self._exact.digest())

    def points(self, messages: Iterable[Message]) -> Iterator[Point]:
        """Read the messages, and yield the point after each part."""
        for message in messages:
            for part in message.parts:
                self._read(message.role, part)
                yield self.point

    def _read(self, role: int, part: Part) -> None:
        if role == ROLE_ASSISTANT:
            kept = _kept_by_all(part)
            self._exact.update(f"\0{part.item_id}\0{part.reasoning.encrypted_content}\0".encode())
        else:
            whole = part.SerializeToString(deterministic=True)
            kept = b"\0part %d\0%b" % (len(whole), whole)
        if kept and role != self._role:
            self._role = role
            kept = b"\0role %d\0%b" % (role, kept)
        self._kept.update(kept)
        self._exact.update(kept)


def _kept_by_all(said: Part) -> bytes:
    match said.WhichOneof("part"):
        case "text":
            return said.text.text.encode()
        case "refusal":
            return said.refusal.text.encode()
        case "tool_call":
            return b"\0call %b\0" % said.tool_call.call_id.encode()
        case _:
            return b""
