"""A conversation in one worker's hands."""

from __future__ import annotations

from typing import Literal

from bot.types.frames import ButtonRows
from bot.types.incoming import IncomingMessage, Signal
from bot.types.places import AnswerId, ConversationId, MessageRef, Place, Sender
from bot.types.settled import Settlement
from bot.types.values import value


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
