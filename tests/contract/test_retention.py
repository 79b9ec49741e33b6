"""The laws of retention: what is old goes, what is open or young stays, nobody waits long."""

from __future__ import annotations

from bot.types import Anchor, MemoryId, MessageRef, PersonId, Signal, Turn
from storage import Stores
from storage.retention import DAY_MS, Retention, prune
from tests.contract.stores import (
    HandClock,
    clock,
    desk,
    drain,
    intake,
    lease_one,
    message,
    place,
    put,
    settlement,
)

__all__ = ["clock", "desk"]


async def test_settled_messages_go_after_their_days_and_open_ones_never(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    ref = MessageRef(place=place(), id="1")
    await desk.inbox.anchor(lease, Anchor(part=0, ref=ref))
    await desk.inbox.settle(lease, settlement())
    await put(desk, message(2))
    now = clock.now()
    assert (await prune(desk.database, Retention(), now=now + 6 * DAY_MS))["done"] == 0
    assert (await prune(desk.database, Retention(), now=now + 8 * DAY_MS))["done"] == 1
    assert len(await drain(desk)) == 1


async def test_within_the_days_a_redelivery_is_still_known(desk: Stores, clock: HandClock) -> None:
    """Telegram redelivers for a day; the row that knows it is kept longer."""
    await put(desk, message(1))
    await drain(desk)
    await prune(desk.database, Retention(), now=clock.now() + 2 * DAY_MS)
    assert await put(desk, message(1)) == [False]


async def test_dead_letters_stay_longer_than_the_done(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    await desk.inbox.bury(await lease_one(desk), settlement(), error="poison")
    for days, gone in ((8, 0), (31, 1)):
        pruned = await prune(desk.database, Retention(), now=clock.now() + days * DAY_MS)
        assert pruned["dead"] == gone


async def test_old_turns_go_and_new_ones_stay(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    young = clock.now()
    turns = tuple(
        Turn(role="user", text=str(at), said_at=at) for at in (0, young - 91 * DAY_MS, young)
    )
    said = settlement()
    said = type(said)(
        outcome="answered", memory=MemoryId("memory"), person=PersonId(1), turns=turns
    )
    await desk.inbox.settle(await lease_one(desk), said)
    assert (await prune(desk.database, Retention(), now=young))["turns"] == 2
    left = await desk.history.last(MemoryId("memory"), 9)
    assert [turn.text for turn in left] == [str(young)]


async def test_many_rows_go_in_slices(desk: Stores, clock: HandClock) -> None:
    await put(desk, *(message(n) for n in range(1203)))
    await drain(desk)
    pruned = await prune(desk.database, Retention(), now=clock.now() + 8 * DAY_MS)
    assert pruned["done"] == 1203


async def test_signals_go_too(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    stop = Signal(kind="stop", conversation=place().conversation, position=9)
    await desk.inbox.put([intake(signal=stop)])
    pruned = await prune(desk.database, Retention(), now=clock.now() + 8 * DAY_MS)
    assert pruned["signals"] == 1
