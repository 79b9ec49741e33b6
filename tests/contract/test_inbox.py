"""The laws of the inbox: nothing lost, nothing twice, order kept, every write fenced."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import fields, replace
from typing import cast

import pytest

from bot.errors import LeaseLost
from bot.ports import Inbox, Intake
from bot.types import (
    Anchor,
    Button,
    DurableAnswer,
    Feedback,
    Forget,
    Forward,
    Gap,
    Lease,
    LedgerRow,
    MemoryId,
    MessageRef,
    OpenTicket,
    PersonId,
    SetLocale,
    Settlement,
)
from storage import Stores
from storage.database import Tx
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


def test_the_store_is_an_inbox(desk: Stores) -> None:
    port: Inbox = desk.inbox
    assert port is desk.inbox


# --- coming in ---------------------------------------------------------------------------------


async def test_a_message_is_work_once(desk: Stores) -> None:
    assert await put(desk, message(1)) == [True]
    assert await put(desk, message(1)) == [False]
    assert [texts(lease) for lease in await drain(desk)] == [["text 1"]]


async def test_a_delivery_seen_before_is_dropped_though_its_key_is_new(desk: Stores) -> None:
    first, twin = message(1), message(1, key="other")
    await desk.inbox.put([intake(first, delivery="event")])
    assert await desk.inbox.put([intake(twin, delivery="event")]) == [False]


async def test_a_key_seen_before_is_dropped_though_its_delivery_is_new(desk: Stores) -> None:
    """Slack tells of one mention as `message` and as `app_mention`."""
    assert await desk.inbox.put([intake(message(1), delivery="a")]) == [True]
    assert await desk.inbox.put([intake(message(1), delivery="b")]) == [False]


async def test_a_duplicate_inside_one_batch_is_one_message(desk: Stores) -> None:
    assert await put(desk, message(1), message(1), message(2)) == [True, False, True]


async def test_keys_and_deliveries_of_two_chats_never_meet(desk: Stores) -> None:
    one, two = message(1, channel="1"), message(1, channel="2")
    stored = await desk.inbox.put([intake(one, delivery="7"), intake(two, delivery="7")])
    assert stored == [True, True]


async def test_an_event_that_concerns_nobody_leaves_no_trace(desk: Stores) -> None:
    assert await desk.inbox.put([Intake(raw="{}", delivery="1")]) == [False]
    assert (await desk.inbox.depth()).waiting == 0


async def test_an_event_not_understood_is_kept_dead_with_its_cause(desk: Stores) -> None:
    broken = Intake(raw="{?", delivery="1", error="no JSON")
    assert await desk.inbox.put([broken, intake(message(1))]) == [True, True]
    assert await desk.inbox.put([broken]) == [False]
    depth = await desk.inbox.depth()
    assert (depth.dead, depth.waiting) == (1, 1)


async def test_text_no_utf8_can_hold_is_a_dead_row_and_stops_nobody(desk: Stores) -> None:
    stored = await put(desk, message(1, "broken \ud800"), message(2))
    assert stored == [True, True]
    assert [texts(lease) for lease in await drain(desk)] == [["text 2"]]
    assert (await desk.inbox.depth()).dead == 1


async def test_control_characters_and_right_to_left_marks_come_back_unchanged(
    desk: Stores,
) -> None:
    odd = "nul \x00 bell \x07 rtl \u202e zero \u200b 你好 \U0001f469\u200d\U0001f680"
    await put(desk, message(1, odd))
    assert texts(await lease_one(desk)) == [odd]


async def test_all_fields_of_a_message_come_back(desk: Stores) -> None:
    said = replace(message(1), quoted="q", reply_to="9", delivery="x", recalled=True)
    await put(desk, said)
    assert (await lease_one(desk)).messages[0].message == said


# --- order and runs ----------------------------------------------------------------------------


async def test_waiting_messages_of_one_sender_are_one_run(desk: Stores) -> None:
    await put(desk, message(1), message(2), message(3))
    assert texts(await lease_one(desk)) == ["text 1", "text 2", "text 3"]


async def test_a_run_ends_where_another_speaks(desk: Stores) -> None:
    await put(desk, message(1), message(2, user="bob"), message(3))
    runs = [texts(lease) for lease in await drain(desk)]
    assert runs == [["text 1"], ["text 2"], ["text 3"]]


@pytest.mark.parametrize("at", [1, 2])
async def test_what_stands_alone_joins_no_run(desk: Stores, at: int) -> None:
    await put(desk, *(message(n, alone=n == at) for n in (1, 2, 3)))
    runs = [len(lease.messages) for lease in await drain(desk)]
    assert runs == ([1, 2] if at == 1 else [1, 1, 1])


async def test_a_run_has_twenty_messages_at_most(desk: Stores) -> None:
    await put(desk, *(message(n) for n in range(25)))
    assert [len(lease.messages) for lease in await drain(desk)] == [20, 5]


async def test_order_is_the_platforms_not_the_arrivals(desk: Stores) -> None:
    await put(desk, message(3), message(1))
    await put(desk, message(2))
    assert texts(await lease_one(desk)) == ["text 1", "text 2", "text 3"]


async def test_equal_positions_keep_the_order_of_arrival(desk: Stores) -> None:
    await put(desk, message(1, "a", key="a"), message(1, "b", key="b"))
    assert texts(await lease_one(desk)) == ["a", "b"]


async def test_a_message_that_comes_during_a_lease_waits_for_the_next(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await put(desk, message(2))
    assert await desk.inbox.lease("other") == []
    await desk.inbox.settle(lease, settlement())
    assert texts(await lease_one(desk)) == ["text 2"]


async def test_a_late_earlier_message_does_not_join_an_answer_begun(desk: Stores) -> None:
    """Its placeholder is on screen: the answer keeps its own anchor and its own messages."""
    await put(desk, message(5))
    lease = await lease_one(desk)
    await desk.inbox.anchor(lease, _anchor("55"))
    await desk.inbox.rest(lease, until=0, error="again")
    await put(desk, message(4))
    runs = await drain(desk)
    assert [texts(one) for one in runs] == [["text 4"], ["text 5"]]
    assert [len(one.anchors) for one in runs] == [0, 1]


# --- leases ------------------------------------------------------------------------------------


async def test_a_conversation_has_one_holder(desk: Stores) -> None:
    await put(desk, message(1))
    granted = await asyncio.gather(*(desk.inbox.lease(f"w{n}", 3) for n in range(8)))
    assert sum(len(leases) for leases in granted) == 1


async def test_limit_bounds_a_batch_of_leases(desk: Stores) -> None:
    await put(desk, *(message(1, channel=str(n)) for n in range(5)))
    assert len(await desk.inbox.lease("me", 3)) == 3
    assert len(await desk.inbox.lease("me", 3)) == 2
    assert await desk.inbox.lease("me", 0) == []


async def test_the_longest_due_conversation_comes_first(desk: Stores, clock: HandClock) -> None:
    for channel in ("b", "a", "c"):
        await put(desk, message(1, channel=channel))
        clock.pass_(1)
    leases = await desk.inbox.lease("me", 3)
    assert [lease.place.channel for lease in leases] == ["b", "a", "c"]


async def test_a_hot_conversation_goes_behind_those_who_wait(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, *(message(n, channel="hot", alone=True) for n in range(50)))
    clock.pass_(1)
    await put(desk, message(1, channel="quiet"))
    clock.pass_(1)
    await desk.inbox.settle(await lease_one(desk), settlement())
    assert (await lease_one(desk)).place.channel == "quiet"


async def test_an_expired_lease_is_taken_over_and_the_old_holder_can_write_nothing(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    old = await lease_one(desk, "old")
    clock.pass_(29)
    assert await desk.inbox.lease("new") == []
    clock.pass_(2)
    new = await lease_one(desk, "new")
    assert (new.taken_over, new.attempt, new.epoch) == (True, 2, old.epoch + 1)
    for write in _writes(desk, old):
        with pytest.raises(LeaseLost):
            await write
    await desk.inbox.settle(new, settlement("q", "a"))
    assert len(await desk.history.last(MemoryId("memory"), 9)) == 2


async def test_a_lease_that_is_over_can_write_nothing(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await desk.inbox.settle(lease, settlement("q", "a"))
    for write in _writes(desk, lease):
        with pytest.raises(LeaseLost):
            await write
    assert len(await desk.history.last(MemoryId("memory"), 9)) == 2


async def test_a_renewed_lease_is_not_taken(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    for _ in range(5):
        clock.pass_(20)
        lease, _signals = await desk.inbox.renew(lease)
        assert lease.until == clock.monotonic() + 30
        assert await desk.inbox.lease("thief") == []


async def test_the_holder_never_believes_longer_than_the_store(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    clock.ms = round(lease.until * 1000) - 1
    assert await desk.inbox.lease("thief") == []


async def test_ones_own_lapsed_lease_is_no_takeover(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    await lease_one(desk, "me")
    clock.pass_(31)
    assert not (await lease_one(desk, "me")).taken_over


async def test_at_start_the_leases_of_the_dead_are_free_at_once(desk: Stores) -> None:
    await put(desk, message(1, channel="1"), message(1, channel="2"))
    assert len(await desk.inbox.lease("dead", 2)) == 2
    assert await desk.inbox.take_over("me") == 2
    leases = await desk.inbox.lease("me", 5)
    assert [(lease.attempt, lease.taken_over) for lease in leases] == [(2, False)] * 2
    assert await desk.inbox.take_over("me") == 0


async def test_a_row_that_cannot_be_read_back_is_buried_and_the_line_moves_on(
    desk: Stores,
) -> None:
    await put(desk, message(1), message(2))

    async def spoil(tx: Tx) -> None:
        await tx.run("reword", id=1, body='{"half": ')

    await desk.database.write(spoil)
    assert texts(await lease_one(desk)) == ["text 2"]
    assert (await desk.inbox.depth()).dead == 1


# --- retries and dead letters --------------------------------------------------------------------


async def test_rest_makes_the_whole_conversation_wait(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await desk.inbox.rest(lease, until=clock.now() + 5000, error="busy")
    await put(desk, message(2))
    clock.pass_(4.9)
    assert await desk.inbox.lease("me") == []
    clock.pass_(0.2)
    again = await lease_one(desk)
    assert (texts(again), again.attempt) == (["text 1", "text 2"], 2)


async def test_an_attempt_that_does_not_count_is_given_back(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    for _ in range(3):
        lease = await lease_one(desk)
        assert lease.attempt == 1
        await desk.inbox.rest(lease, until=clock.now(), error="ban", counts=False)


async def test_a_resting_conversation_disturbs_no_other(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1, channel="1"), message(1, channel="2"))
    first, second = await desk.inbox.lease("me", 2)
    await desk.inbox.rest(first, until=clock.now() + 60_000, error="")
    await desk.inbox.settle(second, settlement())
    await put(desk, message(2, channel="2"))
    assert texts(await lease_one(desk)) == ["text 2"]


async def test_a_buried_message_is_never_leased_again_and_the_line_moves_on(
    desk: Stores,
) -> None:
    await put(desk, message(1, alone=True), message(2))
    lease = await lease_one(desk)
    await desk.inbox.bury(lease, settlement("q", "sorry", outcome="answered"), error="poison")
    assert [turn.text for turn in await desk.history.last(MemoryId("memory"), 5)] == ["q", "sorry"]
    assert texts(await lease_one(desk)) == ["text 2"]
    assert (await desk.inbox.depth()).dead == 1


# --- what is on screen, and the written answer ---------------------------------------------------


async def test_anchors_survive_with_all_they_say(desk: Stores, clock: HandClock) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    kept = replace(_anchor("2"), part=1, kind="file", frozen=True, shown="hash")
    for anchor in (_anchor("old"), _anchor("1"), kept, replace(_anchor("3"), part=2)):
        await desk.inbox.anchor(lease, anchor)
    await desk.inbox.anchor(lease, Anchor(part=2, ref=None))
    clock.pass_(31)
    assert (await lease_one(desk, "next")).anchors == (_anchor("1"), kept)


async def test_a_written_answer_comes_back_whole_with_exactly_its_messages(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, message(1), message(2))
    lease = await lease_one(desk)
    written = DurableAnswer(
        text="the answer",
        buttons=((Button(label="l", action="a"),),),
        locale="zh",
        settlement=_everything(lease),
    )
    plain = Settlement(outcome="answered", memory=MemoryId(""), person=PersonId(0))
    used = {field.name for field in fields(plain)} - {"outcome"}
    assert not [name for name in used if getattr(written.settlement, name) == getattr(plain, name)]
    await desk.inbox.anchor(lease, _anchor("9"))
    await desk.inbox.answer(lease, written)
    await put(desk, message(3))
    clock.pass_(31)
    again = await lease_one(desk, "next")
    assert again.answer == written
    assert texts(again) == ["text 1", "text 2"]
    await desk.inbox.settle(again, written.settlement)
    rest = await lease_one(desk)
    assert (texts(rest), rest.answer, rest.anchors) == (["text 3"], None, ())


# --- settlements -------------------------------------------------------------------------------


async def test_a_settlement_is_true_at_once_and_entirely(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    person = await desk.people.person(lease.place, lease.sender)
    await desk.inbox.settle(lease, _everything(lease))
    assert [turn.text for turn in await desk.history.last(MemoryId("memory"), 5)] == ["q", "a"]
    assert await desk.tickets.open_for(person.id, lease.place) == 1
    assert (await desk.people.person(lease.place, lease.sender)).locale == "zh"
    assert len(await desk.ledger.rows(0, 10)) == 1
    relay = (await lease_one(desk)).messages[0].message
    assert (relay.text, relay.origin, relay.sender.user) == ("look", "relay", "frontdesk")
    assert relay.place == place("staff")


async def test_a_settlement_that_fails_in_the_middle_leaves_nothing(desk: Stores) -> None:
    """The ledger row comes last and cannot be stored: everything before it is taken back."""
    await put(desk, message(1))
    lease = await lease_one(desk)
    good = _everything(lease)
    assert good.ledger is not None
    broken = replace(good, ledger=replace(good.ledger, total_ms=cast("int", None)))
    with pytest.raises(Exception, match="NOT NULL"):
        await desk.inbox.settle(lease, broken)
    person = await desk.people.person(lease.place, lease.sender)
    assert await desk.history.last(MemoryId("memory"), 5) == []
    assert await desk.tickets.open_for(person.id, lease.place) is None
    assert (await desk.inbox.depth()).waiting == 1
    await desk.inbox.settle(lease, good)
    assert len(await desk.history.last(MemoryId("memory"), 5)) == 2


async def test_forwards_without_a_key_are_told_apart_and_equal_keys_are_sent_once(
    desk: Stores,
) -> None:
    await put(desk, message(1, alone=True), message(2, alone=True))
    staff = place("staff")
    several = tuple(Forward(place=staff, text=text) for text in "ab")
    named = (Forward(place=staff, text="once", key="alert"),)
    for forwards in (several + named, named):
        lease = next(one for one in await desk.inbox.lease("me", 9) if one.place.channel == "1")
        await desk.inbox.settle(lease, settlement(forwards=forwards))
    await desk.inbox.take_over("other")
    assert [texts(lease) for lease in await drain(desk)] == [["a"], ["b"], ["once"]]


async def test_a_forward_reaches_a_conversation_that_is_busy(desk: Stores) -> None:
    await put(desk, message(1, channel="1"), message(1, channel="staff"))
    asked, busy = sorted(await desk.inbox.lease("me", 2), key=lambda one: one.place.channel)
    await desk.inbox.settle(
        asked, settlement(forwards=(Forward(place=place("staff"), text="look"),))
    )
    assert await desk.inbox.lease("me") == []
    await desk.inbox.settle(busy, settlement())
    assert texts(await lease_one(desk)) == ["look"]


# --- words of this file --------------------------------------------------------------------------


def _anchor(id_: str) -> Anchor:
    return Anchor(part=0, ref=MessageRef(place=place(), id=id_))


def _everything(lease: Lease) -> Settlement:
    """A settlement that uses each kind of change and each table."""
    said = settlement(
        "q",
        "a",
        changes=(
            OpenTicket(reason="asked", staff=place("staff"), summary="s"),
            SetLocale(locale="zh"),
            Gap(question="q", locale="en", confidence=0.5),
            Feedback(answer=lease.id, good=False),
            Forget(memory=MemoryId("other")),
        ),
        forwards=(Forward(place=place("staff"), text="look"),),
        ledger=LedgerRow(at=5, route="grounded", outcome="answered", total_ms=7),
        person=PersonId(1),
    )
    return replace(said, covers=("never said",))


def _writes(desk: Stores, lease: Lease) -> Iterator[Coroutine[object, object, object]]:
    """Every write that a lease allows, lazily, one by one."""
    durable = DurableAnswer(text="t", buttons=(), locale="en", settlement=settlement())
    yield desk.inbox.renew(lease)
    yield desk.inbox.anchor(lease, _anchor("7"))
    yield desk.inbox.anchor(lease, Anchor(part=0, ref=None))
    yield desk.inbox.answer(lease, durable)
    yield desk.inbox.rest(lease, until=0, error="")
    yield desk.inbox.settle(lease, settlement("x"))
    yield desk.inbox.bury(lease, settlement("x"), error="")
