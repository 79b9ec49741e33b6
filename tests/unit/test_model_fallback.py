"""The chain of models and its breakers, on virtual time."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from bot.errors import (
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    QuotaSpent,
)
from bot.model.extractive import ExtractiveModel
from bot.model.layers import Fallback, Retrying
from bot.ports import Model
from bot.types import (
    ModelDone,
    ModelEvent,
    ModelText,
)
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, CUT, DOWN, HELLO, PASSAGE, Scripted, play


def retrying(model: Model, **settings: float) -> Retrying:
    return Retrying(model, CLOCK, random=lambda: settings.get("random", 1.0))


def chain(first: Model, *others: Model) -> Fallback:
    return Fallback([first, *others], CLOCK, report=lambda name, error: None)


def test_after_the_first_word_no_other_model_takes_over() -> None:
    other = Scripted(HELLO)
    _, _, failure = run_virtual(play(chain(Scripted([ModelText(delta="a"), CUT]), other)))
    assert failure is CUT
    assert other.asked == []


async def every_second(layer: Model, seconds: int) -> None:
    for _ in range(seconds):
        await play(layer)
        await asyncio.sleep(1.0)


def test_five_failures_open_the_breaker_for_30_seconds_doubling_to_5_minutes() -> None:
    async def outage() -> list[float]:
        first = Scripted([DOWN])
        await every_second(chain(first, Scripted(HELLO)), 1300)
        return [at for at, _ in first.asked]

    asked = run_virtual(outage())
    gaps = [round(b - a) for a, b in itertools.pairwise(asked)]
    assert gaps == [1, 1, 1, 1, 30, 60, 120, 240, 300, 300]


def test_a_half_open_breaker_lets_one_request_try() -> None:
    async def crowd() -> int:
        first = Scripted(*[[DOWN]] * 5, [5.0, *HELLO])
        layer = chain(first, Scripted(HELLO))
        await every_second(layer, 5)
        await asyncio.sleep(30)
        await asyncio.gather(*(play(layer) for _ in range(10)))
        assert len(first.asked) == 6
        await asyncio.gather(*(play(layer) for _ in range(10)))
        return len(first.asked)

    assert run_virtual(crowd()) == 16


def test_a_probe_that_is_cancelled_lets_the_next_one_try() -> None:
    async def crowd() -> tuple[str, list[ModelEvent], ModelError | None]:
        first = Scripted(*[[DOWN]] * 5, [50.0, *HELLO], [ModelText(delta="back"), ModelDone()])
        layer = chain(first, Scripted(HELLO))
        await every_second(layer, 5)
        await asyncio.sleep(30)
        task = asyncio.create_task(play(layer))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await play(layer)

    assert run_virtual(crowd())[0] == "back"


def test_an_overloaded_model_is_left_alone_at_once() -> None:
    async def outage() -> int:
        first = Scripted([ModelBusy("full", code="1305", overloaded=True)])
        await every_second(chain(first, Scripted(HELLO)), 29)
        return len(first.asked)

    assert run_virtual(outage()) == 1


def test_a_spent_quota_rests_until_it_returns() -> None:
    async def day() -> list[float]:
        first = Scripted([QuotaSpent("day", retry_after=100.0)], HELLO)
        await every_second(chain(first, Scripted(HELLO)), 102)
        return [at for at, _ in first.asked][:2]

    assert run_virtual(day()) == [0.0, 100.0]


def test_a_wrong_request_does_not_close_the_model_to_others() -> None:
    async def several() -> int:
        first = Scripted([ModelRefused("params", code="1210")])
        await every_second(chain(first, Scripted(HELLO)), 10)
        return len(first.asked)

    assert run_virtual(several()) == 10


def test_the_excerpt_answers_while_every_provider_is_down() -> None:
    layer = chain(Scripted([DOWN]), Scripted([DOWN]), ExtractiveModel(CLOCK))
    text, events, failure = run_virtual(play(layer, replace(ASK, passages=(PASSAGE,))))
    assert failure is None
    assert text.endswith("\n\nYes.")
    assert "Returns" in text
    assert events[-1] == ModelDone(model="excerpt", excerpt=True)


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([ModelRefused("key"), DOWN], ModelUnavailable),
        ([ModelRefused("key")], ModelRefused),
        ([ModelBusy("wait", retry_after=4.0), ModelRefused("key")], ModelBusy),
    ],
)
def test_when_all_fail_the_failure_that_may_pass_is_told(
    errors: list[ModelError], raised: type[ModelError]
) -> None:
    """And never that there was no passage to quote, which says least."""
    layer = chain(*(Scripted([error]) for error in errors), ExtractiveModel(CLOCK))
    _, _, failure = run_virtual(play(layer))
    assert type(failure) is raised


def test_a_chain_left_alone_says_when_to_come_back() -> None:
    async def outage() -> ModelError | None:
        layer = chain(Scripted([DOWN]))
        await every_second(layer, 5)
        return (await play(layer))[2]

    failure = run_virtual(outage())
    assert type(failure) is ModelUnavailable
    assert failure.retry_after == 29.0


def test_health_shows_who_is_left_alone() -> None:
    async def outage() -> list[str]:
        layer = chain(Scripted([DOWN]), Scripted(HELLO))
        await every_second(layer, 5)
        return [health.state for health in layer.health()]

    assert run_virtual(outage()) == ["down", "up"]


def test_each_failure_made_good_by_another_is_reported() -> None:
    told: list[tuple[str, ModelError]] = []
    layer = Fallback(
        [Scripted([DOWN], name="a"), Scripted(HELLO)],
        CLOCK,
        report=lambda name, error: told.append((name, error)),
    )
    run_virtual(play(layer))
    assert told == [("a", DOWN)]
