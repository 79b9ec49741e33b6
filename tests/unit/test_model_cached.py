"""Answers that are kept and calls that are shared, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.errors import (
    ModelError,
)
from bot.model.layers import Cached
from bot.types import (
    ChatRequest,
    ChatTurn,
    ModelDone,
    ModelEvent,
    ModelReset,
    ModelText,
)
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, CUT, DOWN, HELLO, Scripted, Step, play

FAQ = replace(ASK, cacheable=True, generation=3)


def test_the_same_question_is_asked_once() -> None:
    async def twice() -> tuple[int, list[ModelEvent]]:
        model = Scripted(HELLO)
        layer = Cached(model, CLOCK)
        await play(layer, FAQ)
        _, events, _ = await play(layer, replace(FAQ, question="  hi？ "))
        return len(model.asked), events

    asked, events = run_virtual(twice())
    assert asked == 1
    assert events == [ModelText(delta="Hello"), ModelDone(model="m", cached=True)]


@pytest.mark.parametrize(
    "other",
    [
        replace(FAQ, generation=4), replace(FAQ, locale="zh"), replace(FAQ, question="Ho"),
        replace(FAQ, cacheable=False), replace(FAQ, temperature=0.9),
        replace(FAQ, turns=(ChatTurn(role="system", content="x"), *ASK.turns)),
    ],
)  # fmt: skip
def test_another_question_is_another_call(other: ChatRequest) -> None:
    async def twice() -> int:
        model = Scripted(HELLO)
        layer = Cached(model, CLOCK)
        await play(layer, FAQ)
        await play(layer, other)
        return len(model.asked)

    assert run_virtual(twice()) == 2


def test_an_answer_is_forgotten_after_its_time() -> None:
    async def twice() -> int:
        model = Scripted(HELLO)
        layer = Cached(model, CLOCK, seconds=60.0)
        await play(layer, FAQ)
        await asyncio.sleep(60.1)
        await play(layer, FAQ)
        return len(model.asked)

    assert run_virtual(twice()) == 2


@pytest.mark.parametrize(
    "reply",
    [
        [ModelText(delta="a"), ModelDone(finish="cut")],
        [ModelText(delta="a"), ModelDone(finish="truncated")],
        [ModelText(delta="a"), ModelDone(excerpt=True)],
        [ModelText(delta="a"), CUT],
        [DOWN],
    ],
)
def test_only_whole_answers_are_kept(reply: list[Step]) -> None:
    async def twice() -> str:
        layer = Cached(Scripted(reply, HELLO), CLOCK)
        await play(layer, FAQ)
        return (await play(layer, FAQ))[0]

    assert run_virtual(twice()) == "Hello"


def test_a_reset_answer_is_kept_as_it_ended() -> None:
    async def twice() -> str:
        layer = Cached(Scripted([ModelText(delta="Hel"), ModelReset(), *HELLO]), CLOCK)
        await play(layer, FAQ)
        return (await play(layer, FAQ))[0]

    assert run_virtual(twice()) == "Hello"


def test_identical_questions_in_flight_share_one_call() -> None:
    async def crowd() -> tuple[int, list[str], int]:
        model = Scripted([1.0, ModelText(delta="Hel"), 1.0, ModelText(delta="lo"), ModelDone()])
        layer = Cached(model, CLOCK)
        said = await asyncio.gather(*(play(layer, FAQ) for _ in range(5)))
        cached = sum(e.cached for _, events, _ in said for e in events if isinstance(e, ModelDone))
        return len(model.asked), [text for text, _, _ in said], cached

    assert run_virtual(crowd()) == (1, ["Hello"] * 5, 4)


def test_one_reader_who_leaves_does_not_end_the_call_of_the_others() -> None:
    async def crowd() -> tuple[str, int]:
        model = Scripted([1.0, *HELLO])
        layer = Cached(model, CLOCK)
        first = asyncio.create_task(play(layer, FAQ))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(play(layer, FAQ))
        await asyncio.sleep(0.1)
        first.cancel()
        return (await second)[0], len(model.asked)

    assert run_virtual(crowd()) == ("Hello", 1)


def test_the_call_ends_with_its_last_reader() -> None:
    async def crowd() -> tuple[int, float]:
        model = Scripted([100.0, *HELLO])
        layer = Cached(model, CLOCK)
        tasks = [asyncio.create_task(play(layer, FAQ)) for _ in range(3)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return model.closed, CLOCK.monotonic()

    assert run_virtual(crowd()) == (1, 1.0)


def test_a_failed_call_fails_for_all_who_share_it_and_is_not_kept() -> None:
    async def crowd() -> tuple[list[ModelError | None], str]:
        layer = Cached(Scripted([1.0, DOWN], HELLO), CLOCK)
        said = await asyncio.gather(play(layer, FAQ), play(layer, FAQ))
        return [failure for _, _, failure in said], (await play(layer, FAQ))[0]

    assert run_virtual(crowd()) == ([DOWN, DOWN], "Hello")


class Faulty(Scripted):
    """Says something, and then shows that we have made a mistake."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        async with aclosing(super().stream(request)) as events:
            async for event in events:
                yield event
        raise LookupError("a fault of ours")


def test_a_fault_of_ours_is_no_whole_answer_to_anybody_who_shares_the_call() -> None:
    async def together() -> Sequence[object]:
        layer = Cached(Faulty([ModelText(delta="half an"), 1.0]), CLOCK)
        return await asyncio.gather(play(layer, FAQ), play(layer, FAQ), return_exceptions=True)

    assert [type(ended) for ended in run_virtual(together())] == [LookupError, LookupError]
