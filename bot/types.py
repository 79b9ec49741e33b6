"""The nouns of the house as frozen values: what comes in, what goes out, what is settled.

Nothing here does anything; every other room imports from here, and this file imports none of them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal, NewType, TypeVar, cast, dataclass_transform

ConversationId = NewType("ConversationId", str)
"""The unit of order: one chat, topic or thread on one account of one platform."""
MemoryId = NewType("MemoryId", str)
"""What history clusters on: a person in private, the conversation in a group."""
PersonId = NewType("PersonId", int)
AnswerId = NewType("AnswerId", int)
"""The inbox id of the first message that an answer covers; it names the answer for ever."""

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen, slotted, keyword-only dataclass.

    What it compares, shows and refuses is one code for all of them, and its `__init__` is written
    when the first one is made: dataclasses would compile six functions for each of a hundred
    classes, which was a third of the time that a short command took to start.
    """
    plain = {name: cls.__dict__[name] for name in cls.__annotations__ if name in cls.__dict__}
    made: Any = dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)(cls)
    names = tuple(one.name for one in fields(made))
    held = attrgetter("__class__", *names)

    def init(self: Any, **given: Any) -> None:
        body = {"__annotations__": cls.__annotations__, "__module__": cls.__module__, **plain}
        whole: Any = dataclass(frozen=True, kw_only=True, repr=False, eq=False)(type("", (), body))
        made.__init__ = whole.__init__
        made.__init__(self, **given)

    def eq(self: Any, other: object) -> bool:
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def shown(self: Any) -> str:
        return f"{made.__qualname__}({', '.join(f'{one}={getattr(self, one)!r}' for one in names)})"

    own = {"__init__": init, "__eq__": eq, "__hash__": lambda self: hash(held(self))}
    own |= {"__repr__": shown, "__setattr__": _frozen, "__delattr__": _frozen}
    own |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in own.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return cast("type[T]", made)


def _frozen(self: object, name: str, _item: object = None) -> None:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, one.name) for one in fields(self))


def _restore(self: Any, state: tuple[object, ...]) -> None:
    for one, item in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, item)


# --- where and who ---------------------------------------------------------------------------


@value
class Place:
    """Where something is said. `account` is the bot's id (Telegram) or the team's id (Slack)."""

    platform: str
    account: str
    channel: str
    thread: str | None = None
    private: bool = False

    @property
    def conversation(self) -> ConversationId:
        """The key of the conversation held here; `private` is a fact about it, not part of it."""
        return ConversationId(
            ":".join((self.platform, self.account, self.channel, self.thread or ""))
        )

    @property
    def whispered(self) -> bool:
        """Only the person "@id" sees what is said here, though others meet in the channel."""
        return self.private and (self.thread or "").startswith("@")


@value
class MessageRef:
    """A message that stands on a platform. `id` is the platform's own, as text."""

    place: Place
    id: str


@value
class Sender:
    """Who spoke, as the platform tells it. The role is looked up later, in the engine.

    `groups` are the platform's own groups of users that the settings name and they belong to.
    """

    user: str
    name: str = ""
    locale: str | None = None
    groups: tuple[str, ...] = ()


class Role(enum.StrEnum):
    """What a person may do; looked up each time a message is worked, so a change bites at once."""

    BLOCKED = "blocked"
    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"


@value
class Person:
    """Somebody known to the desk, over all their identities. `locale` is None until known.

    `allowed`: let in by name where not everybody is. `quota`: answers a day for this person
    instead of the desk's own number; 0 is without end.
    """

    id: PersonId
    name: str = ""
    locale: str | None = None
    role: Role = Role.CUSTOMER
    allowed: bool = False
    quota: int | None = None


# --- coming in -------------------------------------------------------------------------------

Origin = Literal["user", "relay", "timer"]


