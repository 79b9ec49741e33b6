"""SQLite as the house's database: one writer with group commit, two readers, a lock file.

Whatever queues while the disk syncs becomes the next transaction, in one hop to the writer's
thread; an idle desk pays no delay for it. Durable means synced: `write` returns after the fsync.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from bot.clock import Clock
from bot.errors import NoDatabase, StorageBusy, StorageCorrupt, StorageError
from storage.batch import BatchConnection, Job
from storage.database import Tx, Work
from storage.driver import MEMORY, SAFE_VERSION, prepare, sqlite, target, translate
from storage.lock import LockFile
from storage.mark import refuse_foreign
from storage.migrate import Migration, known, migrate, refuse_old
from storage.mounts import network_of

T = TypeVar("T")

log = logging.getLogger(__name__)

WRITE_BATCH = 256
"""Callers in one transaction at most: beyond it a batch takes longer than the fsync it saves."""
Start = Callable[[BatchConnection], None]
READ_BATCH = 16
READERS = 2
WAITING_MAX = 8192
"""Callers that may wait for a thread; more are told StorageBusy at once."""


class SqliteDatabase:
    """Database over one SQLite file. Made by `open`; `close` must follow."""

    def __init__(self, path: str, lock: LockFile | None) -> None:
        self.path = path
        self._lock = lock
        self._links: list[_Link] = []
        self._writers: _Crew | None = None
        self._readers: _Crew | None = None

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        clock: Clock,
        read_only: bool = False,
        migrations: Sequence[Migration] | None = None,
    ) -> Self:
        """Open, check after an unclean stop, and bring the schema up to date.

        `read_only` takes no lock and changes nothing, so it works beside a running desk.
        Raises AlreadyRunning, StorageCorrupt, StorageBusy or StorageError with what to do.
        """
        wanted = known() if migrations is None else migrations
        if sqlite.sqlite_version_info < SAFE_VERSION:
            log.warning(
                "SQLite %s may damage a file that a second program writes or checkpoints; "
                "install pysqlite3, and run no continuous backup tool until then",
                sqlite.sqlite_version,
            )
        if path != MEMORY and (kind := network_of(path)):
            log.warning(
                "%s lies on a network filesystem (%s), whose locks cannot be relied on: %s",
                path,
                kind,
                "keep it on a disk of this machine",
            )
        lock = None if read_only or path == MEMORY else LockFile(path)
        database = cls(path, lock)
        async with AsyncExitStack() as undo:
            if lock is not None:
                lock.take()
                undo.callback(lock.let_go, clean=lock.clean)
            undo.push_async_callback(database._hang_up)
            await database._connect(wanted, now=clock.now(), read_only=read_only)
            undo.pop_all()
        return database

    async def write(self, work: Work[T], /) -> T:
        if self._writers is None:
            raise StorageError(f"{self.path} is open for reading only, or closed")
        return await self._writers.run(Job(work, writes=True))

    async def read(self, work: Work[T], /) -> T:
        if self._readers is None:
            raise StorageError(f"{self.path} is closed")
        return await self._readers.run(Job(work, writes=False))

    async def fold(self) -> bool:
        """Empty the write-ahead log into the file; False when a reader was in the way."""
        if self.path == MEMORY:
            return True
        if self._writers is None:
            raise StorageError(f"{self.path} is open for reading only, or closed")
        return await self._writers.run(Job(_nothing, writes=True, folds=True))

    async def close(self) -> None:
        crews, self._writers, self._readers = (self._writers, self._readers), None, None
        for crew in crews:
            if crew is not None:
                await crew.rest()
        await self._hang_up()
        if self._lock is not None:
            self._lock.let_go()

    async def _connect(self, migrations: Sequence[Migration], *, now: int, read_only: bool) -> None:
        def start(connection: BatchConnection) -> None:
            if read_only:
                refuse_old(connection, self.path, migrations)
                return
            if self._lock is not None and not self._lock.clean:
                check(connection, self.path)
            migrate(connection, self.path, migrations, now=now)

        first = await self._link(writer=not read_only, start=start)
        if not read_only:
            self._writers = _Crew([first], WRITE_BATCH)
        if self.path == MEMORY:
            self._readers = self._writers
            return
        rest = [await self._link(writer=False) for _ in range(READERS - int(read_only))]
        self._readers = _Crew([first, *rest] if read_only else rest, READ_BATCH)

    async def _link(self, *, writer: bool, start: Start | None = None) -> _Link:
        link = await _Link.open(self.path, writer=writer, start=start)
        self._links.append(link)
        return link

    async def _hang_up(self) -> None:
        """Close readers first: the writer, last to leave, folds the WAL back into the file."""
        links, self._links = self._links, []
        for link in reversed(links):
            await link.close()


async def _nothing(_tx: Tx) -> bool:
    """The outcome is replaced by how the folding went."""
    return False


class _Crew:
    """Threads that share one queue of jobs; each takes what waits, up to `most`, at one time."""

    def __init__(self, links: Sequence[_Link], most: int) -> None:
        self._idle = list(links)
        self._most = most
        self._waiting: deque[tuple[Job[Any], asyncio.Future[None]]] = deque()
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self, job: Job[T]) -> T:
        """Queue a job and wait for its end. A caller that goes away does not take the job back."""
        if len(self._waiting) >= WAITING_MAX:
            raise StorageBusy("too many callers wait for the database")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, done))
        self._call()
        await done
        return job.outcome()

    async def rest(self) -> None:
        """Finish everything that was queued."""
        while self._busy:
            await asyncio.wait(self._busy)

    def _call(self) -> None:
        if self._idle:
            task = asyncio.get_running_loop().create_task(self._work(self._idle.pop()))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _work(self, link: _Link) -> None:
        try:
            while self._waiting:
                count = min(self._most, len(self._waiting))
                await self._carry(link, [self._waiting.popleft() for _ in range(count)])
        finally:
            self._idle.append(link)

    async def _carry(
        self, link: _Link, batch: Sequence[tuple[Job[Any], asyncio.Future[None]]]
    ) -> None:
        try:
            await link.run([job for job, _ in batch])
        finally:
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


class _Link:
    """One connection in a thread of its own."""

    def __init__(self) -> None:
        self._thread: aiosqlite.Connection | None = None
        self._connection: BatchConnection | None = None

    @classmethod
    async def open(cls, path: str, *, writer: bool, start: Start | None = None) -> Self:
        """Connect; `start` runs in the thread before anything else. Raises our errors."""
        link, failures = cls(), list[Exception]()

        def connector() -> sqlite.Connection:
            try:
                link._connection = connect(path, writer=writer, start=start)
            except (StorageError, sqlite.Error, ValueError) as error:
                # aiosqlite leaves the thread of a failed connector to stop by itself, perhaps
                # after the loop is closed; so it gets a connection, which is closed in order.
                failures.append(error)
                return sqlite.connect(MEMORY)
            return link._connection

        link._thread = await aiosqlite.Connection(connector, iter_chunk_size=64)
        if failures:
            await link.close()
            raise failures[0]
        return link

    async def run(self, batch: Sequence[Job[Any]]) -> None:
        """Run jobs as one transaction; each knows afterwards how it ended."""
        assert self._connection is not None
        assert self._thread is not None
        self._connection.batch = batch
        try:
            await self._thread.commit()
        except sqlite.Error:
            log.exception("the database connection failed")

    async def close(self) -> None:
        if self._thread is not None:
            await self._thread.close()


def connect(path: str, *, writer: bool, start: Start | None = None) -> BatchConnection:
    """A prepared connection for this thread. Raises our errors; nothing stays open then."""
    connection: BatchConnection | None = None
    if not writer and path != MEMORY and not Path(path).exists():
        raise NoDatabase(path)
    if writer and path != MEMORY:
        keep_private(path)
    try:
        connection = sqlite.connect(
            target(path, read_only=not writer and path != MEMORY),
            uri=True,
            isolation_level=None,
            factory=BatchConnection,
            cached_statements=256,
        )
        connection.path, connection.writer = path, writer
        refuse_foreign(connection, path)
        prepare(connection, writer=writer)
        if start is not None:
            start(connection)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite.Error) and (ours := translate(error, path)):
            raise ours from error
        raise
    return connection


def keep_private(path: str) -> None:
    """Make the file, if there is none, for its owner alone; SQLite gives -wal and -shm its mode."""
    with suppress(OSError):  # SQLite finds the same obstacle and says it better
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def check(connection: sqlite.Connection, path: str) -> None:
    """Raises StorageCorrupt unless SQLite finds the file sound."""
    found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if found != ["ok"]:
        raise StorageCorrupt(f"{path} is damaged: {'; '.join(found)}; restore a backup")
