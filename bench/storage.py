"""What the store costs, on a real file with every commit synced: `python -m bench.storage`."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import quantiles

from bot.clock import SystemClock
from bot.ports import Intake
from bot.types import (
    Anchor,
    DurableAnswer,
    IncomingMessage,
    Lease,
    LedgerRow,
    MemoryId,
    MessageRef,
    PersonId,
    Place,
    Sender,
    Settlement,
    Turn,
)
from storage import Stores, open_stores
from storage.database import Tx

CONCURRENT = 32
CONVERSATIONS = 2000
TEXT = "How do I return an item that I bought last week? " * 6
"""About 300 characters, the mean length of a message in the field."""
INGESTED = 8000
LIVES = 3000
BACKLOG = 20_000
HOT = 500
HISTORY = 200_000

Figures = list[tuple[str, str]]


async def measure() -> Figures:
    """Every figure, as (name, figure); about half a minute."""
    figures: Figures = [("load average before", load())]
    for part in (_ingest, _lives, _hot, _history):
        with tempfile.TemporaryDirectory() as folder:
            stores = await open_stores(str(Path(folder) / "bench.db"), SystemClock())
            try:
                figures += await part(stores)
            finally:
                await stores.close()
    return [*figures, ("load average after", load())]


def load() -> str:
    """The machine's own burden: one minute, and how many cores share it."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


async def _ingest(stores: Stores) -> Figures:
    """Messages stored and synced, as adapters put them: one by one, many at once."""
    delays: list[float] = []

    async def one(number: int) -> None:
        before = time.perf_counter()
        await stores.inbox.put([intake(number)])
        delays.append(time.perf_counter() - before)

    rate, cpu = await _timed(INGESTED, one)
    return [
        (f"durable ingest, {CONCURRENT} at once", f"{rate:,.0f}/s"),
        ("its CPU", f"{cpu:.3f} ms a message"),
        ("its delay p50, p99", spread(delays)),
    ]


async def _lives(stores: Stores) -> Figures:
    """A message's whole life: put, lease, person, history, placeholder, answer, settle."""

    async def one(number: int) -> None:
        await stores.inbox.put([intake(number)])
        while leases := await stores.inbox.lease("bench", CONCURRENT):
            await asyncio.gather(*(live(stores, lease) for lease in leases))

    rate, cpu = await _timed(LIVES, one)
    left = (await stores.inbox.depth()).waiting
    assert left == 0, f"{left} messages were not settled"
    return [("whole life of a message", f"{rate:,.0f}/s"), ("its CPU", f"{cpu:.2f} ms a message")]


async def live(stores: Stores, lease: Lease) -> None:
    """What a worker writes for one answer."""
    person = await stores.people.person(lease.place, lease.sender)
    memory = MemoryId(f"person:{person.id}")
    await stores.history.last(memory, 20)
    ref = MessageRef(place=lease.place, id="1")
    await stores.inbox.anchor(lease, Anchor(part=0, ref=ref))
    settlement = Settlement(
        outcome="answered",
        memory=memory,
        person=person.id,
        turns=(
            Turn(role="user", text=TEXT, said_at=1),
            Turn(role="assistant", text=TEXT, said_at=2),
        ),
        ledger=LedgerRow(at=1, route="open", outcome="answered", total_ms=1),
    )
    answer = DurableAnswer(text=TEXT, buttons=(), locale="en", settlement=settlement)
    await stores.inbox.answer(lease, answer)
    await stores.inbox.settle(lease, settlement)


async def _hot(stores: Stores) -> Figures:
    """One conversation holds nearly the whole backlog: what the others feel of it."""
    crowd = [intake(n, channel="hot", alone=True) for n in range(BACKLOG)]
    others = [intake(n, channel=f"c{n}") for n in range(CONVERSATIONS)]
    for at in range(0, BACKLOG, 500):
        await stores.inbox.put(crowd[at : at + 500])
    await stores.inbox.put(others)
    done, hot, before = 0, 0, time.perf_counter()
    settlement = Settlement(outcome="answered", memory=MemoryId(""), person=PersonId(0))
    while done < CONVERSATIONS:
        leases = await stores.inbox.lease("bench", 8)
        await asyncio.gather(*(stores.inbox.settle(lease, settlement) for lease in leases))
        done, hot = done + len(leases), hot + sum(one.place.channel == "hot" for one in leases)
    wide, before = done / (time.perf_counter() - before), time.perf_counter()
    heads = 0
    while heads < HOT:
        leases = await stores.inbox.lease("bench", 8)
        await asyncio.gather(*(stores.inbox.settle(lease, settlement) for lease in leases))
        heads += sum(one.place.channel == "hot" for one in leases)
    deep = HOT / (time.perf_counter() - before)
    return [
        (f"lease and settle, {CONVERSATIONS:,} chats beside a hot one", f"{wide:,.0f}/s"),
        ("leases the hot one took meanwhile", f"{hot} of {done}"),
        (f"the hot one alone, {BACKLOG:,} waiting, one by one", f"{deep:,.0f}/s"),
    ]


async def _history(stores: Stores) -> Figures:
    """The last 20 turns of one conversation in a long history."""
    per_memory = 100

    async def fill(tx: Tx, memory: int) -> None:
        count = per_memory
        row = (await tx.run("reserve_turns", key=f"m{memory}", count=count))[0]
        common = {
            "memory": row["id"],
            "role": "user",
            "text": TEXT,
            "name": "",
            "tokens": 0,
            "answer": None,
        }
        turns = [
            {**common, "seq": n, "said_at": n, "person": 1, "answer": None} for n in range(count)
        ]
        await tx.run_many("add_turn", turns)

    for start in range(0, HISTORY // per_memory, 100):

        async def some(tx: Tx, start: int = start) -> None:
            for memory in range(start, start + 100):
                await fill(tx, memory)

        await stores.database.write(some)
    delays: list[float] = []
    for number in range(2000):
        memory = MemoryId(f"m{number * 7919 % (HISTORY // per_memory)}")
        before = time.perf_counter()
        assert len(await stores.history.last(memory, 20)) == 20
        delays.append(time.perf_counter() - before)
    return [(f"last 20 of {HISTORY:,} turns p50, p99", spread(delays))]


async def _timed(count: int, one: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Run `count` calls, CONCURRENT at a time; how many a second, and CPU ms for each."""
    numbers = iter(range(count))

    async def several() -> None:
        for number in numbers:
            await one(number)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(several() for _ in range(CONCURRENT)))
    return count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1000


def intake(number: int, *, channel: str = "", alone: bool = False) -> Intake:
    """An event as an adapter hands it over, with a raw payload of usual size."""
    message = IncomingMessage(
        key=str(number),
        place=Place(platform="bench", account="1", channel=channel or str(number % CONVERSATIONS)),
        sender=Sender(user=str(number % CONVERSATIONS), name="Ann"),
        text=TEXT,
        said_at=1,
        position=number,
        alone=alone,
    )
    return Intake(raw=TEXT * 3, delivery=f"{channel}{number}", message=message)


def spread(delays: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    cuts = quantiles(delays, n=100)
    return f"{cuts[49] * 1000:.2f}, {cuts[98] * 1000:.2f} ms"


def main() -> None:
    """Print the table."""
    for name, figure in asyncio.run(measure()):
        print(f"{name:<58} {figure}")


if __name__ == "__main__":
    main()
