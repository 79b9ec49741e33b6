"""Asking again, on virtual time: freely before the first word, once after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.errors import (
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    QuotaSpent,
    ReplyEmpty,
    ReplyRetracted,
    TooLong,
)
from bot.model.layers import Retrying
from bot.ports import Model
from bot.types import (
    ModelDone,
    ModelReset,
    ModelText,
    Reasoning,
    Usage,
)
from tests.fakes.loop import run_virtual
from tests.fakes.model import ASK, CLOCK, CUT, DOWN, HELLO, Scripted, play


def retrying(model: Model, **settings: float) -> Retrying:
    return Retrying(model, CLOCK, random=lambda: settings.get("random", 1.0))


def test_two_retries_before_the_first_word_with_growing_full_jitter() -> None:
    model = Scripted([DOWN])
    _, _, failure = run_virtual(play(retrying(model)))
    assert failure is DOWN
    assert [at for at, _ in model.asked] == [0.0, 0.5, 1.5]


def test_jitter_reaches_down_to_zero() -> None:
    model = Scripted([DOWN])
    run_virtual(play(retrying(model, random=0.0)))
    assert [at for at, _ in model.asked] == [0.0, 0.0, 0.0]


def test_a_retry_that_works_is_one_answer() -> None:
    model = Scripted([DOWN], [Reasoning(size=1), DOWN], HELLO)
    text, events, failure = run_virtual(play(retrying(model)))
    assert (text, failure) == ("Hello", None)
    assert not any(isinstance(event, ModelReset) for event in events)
    assert isinstance(events[-1], ModelDone)
    assert events[-1].attempts == 3


@pytest.mark.parametrize(
    "error",
    [
        ModelRefused("key"), QuotaSpent("day"), ContentBlocked("no"), TooLong("long"),
        ModelBusy("wait", retry_after=60.0),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_cannot_get_better_soon_is_not_asked_again(error: ModelError) -> None:
    model = Scripted([error])
    _, _, failure = run_virtual(play(retrying(model)))
    assert failure is error
    assert len(model.asked) == 1


def test_retry_after_is_obeyed_and_never_undercut() -> None:
    model = Scripted([ModelBusy("wait", retry_after=7.0)], HELLO)
    text, _, _ = run_virtual(play(retrying(model, random=0.5)))
    assert text == "Hello"
    assert model.asked[1][0] == 7.25


def test_too_fast_without_a_hint_waits_one_to_four_seconds() -> None:
    for random, seconds in ((0.0, 1.0), (1.0, 4.0)):
        model = Scripted([ModelBusy("fast", code="1302")], HELLO)
        run_virtual(play(retrying(model, random=random)))
        assert model.asked[1][0] == seconds


@pytest.mark.parametrize(
    "error", [ModelBusy("full", code="1305", overloaded=True), ModelUnavailable("x", code="slow")]
)
def test_an_overloaded_or_silent_model_gets_one_quick_retry(error: ModelError) -> None:
    model = Scripted([error])
    run_virtual(play(retrying(model)))
    assert len(model.asked) == 2


def test_no_retry_beyond_the_deadline() -> None:
    model = Scripted([1.0, DOWN])
    _, _, failure = run_virtual(play(retrying(model), replace(ASK, deadline=2.6)))
    assert failure is DOWN
    assert [at for at, _ in model.asked] == [0.0, 1.5]


def test_an_empty_reply_is_asked_again_with_other_thinking() -> None:
    for first, second in ((None, False), (True, False), (False, True)):
        model = Scripted([ReplyEmpty("nothing")], HELLO)
        text, _, _ = run_virtual(play(retrying(model), replace(ASK, thinking=first)))
        assert text == "Hello"
        assert [request.thinking for _, request in model.asked] == [first, second]


def test_an_outage_spends_the_retry_budget_not_three_times_the_load() -> None:
    async def outage() -> int:
        model = Scripted([DOWN])
        layer = retrying(model, random=0.01)
        for _ in range(50):
            await play(layer)
        return len(model.asked)

    assert run_virtual(outage()) <= 50 + 3 + 5


def test_the_budget_comes_back_after_a_minute() -> None:
    async def outage() -> int:
        model = Scripted([DOWN])
        layer = retrying(model)
        for _ in range(3):
            await play(layer)
        await asyncio.sleep(61)
        before = len(model.asked)
        await play(layer)
        return len(model.asked) - before

    assert run_virtual(outage()) == 3


def test_a_cut_after_text_is_asked_again_once_behind_a_reset() -> None:
    model = Scripted([ModelText(delta="Hel"), CUT], HELLO)
    text, events, failure = run_virtual(play(retrying(model)))
    assert (text, failure) == ("Hello", None)
    assert [type(event) for event in events] == [ModelText, ModelReset, ModelText, ModelDone]
    assert events[-1] == ModelDone(model="m", usage=Usage(prompt=2), attempts=2)


@pytest.mark.parametrize(
    ("second", "kept"), [("Hello wor", "Hello wor"), ("He", "Hello"), ("World", "World")]
)
def test_a_second_cut_keeps_the_longer_text(second: str, kept: str) -> None:
    model = Scripted([ModelText(delta="Hello"), CUT], [ModelText(delta=second), CUT])
    text, events, failure = run_virtual(play(retrying(model)))
    assert (text, failure) == (kept, None)
    assert len(model.asked) == 2
    done = events[-1]
    assert isinstance(done, ModelDone)
    assert done.finish == "cut"
    assert done.usage.estimated


def test_a_second_try_that_says_nothing_leaves_the_first_text_alone() -> None:
    model = Scripted([ModelText(delta="Hello"), CUT], [Reasoning(size=3), DOWN])
    text, events, failure = run_virtual(play(retrying(model)))
    assert (text, failure) == ("Hello", None)
    assert not any(isinstance(event, ModelReset) for event in events)


def test_past_the_deadline_a_cut_text_is_kept_at_once() -> None:
    model = Scripted([ModelText(delta="Hello"), 9.0, CUT], HELLO)
    text, events, _ = run_virtual(play(retrying(model), replace(ASK, deadline=9.2)))
    assert text == "Hello"
    assert len(model.asked) == 1
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish == "cut"


@pytest.mark.parametrize("second", [ContentBlocked("no"), ReplyRetracted("no")])
def test_a_blocked_second_try_takes_the_first_text_back(second: ModelError) -> None:
    model = Scripted([ModelText(delta="Hello"), CUT], [second])
    _, _, failure = run_virtual(play(retrying(model)))
    assert type(failure) is ReplyRetracted


def test_retracted_text_is_never_asked_for_again() -> None:
    model = Scripted([ModelText(delta="bad"), ReplyRetracted("no")], HELLO)
    _, _, failure = run_virtual(play(retrying(model)))
    assert type(failure) is ReplyRetracted
    assert len(model.asked) == 1
