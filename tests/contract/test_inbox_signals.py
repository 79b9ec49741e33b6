"""The laws of what does not stand in the line: timers, signals, and who is woken by them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.ports import Intake
from bot.types import Anchor, Lease, MessageRef, Signal
from storage import Stores, stores
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
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import VirtualClock, run_virtual

# --- timers ------------------------------------------------------------------------------------


async def test_a_timer_is_work_when_it_is_due_and_not_before(
    desk: Stores, clock: HandClock
) -> None:
    timer = replace(message(1, channel="timer"), origin="timer")
    assert await desk.inbox.put_later(timer, due_at=clock.now() + 5000)
    assert not await desk.inbox.put_later(timer, due_at=clock.now() + 1)
    clock.pass_(4)
    assert await desk.inbox.lease("me") == []
    assert (await desk.inbox.depth()).waiting == 0
    clock.pass_(1)
    assert texts(await lease_one(desk)) == ["text 1"]


async def test_a_far_timer_delays_nobody_in_its_conversation(
    desk: Stores, clock: HandClock
) -> None:
    await desk.inbox.put_later(message(1), due_at=clock.now() + 60_000)
    await put(desk, message(2))
    assert [texts(lease) for lease in await drain(desk)] == [["text 2"]]
    clock.pass_(60)
    assert texts(await lease_one(desk)) == ["text 1"]


# --- signals -----------------------------------------------------------------------------------


async def test_signals_reach_the_holder_once_in_order(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    sent = [_stop(lease, position) for position in (5, 6)]
    await desk.inbox.put([intake(signal=one) for one in sent])
    assert (await desk.inbox.renew(lease))[1] == tuple(sent)
    assert (await desk.inbox.renew(lease))[1] == ()
    assert await desk.inbox.put([intake(signal=sent[0])]) == [False]


async def test_a_command_may_be_message_and_signal_at_once(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    stop = replace(_stop(lease, 2), key="m2")
    said = message(2, "/stop", alone=True)
    event = Intake(raw="", delivery="u2", message=said, signal=replace(stop, key=None))
    assert await desk.inbox.put([event]) == [True]
    assert await desk.inbox.put([event]) == [False]
    assert await desk.inbox.heed(lease, 0) == (stop,)
    await desk.inbox.settle(lease, settlement())
    assert texts(await lease_one(desk)) == ["/stop"]


async def test_a_command_that_did_its_work_ends_with_the_answer_it_stopped(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await put(desk, message(2, "/stop", alone=True), message(3, alone=True))
    await desk.inbox.settle(lease, replace(settlement(), covers=("m2",)))
    assert [texts(one) for one in await drain(desk)] == [["text 3"]]


async def test_a_lapsed_holder_takes_no_signals_from_the_new_one(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    old = await lease_one(desk, "old")
    clock.pass_(31)
    new = await lease_one(desk, "new")
    stop = _stop(new, 9)
    await desk.inbox.put([intake(signal=stop)])
    assert await desk.inbox.heed(old, 0) == ()
    assert await desk.inbox.heed(new, 0) == (stop,)


async def test_an_edit_rewords_a_message_that_waits(desk: Stores) -> None:
    await put(desk, message(1))
    edit = Signal(kind="edit", conversation=place().conversation, key="m1", text="better")
    assert await desk.inbox.put([intake(signal=edit)]) == [True]
    lease = await lease_one(desk)
    assert texts(lease) == ["better"]
    assert await desk.inbox.heed(lease, 0) == ()


async def test_an_edit_during_an_answer_is_heard_and_kept_for_the_next_attempt(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    edit = Signal(kind="edit", conversation=lease.conversation, key="m1", text="better")
    await desk.inbox.put([intake(signal=edit)])
    assert await desk.inbox.heed(lease, 0) == (edit,)
    await desk.inbox.rest(lease, until=clock.now(), error="question edited", counts=False)
    assert texts(await lease_one(desk)) == ["better"]


async def test_a_deleted_message_that_waits_is_superseded(desk: Stores) -> None:
    await put(desk, message(1, alone=True), message(2))
    gone = Signal(kind="delete", conversation=place().conversation, key="m1")
    assert await desk.inbox.put([intake(signal=gone)]) == [True]
    assert [texts(lease) for lease in await drain(desk)] == [["text 2"]]


async def test_a_deletion_during_an_answer_is_heard_by_it(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    gone = Signal(kind="delete", conversation=lease.conversation, key="m1")
    await desk.inbox.put([intake(signal=gone)])
    assert await desk.inbox.heed(lease, 0) == (gone,)
    await desk.inbox.settle(lease, settlement(outcome="superseded"))


async def test_a_deletion_between_attempts_waits_for_the_lease_that_cleans_the_screen(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await desk.inbox.anchor(lease, _anchor("1"))
    await desk.inbox.rest(lease, until=clock.now(), error="")
    gone = Signal(kind="delete", conversation=lease.conversation, key="m1")
    await desk.inbox.put([intake(signal=gone)])
    again = await lease_one(desk)
    assert again.signals == (gone,)
    assert await desk.inbox.heed(again, 0) == ()


async def test_a_signal_right_after_the_lease_is_heard_though_nobody_listened_yet(
    desk: Stores,
) -> None:
    await put(desk, message(1), message(1, channel="2"))
    mine, theirs = await desk.inbox.lease("me", 2)
    stop = _stop(mine, 9)
    await desk.inbox.put([intake(signal=stop)])
    assert await desk.inbox.heed(theirs, 0) == ()
    assert await desk.inbox.heed(mine, 0) == (stop,)


async def test_what_was_heard_and_not_settled_is_heard_by_the_next_holder(
    desk: Stores, clock: HandClock
) -> None:
    """A stop and a deletion; an edit has changed the message itself. Settled, they are over."""
    await put(desk, message(1))
    old = await lease_one(desk, "old")
    stop = _stop(old, 9)
    gone = Signal(kind="delete", conversation=old.conversation, key="m1")
    edit = Signal(kind="edit", conversation=old.conversation, key="m1", text="better")
    await desk.inbox.put([intake(signal=one) for one in (stop, gone, edit)])
    assert await desk.inbox.heed(old, 0) == (stop, gone, edit)
    clock.pass_(31)
    new = await lease_one(desk, "new")
    assert (new.signals, texts(new)) == ((stop, gone), ["better"])
    assert await desk.inbox.heed(new, 0) == ()
    await desk.inbox.settle(new, settlement())
    await put(desk, message(2))
    assert (await lease_one(desk)).signals == ()


@pytest.mark.parametrize("heard", [True, False])
async def test_what_came_after_a_stop_is_not_stopped_with_what_rests(
    desk: Stores, clock: HandClock, heard: bool
) -> None:
    """The button stands under an answer that rests, or whose desk is away: what was asked behind it
    is no part of that answer, and gets its own.
    """
    await put(desk, message(1), message(2))
    old = await lease_one(desk, "old")
    await desk.inbox.anchor(old, _anchor("1"))
    stop = Signal(kind="stop", conversation=old.conversation, answer=old.id)
    await desk.inbox.put([intake(signal=stop)])
    if heard:
        assert await desk.inbox.heed(old, 0) == (stop,)
    await put(desk, message(3))
    clock.pass_(31)
    new = await lease_one(desk, "new")
    assert (new.signals, texts(new)) == ((stop,), ["text 1", "text 2"])
    await desk.inbox.settle(new, settlement())
    after = await lease_one(desk, "new")
    assert (after.signals, texts(after)) == ((), ["text 3"])


async def test_a_line_that_a_deletion_has_emptied_is_no_work(desk: Stores) -> None:
    """The conversation is still due; it is put to sleep, and wakes with the next message."""
    await put(desk, message(1))
    there = place().conversation
    await desk.inbox.put([intake(signal=Signal(kind="delete", conversation=there, key="m1"))])
    assert await desk.inbox.lease("me") == []
    await put(desk, message(2))
    assert texts(await lease_one(desk)) == ["text 2"]


async def test_a_signal_to_a_place_where_nothing_was_said_is_dropped(desk: Stores) -> None:
    signal = Signal(kind="stop", conversation=place("nowhere").conversation, position=1)
    assert await desk.inbox.put([intake(signal=signal)]) == [False]


# --- waiting -----------------------------------------------------------------------------------


async def test_wait_returns_at_once_while_something_is_due(desk: Stores) -> None:
    await put(desk, message(1))
    async with asyncio.timeout(5):
        await desk.inbox.wait(60)


async def test_wait_ends_when_a_message_comes(desk: Stores) -> None:
    waiting = asyncio.create_task(desk.inbox.wait(60))
    await _settled()
    assert not waiting.done()
    await put(desk, message(1))
    async with asyncio.timeout(5):
        await waiting


async def test_heed_ends_for_its_own_conversation_only(desk: Stores) -> None:
    await put(desk, message(1, channel="1"), message(1, channel="2"))
    mine, theirs = await desk.inbox.lease("me", 2)
    heeding = asyncio.create_task(desk.inbox.heed(mine, 60))
    other = asyncio.create_task(desk.inbox.heed(theirs, 60))
    await _settled()
    stop = _stop(mine, 9)
    await desk.inbox.put([intake(signal=stop)])
    async with asyncio.timeout(5):
        assert await heeding == (stop,)
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def test_depth_counts_what_is_due_held_and_given_up(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1, channel="1"), message(1, channel="2"))
    await desk.inbox.lease("me")
    clock.pass_(3)
    depth = await desk.inbox.depth()
    assert (depth.waiting, depth.leased, depth.dead, depth.oldest_ms) == (2, 1, 0, 3000)


def test_wait_ends_when_a_timer_is_due_and_when_the_time_is_up() -> None:
    """Seen on virtual time: to the millisecond."""

    async def watch() -> tuple[float, float]:
        clock = VirtualClock()
        desk = stores(InlineDatabase.open(), clock)
        await desk.inbox.put_later(message(1), due_at=clock.now() + 2500)
        await desk.inbox.wait(60)
        timer = clock.monotonic()
        await drain(desk)
        await desk.inbox.wait(10)
        await desk.close()
        return timer, clock.monotonic()

    assert run_virtual(watch()) == (2.5, 12.5)


def test_a_rest_that_begins_while_the_worker_waits_is_woken_from_in_time() -> None:
    """The waiter fell asleep knowing the lease's end only."""

    async def watch() -> float:
        clock = VirtualClock()
        desk = stores(InlineDatabase.open(), clock)
        await put(desk, message(1))
        lease = await lease_one(desk)
        waiting = asyncio.create_task(desk.inbox.wait(60))
        await clock.sleep(1)
        await desk.inbox.rest(lease, until=clock.now() + 2000, error="")
        await waiting
        while not await desk.inbox.lease("me"):
            await desk.inbox.wait(60)
        await desk.close()
        return clock.monotonic()

    assert run_virtual(watch()) == 3.0


# --- words of this file --------------------------------------------------------------------------


def _anchor(id_: str) -> Anchor:
    return Anchor(part=0, ref=MessageRef(place=place(), id=id_))


def _stop(lease: Lease, position: int) -> Signal:
    return Signal(kind="stop", conversation=lease.conversation, position=position)


async def _settled() -> None:
    """Let every task get as far as it can; a thread's answer takes a few rounds of the loop."""
    for _ in range(20):
        await asyncio.sleep(0.001)
