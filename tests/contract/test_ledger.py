"""The laws of the ledger and the settings: every number comes back as it was given."""

from __future__ import annotations

from bot.ports import Beside, Directory, Ledger
from bot.types import (
    AnswerId,
    Change,
    Feedback,
    Gap,
    LedgerRow,
    PersonId,
    Place,
    Route,
    Sender,
    Usage,
)
from storage import Stores
from tests.contract.stores import HandClock, lease_one, message, put, settlement

FULL = LedgerRow(
    at=200,
    route="grounded",
    outcome="declined",
    total_ms=1234,
    first_text_ms=56,
    model="glm",
    usage=Usage(prompt=1, completion=2, cached=3, reasoning=4, estimated=True),
    cost=0.25,
    currency="CNY",
    edits=5,
    throttled=6,
    attempts=7,
    finish="cut",
    error="ModelBusy",
    confidence=0.5,
    cached=True,
)


async def _add(desk: Stores, position: int, row: LedgerRow) -> None:
    await put(desk, message(position))
    await desk.inbox.settle(await lease_one(desk), settlement(ledger=row))


async def test_a_row_comes_back_as_it_was_given(desk: Stores) -> None:
    ledger: Ledger = desk.ledger
    await _add(desk, 1, FULL)
    assert await ledger.rows(0, 1000) == [FULL]


async def test_a_range_includes_its_start_and_not_its_end(desk: Stores) -> None:
    for position, at in enumerate((300, 100, 200)):
        row = LedgerRow(at=at, route="open", outcome="answered", total_ms=0)
        await _add(desk, position, row)
    assert [row.at for row in await desk.ledger.rows(100, 300)] == [100, 200]
    assert [row.at for row in await desk.ledger.rows(0, 1000)] == [100, 200, 300]


async def test_beside_the_answers_of_a_time_stand_its_letters_verdicts_askers_and_gaps(
    desk: Stores, clock: HandClock
) -> None:
    """Each counted where it happened: nothing of before or after, nothing that we sent."""
    begun = clock.now()
    assert await desk.ledger.beside(0, begun + 1) == Beside()
    acts: tuple[tuple[str, Route, Change], ...] = (
        ("Ann", "grounded", Feedback(answer=AnswerId(1), good=True)),
        ("Bob", "abstained", Gap(question="Why?", locale="en", confidence=0.25)),
        ("Bob", "abstained", Gap(question="", locale="en")),  # blanked by its asker
        ("Bob", "relay", Feedback(answer=AnswerId(1), good=False)),
    )
    for position, (name, route, change) in enumerate(acts, 1):
        clock.pass_(10)
        said = message(position)
        person = await desk.people.person(said.place, Sender(user=name, name=name))
        await put(desk, said)
        row = LedgerRow(at=clock.now(), route=route, outcome="answered", total_ms=0)
        made = settlement(changes=(change,), ledger=row, person=person.id)
        await desk.inbox.settle(await lease_one(desk), made)
    clock.pass_(10)
    await put(desk, message(9))
    await desk.inbox.bury(await lease_one(desk), settlement(), error="gave up")
    whole = Beside(
        dead=1,
        good=1,
        bad=1,
        askers=(("Bob (#2)", 2), ("Ann (#1)", 1)),
        gaps=(Gap(question="Why?", locale="en", confidence=0.25),),
    )
    assert await desk.ledger.beside(begun, clock.now() + 1) == whole
    assert await desk.ledger.beside(begun, begun + 10_000) == Beside()
    assert await desk.ledger.beside(clock.now(), clock.now() + 1) == Beside(dead=1)


async def test_a_person_s_home_is_where_they_wrote_in_private(desk: Stores) -> None:
    directory: Directory = desk.directory
    ann = Sender(user="7", name="Ann")
    group = Place(platform="telegram", account="1", channel="-5")
    alone = Place(platform="telegram", account="1", channel="7", private=True)
    person = await desk.people.person(group, ann)
    assert await directory.home(person.id) is None
    await desk.people.person(alone, ann)
    assert await directory.home(person.id) == alone
    assert await directory.home(PersonId(999)) is None


async def test_a_setting_is_made_once_and_can_be_changed(desk: Stores) -> None:
    assert await desk.settings.get("salt") is None
    assert await desk.settings.get_or_set("salt", "first") == "first"
    assert await desk.settings.get_or_set("salt", "second") == "first"
    await desk.settings.put("salt", "third")
    assert await desk.settings.get("salt") == "third"
