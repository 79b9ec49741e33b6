"""A reply: the stream of events from the engine to its readers."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from bot.types.changes import Change
from bot.types.frames import ButtonRows
from bot.types.places import AnswerId, MemoryId, PersonId, Place
from bot.types.values import value

Route = Literal[
    "command",
    "direct",
    "grounded",
    "open",
    "abstained",
    "asked",
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
