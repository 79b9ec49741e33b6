"""SQLite run inline, without threads, for tests on virtual time: same statements, same Tx."""

from __future__ import annotations

import asyncio
from typing import Self, TypeVar

from storage.batch import BatchConnection, Job
from storage.database import Work
from storage.driver import MEMORY
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
    def open(cls, *, now: int = 0) -> Self:
        """An empty database with every table."""
        connection = connect(MEMORY, writer=True)
        migrate(connection, MEMORY, known(), now=now)
        return cls(connection)

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
