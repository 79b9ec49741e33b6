"""Who may do how much: what was spent, people found by what admins call them, and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.ports import AuditEntry, Banned, Spent
from bot.types import (
    Audit,
    Lease,
    Person,
    PersonId,
    Place,
    Role,
    Sender,
    SetQuota,
    SetRole,
    Settlement,
)
from storage.codec import read_place
from storage.database import Database, Row, Tx
from storage.rows import number, number_or_none, real_or_none, string, string_or_none


class SqlSpending:
    """Spending over the table ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(
        self, person: PersonId, place: Place, *, minute: int, day: int, desk: bool
    ) -> Spent:
        async def work(tx: Tx) -> Spent:
            counted = {"person": person, "minute": minute, "day": day, "since": min(minute, day)}
            own = (await tx.run("count_person", **counted))[0]
            chat = (await tx.run("count_chat", chat=chat_key(place), since=minute))[0]
            found = Spent(
                person_minute=number(own, "minute"),
                chat_minute=number(chat, "minute"),
                person_day=number(own, "day"),
                person_tokens=number(own, "tokens"),
            )
            if not desk:
                return found
            whole = (await tx.run("count_desk", since=day))[0]
            cost = real_or_none(whole, "cost") or 0.0
            return replace(found, desk_tokens=number(whole, "tokens"), desk_cost=cost)

        return await self._database.read(work)


class SqlDirectory:
    """Directory over the tables person and identity."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_identity(self, platform: str, account: str, user: str) -> Person | None:
        async def work(tx: Tx) -> Person | None:
            known = {"platform": platform, "account": account, "user_id": user}
            return _one(await tx.run("find_person", **known))

        return await self._database.read(work)

    async def by_number(self, person: PersonId) -> Person | None:
        async def work(tx: Tx) -> Person | None:
            return _one(await tx.run("person_by_id", id=person))

        return await self._database.read(work)

    async def by_name(self, name: str) -> list[Person]:
        async def work(tx: Tx) -> list[Person]:
            return [person_of(row) for row in await tx.run("people_named", name=name)]

        return await self._database.read(work)

    async def home(self, person: PersonId) -> Place | None:
        async def work(tx: Tx) -> Place | None:
            rows = await tx.run("find_home", id=person)
            home = string_or_none(rows[0], "home") if rows else None
            return read_place(home) if home is not None else None

        return await self._database.read(work)

    async def known_as(self, person: PersonId) -> list[tuple[Place, Sender]]:
        async def work(tx: Tx) -> list[tuple[Place, Sender]]:
            return [_identity(row) for row in await tx.run("identities_of", person=person)]

        return await self._database.read(work)

    async def banned(self, limit: int) -> list[Banned]:
        async def work(tx: Tx) -> list[Banned]:
            return [_banned(row) for row in await tx.run("banned_people", limit=limit)]

        return await self._database.read(work)


class SqlAudits:
    """Audits over the table audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, limit: int) -> list[AuditEntry]:
        async def work(tx: Tx) -> list[AuditEntry]:
            return [
                AuditEntry(
                    at=number(row, "at"),
                    actor=string(row, "actor"),
                    action=string(row, "action"),
                    detail=string(row, "detail"),
                )
                for row in await tx.run("last_audits", limit=limit)
            ]

        return await self._database.read(work)


def chat_key(place: Place) -> str:
    """One chat, whichever of its threads."""
    return f"{place.platform}:{place.account}:{place.channel}"


def person_of(row: Row) -> Person:
    """A row of the table person."""
    return Person(
        id=PersonId(number(row, "id")),
        name=string(row, "name"),
        locale=string_or_none(row, "locale"),
        role=Role(string(row, "role")),
        allowed=bool(number(row, "allowed")),
        quota=number_or_none(row, "quota"),
    )


def groups_of(row: Row) -> tuple[str, ...]:
    """The groups of users in a row of the table identity."""
    return tuple(filter(None, string(row, "user_groups").split(",")))


async def apply_access(
    tx: Tx, change: Audit | SetRole | SetQuota, lease: Lease, settlement: Settlement, *, now: int
) -> None:
    """What an admin decided, and that they did."""
    match change:
        case Audit():
            detail, actor = change.detail, actor_of(lease)
            await tx.run("add_audit", now=now, actor=actor, action=change.action, detail=detail)
        case SetRole():
            await tx.run(
                "set_access",
                id=change.person,
                role=change.role.value,
                allowed=int(change.allowed),
                reason=change.reason,
                now=now,
            )
        case SetQuota():
            await tx.run("set_quota", id=change.person, quota=change.answers)


def actor_of(lease: Lease) -> str:
    """Who spoke, as settings name admins, with the account they spoke on."""
    return f"{lease.place.platform}:{lease.place.account}/{lease.sender.user}"


def _identity(row: Row) -> tuple[Place, Sender]:
    user = string(row, "user_id")
    place = Place(platform=string(row, "platform"), account=string(row, "account"), channel=user)
    return place, Sender(user=user, groups=groups_of(row))


def _banned(row: Row) -> Banned:
    at, reason = number_or_none(row, "banned_at"), string(row, "ban_reason")
    return Banned(person=person_of(row), at=at, reason=reason)


def _one(rows: Sequence[Row]) -> Person | None:
    return person_of(rows[0]) if rows else None
