"""The seams of the house: what a platform, a store, a model and an embedder must be able to do.

Optional abilities are protocols of their own, found with isinstance; no code asks for a platform
by name.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

from bot.clock import Clock
from bot.types import (
    Anchor,
    AnswerId,
    Attachment,
    Await,
    ChatRequest,
    DurableAnswer,
    Earlier,
    Findings,
    Followed,
    Frame,
    Gap,
    Guard,
    IncomingMessage,
    Lease,
    LedgerRow,
    Limits,
    MemoryId,
    MessageRef,
    ModelEvent,
    Passage,
    Person,
    PersonId,
    Place,
    ProviderHealth,
    Role,
    Route,
    Sender,
    Settlement,
    Signal,
    Turn,
    value,
)


@value
class Move:
    """A place goes on under another name, with all that was said there."""

    old: Place
    new: Place


@value
class Intake:
    """What an adapter made of one platform event, with the raw payload it came from.

    Exactly one of four: a message and/or a signal; a move; nothing (the event does not concern us);
    or `error`: it could not be understood, and the raw payload is kept as a dead row.
    `settle_ms`: the message is a piece of more, which will come within this time; all of it, and
    what is said right after it, becomes work together.
    """

    raw: str
    delivery: str
    message: IncomingMessage | None = None
    signal: Signal | None = None
    moved: Move | None = None
    settle_ms: int = 0
    error: str = ""


Sink = Callable[[Sequence[Intake]], Awaitable[None]]
"""Returns only when all of it is on disk; raises StorageError when none of it is."""


class Adapter(Protocol):
    """A platform. `account` is known before any call is made."""

    platform: str
    account: str

    def limits(self, place: Place) -> Limits:
        """What may be shown there and how often."""
        ...

    def ready(self, place: Place, *, final: bool) -> float:
        """When (monotonic seconds) the next call to this place may leave; a past time means now.

        A token is kept back for finals, so a non-final may have to wait where a final need not.
        """
        ...

    async def run(self, sink: Sink) -> None:
        """Take messages in until cancelled. An event is acknowledged after `sink` returned."""
        ...

    async def send(
        self, place: Place, frame: Frame, *, guard: Guard, reply_to: str | None = None
    ) -> MessageRef:
        """Post a message. Not idempotent: PlatformUnavailable.sent tells an unknown outcome.

        Waits for the place's pace. Raises PlatformError and LeaseLost (from `guard`).
        """
        ...

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> None:
        """Make a message of ours show `frame`. Idempotent; "not modified" is success.

        Retries what is retryable for finals; a non-final that fails is reported at once.
        Raises MessageGone when there is nothing to edit any more.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Deletes(Protocol):
    """Can take a message of ours off the screen."""

    async def delete(self, ref: MessageRef, *, guard: Guard) -> None:
        """Remove it; silent when it is gone already."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    """Can show that something is being written, before there is text."""

    async def typing(self, place: Place) -> None:
        """Once; lasts some seconds; never raises."""
        ...


@runtime_checkable
class ShowsDrafts(Protocol):
    """Can show what is being written without a message: a draft fades, and a message ends it.

    Where it can, `limits` says so; and no longer, once the platform has refused it there.
    """

    def draft_ready(self, place: Place) -> float:
        """When (monotonic seconds) the next draft may leave; nothing else is counted with them."""
        ...

    async def draft(
        self, place: Place, answer: AnswerId, part: int, frame: Frame, *, guard: Guard
    ) -> None:
        """Show `frame` as what this part of the answer will say; an empty one: we think.

        Tried once. Its Stop button comes back as a Signal that names the answer. Raises
        PlatformRefused where there are no drafts, or another PlatformError, and LeaseLost.
        """
        ...


@runtime_checkable
class TakesFiles(Protocol):
    """Can post a document."""

    async def send_file(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        """Post it once; not idempotent."""
        ...


@runtime_checkable
class ShowsPictures(Protocol):
    """Can post a picture that is seen without being opened, in a way of its own."""

    async def send_picture(
        self, place: Place, name: str, content: bytes, *, caption: str, guard: Guard
    ) -> MessageRef:
        """Post it once, as a document where the platform will not show it; not idempotent."""
        ...


@runtime_checkable
class FetchesFiles(Protocol):
    """Can bring the files that came with messages."""

    async def fetch(self, attachment: Attachment, *, most: int) -> bytes:
        """The content. Raises PlatformRefused when it is over `most` bytes or not there any more,
        or another PlatformError.
        """
        ...


@runtime_checkable
class FindsPosts(Protocol):
    """Can read back whether a post with our mark exists, after a send of unknown outcome."""

    async def find(self, place: Place, mark: str) -> MessageRef | None:
        """The message posted with this mark, if it arrived."""
        ...


@runtime_checkable
class HasMenu(Protocol):
    """Can show the commands it takes."""

    async def set_menu(
        self, commands: Sequence[tuple[str, dict[str, str]]], *, only: Sequence[str] = ()
    ) -> None:
        """Publish (word, {language: description}) to everybody, or to `only` these users.

        Users are `platform:id`; what they were given goes before what everybody sees. A user whom
        the platform does not know yet is left out.
        """
        ...


@value
class HttpReply:
    """What a platform's HTTP request is answered with."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@value
