"""Open requests for a person."""

from __future__ import annotations

from bot.types import PersonId, Place
from storage.database import Database, Tx
from storage.rows import number


class SqlTickets:
    """Tickets over the table ticket; settlements open them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_for(self, person: PersonId, place: Place) -> int | None:
        async def work(tx: Tx) -> int | None:
            rows = await tx.run("find_ticket", person=person, conversation=place.conversation)
            return number(rows[0], "id") if rows else None

        return await self._database.read(work)
