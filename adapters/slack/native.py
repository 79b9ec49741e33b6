"""Answers as Slack's own streams: started without text, appended to, ended.

One rung of a ladder: where a stream cannot be started the answer is posted and edited; where one
cannot go on its message is edited. It is always the same message, and never a second one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.slack.calls import Calls
from adapters.slack.failures import StoppedByPerson, StreamOver
from adapters.slack.rates import APPEND, START, STOP, UPDATE
from adapters.slack.render import rows
from adapters.slack.stream import Append, Close, Keep, Leave, Stream
from bot.clock import Clock
from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.types import ConversationId, Frame, Guard, MessageRef, Place

REFUSED_SECONDS = 3600.0
"""How long conversations of a kind that takes no streams are left alone."""
FORGOTTEN_SECONDS = 600.0
"""A stream of this age is over, whatever became of its answer."""
ASKERS = 2_000
"""Conversations whose last asker is remembered."""

Stopped = Callable[[MessageRef], Awaitable[bool]]
"""Tells the running answer that a person stopped it; whether that was kept."""

_Key = tuple[str, str]
"""Channel and timestamp."""

log = logging.getLogger("frontdesk.slack")


class Native:
    """The streams of one workspace. `mode` as the setting: native, direct (messages only), edits.

    In a channel Slack wants to know for whom it streams: the last one who asked there. Only members
    of our own workspace are answered, so their team is ours. What is forgotten with the process,
    askers and streams, costs no more than a rung of the ladder.
    """

    def __init__(self, calls: Calls, clock: Clock, mode: str, stopped: Stopped) -> None:
        self._calls = calls
        self._clock = clock
        self._mode = mode
        self._stopped = stopped
        self._askers: dict[ConversationId, str] = {}
        self._streams: dict[_Key, Stream] = {}
        self._refused: dict[str, float] = {}

    def asked(self, place: Place, user: str) -> None:
        """Somebody asked there."""
        self._askers.pop(place.conversation, None)
        if len(self._askers) >= ASKERS:
            self._askers.pop(next(iter(self._askers)))
        self._askers[place.conversation] = user

    def able(self, place: Place) -> bool:
        """An answer that begins there now would be a stream."""
        if self._mode == "edits" or place.whispered or not place.thread:
            return False
        if not place.private and (self._mode == "direct" or place.conversation not in self._askers):
            return False
        refused_until = self._refused.get(_kind(place), float("-inf"))
        free = self._calls.free(START, final=False)
        return free and refused_until <= self._clock.monotonic()

    def pacing(self, place: Place) -> str:
        """The method whose pace the next call there keeps."""
        here = place.conversation
        live = any(stream.conversation == here for stream in self._streams.values())
        return APPEND if live else UPDATE

    async def start(self, place: Place, guard: Guard) -> MessageRef | None:
        """Begin a stream without text; None where it must be a post.

        A start of unknown outcome is not repeated: it leaves an empty message at most.
        """
        if not self.able(place):
            return None
        asked = {"channel": place.channel, "thread_ts": place.thread}
        if user := self._askers.get(place.conversation):
            asked |= {"recipient_user_id": user, "recipient_team_id": place.account}
        born = self._clock.monotonic()
        try:
            answer = await self._calls.call(START, asked, guard=guard, final=False, repeats=False)
        except PlatformRefused as error:
            log.info("no streams in %s: %s", place.channel, error)
            self._refused[_kind(place)] = born + REFUSED_SECONDS
            return None
        except (PlatformBusy, PlatformUnavailable):
            return None
        ref = MessageRef(place=place, id=answer["ts"])
        self._forget_old(born)
        self._streams[_key(ref)] = Stream(place.conversation, born)
        return ref

    async def show(self, ref: MessageRef, frame: Frame, guard: Guard) -> bool | None:
        """Bring a stream to the frame; False: nothing can be added yet; None: it is no stream, or
        none any more, and is to be edited.

        Raises PlatformError where the same is worth another try later.
        """
        stream = self._streams.get(_key(ref))
        if stream is None:
            return None
        try:
            done = await self._moved(stream, ref, frame, guard)
        except StoppedByPerson:
            stream.stopped = not frame.final and await self._stopped(ref)
            done = False if stream.stopped else None
        except StreamOver:
            done = None
        except PlatformRefused as error:
            log.warning("a stream goes on by edits: %s", error)
            done = None
        except PlatformUnavailable as error:
            stream.sure = stream.sure and not error.sent
            if stream.sure or not frame.final:
                raise
            done = None
        except (MessageGone, NotWelcome, PlatformLocked):
            self.forget(ref)
            raise
        if frame.final or frame.full or done is None:
            self.forget(ref)
        return done

    def forget(self, ref: MessageRef) -> None:
        """From here on this message is one like any other."""
        self._streams.pop(_key(ref), None)

    async def end(self, ref: MessageRef, guard: Guard) -> None:
        """Make sure that a message is no stream, whoever began it, so that it can be changed."""
        self.forget(ref)
        try:
            await self._stop(ref, guard)
        except PlatformRefused as error:
            log.info("%s", error)

    async def _moved(
        self, stream: Stream, ref: MessageRef, frame: Frame, guard: Guard
    ) -> bool | None:
        """As `show`."""
        match stream.move(frame, self._clock.monotonic()):
            case Append(text=text):
                await self._append(stream, ref, text, guard)
            case Close(rest=rest):
                await self._close(stream, ref, rest, frame, guard)
            case Leave():
                if not stream.stopped:
                    await self._stop(ref, guard, final=frame.final or frame.full)
                return None
            case Keep():
                return False
        return True

    async def _append(
        self, stream: Stream, ref: MessageRef, text: str, guard: Guard, *, final: bool = False
    ) -> None:
        """Add a piece. Not repeated where it may have arrived: it would stand twice."""
        piece = {**_named(ref), "chunks": _chunks(text)}
        await self._calls.call(APPEND, piece, guard=guard, final=final, repeats=False)
        stream.text += text

    async def _close(
        self, stream: Stream, ref: MessageRef, rest: str, frame: Frame, guard: Guard
    ) -> None:
        """Add the rest and the buttons and end it. Where ends must queue, the text goes ahead."""
        if rest and not self._calls.free(STOP, final=True):
            await self._append(stream, ref, rest, guard, final=True)
            rest = ""
        more: dict[str, Any] = {"chunks": _chunks(rest)} if rest else {}
        if buttons := list(rows(frame.buttons)):
            more["blocks"] = buttons
        await self._stop(ref, guard, **more)

    async def _stop(
        self, ref: MessageRef, guard: Guard, *, final: bool = True, **more: Any
    ) -> None:
        """End it. Without more text a second time is as good as once."""
        args = {**_named(ref), **more}
        await self._calls.call(STOP, args, guard=guard, final=final, repeats=not more)

    def _forget_old(self, now: float) -> None:
        """Streams whose answers were never finished here."""
        for key, stream in list(self._streams.items()):
            if now - stream.born > FORGOTTEN_SECONDS:
                del self._streams[key]


def _kind(place: Place) -> str:
    """Direct messages, channels, private channels: what Slack's refusals are about."""
    return place.account + place.channel[:1]


def _key(ref: MessageRef) -> _Key:
    return ref.place.channel, ref.id


def _named(ref: MessageRef) -> dict[str, Any]:
    return {"channel": ref.place.channel, "ts": ref.id}


def _chunks(text: str) -> list[dict[str, str]]:
    """The one kind of argument that all calls of a stream must share."""
    return [{"type": "markdown_text", "text": text}]
