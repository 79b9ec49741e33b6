"""Processes that die, meet, or find a damaged file."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import AlreadyRunning, StorageCorrupt, StorageError
from storage import open_stores
from storage.copies import backup
from storage.database import Tx
from storage.driver import sqlite
from storage.lock import LockFile
from storage.sqlite import SqliteDatabase
from tests.contract.stores import HandClock, drain, lease_one, message, put, settlement

CHILD = """
import asyncio, sys
from storage import open_stores
from tests.contract.stores import HandClock, message, put

async def main():
    desk = await open_stores(sys.argv[1], HandClock())
    print("open", flush=True)
    number = int(sys.argv[2])
    while True:
        batch = [message(n, alone=True) for n in range(number, number + 3)]
        await asyncio.gather(*(put(desk, one) for one in batch))
        number += 3
        print(number, flush=True)

asyncio.run(main())
"""


def child(path: str, start: int = 0) -> subprocess.Popen[str]:
    """A process that stores messages and tells after each commit how far it got."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, path, str(start)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def kill(process: subprocess.Popen[str]) -> list[int]:
    """SIGKILL; what it had acknowledged until then."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.stdout.close()
    process.wait()
    return [int(line) for line in lines if line]


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def pages(path: Path) -> int:
    return path.stat().st_size // 4096


def overwrite(path: Path, first: int) -> None:
    """Spoil half of every page from the `first` on."""
    raw = bytearray(path.read_bytes())
    for at in range(first * 4096, len(raw), 4096):
        raw[at : at + 2048] = b"\xff" * 2048
    path.write_bytes(raw)


async def test_kill_between_commit_and_acknowledgement_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """What was acknowledged is there; what is delivered again is known."""
    path, chance, acknowledged = str(tmp_path / "desk.db"), random.Random(7), 0
    for _ in range(5):
        process = child(path, start=acknowledged)
        await asyncio.sleep(chance.uniform(0.01, 0.12))
        acknowledged = max([acknowledged, *kill(process)])
    assert acknowledged > 0
    desk = await open_stores(path, HandClock())
    stored = (await desk.inbox.depth()).waiting
    assert stored >= acknowledged
    again = [message(n, alone=True) for n in range(acknowledged)]
    assert await put(desk, *again) == [False] * acknowledged
    order = [lease.messages[0].message.position for lease in await drain(desk)]
    assert order == list(range(stored))
    await desk.close()


async def test_a_second_desk_on_the_file_is_refused_and_told_why(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    process = child(path)
    with pytest.raises(AlreadyRunning, match=rf"pid {process.pid}.*holds"):
        await open_stores(path, HandClock())
    kill(process)
    desk = await open_stores(path, HandClock())
    await desk.close()


async def test_reading_works_beside_a_running_desk(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    process = child(path)
    desk = await open_stores(path, HandClock(), read_only=True)
    depth = await desk.inbox.depth()
    assert depth.dead == 0
    with pytest.raises(StorageError, match="reading only"):
        await put(desk, message(1))
    await desk.close()
    assert process.stdout is not None
    assert process.stdout.readline()
    kill(process)


async def test_reading_before_there_is_a_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="start the desk first"):
        await open_stores(str(tmp_path / "none.db"), HandClock(), read_only=True)
    assert names(tmp_path) == []


async def test_a_lease_of_a_killed_process_is_free_at_the_next_start(tmp_path: Path) -> None:
    path, clock = str(tmp_path / "desk.db"), HandClock()
    desk = await open_stores(path, clock)
    await put(desk, message(1))
    await lease_one(desk, "first")
    await desk.close()
    desk = await open_stores(path, clock)
    assert await desk.inbox.take_over("second") == 1
    lease = await lease_one(desk, "second")
    await desk.inbox.settle(lease, settlement())
    await desk.close()


async def test_the_lock_remembers_how_the_last_stop_was(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    ends = ((True, True), (False, False), (True, True))
    for clean, seen in ends:
        lock = LockFile(path)
        lock.take()
        lock.let_go(clean=clean)
        after = LockFile(path)
        after.take()
        assert after.clean is seen
        after.let_go()


async def _damaged(path: Path) -> None:
    """A database whose pages behind the schema are overwritten."""
    await (await open_stores(str(path), HandClock())).close()
    schema = pages(path)
    desk = await open_stores(str(path), HandClock())
    await put(desk, *(message(n, "word " * 200, alone=True) for n in range(200)))
    await desk.close()
    overwrite(path, first=schema + 1)


def mark_unclean(path: Path) -> None:
    """As a killed process leaves it."""
    Path(f"{path}.lock").write_bytes(b"running 1")


async def test_a_damaged_page_is_reported_as_such_and_the_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    await _damaged(path)
    before = path.stat().st_size
    desk = await open_stores(str(path), HandClock())
    with pytest.raises(StorageCorrupt, match="restore a backup"):
        await drain(desk)
    await desk.close()
    assert path.stat().st_size == before


async def test_after_an_unclean_stop_a_damaged_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    await _damaged(path)
    for _ in range(2):
        mark_unclean(path)
        with pytest.raises(StorageCorrupt, match="restore a backup"):
            await open_stores(str(path), HandClock())


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    path.write_bytes(b"this is a letter, not a database; " * 100)
    with pytest.raises(StorageCorrupt, match=r"desk\.db"):
        await open_stores(str(path), HandClock())
    assert path.read_bytes().startswith(b"this is a letter")


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"the folder .* does not exist"):
        await open_stores(str(tmp_path / "no" / "desk.db"), HandClock())


async def test_a_path_with_odd_characters_is_only_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory #1%20 桌.db"
    desk = await open_stores(str(path), HandClock())
    await put(desk, message(1))
    await desk.close()
    assert path.exists()


async def test_a_backup_beside_running_work_is_whole(tmp_path: Path) -> None:
    desk = await open_stores(str(tmp_path / "desk.db"), HandClock())
    assert isinstance(desk.database, SqliteDatabase)
    await put(desk, message(1))
    copy = tmp_path / "copy.db"
    await asyncio.gather(
        asyncio.to_thread(backup, desk.database.path, str(copy)), put(desk, message(2))
    )
    await desk.close()
    restored = await open_stores(str(copy), HandClock())
    assert (await restored.inbox.depth()).waiting in (1, 2)
    assert len((await lease_one(restored)).messages) in (1, 2)
    await restored.close()
    assert not [name for name in names(tmp_path) if ".part" in name]


async def test_a_backup_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    await _damaged(tmp_path / "desk.db")
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"yesterday's")
    desk = await open_stores(str(tmp_path / "desk.db"), HandClock())
    assert isinstance(desk.database, SqliteDatabase)
    with pytest.raises(StorageCorrupt):
        await asyncio.to_thread(backup, desk.database.path, str(copy))
    await desk.close()
    assert copy.read_bytes() == b"yesterday's"
    assert not [name for name in names(tmp_path) if ".part" in name]


async def test_the_file_is_synced_and_journalled_as_decided(tmp_path: Path) -> None:
    desk = await open_stores(str(tmp_path / "desk.db"), HandClock())
    found: dict[str, object] = {}

    async def look(tx: Tx) -> None:
        for name in ("journal_mode", "synchronous", "secure_delete", "mmap_size", "foreign_keys"):
            found[name] = tx._connection.execute(f"PRAGMA {name}").fetchone()[0]  # type: ignore[attr-defined]

    await desk.database.write(look)
    await desk.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "mmap_size": 0,
        "foreign_keys": 1,
    }
    assert "desk.db-wal" not in names(tmp_path)
    plain = sqlite.connect(tmp_path / "desk.db")
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()
