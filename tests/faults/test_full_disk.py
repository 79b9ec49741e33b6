"""A disk without room: a chat ends in words, the doctor sees it, and the lock needs none."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.errors import AlreadyRunning, StorageBusy, StorageError, StorageFull
from storage import stores
from storage.driver import sqlite, translate
from storage.examine import TRIAL_BYTES, examine
from storage.lock import LockFile
from storage.watched import Watched
from tests.contract.stores import HandClock, message, put
from tests.fakes.inline_database import InlineDatabase, laid
from tests.unit.test_cli import Inside, environ, inside

__all__ = ["inside"]

CHAT = """
import sys
from storage import driver
driver.WRITER_PRAGMAS += (f"max_page_count = {sys.argv[1]}",)
from bot.cli import main
main(["run"])
"""
"""A desk whose file may not grow beyond so many pages: SQLite says what it says of a full disk."""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a database, so that a chat keeps what is said."""
    laid(tmp_path / "frontdesk.db")
    return tmp_path


def chatted(folder: Path, room: int, text: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A question through a pipe to a desk with room for so many more pages."""
    with sqlite.connect(folder / "frontdesk.db") as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    return subprocess.run(
        [sys.executable, "-c", CHAT, str(pages + room)],
        cwd=folder,
        env=environ(**more),
        input=text,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


NO_ROOM = """
from bot.errors import StorageFull
from storage.sqlite import SqliteDatabase

async def full(_database, _work):
    raise StorageFull("no room")

SqliteDatabase.write = full
from bot.cli import main
main(["run"])
"""
"""A desk that cannot write from the very first."""


def test_a_chat_that_cannot_even_begin_ends_with_what_is_wrong(desk: Path) -> None:
    """What a new database writes first is written before there is anything that could be ended."""
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM],
        cwd=desk,
        env=environ(),
        input="hello",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "full, so nothing more can be stored" in done.stderr.splitlines()[-1]


QUESTION = "Do you sell lamps? " + "x" * 40_000


@pytest.mark.parametrize("room", [0, 25], ids=["before the question", "behind the answer"])
def test_a_chat_on_a_full_disk_ends_with_what_is_wrong(desk: Path, room: int) -> None:
    """Where the question was still stored it is answered; then nothing can be, so nobody waits."""
    done = chatted(desk, room, QUESTION)
    assert done.returncode == 1, done.stderr
    assert ("message is too long" in done.stdout) == bool(room)
    assert "full, so nothing more can be stored" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_it_is_told_in_the_readers_language_and_goes_on_with_room_again(desk: Path) -> None:
    assert "磁盘已满" in chatted(desk, 25, QUESTION, LANG="zh_CN.UTF-8").stderr
    again = chatted(desk, 1000, "Do you sell cups?")
    assert again.returncode == 0, again.stderr  # nothing waits any more
    assert "find this in our" in again.stdout


async def test_only_what_time_does_not_mend_is_heard() -> None:
    """A lock of somebody else's passes: a chat must not end of it."""
    heard: list[StorageError] = []
    inner = InlineDatabase.open()
    desk = stores(Watched(inner, heard.append), HandClock())
    assert await put(desk, message(1)) == [True]
    failures = (StorageBusy("locked"), StorageFull("full"), StorageError("the disk failed"))
    for failure in failures:

        async def fail(_work: object, failure: StorageError = failure) -> None:
            raise failure

        inner.write = fail  # type: ignore[assignment]
        with pytest.raises(StorageError):
            await put(desk, message(2))
    assert heard == list(failures[1:])
    await desk.close()


def usage(free: int) -> SimpleNamespace:
    return SimpleNamespace(total=1 << 40, used=0, free=free)


def test_the_doctor_really_writes_and_leaves_nothing(
    desk: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    fsync = os.fsync

    def synced(fd: int) -> None:
        written.append(os.fstat(fd).st_size)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", synced)
    before = sorted(desk.iterdir())
    facts = examine(str(desk / "frontdesk.db"))
    assert (facts.writable, facts.full, written) == (True, False, [TRIAL_BYTES])
    assert facts.free > 0
    assert sorted(desk.iterdir()) == before
    assert "can be written; " in inside("doctor").stdout


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_the_doctor_calls_no_database_writable_beside_which_nothing_can_be_written(
    desk: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    facts = examine(str(desk / "frontdesk.db"))
    assert (facts.writable, facts.full) == (False, code != errno.EROFS)


def test_the_doctor_takes_nothing_of_the_little_that_is_left(
    desk: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(TRIAL_BYTES - 1))
    monkeypatch.setattr(os, "fsync", lambda _fd: pytest.fail("written"))
    done = inside("doctor", FRONTDESK_LOCALE="zh")
    assert done.returncode == 1
    assert "frontdesk.db 所在的磁盘已满（剩余空间 1.0 MB）" in done.stdout


def test_a_lock_changes_hands_where_no_byte_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never cut off, so that writing over it takes no room; a new one fails in words."""
    path = str(tmp_path / "desk.db")
    for clean in (True, False, True):
        lock = LockFile(path)
        lock.take()
        assert Path(lock.path).stat().st_size == 32
        lock.let_go(clean=clean)
        assert Path(lock.path).stat().st_size == 32

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StorageFull):
            LockFile(path).take()
    lock = LockFile(path)
    lock.take()  # the one that failed holds nothing
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        lock.let_go()
    after = LockFile(path)
    after.take()
    assert not after.clean
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        LockFile(path).take()
    after.let_go()


def test_a_lock_let_go_at_the_last_moment_was_let_go_in_good_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a service is started again at once: what stood there before was for the last."""
    path, flock = str(tmp_path / "desk.db"), fcntl.flock
    before = LockFile(path)
    before.take()

    def waits(fd: int, how: int) -> None:
        before.let_go()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", waits)
    after = LockFile(path)
    after.take()
    assert after.clean
    after.let_go()


@pytest.mark.parametrize(("free", "kind"), [(0, StorageFull), (1 << 30, StorageError)])
def test_an_index_without_room_is_a_full_disk(
    free: int, kind: type[StorageError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite calls it an I/O error (SQLITE_IOERR_SHMSIZE)."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(free))
    error = sqlite.OperationalError("disk I/O error")
    error.sqlite_errorcode = 4874
    assert type(translate(error, "/data/desk.db")) is kind