class HttpRoute:
    """One literal path of a platform on the public listener.

    `handler` gets the body, at most `body_max` bytes, and the headers, names in lower case.
    """

    method: str
    path: str
    handler: Callable[[bytes, Mapping[str, str]], Awaitable[HttpReply]]
    body_max: int = 1 << 20


@runtime_checkable
class HasRoutes(Protocol):
    """Takes events over HTTP. Called by bot/web.

    A handler answers 200 only after the sink returned; what it raises becomes a 503 where it is
    retryable and a 500 otherwise, so that the platform sends the event again.
    """

    def routes(self) -> Sequence[HttpRoute]:
        """The same at every call; none where the settings ask for no HTTP."""
        ...


class Observer(Protocol):
    """Is told what happens, to count it. Never raises, never waits; each event is told once."""

    def taken(self, count: int, seconds: float) -> None:
        """Intake: `count` platform events are on disk, `seconds` after they were handed over."""
        ...

    def leased(self, waited: float) -> None:
        """The worker took a lease whose first message had waited this many seconds."""
        ...

    def settled(self, row: LedgerRow) -> None:
        """An answer has its outcome."""
        ...

    def throttled(self) -> None:
        """A platform said 429."""
        ...

    def retried(self) -> None:
        """An attempt failed and the conversation rests for another."""
        ...

    def buried(self) -> None:
        """A message was given up: a dead letter."""
        ...


class NullObserver:
    """Counts nothing."""

    def taken(self, count: int, seconds: float) -> None: ...

    def leased(self, waited: float) -> None: ...

    def settled(self, row: LedgerRow) -> None: ...

    def throttled(self) -> None: ...

    def retried(self) -> None: ...

    def buried(self) -> None: ...


class Inbox(Protocol):
    """Durable work. A conversation is leased, not a message; every write is fenced by the epoch."""

    async def put(self, intakes: Sequence[Intake]) -> list[bool]:
        """Store a batch in one transaction; True for each that was new. Wakes the conversations."""
        ...

    async def put_later(self, message: IncomingMessage, *, due_at: int) -> bool:
        """Store a message that becomes work at `due_at` (ms): a timer. False: known already."""
        ...

    async def lease(self, owner: str, limit: int = 1) -> list[Lease]:
        """The longest-due conversations that nobody holds, each with its first run of messages."""
        ...

    async def renew(self, lease: Lease) -> tuple[Lease, tuple[Signal, ...]]:
        """The lease with its later `until`, and the signals that came. Raises LeaseLost."""
        ...

    async def anchor(self, lease: Lease, anchor: Anchor) -> None:
        """Note what is on screen for the answer. Raises LeaseLost."""
        ...

    async def answer(self, lease: Lease, answer: DurableAnswer) -> None:
        """Write the whole answer down, before its last edit. Raises LeaseLost."""
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """End the lease: messages done and the settlement true, at once or not at all."""
        ...

    async def rest(self, lease: Lease, *, until: int, error: str, counts: bool = True) -> None:
        """Give the lease back until a wall time (ms): a durable retry.

        `counts` False: this attempt is not held against the message (a platform's ban, a drain).
        """
        ...

    async def bury(self, lease: Lease, settlement: Settlement, *, error: str) -> None:
        """Dead letters: the lease's messages are given up with a reason; the line moves on."""
        ...

    async def take_over(self, owner: str) -> int:
        """At start, when a lock file proves every earlier owner dead: free their leases at once."""
        ...

    async def suspects(self, attempts: int) -> int:
        """Open messages that were attempted so often: one of them may be what kills us."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return when something may be due, or a signal came, or after `seconds`."""
        ...

    async def heed(self, lease: Lease, seconds: float) -> tuple[Signal, ...]:
        """Wait until a signal comes for this conversation, at most `seconds`; take what came."""
        ...

    async def depth(self) -> Depth:
        """How much waits, for health and metrics."""
        ...


