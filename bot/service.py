"""The worker: leases conversations, has them answered and delivered, and settles each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from random import Random

import structlog

from bot.engine.engine import Engine
from bot.errors import (
    BotError,
    LeaseLost,
    PlatformBusy,
    PlatformLocked,
    PlatformUnavailable,
    StorageError,
)
from bot.i18n import say
from bot.ports import Adapter, Clock, Inbox, NullObserver, Observer, People
from bot.reply.deliver import Deliverer
from bot.reply.hold import Hold
from bot.telemetry import reference
from bot.types import Forward, Lease, LedgerRow, MemoryId, PersonId, Place, Settlement

log = structlog.get_logger()

ANSWER_SECONDS = 180.0
"""DESIGN 6: one attempt at an answer."""
ATTEMPTS_MAX = 5
"""Durable attempts before a message is given up as a dead letter."""
CRASHES_MAX = 10
"""Attempts that ended with the process before a message is given up as their cause; more than
durable attempts, since most deaths (a kill, a power cut) are no message's fault."""
SUSPECT_ATTEMPTS = 3
"""After so many crashes in a row a message may be their cause; from then on it is worked alone, so
that the innocent beside it are not counted down to a dead letter with it."""
RETRY_SECONDS = (5.0, 20.0, 60.0, 180.0)
"""Rest before each further attempt: minutes in all, as a provider's outage lasts."""
OUTAGE_MS = 3_600_000
"""For so long a message waits for a platform that cannot be reached."""
LOCKED_SECONDS = 60.0
"""Between looks whether a platform takes our credentials again; the operator has been told."""
DRAIN_SECONDS = 25.0
"""DESIGN 6: what is running may finish within this after SIGTERM."""
IDLE_SECONDS = 30.0
"""The inbox wakes the worker by itself; this is only how often it looks all the same."""
BATCH = 32
"""Leases taken in one transaction; more would keep the writer from others' commits."""


async def _nobody(_place: Place) -> None:
    """Who is told of lost notices where nobody watches."""