@value
class Attachment:
    """A file that came with a message; `id` is what the adapter needs to fetch it."""

    kind: Literal["photo", "voice", "audio", "video", "document", "sticker", "other"]
    id: str = ""
    name: str = ""
    mime: str = ""
    size: int | None = None


@value
class IncomingMessage:
    """One thing said to the desk.

    `key` is the semantic dedupe key (chat and message id); `delivery` the transport's (update or
    event id). `position` orders messages within their conversation as the platform does; it is
    compared, never shown. `said_at` is in ms since the epoch. `quoted` is the text replied to and
    `quoted_user` who wrote that. `id` is the platform's own name of the message, where an answer
    can quote it.
    `alone`: a command or a press, never answered together with its neighbours.
    `forward` is what a timer sends on when it is due. `directed` is False for what was said among
    others, in a conversation that the desk takes part in: it is remembered, not answered.
    `recalled`: `quoted` is what was said here before the desk was called in.
    """

    key: str
    place: Place
    sender: Sender
    text: str
    said_at: int
    position: int
    delivery: str | None = None
    origin: Origin = "user"
    alone: bool = False
    directed: bool = True
    id: str | None = None
    reply_to: str | None = None
    quoted: str | None = None
    quoted_user: str | None = None
    recalled: bool = False
    attachments: tuple[Attachment, ...] = ()
    forward: Forward | None = None


SignalKind = Literal["stop", "edit", "delete", "membership"]


@value
class Signal:
    """Control for an answer that may be running now; it never waits in the line.

    It concerns the answer named by `answer`, or else any answer whose messages stand before
    `position`, or else the message with dedupe key `key`. `text` is the new text of an edit.
    """

    kind: SignalKind
    conversation: ConversationId
    answer: AnswerId | None = None
    position: int | None = None
    key: str | None = None
    text: str | None = None


# --- going out: content ----------------------------------------------------------------------

SpanKind = Literal["bold", "italic", "strike", "code", "pre", "link", "quote", "heading", "spoiler"]


@value
class Span:
    """A mark on `RichText.text[start:end]` in code points. `detail` is a URL or code language."""

    start: int
    end: int
    kind: SpanKind
    detail: str = ""


@value
class RichText:
    """Plain text and the marks upon it; no platform's syntax."""

    text: str
    spans: tuple[Span, ...] = ()


@value
class Button:
    """Something to press under a message. `action` comes back as is; at most 64 bytes of UTF-8."""

    label: str
    action: str


ButtonRows = tuple[tuple[Button, ...], ...]


@value
class Frame:
    """What one message shall show. A `final` frame is never dropped and has a token reserved.

    `grows`: a placeholder, in whose message text is going to be written bit by bit. `full`: no more
    text comes into this message, though the answer goes on below it.
    """

    content: RichText
    buttons: ButtonRows = ()
    final: bool = True
    grows: bool = False
    full: bool = False


Guard = Callable[[], None]
"""Called just before bytes leave, on each attempt; raises LeaseLost when the lease has lapsed."""


@value
class Drafts:
    """How a draft is kept on screen: at least `interval` seconds from one to the next, and the
    same once more after `repeat` seconds of silence, before it fades.
    """

    interval: float
    repeat: float


@value
class Limits:
    """What a place allows. Lengths are in `measure` units; times in seconds.

    `first_characters` or `first_seconds`, whichever comes first, start the visible text; then
    frames follow `interval` apart, growing by `growth` up to `interval_max`. With `drafts` the
    growing end of a text is shown as a draft, and a message only when it is full or finished.
    """

    text_max: int
    measure: Callable[[str], int] = len
    edits: bool = True
    placeholder: bool = True
    spans_max: int = 95
    first_characters: int = 20
    first_seconds: float = 0.3
    interval: float = 1.0
    interval_max: float = 6.0
    growth: float = 1.3
    drafts: Drafts | None = None


# --- going out: the stream of reply events ------------------------------------------------------

