"""Carries a reply from its events to the screen and to its settlement.

The reader of events never waits for the platform, and there is one call at a time per reply. The
whole answer is durable before its last edit; from then on it can be finished from the inbox alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace

from bot.errors import (
    BotError,
    LeaseLost,
    NotWelcome,
    ReplyRetracted,
    StorageError,
)
from bot.i18n import say
from bot.ports import Adapter, Clock, Inbox, ShowsTyping
from bot.reply.aside import Aside
from bot.reply.hold import Hold
from bot.reply.record import Cost, Counts, Record, counted, labelled
from bot.reply.screen import Screen
from bot.types import (
    Begin,
    Buttons,
    Done,
    DurableAnswer,
    File,
    Forward,
    Grounds,
    LedgerRow,
    Notice,
    Progress,
    Replace,
    ReplyEvent,
    Retract,
    Say,
    Settlement,
    Text,
    Usage,
)

TYPING_FIRST = 1.0
TYPING_EVERY = 4.0
"""Telegram and Slack show "typing" for some five seconds."""

Price = Callable[[str, Usage], Cost]
"""What this model's tokens cost."""


def unpriced(model: str, usage: Usage) -> Cost:
    """Nothing is known about prices."""
    return Cost()


class Deliverer:
    """Delivers replies, any number at a time; holds nothing between them."""

    def __init__(self, inbox: Inbox, clock: Clock, *, price: Price = unpriced) -> None:
        self._inbox = inbox
        self._clock = clock
        self._price = price

    async def deliver(
        self, hold: Hold, adapter: Adapter, events: AsyncIterator[ReplyEvent]
    ) -> Settlement | None:
        """Show a reply as it comes; what to settle, or None when the question changed meanwhile.

        Raises what the stream raised before any text, with the placeholder left anchored;
        PlatformBusy and PlatformUnavailable when the platform must be tried again later (the
        answer is durable then, if it was whole); LeaseLost.
        """
        return await _Delivery(self._inbox, self._clock, hold, adapter, self._price).run(events)

    async def finish(self, hold: Hold, adapter: Adapter) -> Settlement:
        """Show an answer that is durable already, in the messages it has; what to settle.

        Needs `hold.lease.answer`. Raises as `deliver`.
        """
        answer = hold.lease.answer
        assert answer is not None
        screen = Aside(self._inbox, self._clock, hold, adapter)
        settlement = answer.settlement
        try:
            await screen.present(answer)
            hold.shown = True
        except NotWelcome:
            settlement = _undelivered(settlement)
        return counted(settlement, _since(screen.counts(), answer.settlement.ledger))

    async def apologise(
        self, hold: Hold, adapter: Adapter, locale: str, key: str, reference: str
    ) -> None:
        """Put a sentence where the answer would stand, or send it. Raises PlatformError.

        Text that stands is left alone while there is hope that the rest follows.
        """
        if hold.visible and key == "error.retrying":
            return
        screen = Screen(self._inbox, self._clock, hold, adapter, placeholder=False)
        await screen.conclude(say(locale, key, reference=reference), (), locale)
        await screen.cleared()


def _since(counts: Counts, ledger: LedgerRow | None) -> Counts:
    """The numbers of the last showing, together with those before it."""
    if ledger is None:
        return counts
    return replace(
        counts, edits=counts.edits + ledger.edits, throttled=counts.throttled + ledger.throttled
    )


def _undelivered(settlement: Settlement) -> Settlement:
    """The same for a person who cannot be reached: what the reply did stays done."""
    ledger = settlement.ledger and replace(settlement.ledger, outcome="undeliverable")
    return replace(settlement, outcome="undeliverable", turns=(), ledger=ledger)


