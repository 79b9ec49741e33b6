"""Pieces of one message become work together, durably; a moved place takes its line along."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Intake, Move
from bot.types import IncomingMessage, Place
from storage import Stores
from tests.contract.stores import (
    HandClock,
    drain,
    intake,
    lease_one,
    message,
    place,
    put,
    settlement,
    texts,
)

SETTLE = 700


def piece(said: IncomingMessage) -> Intake:
    return replace(intake(said), settle_ms=SETTLE)


async def answered(desk: Stores) -> list[list[str]]:
    return [texts(lease) for lease in await drain(desk)]


async def test_pieces_wait_for_the_last_of_them(desk: Stores, clock: HandClock) -> None:
    """Each further piece prolongs the wait; then all are one run, in order."""
    for number in (1, 2, 3):
        await desk.inbox.put([piece(message(number))])
        clock.pass_(0.5)
        assert await answered(desk) == []
    clock.pass_(0.2)
    assert await answered(desk) == [["text 1", "text 2", "text 3"]]


async def test_the_short_end_of_a_long_paste_belongs_to_it(desk: Stores, clock: HandClock) -> None:
    """It has no wait of its own, and neither overtakes what it ends nor prolongs that wait."""
    await desk.inbox.put([piece(message(1))])
    clock.pass_(0.3)
    await put(desk, message(2))
    assert await answered(desk) == []
    clock.pass_(0.4)
    assert await answered(desk) == [["text 1", "text 2"]]


async def test_a_piece_delivered_twice_prolongs_nothing(desk: Stores, clock: HandClock) -> None:
    await desk.inbox.put([piece(message(1))])
    clock.pass_(0.6)
    await desk.inbox.put([piece(message(1))])
    clock.pass_(0.1)
    assert await answered(desk) == [["text 1"]]


async def test_pieces_wait_behind_a_running_answer_too(desk: Stores, clock: HandClock) -> None:
    """What arrives while the conversation is held is settled when it is free again."""
    await put(desk, message(1))
    held = await lease_one(desk)
    await desk.inbox.put([piece(message(2))])
    await put(desk, message(3))
    await desk.inbox.settle(held, settlement("q", "a"))
    assert await answered(desk) == []
    clock.pass_(0.7)
    assert await answered(desk) == [["text 2", "text 3"]]


async def test_other_conversations_wait_for_no_piece(desk: Stores) -> None:
    await desk.inbox.put([piece(message(1))])
    await put(desk, message(2, channel="elsewhere"))
    assert await answered(desk) == [["text 2"]]


async def test_a_message_due_much_later_delays_nobody(desk: Stores, clock: HandClock) -> None:
    """A timer is not a piece of what is said meanwhile."""
    await desk.inbox.put_later(message(1), due_at=clock.now() + 3_600_000)
    await put(desk, message(2))
    assert await answered(desk) == [["text 2"]]


# --- a place that moves ---------------------------------------------------------------------------


def moved(old: Place, new: Place) -> Intake:
    return Intake(raw="{}", delivery="move", moved=Move(old=old, new=new))


async def test_the_line_moves_with_its_place(desk: Stores, clock: HandClock) -> None:
    """Old and new messages are one line, in the new place; told twice, it moves once."""
    old, new = place("old"), place("new")
    await put(desk, message(1, channel="old"))
    assert await desk.inbox.put([moved(old, new)]) == [True]
    assert await desk.inbox.put([moved(old, new)]) == [False]
    await put(desk, message(2, channel="new"))
    (lease,) = await drain(desk)
    assert texts(lease) == ["text 1", "text 2"]
    assert {received.message.place for received in lease.messages} == {new}
    assert lease.conversation == new.conversation


async def test_a_lease_that_is_moved_under_is_over(desk: Stores, clock: HandClock) -> None:
    """Its worker finds out at the next write; the work is done again, once, in the new place."""
    old, new = place("old"), place("new")
    await put(desk, message(1, channel="old"))
    await lease_one(desk)
    await desk.inbox.put([moved(old, new)])
    assert await desk.inbox.lease("another", 1) == []
    clock.pass_(31)
    (lease,) = await desk.inbox.lease("another", 1)
    assert lease.place == new


async def test_what_began_in_the_new_place_stays_there(desk: Stores) -> None:
    old, new = place("old"), place("new")
    await put(desk, message(1, channel="old"), message(2, channel="new"))
    assert await desk.inbox.put([moved(old, new)]) == [False]
    assert sorted(await answered(desk)) == [["text 1"], ["text 2"]]
