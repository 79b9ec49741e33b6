"""A platform, and what some of them can do besides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Protocol, runtime_checkable

from bot.types import (
    AnswerId,
    Attachment,
    Frame,
    Guard,
    IncomingMessage,
    Limits,
    MessageRef,
    Place,
    Signal,
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

    async def edit(self, ref: MessageRef, frame: Frame, *, guard: Guard) -> bool:
        """Make a message of ours show `frame`. Idempotent; "not modified" is success.

        False for a frame of a growing text of which nothing can be shown before there is more.
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
