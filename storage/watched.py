"""A database that says when it cannot be written any more, for who has nobody else to notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot.errors import StorageCorrupt, StorageError, StorageFull
from storage.database import Database, Work
from storage.erasure import Folds

T = TypeVar("T")


class Watched:
    """A Database and what it stands on. `heard` is told of each failure that time does not mend.

    A lock of somebody else's and a lost lease pass by themselves: of these it hears nothing.
    """

    def __init__(self, database: Database, heard: Callable[[StorageError], None]) -> None:
        self._database = database
        self._heard = heard

    async def write(self, work: Work[T], /) -> T:
        try:
            return await self._database.write(work)
        except StorageError as error:
            if isinstance(error, StorageFull | StorageCorrupt) or type(error) is StorageError:
                self._heard(error)
            raise

    async def read(self, work: Work[T], /) -> T:
        return await self._database.read(work)

    async def fold(self) -> bool:
        """As the database beneath; one without a log has nothing to empty."""
        return await self._database.fold() if isinstance(self._database, Folds) else True

    async def close(self) -> None:
        await self._database.close()
