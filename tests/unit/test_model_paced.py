"""Whose turn it is, and how many at once, on virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.errors import (
    ModelBusy,
    ModelError,
)
from bot.model.layers import Paced
from bot.model.paced import Aimd, FairQueue
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, HELLO, Scripted, play


def test_no_more_run_at_once_than_are_allowed() -> None:
    async def crowd() -> tuple[int, int]:
        model = Scripted([1.0, *HELLO])
        layer = Paced(model, CLOCK, most=3)
        said = await asyncio.gather(*(play(layer) for _ in range(10)))
        assert all(text == "Hello" for text, _, _ in said)
        return model.most, layer.running

    assert run_virtual(crowd()) == (3, 0)


def test_a_flooding_conversation_does_not_delay_another() -> None:
    async def crowd() -> float:
        layer = Paced(Scripted([1.0, *HELLO]), CLOCK, most=1)
        flood = [asyncio.create_task(play(layer, ASK)) for _ in range(50)]
        await asyncio.sleep(0.5)
        await play(layer, replace(ASK, conversation="c2"))
        at = CLOCK.monotonic()
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        return at

    assert run_virtual(crowd()) <= 3.0


def test_waiting_ends_at_the_deadline() -> None:
    async def crowd() -> tuple[ModelError | None, float, int]:
        layer = Paced(Scripted([100.0, *HELLO]), CLOCK, most=1)
        first = asyncio.create_task(play(layer))
        await asyncio.sleep(0)
        _, _, failure = await play(layer, replace(ASK, deadline=5.0))
        at = CLOCK.monotonic()
        await first
        return failure, at, layer.waiting

    failure, at, waiting = run_virtual(crowd())
    assert type(failure) is ModelBusy
    assert (at, waiting) == (5.0, 0)


def test_slots_survive_any_cancellation() -> None:
    """Whoever gives up while waiting or running, the slots come back."""

    async def crowd() -> tuple[int, int, str]:
        layer = Paced(Scripted([0.5, *HELLO]), CLOCK, most=2)
        tasks = [asyncio.create_task(play(layer)) for _ in range(20)]
        for round_number, task in enumerate(tasks[::2]):
            await asyncio.sleep(0.13 * (round_number % 3))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        text, _, _ = await play(layer)
        return layer.running, layer.waiting, text

    assert run_virtual(crowd()) == (0, 0, "Hello")


def test_a_refusal_halves_and_successes_regain_slowly() -> None:
    aimd = Aimd(8)
    aimd.refused(0.0)
    aimd.refused(0.5)
    assert aimd.limit == 4
    for _ in range(5):
        aimd.succeeded()
    assert aimd.limit == 5
    for at in range(2, 20):
        aimd.refused(float(at))
    assert aimd.limit == 1
    for _ in range(200):
        aimd.succeeded()
    assert aimd.limit == 8


def test_retry_after_holds_everybody_back() -> None:
    async def crowd() -> list[float]:
        model = Scripted([ModelBusy("wait", retry_after=5.0)], HELLO)
        layer = Paced(model, CLOCK, most=4)
        await play(layer)
        await asyncio.gather(play(layer), play(layer))
        return [at for at, _ in model.asked]

    assert run_virtual(crowd()) == [0.0, 5.0, 5.0]


def test_lines_take_turns_and_keep_their_own_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for key, item in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")):
        queue.put(key, item)
    queue.remove("a", "a2")
    assert [queue.pop() for _ in range(len(queue))] == ["a1", "b1", "c1", "a3", "b2"]
