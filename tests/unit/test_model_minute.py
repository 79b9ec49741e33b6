"""Requests and tokens in a minute: never more than allowed, and never longer than needed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, ModelConfig, Secret
from bot.errors import ModelBusy, ModelError
from bot.model import build_model
from bot.model.minute import WINDOW, Minute
from bot.model.paced import Paced
from bot.types import ChatTurn, ModelDone, ModelText, Usage
from tests.fakes.glm import KEY, FakeGlm, says
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, HELLO, Scripted, Step, play

LIMITS = st.integers(1, 6)


def leave(minute: Minute, weights: Sequence[int], gaps: Sequence[float]) -> list[float]:
    """When requests leave that come `gaps` apart and wait as they are told."""
    now, times = 0.0, []
    for weight, gap in zip(weights, gaps, strict=True):
        now += gap
        now = max(now, minute.ready(weight, now=now))
        minute.take(weight, now=now)
        times.append(now)
    return times


@given(LIMITS, st.lists(st.floats(0, 90), max_size=40))
def test_no_sixty_seconds_see_more_requests_than_allowed(limit: int, gaps: list[float]) -> None:
    times = leave(Minute(requests=limit), [0] * len(gaps), gaps)
    for start in times:
        assert sum(start <= at < start + WINDOW for at in times) <= limit


@given(st.lists(st.tuples(st.integers(1, 100), st.floats(0, 90)), max_size=40))
def test_no_sixty_seconds_see_more_tokens_than_allowed(asked: list[tuple[int, float]]) -> None:
    weights, gaps = [weight for weight, _ in asked], [gap for _, gap in asked]
    times = leave(Minute(tokens=100), weights, gaps)
    for start in times:
        inside = [
            weight
            for weight, at in zip(weights, times, strict=True)
            if start <= at < start + WINDOW
        ]
        assert sum(inside) <= 100


def test_what_is_above_the_limit_by_itself_waits_for_an_empty_minute_only() -> None:
    minute = Minute(tokens=100)
    assert minute.ready(500, now=7.0) == 7.0
    minute.take(40, now=7.0)
    assert minute.ready(500, now=8.0) == 67.0


@pytest.mark.parametrize("minute", [Minute(), Minute(requests=100, tokens=100)])
def test_without_need_nobody_waits(minute: Minute) -> None:
    assert leave(minute, [1] * 90, [0.0] * 90) == [0.0] * 90


async def times_of(layer: Paced, count: int) -> list[float]:
    """When so many calls, all made at once, were served, in seconds from the first."""

    async def one(number: int) -> float:
        await play(layer, replace(ASK, conversation=str(number)))
        return CLOCK.monotonic()

    begun = CLOCK.monotonic()
    return [round(at - begun, 3) for at in await asyncio.gather(*map(one, range(count)))]


def test_requests_above_the_minute_wait_for_the_next_one() -> None:
    layer = Paced(Scripted(HELLO), CLOCK, most=99, minute=Minute(requests=3))
    assert run_virtual(times_of(layer, 7)) == [0.0] * 3 + [60.0] * 3 + [120.0]


def test_tokens_count_as_they_were_reported() -> None:
    """The first replies are of unknown length; from then on each is reckoned with."""
    said: list[Step] = [ModelText(delta="Hi"), ModelDone(usage=Usage(prompt=10, completion=90))]

    async def in_turn() -> list[float]:
        layer = Paced(Scripted(said), CLOCK, most=1, minute=Minute(tokens=250))
        begun, times = CLOCK.monotonic(), []
        for _ in range(5):
            await play(layer, replace(ASK, turns=(ChatTurn(role="user", content="Hi"),)))
            times.append(round(CLOCK.monotonic() - begun, 3))
        return times

    assert run_virtual(in_turn()) == [0.0, 0.0, 60.0, 60.0, 120.0]


def test_who_cannot_be_served_before_the_deadline_is_told_so() -> None:
    """The next model of the chain may have room."""

    async def late() -> tuple[ModelError | None, int]:
        layer = Paced(Scripted(HELLO), CLOCK, most=9, minute=Minute(requests=1))
        await play(layer)
        deadline = CLOCK.monotonic() + 30
        return (await play(layer, replace(ASK, deadline=deadline)))[2], layer.waiting

    failure, waiting = run_virtual(late())
    assert isinstance(failure, ModelBusy)
    assert waiting == 0


def test_a_long_question_that_gives_up_keeps_no_short_one_waiting() -> None:
    """The line had been told to wait for as long as the long one would have had to."""
    said: list[Step] = [ModelText(delta="Hi"), ModelDone(usage=Usage(prompt=800, completion=1))]

    async def work() -> tuple[ModelError | None, ModelError | None, float]:
        layer = Paced(Scripted(said), CLOCK, most=9, minute=Minute(tokens=1_000))
        begun = CLOCK.monotonic()
        await play(layer)
        turns = (ChatTurn(role="user", content="word " * 500),)
        long = replace(ASK, turns=turns, conversation="a", deadline=begun + 5)
        first, second = await asyncio.gather(
            play(layer, long), play(layer, replace(ASK, conversation="b"))
        )
        return first[2], second[2], CLOCK.monotonic() - begun

    given_up, failure, seconds = run_virtual(work())
    assert isinstance(given_up, ModelBusy)
    assert failure is None
    assert 5 <= seconds < 6


async def test_the_settings_of_a_model_limit_it() -> None:
    """From the settings to the wire: the second call of the minute does not leave."""
    async with FakeGlm(default=says("ok")) as glm:
        entry = ModelConfig(base_url=glm.url, api_key=Secret(KEY), requests_per_minute=1)
        model = build_model(Config(models=(entry,)), CLOCK)
        await play(model)
        _, _, failure = await play(model, replace(ASK, deadline=CLOCK.monotonic() + 0.1))
        await model.close()
    assert isinstance(failure, ModelBusy)
    assert len(glm.calls) == 1