class _Delivery(Aside):
    """One reply from its first event to its settlement."""

    def __init__(
        self, inbox: Inbox, clock: Clock, hold: Hold, adapter: Adapter, price: Price
    ) -> None:
        super().__init__(inbox, clock, hold, adapter)
        self._price = price
        self._record: Record | None = None
        self._aside: deque[Notice | Say | File] = deque()
        self._wake = asyncio.Event()
        self._wake_before = float("inf")
        self._typing_at = clock.monotonic() + TYPING_FIRST

    async def run(self, events: AsyncIterator[ReplyEvent]) -> Settlement | None:
        """See `Deliverer.deliver`."""
        reader = asyncio.create_task(self._read(events))
        self._hold.on_stop = self._wake.set
        try:
            await self._follow(reader)
        except NotWelcome:
            return self._unreachable()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        failure = None if reader.cancelled() else reader.exception()
        try:
            return await self._settle(failure, stopped=reader.cancelled())
        except NotWelcome:
            return self._unreachable()

    # --- reading ---------------------------------------------------------------------------

    async def _read(self, events: AsyncIterator[ReplyEvent]) -> None:
        """Take events as fast as they come."""
        try:
            async for event in events:
                if self._take(event):
                    self._wake.set()
        finally:
            self._wake.set()

    def _take(self, event: ReplyEvent) -> bool:
        """Keep one event; whether there may be something to do because of it."""
        if isinstance(event, Begin):
            self._record = Record(event)
            return True
        record = self._record
        assert record is not None, "the first event is Begin"
        locale, now = record.begin.locale, self._clock.monotonic()
        match event:
            case Text(delta=delta):
                self.open(locale).grow(delta, now)
                return self._due_sooner(now)
            case Replace(text=text):
                live = self.open(locale)
                record.earlier = max(record.earlier, live.text, key=len)
                live.replace(text, now)
            case Progress(key=key):
                self.open(locale, key).progress(say(locale, key))
            case Grounds():
                record.grounds = event
                self.open(locale)
            case Retract(key=key):
                record.retracted = key
                self.open(locale)
            case _:
                return self._take_aside(record, event)
        return True

    def _take_aside(self, record: Record, event: ReplyEvent) -> bool:
        """Events that are not the answer's own text."""
        match event:
            case Notice() | Say() | File():
                self._aside.append(event)
                return True
            case Buttons(rows=rows):
                record.buttons = labelled(rows, record.begin.locale)
            case Forward():
                record.forwards.append(event)
            case Done():
                record.done = event
        return False

    def _due_sooner(self, now: float) -> bool:
        """Something is due before the caller would wake by itself."""
        at = self.live.next_at(now) if self.live else None
        return at is not None and at < self._wake_before

    # --- while it comes --------------------------------------------------------------------

    async def _follow(self, reader: asyncio.Task[None]) -> None:
        """Show what there is until the stream has ended or is not wanted any more."""
        while True:
            self._wake.clear()
            if self._aside:
                await self.land()
                await self._beside(self._aside.popleft())
                continue
            if reader.done() or self._unwanted():
                return
            now = self._clock.monotonic()
            at, paced = self.next_at(now)
            if at is not None and at <= now:
                await self.step()
            else:
                await self._idle(at, now, paced=paced)

    async def _beside(self, event: Notice | Say | File) -> None:
        """A message of its own, once."""
        assert self._record is not None
        locale = self._record.begin.locale
        if isinstance(event, File):
            await self.hand_over(event, locale)
        elif said := await self.speak(event, locale):
            self._record.said.append(said)

    def _unwanted(self) -> bool:
        """The person wants no more of it. A command that only gives notice is over before that."""
        if not (self._hold.stopped and self._record):
            return False
        alone = self._hold.lease.messages[0].message.alone
        return self._hold.taken_back or self.live is not None or not alone

    async def _idle(self, at: float | None, now: float, *, paced: bool) -> None:
        """Until something is due, or more came; shows that we write while there is no text."""
        adapter = self._adapter
        typist = adapter if self.silent and isinstance(adapter, ShowsTyping) else None
        if typist and now >= self._typing_at:
            self._typing_at = now + TYPING_EVERY
            await typist.typing(self._place)
            return
        until = min(
            at if at is not None else float("inf"), self._typing_at if typist else float("inf")
        )
        # What waits for the platform's pace gains nothing by more text.
        self._wake_before = float("-inf") if paced else until
        try:
            async with asyncio.timeout(None if until == float("inf") else until - now):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake_before = float("inf")

    # --- the end -----------------------------------------------------------------------------

    async def _settle(self, failure: BaseException | None, *, stopped: bool) -> Settlement | None:
        """The last edits, and what becomes true."""
        changed = self._hold.edited or (self._hold.deleted and self._record)
        if failure is not None and not changed:
            self._survive(failure)
        if self._hold.edited:
            await self.cleared()
            return None
        record = self._record
        assert record is not None, "a stream has events"
        if self._hold.deleted:
            return await self._taken_back(record)
        if stopped:
            record.finish = "stopped"
        if not self._answers(record, stopped=stopped):
            self._hold.shown = True
            return self._settlement(record, "")
        text = record.kept(self.open(record.begin.locale).text)
        shown = record.shown(text)
        if not self.open(record.begin.locale).visible(shown):
            text, shown = "", record.shown("")
        settlement = self._settlement(record, text)
        buttons = record.offered(settlement, self._hold.lease.id)
        durable = DurableAnswer(
            text=shown, buttons=buttons, locale=record.begin.locale, settlement=settlement
        )
        await self._inbox.answer(self._hold.lease, durable)
        self._hold.durable = True
        await self.present(durable)
        self._hold.shown = True
        return counted(settlement, self.counts())

    async def _taken_back(self, record: Record) -> Settlement | None:
        """The question was deleted: so is what there is of an answer. None: some of it stands."""
        if any(m.message.key not in self._hold.deleted for m in self._hold.lease.messages):
            await self.cleared()
            return None
        await self.withdraw(record.begin.locale)
        return record.settlement(
            self._hold.lease,
            "",
            now=self._clock.now(),
            counts=self.counts(),
            cost=self._price(record.model, record.usage),
            outcome="superseded",
        )

    def _survive(self, failure: BaseException) -> None:
        """Go on with what there is, marked as cut; raise when there is nothing to go on with."""
        record, text = self._record, self.live.text if self.live else ""
        if isinstance(failure, ReplyRetracted) and record is not None:
            record.retracted = failure.says
            return
        lost = isinstance(failure, LeaseLost | StorageError) or not isinstance(failure, BotError)
        if lost or record is None or not (text + record.earlier).strip():
            raise failure
        record.finish = "cut"

    def _answers(self, record: Record, *, stopped: bool) -> bool:
        """There is an answer to show, if only that it was stopped, or that it is empty."""
        if self.live is not None:
            return True
        spoken = record.said or self._asides
        if stopped:
            return not spoken
        done = record.done
        silent = record.forwards or (done and (done.changes or done.outcome == "declined"))
        return not spoken and not silent

    def _settlement(self, record: Record, text: str) -> Settlement:
        return record.settlement(
            self._hold.lease,
            text,
            now=self._clock.now(),
            counts=self.counts(),
            cost=self._price(record.model, record.usage),
        )

    def _unreachable(self) -> Settlement:
        """The person cannot be written to: settled as that, and whatever was done stays done."""
        assert self._record is not None
        return _undelivered(self._settlement(self._record, ""))