Route = Literal[
    "command",
    "direct",
    "grounded",
    "open",
    "abstained",
    "excerpt",
    "ticket",
    "skill",
    "relay",
    "declined",
    "failed",
]
"""How an answer came to be; one word per ledger row."""

Scalar = str | int | float


@value
class Usage:
    """Tokens of one answer, as the provider reported or, `estimated`, as we counted."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """All tokens that are billed, prompt and completion."""
        return self.prompt + self.completion


@value
class Citation:
    """A passage that an answer rests on: `number` is what stands in its text as [number]."""

    number: int
    source: str
    title: str = ""
    url: str = ""


@value
class Begin:
    """The first event of every stream: in which language, for whom, and what history it joins.

    `question` is the user's side of the exchange as history shall keep it.
    """

    locale: str
    person: PersonId
    memory: MemoryId
    question: str
    asker: str = ""


@value
class Grounds:
    """What the coming text rests on; before the first Text of an answer.

    `citations` are all that the text may name; `Done.citations` those that it did name.
    `continues`: the text is the rest of that answer.
    """

    route: Route
    citations: tuple[Citation, ...] = ()
    model: str = ""
    confidence: float | None = None
    continues: AnswerId | None = None


@value
class Text:
    """More of the answer."""

    delta: str


@value
class Replace:
    """All text so far is exchanged for this."""

    text: str


@value
class Retract:
    """All text so far is taken back; notice `key` stands in its place, history keeps none."""

    key: str


@value
class Notice:
    """A sentence of ours from the catalogue, said once, as a message of its own."""

    key: str
    values: dict[str, Scalar] = field(default_factory=dict)


@value
class Say:
    """Text of ours that is no catalogue sentence (a table, an export), as a message of its own.

    `once`: where it is not known whether it arrived it is not sent again.
    """

    text: str
    once: bool = False


@value
class Progress:
    """What is being done before there is text; the catalogue key of the placeholder."""

    key: str


@value
class Buttons:
    """What can be pressed under the finished answer. Labels are catalogue keys."""

    rows: ButtonRows


@value
class File:
    """A document for the person; a `picture` is shown where the platform can show one."""

    name: str
    content: bytes
    caption: str = ""
    kind: Literal["document", "picture"] = "document"


@value
class Forward:
    """A message of ours to another place (a notice to staff), sent once when the answer settles."""

    place: Place
    text: str
    key: str = ""


@value
class Done:
    """The last event of every stream: how it was answered, and what becomes true with it.

    `cached`: a model said so earlier, to the same question; nobody was asked and nothing paid.
    """

    route: Route
    usage: Usage = Usage()
    model: str = ""
    citations: tuple[Citation, ...] = ()
    changes: tuple[Change, ...] = ()
    outcome: Literal["answered", "declined"] = "answered"
    remember: bool = True
    finish: Literal["whole", "truncated", "cut", "stopped"] = "whole"
    confidence: float | None = None
    cached: bool = False


ReplyEvent = (
    Begin
    | Grounds
    | Text
    | Replace
    | Retract
    | Notice
    | Say
    | Progress
    | Buttons
    | File
    | Forward
    | Done
)


# --- settled: what becomes true together --------------------------------------------------------


@value
class Turn:
    """One thing said, by either side, as history keeps it. Times in ms since the epoch."""

    role: Literal["user", "assistant"]
    text: str
    said_at: int
    name: str = ""
    tokens: int = 0


@value
class OpenTicket:
    """A person is needed: why, and where staff see it."""

    reason: str
    staff: Place
    summary: str = ""


@value
class Forget:
    """History of this memory starts anew; `/new`."""

    memory: MemoryId


@value
class SetLocale:
    """The person wants this language from now on; None: as they write."""

    locale: str | None


@value
class Gap:
    """A question that the knowledge base could not answer."""

    question: str
    locale: str
    confidence: float | None = None


@value
class Feedback:
    """A person's verdict on an answer."""

    answer: AnswerId
    good: bool


