"""Group commit: each caller gets its own end, and when the group is lost nobody is told ok."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import StorageBusy, StorageError, StorageFull
from bot.types import Sender
from storage import Stores, open_stores
from storage import sqlite as engine
from storage.database import Tx
from storage.driver import sqlite
from tests.contract.stores import HandClock, drain, message, place, put, texts


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Stores]:
    made = await open_stores(str(tmp_path / "desk.db"), HandClock())
    yield made
    await made.close()


async def raw(desk: Stores, text: str) -> None:
    """Run something on the writer's own connection."""

    async def work(tx: Tx) -> None:
        tx._connection.execute(text)  # type: ignore[attr-defined]

    await desk.database.write(work)


async def pages(desk: Stores) -> int:
    found: list[int] = []

    async def work(tx: Tx) -> None:
        found.append(tx._connection.execute("PRAGMA page_count").fetchone()[0])  # type: ignore[attr-defined]

    await desk.database.write(work)
    return found[0]


async def test_a_group_that_sqlite_dropped_is_ok_for_nobody(desk: Stores) -> None:
    """A statement without a journal of its own takes the transaction with it when the disk is full.

    Those before it had their results already, those after it could still write: all must fail.
    """
    await raw(desk, "CREATE TABLE plain (x)")
    await raw(desk, f"PRAGMA max_page_count = {await pages(desk) + 4}")

    async def big(tx: Tx) -> None:
        tx._connection.execute("INSERT INTO plain VALUES (zeroblob(400000))")  # type: ignore[attr-defined]

    async def stubborn(tx: Tx) -> None:
        try:
            await big(tx)
        except sqlite.OperationalError:
            pass

    for spoiler in (big, stubborn):
        small = [put(desk, message(n, channel=str(n))) for n in range(8)]
        writes = [*small[:4], desk.database.write(spoiler), *small[4:]]
        ends = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(end, Exception) for end in ends), ends
        assert {type(end) for end in ends} == {StorageFull} or spoiler is stubborn
        assert (await desk.inbox.depth()).waiting == 0
    await raw(desk, "PRAGMA max_page_count = 1000000")
    assert await put(desk, message(1)) == [True]


async def test_when_the_disk_is_full_exactly_those_who_were_told_ok_are_stored(
    desk: Stores,
) -> None:
    await raw(desk, f"PRAGMA max_page_count = {await pages(desk) + 4}")
    small = [message(n, channel=str(n)) for n in range(8)]
    big = message(99, "x" * 200_000, channel="big")
    messages = (*small[:4], big, *small[4:])
    ends = await asyncio.gather(*(put(desk, one) for one in messages), return_exceptions=True)
    told = {one.key for one, end in zip(messages, ends, strict=True) if end == [True]}
    assert {type(end) for end in ends} <= {StorageFull, list}
    assert isinstance(ends[4], StorageFull)
    await raw(desk, "PRAGMA max_page_count = 1000000")
    again = [(await put(desk, one))[0] for one in messages]
    assert [one.key in told for one in messages] == [not new for new in again]
    assert len(await drain(desk)) == 9


async def test_a_full_disk_loses_nothing_that_was_told_ok(desk: Stores) -> None:
    """Filled to the brim, one commit at a time: what was acknowledged is there, the rest is not."""
    await raw(desk, f"PRAGMA max_page_count = {await pages(desk) + 10}")
    stored: list[str] = []

    async def fill() -> None:
        for number in range(1000):
            await put(desk, message(number, f"{number} " * 100, alone=True))
            stored.append(f"{number} " * 100)

    with pytest.raises(StorageFull):
        await fill()
    await raw(desk, "PRAGMA max_page_count = 1000000")
    assert [texts(lease)[0] for lease in await drain(desk)] == stored
    assert stored


async def test_one_callers_mistake_harms_no_neighbour(desk: Stores) -> None:
    async def good(tx: Tx) -> int:
        return len(await tx.run("add_person", name="ann", now=1))

    async def bad(tx: Tx) -> int:
        await tx.run("add_person", name="gone", now=1)
        raise KeyError("a bug")

    works = (good, bad, good)
    ends = await asyncio.gather(
        *(desk.database.write(work) for work in works), return_exceptions=True
    )
    assert (ends[0], repr(ends[1]), ends[2]) == (1, "KeyError('a bug')", 1)
    known = sqlite.connect(desk.database.path)  # type: ignore[attr-defined]
    assert known.execute("SELECT name FROM person").fetchall() == [("ann",), ("ann",)]
    known.close()


async def test_work_that_waits_for_something_else_is_refused(desk: Stores) -> None:
    async def naps(tx: Tx) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="may await nothing but its tx"):
        await desk.database.write(naps)
    assert await put(desk, message(1)) == [True]


async def test_an_outside_writer_makes_us_busy_and_then_all_goes_on(desk: Stores) -> None:
    await raw(desk, "PRAGMA busy_timeout = 20")
    other = sqlite.connect(desk.database.path, isolation_level=None)  # type: ignore[attr-defined]
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy, match="locked by another program"):
        await put(desk, message(1))
    other.execute("ROLLBACK")
    other.close()
    assert await put(desk, message(1)) == [True]


async def test_too_many_callers_are_told_so_at_once(
    desk: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WAITING_MAX", 3)
    ends = await asyncio.gather(*(put(desk, message(n)) for n in range(10)), return_exceptions=True)
    assert [type(end) for end in ends].count(StorageBusy) == 7
    assert (await desk.inbox.depth()).waiting == 3


async def test_a_caller_that_goes_away_leaves_the_others_alone(desk: Stores) -> None:
    tasks = [asyncio.create_task(put(desk, message(n))) for n in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end for at, end in enumerate(ends) if at != 2] == [[True]] * 4


async def test_what_was_queued_before_close_is_stored(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    desk = await open_stores(path, HandClock())
    tasks = [asyncio.create_task(put(desk, message(n))) for n in range(600)]
    await asyncio.sleep(0)
    await desk.close()
    assert await asyncio.gather(*tasks) == [[True]] * 600
    with pytest.raises(StorageError):
        await put(desk, message(1000))
    again = await open_stores(path, HandClock(), read_only=True)
    assert (await again.inbox.depth()).waiting == 600
    await again.close()


@pytest.mark.parametrize("path", [":memory:", "file"])
async def test_a_reader_cannot_write(tmp_path: Path, path: str) -> None:
    where = path if path == ":memory:" else str(tmp_path / "desk.db")
    desk = await open_stores(where, HandClock())

    async def work(tx: Tx) -> None:
        await tx.run("add_person", name="x", now=1)

    with pytest.raises(StorageError, match="may not be written"):
        await desk.database.read(work)
    assert (await desk.people.person(place(), Sender(user="1"))).id == 1
    await desk.close()


async def test_readers_see_what_a_returned_write_wrote(desk: Stores) -> None:
    for number in range(50):
        await put(desk, message(number))
        assert (await desk.inbox.depth()).waiting == number + 1
