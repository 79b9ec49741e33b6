"""The laws of people: one person per identity, for ever; roles and languages stay."""

from __future__ import annotations

import asyncio

import pytest

from bot.ports import People
from bot.types import Role, Sender, SetLocale
from storage import Stores
from tests.contract.stores import lease_one, message, place, put, settlement

ANN = Sender(user="1", name="Ann")


async def test_the_same_sender_is_the_same_person(desk: Stores) -> None:
    people: People = desk.people
    first = await people.person(place("a"), ANN)
    assert first == await people.person(place("b"), ANN)
    assert (first.name, first.role, first.locale) == ("Ann", Role.CUSTOMER, None)


async def test_many_first_messages_at_once_make_one_person(desk: Stores) -> None:
    people = await asyncio.gather(*(desk.people.person(place(), ANN) for _ in range(10)))
    assert len({person.id for person in people}) == 1


async def test_equal_ids_on_two_accounts_are_two_people(desk: Stores) -> None:
    here, there = place(), place().__class__(platform="fake", account="other", channel="1")
    assert (await desk.people.person(here, ANN)).id != (await desk.people.person(there, ANN)).id


async def test_a_new_name_is_taken_and_an_empty_one_is_not(desk: Stores) -> None:
    first = await desk.people.person(place(), ANN)
    renamed = await desk.people.person(place(), Sender(user="1", name="Anna"))
    assert (renamed.id, renamed.name) == (first.id, "Anna")
    assert (await desk.people.person(place(), Sender(user="1"))).name == "Anna"


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_stays_until_it_is_changed(desk: Stores, role: Role) -> None:
    person = await desk.people.person(place(), ANN)
    await desk.people.set_role(person.id, role)
    assert (await desk.people.person(place(), ANN)).role is role


@pytest.mark.parametrize("locale", ["zh", None])
async def test_a_chosen_language_stays_and_can_be_given_up(
    desk: Stores, locale: str | None
) -> None:
    person = await desk.people.person(place(), ANN)
    for position, choice in enumerate(("en", locale)):
        await put(desk, message(position))
        change = SetLocale(locale=choice)
        await desk.inbox.settle(
            await lease_one(desk), settlement(changes=(change,), person=person.id)
        )
    assert (await desk.people.person(place(), ANN)).locale == locale
