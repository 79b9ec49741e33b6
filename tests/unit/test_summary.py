"""Rolling summaries: when they are due, and that nothing about them disturbs anybody."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.engine.summary import TURNS_READ, Summariser, due, pause
from bot.errors import ModelUnavailable
from bot.ports import Summary
from bot.types import MemoryId, ModelDone, Turn
from tests.fakes.scripted import ScriptedModel

MEMORY = MemoryId("person:1")


def said(number: int, *, tokens: int = 10) -> list[tuple[int, Turn]]:
    return [
        (
            n,
            Turn(
                role="user" if n % 2 == 0 else "assistant", text=f"t{n}", said_at=n, tokens=tokens
            ),
        )
        for n in range(number)
    ]


def cut(turns: list[tuple[int, Turn]], keep: int = 8) -> int:
    return len(due(turns, keep=keep, estimate=len))


def test_a_summary_is_due_by_turns_or_by_tokens_and_leaves_the_newest_alone() -> None:
    assert [cut(said(number)) for number in (0, 8, 19, 20, 30)] == [0, 0, 0, 12, 22]
    assert cut(said(10, tokens=1000)) == 0
    assert cut(said(12, tokens=1000)) == 4


def test_no_exchange_is_torn() -> None:
    turns = said(23)
    covered = due(turns, keep=8, estimate=len)
    assert turns[len(covered)][1].role == "user"


@given(st.lists(st.integers(1, 2_500), max_size=12), st.lists(st.integers(1, 2_500), max_size=6))
def test_during_a_pause_no_summary_becomes_due(before: list[int], after: list[int]) -> None:
    turns: list[tuple[int, Turn]] = []
    for tokens in (*before, *after):
        n = len(turns)
        turns.append((n, Turn(role="user", text="x", said_at=n, tokens=tokens)))
        turns.append((n + 1, Turn(role="assistant", text="x", said_at=n, tokens=tokens)))
    known = turns[: 2 * len(before)]
    assume(not cut(known))
    exchanges = pause(known, keep=8, estimate=len)
    assert exchanges >= 1
    for more in range(1, min(exchanges, len(after) + 1)):
        assert not cut(turns[: len(known) + 2 * more])


class Kept:
    """Summaries in a dict."""

    def __init__(self) -> None:
        self.turns = {MemoryId("bad"): said(30), MEMORY: said(30)}
        self.made: dict[MemoryId, Summary] = {}
        self.done = asyncio.Event()

    async def last(self, memory: MemoryId) -> Summary | None:
        return self.made.get(memory)

    async def backlog(self, memory: MemoryId) -> int:
        return len(self.turns[memory])

    async def uncovered(self, memory: MemoryId, limit: int) -> list[tuple[int, Turn]]:
        assert limit == TURNS_READ
        return self.turns[memory]

    async def put(self, memory: MemoryId, text: str, *, through: int) -> None:
        self.made[memory] = Summary(text=text, through=through, later=8)
        self.done.set()


async def test_one_that_fails_stops_no_other() -> None:
    kept = Kept()
    model = ScriptedModel([ModelUnavailable("down")], ["Notes."])
    summariser = Summariser(kept, model, SystemClock(), estimate=len, history_turns=20)
    work = asyncio.create_task(summariser.run())
    summariser.offer(MemoryId("bad"))
    summariser.offer(MEMORY)
    async with asyncio.timeout(5):
        await kept.done.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert kept.made == {MEMORY: Summary(text="Notes.", through=21, later=8)}


async def test_an_excerpt_in_a_silent_model_s_place_is_no_summary() -> None:
    kept, model = Kept(), ScriptedModel(["A passage.", ModelDone(excerpt=True)])
    summariser = Summariser(kept, model, SystemClock(), estimate=len, history_turns=20)
    assert not await summariser.update(MEMORY)
    assert kept.made == {}


async def test_the_next_summary_takes_the_notes_of_the_last_one_along() -> None:
    kept, model = Kept(), ScriptedModel(["Notes."], ["More."])
    summariser = Summariser(kept, model, SystemClock(), estimate=len, history_turns=20)
    assert await summariser.update(MEMORY)
    assert await summariser.update(MEMORY)
    first, second = (request.turns[1].content for request in model.requests)
    assert "<summary>" not in first
    assert second.startswith("<summary>\nNotes.\n</summary>\n<turns>\ncustomer: t0")


@pytest.mark.parametrize(("tokens", "looks", "reads"), [(1, 4, 3), (1_000, 3, 2)])
async def test_a_conversation_that_needs_none_yet_is_not_looked_at_after_each_answer(
    tokens: int, looks: int, reads: int
) -> None:
    """Nor are its turns read before there are more than a summary would leave alone."""
    seen: list[str] = []

    class Noting(Kept):
        async def backlog(self, memory: MemoryId) -> int:
            seen.append("count")
            return await super().backlog(memory)

        async def uncovered(self, memory: MemoryId, limit: int) -> list[tuple[int, Turn]]:
            seen.append("read")
            return await super().uncovered(memory, limit)

    kept = Noting()
    summariser = Summariser(
        kept, ScriptedModel(["Notes."]), SystemClock(), estimate=len, history_turns=20
    )
    work = asyncio.create_task(summariser.run())
    for exchanges in range(1, 11):
        kept.turns[MEMORY] = said(2 * exchanges, tokens=tokens)
        summariser.offer(MEMORY)
        for _ in range(5):
            await asyncio.sleep(0)
        if kept.made:
            break
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert kept.made
    assert (seen.count("count"), seen.count("read")) == (looks, reads)
