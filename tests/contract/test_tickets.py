"""The laws of tickets: opened by settlements, one open for each person and place."""

from __future__ import annotations

from bot.ports import Tickets
from bot.types import OpenTicket, PersonId
from storage import Stores
from tests.contract.stores import lease_one, message, place, put, settlement


async def _open(desk: Stores, position: int, person: int, channel: str = "1") -> int | None:
    await put(desk, message(position, channel=channel))
    change = OpenTicket(reason="asked", staff=place("staff"))
    await desk.inbox.settle(await lease_one(desk), settlement(changes=(change,), person=person))
    tickets: Tickets = desk.tickets
    return await tickets.open_for(PersonId(person), place(channel))


async def test_a_ticket_is_open_for_its_person_at_its_place(desk: Stores) -> None:
    assert await desk.tickets.open_for(PersonId(1), place()) is None
    ticket = await _open(desk, 1, person=1)
    assert ticket is not None
    assert await desk.tickets.open_for(PersonId(2), place()) is None
    assert await desk.tickets.open_for(PersonId(1), place("2")) is None


async def test_asking_again_opens_no_second_ticket(desk: Stores) -> None:
    assert await _open(desk, 1, person=1) == await _open(desk, 2, person=1)


async def test_people_and_places_have_tickets_of_their_own(desk: Stores) -> None:
    opened = [
        await _open(desk, 1, person=1),
        await _open(desk, 2, person=2),
        await _open(desk, 3, person=1, channel="2"),
    ]
    assert len(set(opened)) == 3
