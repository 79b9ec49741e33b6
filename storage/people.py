"""Who is who: one person behind the identities that platforms know them by."""

from __future__ import annotations

from dataclasses import replace

from bot.clock import Clock
from bot.types import Person, PersonId, Place, Role, Sender
from storage.access import groups_of, person_of
from storage.codec import write_place
from storage.database import Database, Tx
from storage.rows import number, string_or_none


class SqlPeople:
    """People over the tables person and identity. `locale` is what the person chose."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def person(self, place: Place, sender: Sender) -> Person:
        known = {"platform": place.platform, "account": place.account, "user_id": sender.user}
        home = write_place(replace(place, thread=None)) if place.private else None
        now = self._clock.now()

        async def look(tx: Tx) -> Person | None:
            found = await _find(tx, known)
            return found[0] if found and not _moved(found, sender, home) else None

        async def work(tx: Tx) -> Person:
            if (found := await _find(tx, known)) is None:
                found = await _add(tx, known, sender, now=now), None, ()
            person = found[0]
            if _renamed(person, sender):
                await tx.run("rename_person", id=person.id, name=sender.name)
                person = replace(person, name=sender.name)
            if home not in (None, found[1]):
                await tx.run("set_home", id=person.id, home=home)
            if sender.groups != found[2]:
                await tx.run("set_groups", groups=",".join(sender.groups), **known)
            return person

        person = await self._database.read(look)
        return await self._database.write(work) if person is None else person

    async def set_role(self, person: PersonId, role: Role) -> None:
        async def work(tx: Tx) -> None:
            await tx.run("set_role", id=person, role=role.value)

        await self._database.write(work)


async def enrol(tx: Tx, place: Place, sender: Sender, *, now: int) -> PersonId:
    """Whom a platform knows by this id, within another's transaction; somebody new is added."""
    known = {"platform": place.platform, "account": place.account, "user_id": sender.user}
    found = await _find(tx, known)
    return (found[0] if found else await _add(tx, known, sender, now=now)).id


async def _add(tx: Tx, known: dict[str, str], sender: Sender, *, now: int) -> Person:
    row = (await tx.run("add_person", name=sender.name, now=now))[0]
    await tx.run("add_identity", person=number(row, "id"), **known)
    return Person(id=PersonId(number(row, "id")), name=sender.name)


_Found = tuple[Person, str | None, tuple[str, ...]]
"""Somebody, where they can be written to alone, and their groups of users."""


async def _find(tx: Tx, known: dict[str, str]) -> _Found | None:
    rows = await tx.run("find_person", **known)
    if not rows:
        return None
    return person_of(rows[0]), string_or_none(rows[0], "home"), groups_of(rows[0])


def _moved(found: _Found, sender: Sender, home: str | None) -> bool:
    """There is something new to keep of them."""
    others = home not in (None, found[1]) or sender.groups != found[2]
    return others or _renamed(found[0], sender)


def _renamed(person: Person, sender: Sender) -> bool:
    return bool(sender.name) and sender.name != person.name