class Worker:
    """Works leases, many at once, until drained. One conversation is one task."""

    def __init__(
        self,
        inbox: Inbox,
        people: People,
        engine: Engine,
        deliverer: Deliverer,
        adapters: Mapping[str, Adapter],
        *,
        clock: Clock,
        owner: str,
        concurrent: int,
        staff: Place | None,
        locale: str,
        random: Random,
        lost: Callable[[Place], Awaitable[None]] = _nobody,
    ) -> None:
        self._inbox = inbox
        self._people = people
        self._engine = engine
        self._deliverer = deliverer
        self._adapters = adapters
        self._clock = clock
        self.observer: Observer = NullObserver()
        self.owner = owner
        self._concurrent = concurrent
        self._staff = staff
        self._locale = locale or "en"
        self._random = random
        self._lost = lost
        self._active: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._draining = asyncio.Event()
        self._careful = 0
        self._trouble: Mapping[str, str] = {}

    @property
    def busy(self) -> int:
        """Leases in work now."""
        return len(self._active)

    async def start(self) -> None:
        """Take over what an earlier process held; it is dead, since we hold the lock.

        When some of it has been attempted too often, all that was is worked one at a time: also
        what waits behind the one that was held when a careful desk died in its turn.
        """
        freed = await self._inbox.take_over(self.owner)
        if freed and (suspects := await self._inbox.suspects(SUSPECT_ATTEMPTS)):
            self._careful = max(freed, suspects)
            log.warning("careful_start", leases=self._careful)

    async def run(self) -> None:
        """Work until `drain`; a cancel drops everything at once, as a kill would."""
        try:
            while not self._draining.is_set():
                await self._turn()
            if self._active:
                await asyncio.wait(self._active, timeout=DRAIN_SECONDS)
        finally:
            for task in self._active:
                task.cancel()
            await asyncio.gather(*self._active, return_exceptions=True)

    def drain(self) -> None:
        """Take no more work; let what runs finish within the time for it."""
        self._draining.set()

    async def _turn(self) -> None:
        """Lease what is due, or wait until something is."""
        room = (1 if self._careful else self._concurrent) - len(self._active)
        leases: list[Lease] = []
        if room > 0:
            leases = await self._leased(min(room, BATCH))
        self._careful = max(0, self._careful - len(leases))
        for lease in leases:
            waited = self._clock.now() - lease.messages[0].received_at
            self.observer.leased(max(0, waited) / 1000)
            task = asyncio.create_task(self._guarded(lease))
            self._active.add(task)
            task.add_done_callback(self._done)
        if not leases:
            await self._wait(full=room <= 0)

    async def _leased(self, most: int) -> list[Lease]:
        """What is due; nothing, after a second, while the store fails.

        A full disk may stay full for hours, and the log may be on it: a trouble is told as it
        begins and as it ends.
        """
        try:
            leases = await self._inbox.lease(self.owner, most)
        except StorageError as error:
            problem = {"kind": type(error).__name__, "error": str(error)}
            if problem != self._trouble:
                self._trouble = problem
                log.error("storage_failing", **problem)  # noqa: TRY400  # no traceback says more
            await self._clock.sleep(1.0)
            return []
        if self._trouble:
            self._trouble = {}
            log.info("storage_works_again")
        return leases

    def _done(self, task: asyncio.Task[None]) -> None:
        """A slot is free."""
        self._active.discard(task)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("lease_crashed", exc_info=error)

    async def _wait(self, *, full: bool) -> None:
        """Until there is work and room for it, or the drain begins."""
        self._freed.clear()
        until = self._freed.wait() if full else self._inbox.wait(IDLE_SECONDS)
        waits: list[asyncio.Task[object]] = [
            asyncio.create_task(self._draining.wait()),
            asyncio.create_task(until),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        if any(isinstance(outcome, StorageError) for outcome in outcomes):
            await self._clock.sleep(1.0)

    async def _guarded(self, lease: Lease) -> None:
        """Answer, deliver, settle; or rest, or bury. Whatever goes wrong in a lease stays in it."""
        hold = Hold(lease, self._inbox, self._clock)
        bound = log.bind(conversation=lease.conversation, answer_id=lease.id, attempt=lease.attempt)
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(hold.keep())
                await self._attempt(hold)
                keeper.cancel()
        except* LeaseLost:
            bound.info("lease_lost")
        except* BotError as errors:
            error = errors.exceptions[0]
            bound.error("lease_failed", kind=type(error).__name__, error=str(error))

    async def _attempt(self, hold: Hold) -> None:
        """One attempt, and what follows from its failure."""
        if (timer := hold.lease.messages[0].message).origin == "timer":
            due = Settlement(
                outcome="answered",
                memory=MemoryId(""),
                person=PersonId(0),
                forwards=(timer.forward,) if timer.forward else (),
            )
            await self._inbox.settle(hold.lease, due)
            return
        adapter = self._adapters.get(hold.lease.place.platform)
        if adapter is None:
            await self._inbox.rest(
                hold.lease,
                until=self._clock.now() + 60_000,
                error="platform is not configured",
                counts=False,
            )
            return
        if hold.lease.attempt > CRASHES_MAX:
            # Only a crash leaves an attempt uncounted as failed: this message may be the poison.
            if hold.lease.answer is not None:
                log.error("answer_shown_as_it_stands", answer_id=hold.lease.id)
                await self._inbox.settle(hold.lease, hold.lease.answer.settlement)
            else:
                await self._give_up(hold, adapter, BotError("too many attempts"), self._name())
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                settlement = await self._reply(hold, adapter)
            if settlement is None:
                await self._inbox.rest(
                    hold.lease, until=self._clock.now(), error="question edited", counts=False
                )
            else:
                await self._inbox.settle(hold.lease, _with_stop(settlement, hold))
                self._count(settlement)
                await self._note_lost_relay(hold.lease, settlement)
        except LeaseLost:
            raise
        except TimeoutError:
            # What is written down whole is shown further: that may take minutes in a slow place.
            late = "the attempt took too long"
            error = PlatformBusy(late, retry_after=1.0) if hold.durable else BotError(late)
            await self._failed(hold, adapter, error)
        except BotError as error:
            await self._failed(hold, adapter, error)
        except Exception as error:  # guard: a bug in one reply stops no other
            log.exception("attempt_crashed", answer_id=hold.lease.id)
            await self._failed(hold, adapter, BotError(f"{type(error).__name__}: {error}"))

    async def _reply(self, hold: Hold, adapter: Adapter) -> Settlement | None:
        """The settlement of this attempt; None when the question changed under it."""
        if hold.lease.answer is not None:
            return await self._deliverer.finish(hold, adapter)
        deadline = self._clock.monotonic() + ANSWER_SECONDS
        events = self._engine.handle(hold.lease, deadline=deadline)
        async with aclosing(events):
            return await self._deliverer.deliver(hold, adapter, events)

    async def _failed(self, hold: Hold, adapter: Adapter, error: BotError) -> None:
        """A durable retry while that can help; otherwise a dead letter that everybody hears of."""
        lease = hold.lease
        name = self._name()
        log.warning(
            "attempt_failed",
            answer_id=lease.id,
            attempt=lease.attempt,
            kind=type(error).__name__,
            error=str(error),
            reference=name,
        )
        if isinstance(error, PlatformBusy):
            self.observer.throttled()
        if (rest := self._platforms_rest(lease, error)) is not None:
            until = self._clock.now() + round(rest * 1000)
            await self._inbox.rest(lease, until=until, error=str(error), counts=False)
        elif error.retryable and lease.attempt < ATTEMPTS_MAX:
            rest = max(error.retry_after or 0.0, RETRY_SECONDS[lease.attempt - 1])
            await self._tell(hold, adapter, "error.retrying", name)
            until = self._clock.now() + round(rest * 1000)
            await self._inbox.rest(lease, until=until, error=f"{name}: {error}")
            self.observer.retried()
        else:
            await self._give_up(hold, adapter, error, name)

    def _platforms_rest(self, lease: Lease, error: BotError) -> float | None:
        """Seconds to rest because of the platform alone: that counts against no message."""
        match error:
            case PlatformBusy():
                return error.retry_after or RETRY_SECONDS[1]
            case PlatformLocked():
                return LOCKED_SECONDS
            case PlatformUnavailable():
                young = self._clock.now() - lease.messages[0].received_at < OUTAGE_MS
                return max(error.retry_after or 0.0, RETRY_SECONDS[1]) if young else None
            case _:
                return None

    async def _give_up(self, hold: Hold, adapter: Adapter, error: BotError, name: str) -> None:
        """The person is told plainly, staff are told the cause, the line moves on."""
        lease = hold.lease
        spent = error.retryable and lease.attempt >= ATTEMPTS_MAX
        told = await self._tell(hold, adapter, "error.gave_up" if spent else error.says, name)
        ours = lease.messages[0].message.origin == "relay"
        if ours:
            log.error("relay_given_up", place=lease.place.conversation, reference=name)
            await self._lost(lease.place)
        person = await self._people.person(lease.place, lease.sender)
        forwards: tuple[Forward, ...] = ()
        alarming = spent or error.alert or error.says == "error.internal"
        # That staff cannot be told is nothing to tell staff: each such notice would bring the next.
        if self._staff is not None and alarming and not ours:
            key = "staff.dead" if spent else "staff.alert"
            text = say(self._locale, key, attempts=lease.attempt, reference=name, error=str(error))
            forwards = (Forward(place=self._staff, text=text, key=f"alert:{lease.id}"),)
        ledger = LedgerRow(
            at=self._clock.now(),
            route="failed",
            outcome="answered" if told else "undeliverable",
            total_ms=self._clock.now() - lease.messages[0].received_at,
            attempts=lease.attempt,
            error=type(error).__name__,
        )
        settlement = Settlement(
            outcome=ledger.outcome,
            memory=MemoryId(""),
            person=person.id,
            forwards=forwards,
            ledger=ledger,
        )
        await self._inbox.bury(lease, settlement, error=f"{name}: {error}")
        self.observer.buried()
        self._count(settlement)

    async def _note_lost_relay(self, lease: Lease, settlement: Settlement) -> None:
        """A notice that reached nobody is told to the operator: the customer counts on it."""
        if settlement.outcome == "undeliverable" and lease.messages[0].message.origin == "relay":
            log.error("relay_undeliverable", place=lease.place.conversation, message_id=lease.id)
            await self._lost(lease.place)

    def _count(self, settlement: Settlement) -> None:
        """Tell who counts."""
        if settlement.ledger is not None:
            self.observer.settled(settlement.ledger)
            for _ in range(settlement.ledger.throttled):
                self.observer.throttled()

    def _name(self) -> str:
        """A reference id that a person can quote and an operator can find."""
        return reference(self._random.choice)

    async def _tell(self, hold: Hold, adapter: Adapter, key: str, name: str) -> bool:
        """Put a sentence of apology where the answer would stand; False when that fails too.

        Not over an answer that stands already, nor where nobody asked: a relay is ours.
        """
        if hold.shown or hold.lease.messages[0].message.origin == "relay":
            return hold.shown
        try:
            locale = await self._engine.locale(hold.lease)
            await self._deliverer.apologise(hold, adapter, locale, key, name)
        except LeaseLost:
            raise
        except BotError as error:
            log.warning("apology_failed", answer_id=hold.lease.id, kind=type(error).__name__)
            return False
        return True


def _with_stop(settlement: Settlement, hold: Hold) -> Settlement:
    """An answer that was stopped also ends the /stop that did it."""
    stopped = settlement.ledger is not None and settlement.ledger.finish == "stopped"
    return replace(settlement, covers=tuple(hold.stopped_by)) if stopped else settlement
