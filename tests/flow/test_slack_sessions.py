"""Slack's own display of work in a thread: true while it works, and never in an answer's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.slack.normalise import thread_place
from bot.types import MessageRef
from tests.fakes.slack import BOT, FakeSlack
from tests.flow.slack_desk import adapter_for, count, frame, free, me_of, question_thread, until
from tests.flow.slack_service import says, served

STATUS = "agents.sessions.setStatus"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """One person; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann"}}
    yield fake
    await fake.close()


async def test_a_thread_that_was_answered_is_active_and_a_channel_has_no_sessions(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """An answer that is there at once was never shown as processing; the end is told always."""
    async with served(slack, "socket", tmp_path):
        private = slack.say("U1", "D1", "how long does a refund take?")
        await until(lambda: says(slack, "D1", "Five working days"))
        slack.say("U1", "C1", f"<@{BOT}> how long does a refund take?")
        await until(lambda: says(slack, "C1", "Five working days"))
    assert slack.core.sessions.keys() == {("D1", private)}
    assert slack.core.sessions["D1", private][-1] == "active"
    assert not [call for call in slack.core.calls if call.outcome != "ok"]


@pytest.mark.parametrize("fault", ["network", "500", "garbage", "429", "lost"])
async def test_a_failing_status_harms_no_answer(
    slack: FakeSlack, tmp_path: Path, fault: str
) -> None:
    slack.faults[STATUS] = fault
    async with served(slack, "socket", tmp_path):
        slack.say("U1", "D1", "how long does a refund take?")
        await until(lambda: says(slack, "D1", "Five working days"))
    (answer,) = slack.core.shown("D1")
    assert "Five working days" in answer.markdown


async def test_where_sessions_are_refused_nobody_asks_again_for_an_hour(slack: FakeSlack) -> None:
    slack.core.sessions_on = False
    desk = adapter_for(slack, "http")
    await desk.start()
    question_thread(slack, desk)
    for _ in range(3):
        place = thread_place(me_of(desk), "D1", slack.say("U1", "D1", "hi"))
        ref = await desk.send(place, frame("…", final=False), guard=free)
        await until(lambda: count(slack, STATUS) == 1)
        await desk.edit(ref, frame("whole"), guard=free)
    await desk.close()
    assert count(slack, STATUS) == 1


async def test_after_a_crash_the_end_of_an_answer_is_told_all_the_same(slack: FakeSlack) -> None:
    """The process that set "processing" is gone; its successor only knows the message."""
    first, second = adapter_for(slack, "http"), adapter_for(slack, "http")
    for desk in (first, second):
        await desk.start()
    question_thread(slack, first)
    thread = slack.say("U1", "D1", "hi")
    place = thread_place(me_of(first), "D1", thread)
    ref = await first.send(place, frame("…", final=False), guard=free)
    await first.close()
    await second.edit(MessageRef(place=place, id=ref.id), frame("whole"), guard=free)
    await second.close()
    assert slack.core.sessions["D1", thread] == ["processing", "active"]
