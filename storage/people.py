"""Who is who: one person behind the identities that platforms know them by."""

from __future__ import annotations

from bot.clock import Clock
from bot.types import Person, PersonId, Place, Role, Sender
from storage.database import Database, Tx
from storage.rows import number, string, string_or_none


class SqlPeople:
    """People over the tables person and identity. `locale` is what the person chose."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def person(self, place: Place, sender: Sender) -> Person:
        known = {"platform": place.platform, "account": place.account, "user_id": sender.user}
        now = self._clock.now()

        async def look(tx: Tx) -> Person | None:
            return await _find(tx, known)

        async def work(tx: Tx) -> Person:
            person = await _find(tx, known)
            if person is None:
                row = (await tx.run("add_person", name=sender.name, now=now))[0]
                await tx.run("add_identity", person=number(row, "id"), **known)
                return Person(id=PersonId(number(row, "id")), name=sender.name)
            if _renamed(person, sender):
                await tx.run("rename_person", id=person.id, name=sender.name)
            return await _find(tx, known) or person

        person = await self._database.read(look)
        if person is None or _renamed(person, sender):
            person = await self._database.write(work)
        return person

    async def set_role(self, person: PersonId, role: Role) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("set_role", id=person, role=role.value)

        await self._database.write(work)


async def _find(tx: Tx, known: dict[str, str]) -> Person | None:
    rows = await tx.run("find_person", **known)
    if not rows:
        return None
    row = rows[0]
    return Person(
        id=PersonId(number(row, "id")),
        name=string(row, "name"),
        locale=string_or_none(row, "locale"),
        role=Role(string(row, "role")),
    )


def _renamed(person: Person, sender: Sender) -> bool:
    return bool(sender.name) and sender.name != person.name
