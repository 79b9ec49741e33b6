"""SQLite run inline, without threads, for tests on virtual time: same statements, same Tx."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self, TypeVar

from storage.batch import BatchConnection, Job
from storage.database import Work
from storage.driver import MEMORY, sqlite
from storage.migrate import known, migrate
from storage.sqlite import connect

T = TypeVar("T")


class InlineDatabase:
    """A Database in memory whose transactions run in the caller's own thread, one by one.

    Every call yields to the loop once before and once after, as a thread hop would.
    """

    def __init__(self, connection: BatchConnection) -> None:
        self._connection = connection

    @classmethod
    def open(cls) -> Self:
        """An empty database with every table."""
        return cls(_copied(_tables()))

    def copied(self) -> InlineDatabase:
        """Another database with the same rows."""
        return InlineDatabase(_copied(self._connection))

    def image(self) -> bytes:
        """What a file with the same rows holds."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "image.db"
            file = sqlite.connect(path)
            file.execute("PRAGMA synchronous = OFF").close()
            self._connection.backup(file)
            file.close()
            return path.read_bytes()

    async def write(self, work: Work[T], /) -> T:
        return await self._run(Job(work, writes=True))

    async def read(self, work: Work[T], /) -> T:
        return await self._run(Job(work, writes=False))

    async def close(self) -> None:
        self._connection.close()

    async def _run(self, job: Job[T]) -> T:
        await asyncio.sleep(0)
        self._connection.batch = [job]
        self._connection.commit()
        await asyncio.sleep(0)
        return job.outcome()


def _copied(connection: BatchConnection) -> BatchConnection:
    copy = connect(MEMORY, writer=True)
    connection.backup(copy)
    return copy


@cache
def _tables() -> BatchConnection:
    """Migrated once in a process: a copy takes a hundredth of the time."""
    connection = connect(MEMORY, writer=True)
    migrate(connection, MEMORY, known(), now=0)
    return connection


@cache
def _empty() -> bytes:
    return InlineDatabase.open().image()


def laid(path: Path, image: bytes | None = None) -> Path:
    """The file; where there was none, its owner's with every table: a start has none to make.

    `image`: what it holds instead.
    """
    with suppress(FileExistsError):
        path.touch(0o600, exist_ok=False)
        path.write_bytes(image or _empty())
    return path
