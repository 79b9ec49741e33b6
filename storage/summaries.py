"""Summaries of what was said long ago, kept with the memory that they belong to."""

from __future__ import annotations

from bot.ports import Summary
from bot.types import MemoryId, Turn
from storage.database import Database, Tx
from storage.history import summary_of, turn_of
from storage.rows import number


class SqlSummaries:
    """Summaries over the table memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, memory: MemoryId) -> Summary | None:
        async def work(tx: Tx) -> Summary | None:
            return await summary_of(tx, memory)

        return await self._database.read(work)

    async def backlog(self, memory: MemoryId) -> int:
        async def work(tx: Tx) -> int:
            rows = await tx.run("count_unsummarised", memory=memory)
            return number(rows[0], "turns") if rows else 0

        return await self._database.read(work)

    async def uncovered(self, memory: MemoryId, limit: int) -> list[tuple[int, Turn]]:
        async def work(tx: Tx) -> list[tuple[int, Turn]]:
            rows = await tx.run("unsummarised_turns", memory=memory, limit=limit)
            return [(number(row, "seq"), turn_of(row)) for row in rows]

        return await self._database.read(work)

    async def put(self, memory: MemoryId, text: str, *, through: int) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("put_summary", memory=memory, text=text, through=through)

        await self._database.write(work)
