"""What was said, by memory."""

from __future__ import annotations

from collections.abc import Sequence

from bot.ports import Exchange, Past, Summary
from bot.types import AnswerId, MemoryId, Place, Turn
from storage.database import Database, Row, Tx
from storage.rows import number, string, word


class SqlHistory:
    """History and Exchanges over the tables memory and turn; settlements write them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, memory: MemoryId, limit: int) -> list[Turn]:
        async def work(tx: Tx) -> list[Turn]:
            rows = await tx.run("last_turns", memory=memory, limit=limit)
            return [turn_of(row) for row in reversed(rows)]

        return await self._database.read(work)

    async def past(self, memory: MemoryId, limit: int) -> Past:
        async def work(tx: Tx) -> Past:
            rows = await tx.run("last_turns", memory=memory, limit=limit)
            turns = tuple(turn_of(row) for row in reversed(rows))
            return Past(turns=turns, summary=await summary_of(tx, memory))

        return await self._database.read(work)

    async def exchange(self, answer: AnswerId, place: Place, memory: MemoryId) -> Exchange | None:
        key = place.conversation

        async def work(tx: Tx) -> Sequence[Row]:
            return await tx.run("turns_of_answer", memory=memory, answer=answer, conversation=key)

        said = {string(row, "role"): string(row, "text") for row in await self._database.read(work)}
        if "assistant" not in said:
            return None
        return Exchange(question=said.get("user", ""), text=said["assistant"])


def turn_of(row: Row) -> Turn:
    """A row of the table turn."""
    return Turn(
        role=word(row, "role", ("user", "assistant")),
        text=string(row, "text"),
        said_at=number(row, "said_at"),
        name=string(row, "name"),
        tokens=number(row, "tokens"),
    )


async def summary_of(tx: Tx, memory: MemoryId) -> Summary | None:
    """The summary in use."""
    rows = await tx.run("find_summary", memory=memory)
    if not rows:
        return None
    return Summary(
        text=string(rows[0], "summary"),
        through=number(rows[0], "summarised_seq"),
        later=number(rows[0], "later"),
    )
