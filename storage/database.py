"""What a store asks of a database: named statements inside a transaction, whichever engine runs it.

Work is written as `async def work(tx)`. An engine with an asynchronous driver awaits it; SQLite
drives it to its end inside the writer's thread, where `run` never suspends. So each store is
written once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")

Cell = str | int | float | bytes | None


class Row(Protocol):
    """One row of a result, by column name."""

    def __getitem__(self, column: str, /) -> Cell:
        """The cell; KeyError or IndexError for a column that was not selected."""
        ...

    def __iter__(self) -> Iterator[Cell]:
        """The cells in the order of the SELECT."""
        ...


class Tx(Protocol):
    """A transaction. Statements are named as in sql/*.sql and take `:name` parameters."""

    async def run(self, statement: str, /, **params: Cell) -> Sequence[Row]:
        """Run one statement; its rows, if it returns any."""
        ...

    async def run_many(self, statement: str, rows: Sequence[dict[str, Cell]], /) -> None:
        """Run one statement for each set of parameters."""
        ...


Work = Callable[[Tx], Awaitable[T]]
"""Must await nothing but its `tx`, and may be run again from the start after a conflict."""


class Database(Protocol):
    """Transactions over one database."""

    async def write(self, work: Work[T], /) -> T:
        """Run in a durable transaction: when this returns, it is on disk. All or nothing.

        Raises StorageBusy, StorageFull, StorageCorrupt, or what `work` raised.
        """
        ...

    async def read(self, work: Work[T], /) -> T:
        """Run against a consistent snapshot; writes are refused."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go."""
        ...
