"""What is said beside the growing text: notices, documents, and code too long to stand in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformError,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.i18n import say
from bot.ports import Adapter, Clock, Inbox, ShowsPictures, TakesFiles
from bot.reply.actions import shown_hash
from bot.reply.hold import Hold
from bot.reply.papers import Paper, papers, without
from bot.reply.screen import PATIENCE_SECONDS, PAUSE_SECONDS, TRIES, Screen
from bot.text.markdown import Markdown
from bot.text.split import split
from bot.types import Anchor, DurableAnswer, File, Frame, MessageRef, Notice, RichText, Say

NOTICE_FIRST = 1000
"""Parts from here on are notices and files; the answer's own parts count from 0."""
PAPER_FIRST = 2000
"""Parts from here on are the answer's own long code, in order."""

Poster = Callable[..., Awaitable[MessageRef]]
"""TakesFiles.send_file, or ShowsPictures.send_picture."""

log = structlog.get_logger(__name__)


class Aside(Screen):
    """A screen that also takes messages of their own, each once."""

    def __init__(self, inbox: Inbox, clock: Clock, hold: Hold, adapter: Adapter) -> None:
        super().__init__(inbox, clock, hold, adapter)
        self._asides = 0
        self._earlier = {anchor.part: anchor for anchor in hold.lease.anchors}

    async def present(self, answer: DurableAnswer) -> None:
        """Show a whole answer; return when it stands. Raises PlatformError.

        Code that is too long goes first, as files. Its place in the text is taken by a line only
        where the file is there for certain; otherwise the code stands in the text, whole.
        """
        if found := papers(answer.text):
            await self.land()
        away = [
            paper
            for number, paper in enumerate(found)
            if await self._handed_over(PAPER_FIRST + number, paper)
        ]
        text = without(answer.text, away, answer.locale)
        await self.conclude(text, answer.buttons, answer.locale)

    async def speak(self, event: Notice | Say, locale: str) -> str:
        """A message of its own; what it said. What an earlier attempt sent is not sent again."""
        if isinstance(event, Notice):
            rich = RichText(text=say(locale, event.key, **event.values))
        else:
            rich = Markdown()(event.text, final=True)
        once = isinstance(event, Say) and event.once
        parts = split(rich, self._limits.text_max, self._limits.measure)
        for part in parts:
            await self._notice(Frame(content=part), once=once)
        return rich.text if parts else ""

    async def hand_over(self, event: File, locale: str) -> None:
        """A document or a picture, at most once; where none can be sent, a sentence says so."""
        if (post := _poster(self._adapter, event)) is None:
            await self._notice(Frame(content=RichText(text=say(locale, "answer.no_files"))))
            return
        number = self._next()
        if number not in self._earlier:
            await self._send_file(post, number, event)

    def _next(self) -> int:
        """The number of the next message beside the answer; the same in each attempt."""
        self._asides += 1
        return NOTICE_FIRST + self._asides - 1

    # --- notices -----------------------------------------------------------------------------

    async def _notice(self, frame: Frame, *, once: bool = False) -> None:
        """One message beside the answer."""
        number, shown = self._next(), shown_hash(frame)
        known = self._earlier.get(number)
        if known is not None and known.shown == shown:
            return
        anchor = Anchor(part=number, ref=self._nowhere(), kind="notice", frozen=True, shown=shown)
        if once:
            await self._send_once(anchor, frame)
        elif known is not None and not known.frozen:
            await self._write_in(known, anchor, frame)
        else:
            await self._send_notice(anchor, frame)

    async def _send_notice(self, anchor: Anchor, frame: Frame) -> None:
        """Send it. Where nobody knows whether it came, it is not sent a second time as it is.

        Then an empty message is put up and the words are written into it, which can be repeated:
        at most one more copy of them, however long the platform keeps us in the dark.
        """
        try:
            ref = await self._patiently(lambda: self._post(frame))
        except PlatformUnavailable as error:
            if not error.sent:
                raise
            if self._limits.edits and self._limits.placeholder:
                begun = replace(anchor, frozen=False, shown="")
                await self.anchor(begun)
                await self._write_in(begun, anchor, frame)
                return
            ref = await self._post(frame)  # nothing can be edited here, and silence is worse
        await self.anchor(replace(anchor, ref=ref))

    async def _write_in(self, begun: Anchor, anchor: Anchor, frame: Frame) -> None:
        """Make an empty message of ours, put up now if there is none, show the frame."""
        ref = begun.ref
        if ref is None or not ref.id:
            empty = Frame(content=RichText(text="…"))
            ref = await self._patiently(lambda: self._post(empty), lost=True)
            await self.anchor(replace(begun, ref=ref))
        await self._adapter.edit(ref, frame, guard=self._hold.guard)
        await self.anchor(replace(anchor, ref=ref))

    async def _send_once(self, mark: Anchor, frame: Frame) -> None:
        """A message that must not come twice: marked before, by an anchor without a message.

        Where it is not known whether it arrived, the mark stays and tells so; nothing is repeated.
        """
        await self.anchor(mark)
        try:
            ref = await self._adapter.send(self._place, frame, guard=self._hold.guard)
        except PlatformError as error:
            if isinstance(error, PlatformUnavailable) and error.sent:
                return
            await self.anchor(replace(mark, ref=None))
            raise
        await self.anchor(replace(mark, ref=ref))

    async def _post(self, frame: Frame) -> MessageRef:
        return await self._adapter.send(
            self._place, frame, guard=self._hold.guard, reply_to=self.quoted()
        )

    async def _patiently(
        self, call: Callable[[], Awaitable[MessageRef]], *, lost: bool = False
    ) -> MessageRef:
        """Once more while that is soon and harmless; `lost`: also where it may have happened."""
        for tried in range(TRIES):
            try:
                return await call()
            except (PlatformBusy, PlatformUnavailable) as error:
                pause = error.retry_after or PAUSE_SECONDS * 2**tried
                unknown = isinstance(error, PlatformUnavailable) and error.sent and not lost
                if tried == TRIES - 1 or pause > PATIENCE_SECONDS or unknown:
                    raise
                await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    # --- documents -----------------------------------------------------------------------------

    async def _handed_over(self, number: int, paper: Paper) -> bool:
        """Whether this code is there as a file for certain; it is sent now if it never was."""
        if (post := _poster(self._adapter, paper.file)) is None:
            return False
        known = self._hold.anchors.get(number)
        if known is None or known.ref is None:
            try:
                await self._send_file(post, number, paper.file)
            except (PlatformRefused, NotWelcome, MessageGone) as error:
                # A place may take texts only; one that takes nothing says so to the text as well.
                log.warning("paper_refused", answer_id=self._hold.lease.id, error=str(error))
                return False
            known = self._hold.anchors[number]
        return known.ref is not None and known.ref.id != ""

    async def _send_file(self, post: Poster, number: int, file: File) -> None:
        """Send it at most once: marked before; the mark is empty while nobody knows if it came."""
        anchor = Anchor(part=number, ref=self._nowhere(), kind="file", frozen=True)
        await self.anchor(anchor)

        async def posted() -> MessageRef:
            return await post(
                self._place,
                file.name,
                file.content,
                caption=file.caption,
                guard=self._hold.guard,
            )

        try:
            ref = await self._patiently(posted)
        except PlatformError as error:
            if isinstance(error, PlatformUnavailable) and error.sent:
                return
            await self.anchor(replace(anchor, ref=None))  # it never left: the next attempt may
            raise
        await self.anchor(replace(anchor, ref=ref))

    def _nowhere(self) -> MessageRef:
        """Stands for a message of which nobody knows yet where it is, or whether."""
        return MessageRef(place=self._place, id="")


def _poster(adapter: Adapter, event: File) -> Poster | None:
    """What posts this file there; None: nothing can."""
    if event.kind == "picture" and isinstance(adapter, ShowsPictures):
        return adapter.send_picture
    return adapter.send_file if isinstance(adapter, TakesFiles) else None
