"""Durable work on a database. Wake-ups travel inside this process; the rows are the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.clock import Clock
from bot.errors import LeaseLost
from bot.ports import Depth, Intake
from bot.types import (
    Anchor,
    ConversationId,
    DurableAnswer,
    Erase,
    IncomingMessage,
    Lease,
    Settlement,
    Signal,
    StartBroadcast,
)
from storage.arrivals import Stored, add_arrival, add_message, arrival, message_row
from storage.bells import WORK, Bells, within
from storage.broadcasts import end_stopped, spread
from storage.codec import write_answer, write_place
from storage.database import Database, Row, Tx
from storage.dead import requeue
from storage.erasure import fold_if_owed
from storage.lines import Grant, lease_due, signal_of
from storage.rows import number, number_or_none
from storage.settling import DEAD, DONE, fence, finish

LEASE_SECONDS = 30.0
"""DESIGN 6: long enough for two missed renewals, short enough for a person to wait."""


class SqlInbox:
    """Inbox over the tables conversation, inbox, signal, answer and reply."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._bells = Bells()
        self._looked: dict[ConversationId, int] = {}

    async def put(self, intakes: Sequence[Intake]) -> list[bool]:
        now = self._clock.now()
        arrivals = [arrival(intake, now=now) for intake in intakes]

        async def work(tx: Tx) -> list[Stored]:
            return [await add_arrival(tx, arrived, now=now) for arrived in arrivals]

        stored = await self._database.write(work) if arrivals else []
        for signalled in {one.signalled for one in stored if one.signalled is not None}:
            self._bells.ring(signalled)
        if any(one.work for one in stored):
            self._bells.ring(WORK)
        return [one.new for one in stored]

    async def put_later(self, message: IncomingMessage, *, due_at: int) -> bool:
        row = message_row(message, None, raw="", now=self._clock.now(), due_at=due_at)

        async def work(tx: Tx) -> bool:
            return await add_message(tx, row, message.place) is not None

        new = await self._database.write(work)
        if new:
            self._bells.ring(WORK)
        return new

    async def lease(self, owner: str, limit: int = 1) -> list[Lease]:
        if limit <= 0:
            return []
        grant, rings = self._grant(owner), self._bells.rings

        async def work(tx: Tx) -> list[Lease]:
            return await lease_due(tx, grant, limit)

        leases = await self._database.write(work)
        for lease in leases:
            self._looked[lease.conversation] = rings
        return leases

    async def renew(self, lease: Lease) -> tuple[Lease, tuple[Signal, ...]]:
        grant = self._grant(lease.owner)

        async def work(tx: Tx) -> tuple[Signal, ...]:
            if not await tx.run("extend", until=grant.until, **_fence(lease)):
                raise LeaseLost(f"epoch {lease.epoch} of {lease.conversation} is over")
            return await _take(tx, lease, now=grant.now)

        signals = await self._database.write(work)
        return replace(lease, until=grant.deadline), signals

    async def anchor(self, lease: Lease, anchor: Anchor) -> None:
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            await fence(tx, lease)
            if anchor.ref is None:
                await tx.run("drop_anchor", answer=lease.id, part=anchor.part)
                await tx.run("end_line", message=lease.id, now=now)
                return
            await tx.run(
                "put_anchor",
                answer=lease.id,
                part=anchor.part,
                place=write_place(anchor.ref.place),
                anchor=anchor.ref.id,
                kind=anchor.kind,
                frozen=int(anchor.frozen),
                shown=anchor.shown,
                size=anchor.size,
            )

        await self._database.write(work)

    async def answer(self, lease: Lease, answer: DurableAnswer) -> None:
        now, body = self._clock.now(), write_answer(answer)

        async def work(tx: Tx) -> None:
            await fence(tx, lease)
            await tx.run("put_answer", id=lease.id, body=body, now=now)
            await tx.run_many("cover", [{"id": m.id, "answer": lease.id} for m in lease.messages])

        await self._database.write(work)

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        await self._finish(lease, settlement, state=DONE, error="")

    async def bury(self, lease: Lease, settlement: Settlement, *, error: str) -> None:
        await self._finish(lease, settlement, state=DEAD, error=error)

    async def rest(self, lease: Lease, *, until: int, error: str, counts: bool = True) -> None:
        async def work(tx: Tx) -> None:
            conversation = await fence(tx, lease)
            await tx.run("note_failure", id=lease.id, error=error, uncounted=int(not counts))
            await tx.run("rest", id=conversation, until=until)

        await self._database.write(work)
        self._bells.ring(WORK)

    async def take_over(self, owner: str) -> int:
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            return len(await tx.run("free_leases", owner=owner, now=now))

        freed = await self._database.write(work)
        await end_stopped(self._database, now=now)
        if await spread(self._database, now=now):
            self._bells.ring(WORK)
        if freed:
            self._bells.ring(WORK)
        return freed

    async def suspects(self, attempts: int) -> int:
        async def work(tx: Tx) -> int:
            return number((await tx.run("suspects", attempts=attempts))[0], "found")

        return await self._database.read(work)

    async def wait(self, seconds: float) -> None:
        async def work(tx: Tx) -> int | None:
            return number_or_none((await tx.run("first_wake"))[0], "wake_at")

        with self._bells.listening(WORK) as rung:
            wake_at = await self._database.read(work)
            if wake_at is not None:
                seconds = min(seconds, (wake_at - self._clock.now()) / 1000)
            await within(rung, seconds)

    async def heed(self, lease: Lease, seconds: float) -> tuple[Signal, ...]:
        with self._bells.listening(lease.conversation) as rung:
            known = self._looked.pop(lease.conversation, None) == self._bells.rings
            signals = () if known else await self._signals(lease)
            if signals or not await within(rung, seconds):
                return signals
        return await self._signals(lease)

    async def requeue(self, ids: Sequence[int] | None = None) -> list[int]:
        """Put dead letters back into their lines (None: all); those that were. Wakes the work."""
        now = self._clock.now()

        async def work(tx: Tx) -> list[int]:
            return await requeue(tx, ids, now=now)

        back = await self._database.write(work)
        if back:
            self._bells.ring(WORK)
        return back

    async def depth(self) -> Depth:
        now = self._clock.now()

        async def work(tx: Tx) -> Row:
            return (await tx.run("depth", now=now))[0]

        row = await self._database.read(work)
        oldest = number_or_none(row, "oldest")
        return Depth(
            waiting=number(row, "waiting"),
            leased=number(row, "leased"),
            dead=number(row, "dead"),
            oldest_ms=0 if oldest is None else max(0, now - oldest),
        )

    async def _finish(
        self, lease: Lease, settlement: Settlement, *, state: int, error: str
    ) -> None:
        now = self._clock.now()

        async def work(tx: Tx) -> bool:
            return await finish(tx, lease, settlement, state=state, error=error, now=now)

        more = await self._database.write(work)
        await self._follow(settlement, now=now)
        # Most settlements leave nothing to do, and looking for it costs two trips to the database.
        if more or settlement.forwards or settlement.changes:
            self._bells.ring(WORK)

    async def _follow(self, settlement: Settlement, *, now: int) -> None:
        """What a settlement begins and one transaction cannot hold; begun again after a crash."""
        changes = settlement.changes
        if any(isinstance(change, StartBroadcast) for change in changes):
            await spread(self._database, now=now)
        if any(isinstance(change, Erase) for change in changes):
            await fold_if_owed(self._database, now=now)

    async def _signals(self, lease: Lease) -> tuple[Signal, ...]:
        async def look(tx: Tx) -> bool:
            return bool(await tx.run("any_signal", key=lease.conversation))

        now = self._clock.now()

        async def work(tx: Tx) -> tuple[Signal, ...]:
            return await _take(tx, lease, now=now)

        if not await self._database.read(look):
            return ()
        return await self._database.write(work)

    def _grant(self, owner: str) -> Grant:
        """The holder's clock is read first, so that it never believes longer than the row says."""
        deadline = self._clock.monotonic() + LEASE_SECONDS
        now = self._clock.now()
        return Grant(
            owner=owner, now=now, until=now + round(LEASE_SECONDS * 1000), deadline=deadline
        )


def _fence(lease: Lease) -> dict[str, str | int]:
    return {"key": lease.conversation, "epoch": lease.epoch, "owner": lease.owner}


async def _take(tx: Tx, lease: Lease, *, now: int) -> tuple[Signal, ...]:
    """The signals that wait, oldest first; none for a lease that is over."""
    rows = await tx.run("take_signals", now=now, **_fence(lease))
    oldest_first = sorted(rows, key=lambda row: number(row, "id"))
    return tuple(signal_of(lease.conversation, row) for row in oldest_first)
