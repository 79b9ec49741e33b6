"""What comes in: messages and signals."""

from __future__ import annotations

from typing import Literal

from bot.types.events import Forward
from bot.types.places import AnswerId, ConversationId, Place, Sender
from bot.types.values import value

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
class Album:
    """What was sent in one go and comes in pieces, by the platform's name of it; `places` are the
    positions of the messages that brought the files which are here, one a file.
    """

    id: str
    places: tuple[int, ...]


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
    `album`: what this is a piece of.
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
    album: Album | None = None
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
