"""Rolling summaries: when they are due, and that nothing about them disturbs anybody."""

from __future__ import annotations

import asyncio

from bot.clock import SystemClock
from bot.engine.summary import TURNS_READ, Summariser, due
from bot.errors import ModelUnavailable
from bot.ports import Summary
from bot.types import MemoryId, Turn
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


class Kept:
    """Summaries in a dict."""

    def __init__(self) -> None:
        self.turns = {MemoryId("bad"): said(30), MEMORY: said(30)}
        self.made: dict[MemoryId, Summary] = {}
        self.done = asyncio.Event()

    async def last(self, memory: MemoryId) -> Summary | None:
        return self.made.get(memory)

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


async def test_the_next_summary_takes_the_notes_of_the_last_one_along() -> None:
    kept, model = Kept(), ScriptedModel(["Notes."], ["More."])
    summariser = Summariser(kept, model, SystemClock(), estimate=len, history_turns=20)
    assert await summariser.update(MEMORY)
    assert await summariser.update(MEMORY)
    first, second = (request.turns[1].content for request in model.requests)
    assert "<summary>" not in first
    assert second.startswith("<summary>\nNotes.\n</summary>\n<turns>\ncustomer: t0")
