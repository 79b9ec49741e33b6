"""All stores of one desk over one database."""

from __future__ import annotations

from bot.clock import Clock
from bot.types import value
from storage.access import SqlAudits, SqlDirectory, SqlSpending
from storage.broadcasts import SqlBroadcasts
from storage.continuing import SqlContinuations
from storage.database import Database
from storage.erasure import SqlExports
from storage.history import SqlHistory
from storage.inbox import SqlInbox
from storage.ledger import SqlLedger
from storage.office import SqlDoor, SqlFiles
from storage.passages import PassageStore
from storage.people import SqlPeople
from storage.settings import SqlSettings
from storage.skills import SqlForms, SqlUses
from storage.sqlite import SqliteDatabase
from storage.summaries import SqlSummaries
from storage.threads import SqlThreads
from storage.tickets import SqlTickets
from storage.vectors import VectorStore


@value
class Stores:
    """The stores that share `database`."""

    database: Database
    inbox: SqlInbox
    people: SqlPeople
    history: SqlHistory
    continuations: SqlContinuations
    tickets: SqlTickets
    ledger: SqlLedger
    passages: PassageStore
    vectors: VectorStore
    settings: SqlSettings
    forms: SqlForms
    uses: SqlUses
    summaries: SqlSummaries
    spending: SqlSpending
    directory: SqlDirectory
    audits: SqlAudits
    broadcasts: SqlBroadcasts
    exports: SqlExports
    threads: SqlThreads
    door: SqlDoor
    files: SqlFiles

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        await self.database.close()


def stores(database: Database, clock: Clock) -> Stores:
    """The stores over a database that is open already."""
    return Stores(
        database=database,
        inbox=SqlInbox(database, clock),
        people=SqlPeople(database, clock),
        history=SqlHistory(database),
        continuations=SqlContinuations(database),
        tickets=SqlTickets(database),
        ledger=SqlLedger(database),
        passages=PassageStore(database),
        vectors=VectorStore(database),
        settings=SqlSettings(database),
        forms=SqlForms(database),
        uses=SqlUses(database),
        summaries=SqlSummaries(database),
        spending=SqlSpending(database),
        directory=SqlDirectory(database),
        audits=SqlAudits(database),
        broadcasts=SqlBroadcasts(database),
        exports=SqlExports(database, clock),
        threads=SqlThreads(database, clock),
        door=SqlDoor(database),
        files=SqlFiles(database),
    )


async def open_stores(path: str, clock: Clock, *, read_only: bool = False) -> Stores:
    """Open the file and everything kept in it. Raises what `SqliteDatabase.open` raises."""
    return stores(await SqliteDatabase.open(path, clock=clock, read_only=read_only), clock)
