"""The laws of what skills keep: one open question, uses that count, summaries that can be void."""

from __future__ import annotations

from bot.ports import Past
from bot.types import Await, Change, Forget, MemoryId, PersonId, UseSkill
from storage import Stores
from tests.contract.stores import HandClock, lease_one, message, put, settlement

MEMORY, ANN = MemoryId("memory"), PersonId(1)
FORM = Await(word="blog", given='{"values":{"words":3}}', locale="zh", until=2_000)


async def _say(
    desk: Stores,
    position: int,
    *changes: Change,
    said: tuple[str, ...] = (),
    memory: str = MEMORY,
    person: int = ANN,
) -> None:
    await put(desk, message(position))
    made = settlement(*said, memory=memory, person=person, changes=changes)
    await desk.inbox.settle(await lease_one(desk), made)


async def _open(desk: Stores, at: int = 1_000) -> Await | None:
    return await desk.forms.open_for(MEMORY, ANN, at=at)


async def test_a_question_is_open_until_its_time(desk: Stores) -> None:
    await _say(desk, 1, FORM)
    assert await _open(desk, 2_000) == FORM
    assert await _open(desk, 2_001) is None
    assert await desk.forms.open_for(MEMORY, PersonId(2), at=1) is None
    assert await desk.forms.open_for(MemoryId("other"), ANN, at=1) is None


async def test_whatever_is_settled_there_next_closes_it(desk: Stores) -> None:
    await _say(desk, 1, FORM)
    await _say(desk, 2, memory="other")
    await _say(desk, 3, person=2)
    assert await _open(desk) == FORM
    await _say(desk, 4)
    assert await _open(desk) is None


async def test_giving_up_closes_it_though_it_knows_no_memory(desk: Stores) -> None:
    await _say(desk, 1, FORM)
    await put(desk, message(2))
    await desk.inbox.bury(await lease_one(desk), settlement(memory=""), error="x")
    assert await _open(desk) is None


async def test_a_new_question_takes_the_place_of_the_old(desk: Stores) -> None:
    await _say(desk, 1, FORM)
    other = Await(word="code", given="{}", locale="en", until=5_000)
    await _say(desk, 2, other)
    assert await _open(desk) == other


async def test_uses_count_by_person_and_skill_since_a_time(desk: Stores, clock: HandClock) -> None:
    await _say(desk, 1, UseSkill(skill="blog"))
    clock.pass_(60)
    later = clock.now()
    for position in (2, 3):
        await _say(desk, position, UseSkill(skill="blog"))
    await _say(desk, 4, UseSkill(skill="code"))
    await _say(desk, 5, UseSkill(skill="blog"), person=2)
    assert await desk.uses.count(ANN, "blog", since=0) == 3
    assert await desk.uses.count(ANN, "blog", since=later) == 2
    assert await desk.uses.count(PersonId(3), "blog", since=0) == 0


async def test_a_summary_covers_turns_and_counts_those_after_it(desk: Stores) -> None:
    await _say(desk, 1, said=("q0", "a0", "q1", "a1"))
    assert await desk.summaries.last(MEMORY) is None
    assert await desk.summaries.backlog(MEMORY) == 4
    assert await desk.summaries.backlog(MemoryId("none")) == 0
    found = await desk.summaries.uncovered(MEMORY, 3)
    assert [(number, turn.text) for number, turn in found] == [(0, "q0"), (1, "a0"), (2, "q1")]
    await desk.summaries.put(MEMORY, "so far", through=1)
    await _say(desk, 2, said=("q2", "a2"))
    last = await desk.summaries.last(MEMORY)
    assert last is not None
    assert (last.text, last.through, last.later) == ("so far", 1, 4)
    past = await desk.history.past(MEMORY, 3)
    assert (past.summary, [turn.text for turn in past.turns]) == (last, ["a1", "q2", "a2"])
    assert [n for n, _ in await desk.summaries.uncovered(MEMORY, 9)] == [2, 3, 4, 5]
    assert await desk.summaries.backlog(MEMORY) == 4


async def test_an_older_summary_never_takes_the_place_of_a_newer(desk: Stores) -> None:
    await _say(desk, 1, said=("q0", "a0", "q1", "a1"))
    await desk.summaries.put(MEMORY, "new", through=3)
    await desk.summaries.put(MEMORY, "late", through=1)
    last = await desk.summaries.last(MEMORY)
    assert last is not None
    assert last.text == "new"


async def test_a_fresh_start_voids_the_summary_and_one_that_comes_late(desk: Stores) -> None:
    await _say(desk, 1, said=("q0", "a0"))
    await desk.summaries.put(MEMORY, "old", through=1)
    await _say(desk, 2, Forget(memory=MEMORY))
    assert await desk.summaries.last(MEMORY) is None
    assert await desk.history.past(MEMORY, 9) == Past()
    await desk.summaries.put(MEMORY, "late", through=1)
    await _say(desk, 3, said=("q1", "a1"))
    assert await desk.summaries.last(MEMORY) is None
    assert [n for n, _ in await desk.summaries.uncovered(MEMORY, 9)] == [2, 3]
    assert await desk.summaries.backlog(MEMORY) == 2
