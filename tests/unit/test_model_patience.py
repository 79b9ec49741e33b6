"""The clocks of a reply on virtual time, with the reply's bytes but without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bot.errors import ModelError, ModelUnavailable, ReplyCut
from bot.model.patience import Patience, Wait, read_reply
from bot.model.reading import Reading
from bot.types import ModelDone, ModelEvent, ModelText, Reasoning
from tests.fakes.glm import frame, sse
from tests.fakes.loop import VirtualClock, run_virtual

Part = bytes | float
STOP = sse(frame(finish="stop"))
PING = b": ping\n\n"


class Parts:
    """Bytes, and the seconds of silence between them; at the end silence for ever, or b""."""

    def __init__(self, parts: Sequence[Part], *, ends: bool) -> None:
        self._parts = list(parts)
        self._ends = ends

    async def read(self) -> bytes:
        while self._parts:
            part = self._parts.pop(0)
            if isinstance(part, bytes):
                return part
            await asyncio.sleep(part)
        if not self._ends:
            await asyncio.sleep(1e6)
        return b""


async def play(
    parts: Sequence[Part],
    *,
    ends: bool = False,
    deadline: float | None = None,
    thinking: bool = False,
    reader_rests: float = 0.0,
) -> tuple[list[ModelEvent], ModelError | None, float]:
    """The events, the failure, and the moment of the end."""
    clock = VirtualClock()
    reading = Reading(now=clock.now())
    wait = Wait(Patience(), started=clock.monotonic(), deadline=deadline, thinking=thinking)
    events: list[ModelEvent] = []
    failure = None
    try:
        async for event in read_reply(Parts(parts, ends=ends), reading, wait, clock):
            events += (event,)
            await asyncio.sleep(reader_rests)
    except ModelError as error:
        failure = error
    return events, failure, clock.monotonic()


def pair(seconds: float, part: bytes) -> list[Part]:
    return [seconds, part]


def text(content: str) -> bytes:
    return sse(frame(content), done=False)


def thought(content: str) -> bytes:
    return sse(frame(reasoning=content), done=False)


def test_the_first_visible_word_must_come_in_45_seconds_whatever_else_does() -> None:
    parts: list[Part] = [10.0, PING] * 20
    events, failure, at = run_virtual(play(parts))
    assert events == []
    assert type(failure) is ModelUnavailable
    assert (failure.code, at) == ("slow", 45.0)


def test_a_thinking_model_has_90_seconds_to_its_first_word() -> None:
    parts: list[Part] = [10.0, thought("hm")] * 20
    events, failure, at = run_virtual(play(parts, thinking=True))
    assert all(isinstance(event, Reasoning) for event in events)
    assert type(failure) is ModelUnavailable
    assert at == 90.0


def test_a_model_seen_thinking_has_90_seconds_too() -> None:
    parts: list[Part] = [*pair(15.0, thought("hm")) * 5, 10.0, text("Hi"), STOP]
    events, failure, at = run_virtual(play(parts))
    assert failure is None
    assert ModelText(delta="Hi") in events
    assert at == 85.0


def test_pings_do_not_restart_the_idle_clock() -> None:
    parts: list[Part] = [1.0, text("Hi"), *pair(5.0, PING) * 20]
    events, failure, at = run_virtual(play(parts))
    assert events == [ModelText(delta="Hi")]
    assert type(failure) is ReplyCut
    assert at == 21.0


def test_frames_without_content_are_pings() -> None:
    empty = sse(frame(""), {"choices": []}, done=False)
    parts: list[Part] = [1.0, text("Hi"), *pair(5.0, empty) * 20]
    _, failure, at = run_virtual(play(parts))
    assert type(failure) is ReplyCut
    assert at == 21.0


def test_bytes_of_an_event_that_never_ends_are_no_progress() -> None:
    """The slow loris: one byte a second keeps nothing alive."""
    parts: list[Part] = [text("Hi"), *pair(1.0, b"x") * 300]
    _, failure, at = run_virtual(play(parts))
    assert type(failure) is ReplyCut
    assert at == 20.0


def test_words_restart_the_idle_clock() -> None:
    parts: list[Part] = [*pair(19.0, text("a ")) * 10, STOP]
    events, failure, at = run_virtual(play(parts))
    assert failure is None
    assert isinstance(events[-1], ModelDone)
    assert at == 190.0


def test_the_deadline_ends_a_stream_that_is_well() -> None:
    parts: list[Part] = [*pair(10.0, text("a ")) * 30, STOP]
    _, failure, at = run_virtual(play(parts, deadline=95.0))
    assert type(failure) is ReplyCut
    assert at == 95.0


def test_a_slow_reader_is_not_held_against_the_model() -> None:
    """The reader takes 30 s over each event; the bytes are there when it comes back."""
    parts: list[Part] = [text("a"), 1.0, text("b"), 1.0, STOP]
    events, failure, _ = run_virtual(play(parts, reader_rests=30.0))
    assert failure is None
    assert [event.delta for event in events if isinstance(event, ModelText)] == ["a", "b"]


def test_a_finished_reply_does_not_wait_for_a_connection_that_hangs() -> None:
    parts: list[Part] = [text("Hi"), sse(frame(finish="stop"), done=False)]
    events, failure, at = run_virtual(play(parts))
    assert failure is None
    assert isinstance(events[-1], ModelDone)
    assert events[-1].finish == "whole"
    assert at == 2.0


@pytest.mark.parametrize("cut", range(1, 40))
def test_the_verdict_is_the_same_for_any_cut(cut: int) -> None:
    """Text and verdict of a whole reply do not depend on how its bytes arrive."""
    body = sse(
        frame("<think>a</think>你"), frame("好 \ud83d"), frame("\ude00 <b"), frame("> x"),
        frame(finish="stop"), escaped=True,
    )  # fmt: skip
    parts: list[Part] = [body[at : at + cut] for at in range(0, len(body), cut)]
    events, failure, _ = run_virtual(play(parts))
    assert failure is None
    said = "".join(event.delta for event in events if isinstance(event, ModelText))
    assert said == "你好 😀 <b> x"
