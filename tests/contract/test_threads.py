"""The laws of threads: who is in exchange with the desk there, and what it overhears."""

from __future__ import annotations

from dataclasses import replace

from bot.types import IncomingMessage, MemoryId, Place
from storage import Stores
from storage.retention import DAY_MS, Retention, prune
from tests.contract.stores import HandClock, lease_one, message, place, put, settlement

THREAD = place(thread="t1")
MEMORY = MemoryId(THREAD.conversation)


def said(
    position: int, text: str = "", *, where: Place = THREAD, **more: object
) -> IncomingMessage:
    user = str(more.pop("user", "ann"))
    plain = message(position, text, user=user)
    return replace(plain, place=where, **more)  # type: ignore[arg-type]


async def heard(desk: Stores) -> list[tuple[str, str]]:
    return [(turn.name, turn.text) for turn in await desk.history.last(MEMORY, 20)]


async def test_those_who_addressed_the_desk_are_its_party_from_the_moment_it_is_stored(
    desk: Stores,
) -> None:
    assert await desk.threads.party(THREAD) == frozenset()
    await put(desk, said(1), said(2, user="bo"), said(3, "/help", user="cy", alone=True))
    assert await desk.threads.party(THREAD) == {"ann", "bo"}
    assert await desk.threads.party(place(thread="t2")) == frozenset()


async def test_quiet_ends_the_exchange_for_all_and_a_new_question_begins_it(desk: Stores) -> None:
    await put(desk, said(1), said(2, user="bo"), said(3, "/quiet", alone=True))
    assert await desk.threads.party(THREAD) == frozenset()
    await put(desk, said(3, "/quiet", alone=True), said(4, user="bo"))
    assert await desk.threads.party(THREAD) == {"bo"}


async def test_whoever_is_turned_away_has_to_ask_anew(desk: Stores) -> None:
    await put(desk, said(1, user="bo"), said(2))
    await desk.inbox.settle(await lease_one(desk), settlement(outcome="declined"))
    assert await desk.threads.party(THREAD) == {"ann"}


async def test_an_exchange_that_rested_for_a_month_is_over(desk: Stores, clock: HandClock) -> None:
    await put(desk, said(1))
    clock.pass_(29 * 86_400)
    assert await desk.threads.party(THREAD) == {"ann"}
    clock.pass_(2 * 86_400)
    assert await desk.threads.party(THREAD) == frozenset()
    pruned = await prune(desk.database, Retention(), now=clock.now())
    assert pruned["party"] == 1


async def test_private_talk_has_no_party(desk: Stores) -> None:
    private = replace(THREAD, private=True)
    await put(desk, said(1, where=private))
    assert await desk.threads.party(private) == frozenset()


async def test_what_is_said_among_others_is_remembered_once_and_never_answered(
    desk: Stores,
) -> None:
    """Also a redelivery changes nothing; nobody joins the party by it."""
    await put(desk, said(1))
    among = said(2, "it is on fire", user="bo", directed=False)
    assert await put(desk, among) == [True]
    assert await put(desk, among) == [False]
    assert await heard(desk) == [("Bo", "it is on fire")]
    assert await desk.threads.party(THREAD) == {"ann"}
    lease = await lease_one(desk)
    assert [received.message.key for received in lease.messages] == ["m1"]
    await desk.inbox.settle(lease, settlement())
    assert await desk.inbox.lease("me") == []
    assert (await desk.inbox.depth()).waiting == 0


async def test_where_the_desk_was_never_addressed_nothing_is_kept(desk: Stores) -> None:
    assert await put(desk, said(1, directed=False)) == [False]
    assert await heard(desk) == []


async def test_what_was_said_before_joins_an_empty_memory_once(desk: Stores) -> None:
    """Both twins bring it, and so does the next call after a quiet time."""
    called, again = (said(n, quoted="Bo: it is on fire", recalled=True) for n in (1, 3))
    await put(desk, called, called)
    await put(desk, said(2, "/quiet", alone=True), again)
    assert await heard(desk) == [("", "Bo: it is on fire")]


async def test_a_quote_is_no_history(desk: Stores) -> None:
    await put(desk, said(1, quoted="what I reply to"))
    assert await heard(desk) == []


async def test_a_long_aside_is_remembered_in_part(desk: Stores) -> None:
    await put(desk, said(1), said(2, "x" * 9_000, directed=False))
    ((_, text),) = await heard(desk)
    assert text == "x" * 2_000


async def test_what_is_older_than_the_memory_of_keys_is_pruned_with_the_rest(
    desk: Stores, clock: HandClock
) -> None:
    await put(desk, said(1), said(2, directed=False))
    pruned = await prune(desk.database, Retention(), now=clock.now() + 8 * DAY_MS)
    assert pruned["done"] == 1