@value
class Depth:
    """What the inbox holds now. `oldest_ms` is the age of the longest-waiting due message."""

    waiting: int
    leased: int
    dead: int
    oldest_ms: int


class People(Protocol):
    """Who is who, over identities."""

    async def person(self, place: Place, sender: Sender) -> Person:
        """The person behind this sender, made when new; the role as stored (blocked or not)."""
        ...

    async def set_role(self, person: PersonId, role: Role) -> None:
        """Block or unblock, or make staff."""
        ...


class History(Protocol):
    """What was said, by memory, in order. Turns are added by settlements only."""

    async def last(self, memory: MemoryId, limit: int) -> list[Turn]:
        """The newest `limit` turns since the last fresh start, oldest first."""
        ...


@value
class Exchange:
    """A question and its answer, as they were said."""

    question: str
    text: str


class Exchanges(Protocol):
    """Past answers, by their number."""

    async def exchange(self, answer: AnswerId, place: Place, memory: MemoryId) -> Exchange | None:
        """What this memory holds of an answer given at this place; None: nothing (any more)."""
        ...


@value
class BrokenOff:
    """An answer that was cut off: its question, the pieces there are of it, and what was said
    before it, oldest first. `continued`: another answer has gone on with it already.
    """

    answer: AnswerId
    question: str
    pieces: tuple[str, ...]
    past: tuple[Turn, ...]
    route: Route
    continued: bool = False


class Continuations(Protocol):
    """Answers that broke off."""

    async def broken_off(
        self, answer: AnswerId | None, place: Place, memory: MemoryId, *, limit: int
    ) -> BrokenOff | None:
        """The one named (None: the newest), with at most `limit` turns from before it.

        None: it was not given at this place, or is whole, or this memory does not hold it (any
        more).
        """
        ...


@value
class Summary:
    """What a memory held up to turn number `through`; `later` turns were said after that."""

    text: str
    through: int
    later: int


class Summaries(Protocol):
    """What was said long ago, in a few sentences. A fresh start ends its use at once."""

    async def last(self, memory: MemoryId) -> Summary | None:
        """The summary in use."""
        ...

    async def uncovered(self, memory: MemoryId, limit: int) -> list[tuple[int, Turn]]:
        """The oldest `limit` turns that no summary covers, with their numbers."""
        ...

    async def put(self, memory: MemoryId, text: str, *, through: int) -> None:
        """Keep it instead of the one before; nothing happens if it was overtaken meanwhile."""
        ...


class Forms(Protocol):
    """Questions of commands to a person that are still open. Written by settlements only."""

    async def open_for(self, memory: MemoryId, person: PersonId, *, at: int) -> Await | None:
        """What a message received `at` (ms) would answer."""
        ...


class Uses(Protocol):
    """How often skills were used. Written by settlements only."""

    async def count(self, person: PersonId, skill: str, *, since: int) -> int:
        """The uses of one skill by one person since then (ms)."""
        ...


class Tickets(Protocol):
    """Open requests for a person. Opened by settlements only."""

    async def open_for(self, person: PersonId, place: Place) -> int | None:
        """The id of this person's open ticket at this place, if there is one."""
        ...


@value
class Spent:
    """What was given lately: answers in the last minute and since the day began, tokens, cost."""

    person_minute: int = 0
    chat_minute: int = 0
    person_day: int = 0
    person_tokens: int = 0
    desk_tokens: int = 0
    desk_cost: float = 0.0


class Spending(Protocol):
    """What is counted against limits. Commands, relays and refusals are free."""

    async def spent(self, person: PersonId, place: Place, *, minute: int, day: int) -> Spent:
        """Since `minute` and since `day` (ms); the chat is that of `place`, all threads of it."""
        ...


