"""Small facts about this database that must outlive a process: one text per key."""

from __future__ import annotations

from storage.database import Database, Tx
from storage.rows import string


class SqlSettings:
    """Texts by key over the table setting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> str | None:
        """The text of a key; None: never set."""

        async def work(tx: Tx) -> str | None:
            return await _find(tx, key)

        return await self._database.read(work)

    async def put(self, key: str, text: str) -> None:
        """Set a key, whatever it was."""

        async def work(tx: Tx) -> None:
            await tx.run("put_setting", key=key, value=text)

        await self._database.write(work)

    async def get_or_set(self, key: str, text: str) -> str:
        """The text of a key, made `text` if it had none; of two callers the first one wins."""

        async def work(tx: Tx) -> str:
            await tx.run("add_setting", key=key, value=text)
            return await _find(tx, key) or text

        found = await self.get(key)
        return await self._database.write(work) if found is None else found


async def _find(tx: Tx, key: str) -> str | None:
    rows = await tx.run("find_setting", key=key)
    return string(rows[0], "value") if rows else None
