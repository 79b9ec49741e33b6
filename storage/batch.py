"""What happens inside a database thread: a batch of jobs becomes one transaction.

The driver's public way to run code in a connection's thread is a call of that connection; so the
batch rides on `commit()`, which here means: take what waits, run it, commit it.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Generic, TypeVar

from bot.errors import BotError, StorageError
from storage.database import Cell, Row, Work
from storage.driver import sqlite, translate
from storage.statements import statements

T = TypeVar("T")

log = logging.getLogger(__name__)


class Job(Generic[T]):
    """One caller's work, and how it ended. `writes` False: refused when it tries to.

    `folds`: after the commit the write-ahead log is emptied; the result is whether that was done.

    `settled` becomes true after the commit and no sooner, so that nothing is told ok by omission.
    """

    __slots__ = ("error", "folds", "result", "settled", "work", "writes")

    def __init__(self, work: Work[T], *, writes: bool, folds: bool = False) -> None:
        self.work = work
        self.writes = writes
        self.folds = folds
        self.result: T | None = None
        self.error: Exception | None = None
        self.settled = False

    def outcome(self) -> T:
        """What the work returned, or its error raised."""
        if self.error is not None:
            raise self.error
        if not self.settled:
            raise StorageError("the database stopped before this was stored")
        return self.result  # type: ignore[return-value]  # settled: the result is set, be it None


class _GroupLost(Exception):
    """SQLite dropped the transaction in the middle of a job; the cause says why."""


class SqliteTx:
    """A transaction on one connection; `run` never suspends."""

    __slots__ = ("_connection", "_sql")

    def __init__(self, connection: sqlite.Connection, sql: Mapping[str, str]) -> None:
        self._connection = connection
        self._sql = sql

    async def run(self, statement: str, /, **params: Cell) -> Sequence[Row]:
        return self._connection.execute(self._sql[statement], params).fetchall()

    async def run_many(self, statement: str, rows: Sequence[dict[str, Cell]], /) -> None:
        self._connection.executemany(self._sql[statement], rows)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end here and now. RuntimeError if it awaits anything but its tx."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError(
        f"{coroutine!r} suspended inside a transaction: it may await nothing but its tx"
    )


class BatchConnection(sqlite.Connection):
    """A connection that runs jobs in groups: all of a group are on disk together, or none is."""

    path = ""
    writer = True
    batch: Sequence[Job[Any]] = ()

    def commit(self) -> None:
        """Run `batch` as one transaction; every job leaves with its result or its error."""
        batch, self.batch = self.batch, ()
        if not batch:
            return
        try:
            self.execute("BEGIN IMMEDIATE" if self.writer else "BEGIN")
            self._run_all(batch)
            self.execute("COMMIT")
        except (sqlite.Error, _GroupLost) as error:
            self._fail_all(batch, error.__cause__ or error)
        else:
            for job in batch:
                job.settled = True
            self._fold([job for job in batch if job.folds])

    def _fold(self, jobs: Sequence[Job[Any]]) -> None:
        """Empty the log: a checkpoint can run in no transaction, and in no other thread."""
        if not jobs:
            return
        try:
            # A reader in the middle of a snapshot is waited for, up to the busy timeout.
            (busy, _, _) = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite.Error:
            busy = 1
        for job in jobs:
            job.result = not busy

    def _run_all(self, batch: Sequence[Job[Any]]) -> None:
        tx = SqliteTx(self, statements())
        for job in batch:
            # A job that only reads leaves nothing behind that would have to be taken back.
            if self.writer:
                self.execute("SAVEPOINT job")
            try:
                job.result = self._carry_out(job, tx)
            except Exception as error:  # noqa: BLE001 - the guard around one caller (DESIGN 7)
                self._undo(job, error)
            if self.writer:
                self.execute("RELEASE job")

    def _carry_out(self, job: Job[Any], tx: SqliteTx) -> Any:
        """The result of one job. Raises StorageError when one who reads has written.

        A base in memory has no readers of its own. They are held back by no `PRAGMA query_only`
        around each job: SQLite prepares every statement anew after that.
        """
        before = self.total_changes
        result = drive(_as_coroutine(job.work(tx)))
        if not job.writes and self.total_changes != before:
            raise StorageError(f"{self.path} may not be written by one who reads")
        return result

    def _undo(self, job: Job[Any], error: Exception) -> None:
        """Take back what one job did; if SQLite has dropped the transaction, the group is lost."""
        if not self.in_transaction:
            raise _GroupLost from error
        if self.writer:
            self.execute("ROLLBACK TO job")
        job.error = self._ours(error)
        if not isinstance(job.error, BotError):
            log.error("transaction failed", exc_info=error)

    def _fail_all(self, batch: Sequence[Job[Any]], error: BaseException) -> None:
        """Nobody is told ok: what one of them wrote is gone with the rest."""
        for job in batch:
            job.error = self._ours(error)
        if self.in_transaction:
            self.execute("ROLLBACK")

    def _ours(self, error: BaseException) -> Exception:
        ours = translate(error, self.path) if isinstance(error, sqlite.Error) else None
        if ours is None:
            return error if isinstance(error, Exception) else StorageError(repr(error))
        ours.__cause__ = error
        return ours


def _as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    if not isinstance(awaitable, Coroutine):
        raise TypeError("work must be an `async def`")
    return awaitable
