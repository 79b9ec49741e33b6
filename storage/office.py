"""The admin pages' own tables, and their view over everybody's."""

from __future__ import annotations

from dataclasses import replace

from bot.office import Talk, TicketRow, Transcript
from bot.types import AdmitAdmin, Lease, Turn
from storage.access import actor_of
from storage.database import Database, Row, Tx
from storage.dead import DeadLetter, dead_letters
from storage.history import turn_of
from storage.rows import number, number_or_none, string, string_or_none

_DAY_MS = 86_400_000


class SqlDoor:
    """Door over the tables admin_link, admin_session and audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def knows(self, link: str, *, at: int) -> bool:
        async def work(tx: Tx) -> bool:
            rows = await tx.run("find_link", token=link)
            return any(row["spent_at"] is None and number(row, "until") > at for row in rows)

        return await self._database.read(work)

    async def enter(self, link: str, session: str, *, at: int, until: int) -> str | None:
        async def work(tx: Tx) -> str | None:
            rows = await tx.run("spend_link", token=link, now=at)
            if not rows:
                return None
            actor = string(rows[0], "actor")
            await tx.run("drop_old_sessions", now=at)
            await tx.run("add_session", token=session, actor=actor, until=until)
            await tx.run("add_audit", now=at, actor=actor, action="admin login", detail="")
            return actor

        return await self._database.write(work)

    async def whose(self, session: str, *, at: int) -> str | None:
        async def work(tx: Tx) -> str | None:
            rows = await tx.run("find_session", token=session, now=at)
            return string(rows[0], "actor") if rows else None

        return await self._database.read(work)

    async def leave(self, session: str) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("drop_session", token=session)

        await self._database.write(work)

    async def empty(self) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("drop_sessions")

        await self._database.write(work)

    async def note(self, actor: str, action: str, detail: str, *, at: int) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("add_audit", now=at, actor=actor, action=action, detail=detail)

        await self._database.write(work)


async def admit(tx: Tx, change: AdmitAdmin, lease: Lease, *, now: int) -> None:
    """The link that was sent opens the pages, to whoever asked for it."""
    await tx.run("drop_old_links", before=now - _DAY_MS)
    await tx.run("add_link", token=change.token, actor=actor_of(lease), until=change.until)


class SqlFiles:
    """Files over the tables memory, turn, ticket and inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def talks(self, containing: str, limit: int) -> list[Talk]:
        wanted = _like(containing)

        async def work(tx: Tx) -> list[Talk]:
            rows = await tx.run("latest_memories", wanted=wanted, limit=limit)
            return [_talk(row) for row in rows]

        return await self._database.read(work)

    async def transcript(self, memory: int, limit: int, before: int) -> Transcript | None:
        async def work(tx: Tx) -> Transcript | None:
            known = await tx.run("find_memory", id=memory)
            if not known:
                return None
            asked = {"memory": memory, "before": before, "limit": limit + 1}
            rows = list(await tx.run("turns_before", **asked))
            shown = rows[:limit]
            turns = [_turn(row) for row in reversed(shown)]
            return Transcript(
                id=memory,
                key=string(known[0], "key"),
                turns=tuple(turns),
                earlier=number(shown[-1], "seq") if len(rows) > limit else None,
            )

        return await self._database.read(work)

    async def tickets(self, limit: int) -> list[TicketRow]:
        async def work(tx: Tx) -> list[TicketRow]:
            return [_ticket(row) for row in await tx.run("latest_tickets", limit=limit)]

        return await self._database.read(work)

    async def close_ticket(self, ticket: int, *, at: int) -> bool:
        async def work(tx: Tx) -> bool:
            return bool(await tx.run("close_ticket", id=ticket, now=at))

        return await self._database.write(work)

    async def letters(self, limit: int) -> list[DeadLetter]:
        return await dead_letters(self._database, limit)


def _like(containing: str) -> str:
    """A LIKE pattern in which nothing that was typed has a meaning; "" asks for everything."""
    plain = containing.strip().lower()
    for sign in "\\%_":
        plain = plain.replace(sign, "\\" + sign)
    return f"%{plain}%" if plain else ""


def _turn(row: Row) -> Turn:
    """A turn under the name of whoever said it: in private, history keeps none beside the text."""
    turn = turn_of(row)
    if turn.name or turn.role != "user":
        return turn
    return replace(turn, name=string_or_none(row, "person") or "")


def _talk(row: Row) -> Talk:
    return Talk(
        id=number(row, "memory"),
        key=string(row, "key"),
        said_at=number(row, "said_at"),
        person=number_or_none(row, "person") or 0,
        name=string_or_none(row, "name") or "",
        ours=string(row, "role") == "assistant",
        text=string(row, "text"),
    )


def _ticket(row: Row) -> TicketRow:
    return TicketRow(
        id=number(row, "id"),
        person=number(row, "person"),
        name=string_or_none(row, "name") or "",
        conversation=string(row, "conversation"),
        reason=string(row, "reason"),
        summary=string(row, "summary"),
        opened_at=number(row, "opened_at"),
        closed_at=number_or_none(row, "closed_at"),
    )
