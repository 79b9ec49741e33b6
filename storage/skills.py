"""What skills keep: open questions to a person, and how often a skill was used.

Both are written by settlements only.
"""

from __future__ import annotations

from bot.types import Await, Lease, MemoryId, PersonId, Settlement, UseSkill
from storage.database import Database, Tx
from storage.rows import number, string
from storage.threads import shared


class SqlForms:
    """Forms over the table form."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_for(self, memory: MemoryId, person: PersonId, *, at: int) -> Await | None:
        async def work(tx: Tx) -> Await | None:
            rows = await tx.run("find_form", memory=memory, person=person, at=at)
            if not rows:
                return None
            return Await(
                word=string(rows[0], "word"),
                given=string(rows[0], "given"),
                locale=string(rows[0], "locale"),
                until=number(rows[0], "until"),
            )

        return await self._database.read(work)


class SqlUses:
    """Uses over the table skill_use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, person: PersonId, skill: str, *, since: int) -> int:
        async def work(tx: Tx) -> int:
            rows = await tx.run("count_skill_uses", person=person, skill=skill, since=since)
            return number(rows[0], "uses")

        return await self._database.read(work)


async def close_forms(tx: Tx, settlement: Settlement) -> None:
    """Whatever was settled, what was asked before it is not waited for any more."""
    if settlement.person:
        await tx.run("close_forms", person=settlement.person, memory=settlement.memory)


async def apply_skill(
    tx: Tx, change: Await | UseSkill, lease: Lease, settlement: Settlement, *, now: int
) -> None:
    """A question to the person, or one more use."""
    if isinstance(change, Await):
        await _open_form(tx, change, lease, settlement, now=now)
    else:
        await _add_use(tx, change, lease, settlement, now=now)


async def _open_form(
    tx: Tx, form: Await, lease: Lease, settlement: Settlement, *, now: int
) -> None:
    """The person's next plain message answers this; in a shared thread it needs no mention."""
    if shared(lease.place):
        key = lease.conversation
        conversation = (await tx.run("find_conversation", key=key))[0]["id"]
        await tx.run("join_party", conversation=conversation, sender=lease.sender.user, now=now)
    await tx.run(
        "open_form",
        person=settlement.person,
        memory=settlement.memory,
        word=form.word,
        given=form.given,
        locale=form.locale,
        until=form.until,
    )


async def _add_use(
    tx: Tx, use: UseSkill, lease: Lease, settlement: Settlement, *, now: int
) -> None:
    """One more use of a skill."""
    await tx.run(
        "add_skill_use", person=settlement.person, skill=use.skill, at=now, answer=lease.id
    )