class Directory(Protocol):
    """People as those who run the desk name them."""

    async def by_identity(self, platform: str, account: str, user: str) -> Person | None:
        """Whom a platform knows by this id."""
        ...

    async def by_number(self, person: PersonId) -> Person | None:
        """By the number that our lists show."""
        ...

    async def by_name(self, name: str) -> list[Person]:
        """Who calls themselves so, whatever the case of letters; at most two."""
        ...

    async def home(self, person: PersonId) -> Place | None:
        """Where this person can be written to alone; None: they never wrote in private."""
        ...


@value
class AuditEntry:
    """One act of somebody who runs the desk. `at` in ms since the epoch."""

    at: int
    actor: str
    action: str
    detail: str


class Audits(Protocol):
    """What those who run the desk did. Written by settlements only, beside CLI and pages."""

    async def last(self, limit: int) -> list[AuditEntry]:
        """The newest first."""
        ...


@value
class Progress:
    """How far a broadcast came. `whole`: everybody it goes to has a row. `unknowns` by name."""

    id: int
    whole: bool
    waiting: int
    delivered: int
    failed: int
    unknown: int
    unknowns: tuple[tuple[PersonId, str], ...] = ()


class Broadcasts(Protocol):
    """Texts to everybody. Drafted and started by settlements only."""

    async def draft(self, code: str, person: PersonId, *, at: int) -> str | None:
        """The text that this person may send with this code now (ms)."""
        ...

    async def recipients(self) -> int:
        """How many people can be written to."""
        ...

    async def progress(self, broadcast: int = 0) -> Progress | None:
        """Of this one, or of the newest; None: there is no such broadcast."""
        ...


class Exports(Protocol):
    """All that is kept of a person."""

    async def of(self, person: PersonId) -> dict[str, Any]:
        """As plain JSON."""
        ...


@value
class Beside:
    """What a time holds besides its answers: letters given up then, verdicts, questions left open.

    `askers` are the people with the most requests, most first, as name and number of requests.
    """

    dead: int = 0
    good: int = 0
    bad: int = 0
    askers: tuple[tuple[str, int], ...] = ()
    gaps: tuple[Gap, ...] = ()


class Ledger(Protocol):
    """One row per answer. Rows are added by settlements only."""

    async def rows(self, since: int, until: int) -> list[LedgerRow]:
        """Rows with since <= at < until (ms), oldest first."""
        ...

    async def beside(self, since: int, until: int) -> Beside:
        """The rest of that time; of many gaps the newest."""
        ...


class Knowledge(Protocol):
    """The passages of the team, and how sure a finding is."""

    async def search(self, question: str, *, locale: str, limit: int = 8) -> Findings:
        """The best passages, best first, with the calibrated numbers. Never raises for any text."""
        ...

    async def follow(
        self, question: str, earlier: Earlier, *, locale: str, limit: int = 8
    ) -> Followed:
        """Search a message that may lean on what was said before: alone, and joined with that."""
        ...


class Model(Protocol):
    """A language model, or a behaviour wrapped around one."""

    name: str

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        """Zero or more Text, Reasoning, ToolCall, then exactly one ModelDone; or a ModelError.

        Closing the iterator closes the connection.
        """
        ...

    def health(self) -> tuple[ProviderHealth, ...]:
        """The state of each provider underneath, from real traffic."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Embedder(Protocol):
    """Text to vectors. `name` tells apart whose vectors cannot be compared: model and length.

    `batch` is how many texts it takes well at once, in characters too: `batch_chars`.
    """

    name: str
    batch: int
    batch_chars: int

    async def embed(self, texts: Sequence[str], *, query: bool) -> list[array[float]]:
        """One unit vector of 32-bit floats per text, in order, all of one length.

        Raises ModelError; what came back wrong or unusable is a ModelUnavailable.
        """
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...


__all__ = [
    "Adapter",
    "AnswerId",
    "BrokenOff",
    "Clock",
    "Continuations",
    "Deletes",
    "Depth",
    "Embedder",
    "Exchange",
    "Exchanges",
    "FetchesFiles",
    "FindsPosts",
    "Forms",
    "HasMenu",
    "HasRoutes",
    "History",
    "HttpReply",
    "HttpRoute",
    "Inbox",
    "Intake",
    "Knowledge",
    "Ledger",
    "Model",
    "Move",
    "NullObserver",
    "Observer",
    "Passage",
    "People",
    "ShowsDrafts",
    "ShowsPictures",
    "ShowsTyping",
    "Sink",
    "Summaries",
    "Summary",
    "TakesFiles",
    "Tickets",
    "Uses",
]
