"""The laws of retention: what is old goes, what is open or young stays, nobody waits long."""

from __future__ import annotations

from dataclasses import replace

from bot.types import (
    Anchor,
    Await,
    DraftBroadcast,
    Gap,
    GoOn,
    LedgerRow,
    MemoryId,
    MessageRef,
    OpenTicket,
    PersonId,
    Sender,
    Signal,
    StartBroadcast,
    Turn,
)
from storage import Stores
from storage.retention import DAY_MS, Retention, prune
from tests.contract.stores import (
    HandClock,
    drain,
    intake,
    lease_one,
    message,
    place,
    put,
    settlement,
)


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


async def test_words_that_were_kept_for_a_purpose_go_when_what_was_said_does(
    desk: Stores, clock: HandClock
) -> None:
    """A summary, a gap, a closed ticket, a broadcast; what counts stays, and open tickets do."""
    person = (await desk.people.person(place("a"), Sender(user="a"))).id
    for channel in ("a", "b"):
        await put(desk, message(1, channel=channel, user=channel))
        said = settlement(
            memory=f"person:{channel}",
            person=person,
            changes=(
                Gap(question="why?", locale="en"),
                OpenTicket(reason="r", staff=place("staff"), summary="why?"),
                Await(word="w", given="why?", locale="en", until=clock.now()),
                DraftBroadcast(code="1", text="hello"),
                StartBroadcast(code="1"),
            ),
            ledger=LedgerRow(at=clock.now(), route="abstained", outcome="answered", total_ms=1),
        )
        turns = (Turn(role="user", text="why?", said_at=clock.now()),)
        await desk.inbox.settle(await lease_one(desk), replace(said, turns=turns))
        await desk.summaries.put(MemoryId(f"person:{channel}"), "in short", through=0)
    [first, _] = await desk.files.tickets(9)
    await desk.files.close_ticket(first.id, at=clock.now())
    kinds = ("summaries", "gaps", "tickets", "broadcasts", "forms")
    young = await prune(desk.database, Retention(), now=clock.now() + 80 * DAY_MS)
    assert [young[kind] for kind in kinds] == [0, 0, 0, 0, 2]
    old = await prune(desk.database, Retention(), now=clock.now() + 91 * DAY_MS)
    assert [old[kind] for kind in kinds] == [2, 2, 1, 2, 0]
    again = await prune(desk.database, Retention(), now=clock.now() + 99 * DAY_MS)
    assert not any(again.values())
    assert len(await desk.ledger.rows(0, 10**15)) == 2
    assert sorted(one.summary for one in await desk.files.tickets(9)) == ["", "why?"]


async def test_which_answer_is_the_rest_of_which_is_kept_as_long_as_one_of_them(
    desk: Stores, clock: HandClock
) -> None:
    """Without it an answer that was gone on with would be offered once more."""
    await put(desk, message(1))
    first = await lease_one(desk)
    await desk.inbox.settle(first, settlement())
    await put(desk, message(2))
    rest = replace(settlement(), changes=(GoOn(answer=first.id),))
    await desk.inbox.settle(await lease_one(desk), rest)
    young = await prune(desk.database, Retention(), now=clock.now() + 6 * DAY_MS)
    old = await prune(desk.database, Retention(), now=clock.now() + 8 * DAY_MS)
    again = await prune(desk.database, Retention(), now=clock.now() + 8 * DAY_MS)
    assert [pruned["continuations"] for pruned in (young, old, again)] == [0, 1, 0]
