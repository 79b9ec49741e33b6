"""The messages of one reply on one adapter: makes the calls that LiveReply decides on."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformError,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.i18n import say
from bot.ports import Adapter, Clock, Deletes, Inbox, ShowsDrafts
from bot.reply.actions import Action, Draft, Edit, Post, Remove, shown_hash
from bot.reply.hold import Hold
from bot.reply.live import LiveReply, Words
from bot.reply.record import Counts, labelled
from bot.text.markdown import Markdown
from bot.types import Anchor, Button, ButtonRows, Frame, Limits

REQUEST_SECONDS = 30.0
"""No call of an earlier owner is under way after this; the adapters' request timeouts are less."""
PATIENCE_SECONDS = 10.0
"""A longer ban rests the conversation, so that the worker is free for others."""
TRIES = 4
"""Of a post that failed; and fresh messages for such as were deleted under us."""
PAUSE_SECONDS = 0.5
"""Before the second try; doubled for each further one."""


class Screen:
    """Makes the calls for one reply and reports them to its LiveReply."""

    def __init__(
        self, inbox: Inbox, clock: Clock, hold: Hold, adapter: Adapter, *, placeholder: bool = True
    ) -> None:
        self._inbox = inbox
        self._clock = clock
        self._hold = hold
        self._adapter = adapter
        self._place = hold.lease.place
        self._limits = self._limited(placeholder=placeholder)
        self._render = Markdown()
        self._edits = 0
        self._throttled = 0
        self._lost = 0
        self._first_text_ms: int | None = None
        self._taken_over = hold.lease.taken_over
        self.live: LiveReply | None = None

    def _limited(self, *, placeholder: bool) -> Limits:
        limits = self._adapter.limits(self._place)
        return limits if placeholder else replace(limits, placeholder=False)

    def counts(self) -> Counts:
        """The numbers so far."""
        return Counts(
            total_ms=self._clock.now() - self._hold.lease.messages[0].received_at,
            first_text_ms=self._first_text_ms,
            edits=self._edits,
            throttled=self._throttled,
        )

    def open(self, locale: str, placeholder: str = "answer.placeholder") -> LiveReply:
        """The growing reply, begun now if it was not before."""
        if self.live is None:
            stop = Button(label="answer.stop", action=f"stop:{self._hold.lease.id}")
            self.live = LiveReply(
                self._limits,
                render=self._render,
                words=Words(
                    placeholder=say(locale, placeholder),
                    more=say(locale, "answer.more"),
                    surplus=say(locale, "answer.end"),
                ),
                buttons=labelled(((stop,),), locale),
                anchors=self._hold.anchors.values(),
                removes=isinstance(self._adapter, Deletes),
            )
        return self.live

    @property
    def silent(self) -> bool:
        """A reply has begun, and neither text nor draft tells that we write it."""
        return self.live is not None and not self.live.text and not self.live.drafting

    def quoted(self) -> str | None:
        """What our message is tied to: the question, or what its asker pressed."""
        asked = self._hold.lease.messages[-1].message
        return asked.id or asked.reply_to

    async def cleared(self) -> None:
        """Note that no text of this answer stands in its messages that is worth keeping."""
        for anchor in list(self._hold.anchors.values()):
            if anchor.kind == "text":
                await self.anchor(replace(anchor, frozen=False, shown="", size=0))
        self._hold.visible = False

    async def anchor(self, anchor: Anchor) -> None:
        """Note what is on screen, on disk and for what else this attempt may do."""
        await self._inbox.anchor(self._hold.lease, anchor)
        self._hold.anchors[anchor.part] = anchor

    async def conclude(self, text: str, buttons: ButtonRows, locale: str) -> None:
        """Show the whole text, now or as soon as the platform lets us; return when it stands."""
        live = self.open(locale)
        live.finish(text, buttons)
        await self._complete(live)
        if self._taken_over and self._limits.edits:
            # An earlier owner's last frame may still be under way, and would land on ours.
            await self._clock.sleep(REQUEST_SECONDS)
            live.doubt()
            await self._complete(live)

    async def withdraw(self, locale: str) -> None:
        """Take everything off the screen again."""
        live = self.open(locale)
        live.withdraw()
        await self._complete(live)

    async def _complete(self, live: LiveReply) -> None:
        while not live.complete:
            now = self._clock.monotonic()
            if (wait := live.busy_until - now) > PATIENCE_SECONDS:
                raise PlatformBusy(retry_after=wait)
            if not await self.step() and wait > 0:
                await self._clock.sleep(wait)

    def next_at(self, now: float) -> tuple[float | None, bool]:
        """When a call may leave, and whether it is the platform's pace that says so."""
        live = self.live
        at = live.next_at(now) if live else None
        if live is None or at is None or live.finished:
            return at, False
        if live.drafting:
            ready = self._draft_ready()
        else:
            ready = self._adapter.ready(self._place, final=live.urgent)
        if ready <= self._clock.monotonic():
            return at, False
        return max(at, ready), ready > at

    def _draft_ready(self) -> float:
        """When a draft may leave."""
        drafts = self._adapter
        return drafts.draft_ready(self._place) if isinstance(drafts, ShowsDrafts) else float("-inf")

    def _ready(self, action: Action) -> float:
        """When this call may leave. Between drafts a message's turn may not have come yet."""
        if isinstance(action, Draft):
            return self._draft_ready()
        final = isinstance(action, Remove) or action.frame.final
        return self._adapter.ready(self._place, final=final)

    async def land(self) -> None:
        """Have a message of ours where the draft is: something else is about to be posted, which
        would take the draft off the screen.
        """
        if self.live is not None and self.live.drafting:
            self.live.undraft()
            await self.step()

    async def step(self) -> bool:
        """Make one call if one is due now."""
        now = self._clock.monotonic()
        if self.live is None or (action := self.live.due(now)) is None:
            return False
        if self.live.drafting and (ready := self._ready(action)) > now:
            self.live.pause(ready)
            return False
        try:
            await self._carry(action)
        except PlatformError as error:
            self._trouble(action, error)
        else:
            self._note_first()
        return True

    async def _carry(self, action: Action) -> None:
        """The call itself, its message's place in the inbox, and the report of success."""
        assert self.live is not None
        guard = self._hold.guard
        match action:
            case Post():
                quoted = None if action.part else self.quoted()
                ref = await self._adapter.send(
                    self._place, action.frame, guard=guard, reply_to=quoted
                )
                await self.anchor(Anchor(part=action.part, ref=ref))
                self.live.posted(action, ref, self._clock.monotonic())
            case Edit():
                await self._thaw(action)
                shown = await self._adapter.edit(action.ref, action.frame, guard=guard)
                self._edits += shown
                if not shown and not action.frame.grows:
                    self.live.withheld(self._clock.monotonic())
                    return
                self.live.edited(action, self._clock.monotonic())
                if action.frozen:
                    await self.anchor(_full(action))
            case Draft():
                if isinstance(self._adapter, ShowsDrafts):
                    answer, part = self._hold.lease.id, action.part
                    await self._adapter.draft(self._place, answer, part, action.frame, guard=guard)
                self.live.drafted(action, self._clock.monotonic())
            case Remove():
                if isinstance(self._adapter, Deletes):
                    await self._adapter.delete(action.ref, guard=guard)
                self.live.removed(action)

    async def _thaw(self, action: Edit) -> None:
        """A message that is noted as full changes after all: for now nobody knows what it shows."""
        known = self._hold.anchors.get(action.part)
        if known is not None and known.frozen and known.shown != shown_hash(action.frame):
            await self.anchor(replace(known, frozen=False, shown="", size=None))

    def _trouble(self, action: Action, error: PlatformError) -> None:
        """What follows from a call that failed: another time, another message, or the end."""
        assert self.live is not None
        now = self._clock.monotonic()
        match error, action:
            case PlatformBusy(), Draft():
                self._throttled += 1
                self.live.slower(now + (error.retry_after or PAUSE_SECONDS))
            case PlatformRefused(), Draft():
                self.live.undraft()
            case PlatformBusy(), _:
                self._throttled += 1
                self.live.busy(now + (error.retry_after or PAUSE_SECONDS))
            case MessageGone(), Edit() | Remove():
                self._again(error)
                self.live.gone(action)
            case PlatformUnavailable(), Post() | Remove() if self._may_repeat(error, action):
                self._again(error)
                self.live.wait(now + PAUSE_SECONDS * 2**self._lost)
            case PlatformRefused(), Remove():
                self.live.stays(action)
            case ((NotWelcome() | PlatformLocked()), _):
                raise error
            case _, Draft() | Edit(frame=Frame(final=False)):
                self.live.failed(action, now)
            case _:
                raise error

    def _may_repeat(self, error: PlatformUnavailable, action: Action) -> bool:
        """A second post harms nobody where the first is an empty placeholder at worst."""
        harmless = self._limits.placeholder and self._limits.edits
        return not error.sent or harmless or isinstance(action, Remove)

    def _again(self, error: PlatformError) -> None:
        """Once more, but not for ever."""
        self._lost += 1
        if self._lost >= TRIES:
            raise error

    def _note_first(self) -> None:
        if self.live is None or self.live.first_shown_at is None:
            return
        if self._first_text_ms is None:
            self._first_text_ms = self.counts().total_ms
        self._hold.visible = self._hold.visible or self.live.stands


def _full(action: Edit) -> Anchor:
    """What the inbox keeps of a part that is full."""
    shown, size = shown_hash(action.frame), len(action.frame.content.text)
    return Anchor(part=action.part, ref=action.ref, frozen=True, shown=shown, size=size)