@value
class Await:
    """The person was asked for something: their next plain message in this memory is the answer.

    It goes to the command `word`, together with `given`, which only that command understands, and
    is answered in `locale`. Not waited for after `until` (ms), nor once anything else was settled
    with this person here.
    """

    word: str
    given: str
    locale: str
    until: int


@value
class UseSkill:
    """A skill did its work once more; daily quotas count these."""

    skill: str


@value
class Audit:
    """An act of somebody who runs the desk, or their attempt; `detail` holds no text of others."""

    action: str
    detail: str = ""


@value
class SetRole:
    """A person may do more or less from now on; `allowed` lets them in where not all are."""

    person: PersonId
    role: Role
    allowed: bool


@value
class SetQuota:
    """Answers a day for this person; None: as everybody; 0: without end."""

    person: PersonId
    answers: int | None


@value
class Erase:
    """What the settled person said and was told goes; the numbers stay."""


@value
class DraftBroadcast:
    """A text shown to the one who may confirm it with `code`, until then sent to nobody."""

    code: str
    text: str


@value
class StartBroadcast:
    """The draft with this code goes out to everybody who can be reached."""

    code: str


@value
class AdmitAdmin:
    """Whoever was settled may open the admin pages once before `until`; `token` is a hash."""

    token: str
    until: int


@value
class GoOn:
    """The answer that settles with this is the rest of that one, which broke off."""

    answer: AnswerId


Change = (
    OpenTicket
    | Forget
    | SetLocale
    | Gap
    | Feedback
    | Await
    | UseSkill
    | Audit
    | SetRole
    | SetQuota
    | Erase
    | DraftBroadcast
    | StartBroadcast
    | AdmitAdmin
    | GoOn
)
"""What a reply does to the desk besides text; applied only with the settlement, once."""

Outcome = Literal["answered", "declined", "undeliverable", "superseded"]


@value
class LedgerRow:
    """One answer in numbers. Times in ms; `at` since the epoch; None where it does not apply."""

    at: int
    route: Route
    outcome: Outcome
    total_ms: int
    first_text_ms: int | None = None
    model: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    currency: str = ""
    edits: int = 0
    throttled: int = 0
    attempts: int = 1
    finish: str = "whole"
    error: str = ""
    confidence: float | None = None
    cached: bool = False


@value
class Settlement:
    """How a lease ends: one transaction, fenced by the epoch.

    `memory` and `person` say whose history `turns` join. `forwards` become inbox rows of the
    places they go to. `covers` are keys of further messages of the conversation that this ends
    as superseded: a /stop that did its work needs no answer of its own.
    """

    outcome: Outcome
    memory: MemoryId
    person: PersonId
    turns: tuple[Turn, ...] = ()
    changes: tuple[Change, ...] = ()
    forwards: tuple[Forward, ...] = ()
    ledger: LedgerRow | None = None
    covers: tuple[str, ...] = ()


@value
class Anchor:
    """A message of ours that is on screen for an answer. `shown` is the hash of what it shows.

    `size`: so many characters of the answer's text; None: not known, frames leave no trace.
    """

    part: int
    ref: MessageRef | None
    kind: Literal["text", "file", "notice"] = "text"
    frozen: bool = False
    shown: str = ""
    size: int | None = None


@value
class DurableAnswer:
    """An answer that was written down whole before its last edit: deliver it, ask nobody again."""

    text: str
    buttons: ButtonRows
    locale: str
    settlement: Settlement


@value
class Received:
    """A message on disk, with the inbox id that names it."""

    id: int
    message: IncomingMessage
    received_at: int


@value
class Lease:
    """A conversation held by one worker: a run of consecutive messages of one sender, in order.

    `until` is on the monotonic clock, in seconds; no byte leaves after it. `attempt` counts from 1.
    `taken_over` is true when another owner held it last and may still have calls in flight.
    `signals` are what an earlier holder heard and could not settle, and what came since then.
    """

    conversation: ConversationId
    epoch: int
    owner: str
    until: float
    messages: tuple[Received, ...]
    attempt: int = 1
    anchors: tuple[Anchor, ...] = ()
    answer: DurableAnswer | None = None
    taken_over: bool = False
    signals: tuple[Signal, ...] = ()

    @property
    def id(self) -> AnswerId:
        """The answer that this lease works on."""
        return AnswerId(self.messages[0].id)

    @property
    def place(self) -> Place:
        """Where the answer goes."""
        return self.messages[-1].message.place

    @property
    def sender(self) -> Sender:
        """Who is answered."""
        return self.messages[-1].message.sender


# --- knowledge ---------------------------------------------------------------------------------


@value
class Passage:
    """A piece of knowledge as it was found. `answer` is set for an FAQ; `text` is what matched.

    `score` is bounded, 0 to 1, and comparable between questions; never a raw BM25.
    """

    id: int
    entry: str
    kind: Literal["faq", "doc"]
    title: str
    text: str
    source: str
    answer: str | None = None
    url: str = ""
    locale: str = ""
    score: float = 0.0
    exact: bool = False

    @property
    def body(self) -> str:
        """What a reader should be given: the answer of an FAQ, the text of a document."""
        return self.answer if self.answer is not None else self.text


@value
class Findings:
    """What a search found, best first. `scope` and `p_top` are calibrated, 0 to 1.

    `scope`: the question is about what this knowledge base covers. `p_top`: the first passage is
    the right one. `in_scope` and `direct` are these numbers held against the thresholds.
    `quotable`: the first passage may be shown though no model has read it.
    """

    passages: tuple[Passage, ...] = ()
    scope: float = 0.0
    p_top: float = 0.0
    in_scope: bool = False
    direct: bool = False
    quotable: bool = True
    generation: int = 0


@value
class Earlier:
    """What a message may lean on: the person's last question and our answer to it."""

    question: str = ""
    answer: str = ""


@value
class Followed:
    """What was found, and the wording that found it."""

    findings: Findings
    question: str


# --- the model -----------------------------------------------------------------------------------


@value
class ChatTurn:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


Means = Literal["full", "thrifty", "knowledge"]
"""What may be spent on an answer: the best model, the cheapest, or none at all (excerpts)."""


@value
class ChatRequest:
    """What a model is asked. `deadline` is monotonic seconds; `max_tokens` bounds the reply.

    Passages, generation, question and conversation are carried for those models and layers that
    need them (extracts, the cache, the fair queue). `thinking` None leaves the provider's default.
    """

    turns: tuple[ChatTurn, ...]
    locale: str = "en"
    question: str = ""
    passages: tuple[Passage, ...] = ()
    generation: int = 0
    conversation: str = ""
    deadline: float | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    end_user: str = ""
    cacheable: bool = False
    means: Means = "full"


@value
class ModelText:
    """Visible text from the model."""

    delta: str


@value
class ModelReset:
    """The stream was cut after text and asked again: what follows is a new text from its start."""


@value
class Reasoning:
    """The model thinks; `size` characters of it came. Never shown, never stored."""

    size: int


@value
class ToolCall:
    """A function the model wants called; `arguments` is JSON text, whole."""

    id: str
    name: str
    arguments: str


@value
class ModelDone:
    """The reply is whole, or `truncated` at a length limit, or `cut` and kept as it is."""

    finish: Literal["whole", "truncated", "cut"] = "whole"
    usage: Usage = Usage()
    model: str = ""
    attempts: int = 1
    cached: bool = False
    excerpt: bool = False


ModelEvent = ModelText | ModelReset | Reasoning | ToolCall | ModelDone


@value
class ProviderHealth:
    """The state of one model in the chain. Times in ms since the epoch; None: never."""

    name: str
    state: Literal["unknown", "up", "degraded", "down"]
    last_success: int | None = None
    last_error: str = ""
    last_error_at: int | None = None
    latency_ms: int | None = None
