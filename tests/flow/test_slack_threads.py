"""Threads on Slack with a whole desk behind them: follow-ups, silence, and what is overheard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import BOT, FakeSlack
from tests.flow.slack_desk import count, until
from tests.flow.slack_service import says, served


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Two people; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann"}, "U2": {"real_name": "Bo"}}
    yield fake
    await fake.close()


@pytest.fixture
async def glm() -> AsyncIterator[FakeGlm]:
    """A model that repeats what it was asked last."""
    async with FakeGlm(default=computed(lambda asked: f"You said {asked!r}.", chunks=2)) as fake:
        yield fake


def prompts(glm: FakeGlm) -> list[str]:
    """All that the model was told, by call."""
    return ["\n".join(turn["content"] for turn in call.body["messages"]) for call in glm.calls]


async def test_a_thread_goes_on_without_mentions_until_the_desk_is_told_to_be_quiet(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """Others are heard, not answered; nobody speaks for the desk when another is called."""
    async with served(slack, "socket", tmp_path, glm=glm):
        root = slack.say("U1", "C1", f"<@{BOT}> the printer smokes")
        await until(lambda: says(slack, "C1", "printer smokes"))
        slack.say("U2", "C1", "it is the toner, number 4711", thread=root)
        await slack.settled()
        slack.say("U1", "C1", "what should I order?", thread=root)
        await until(lambda: says(slack, "C1", "what should I order"))
        slack.say("U1", "C1", "<@U2> do you know?", thread=root)
        await slack.settled()
        slack.say("U1", "C1", f"<@{BOT}> quiet", thread=root)
        await until(lambda: says(slack, "C1", "I will be quiet here"))
        slack.say("U1", "C1", "just between us", thread=root)
        await slack.settled()
        slack.say("U1", "C1", f"<@{BOT}> and now?", thread=root)
        await until(lambda: says(slack, "C1", "and now?"))
    told = prompts(glm)
    assert len(told) == 3
    assert "Bo: it is the toner, number 4711" in told[1]
    assert "do you know?" in told[2]
    assert "just between us" not in told[2]
    assert len(slack.core.shown("C1", thread=root)) == 4


@pytest.mark.parametrize("fault", ["", "429"])
async def test_called_into_a_thread_the_desk_knows_what_was_said_there(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, fault: str
) -> None:
    """It is asked for once. Where Slack refuses that, the question is answered all the same."""
    async with served(slack, "http", tmp_path, glm=glm):
        root = slack.say("U2", "C1", "the printer in room 9 smokes")
        await slack.settled()
        if fault:
            slack.faults["conversations.replies"] = fault
        slack.say("U1", "C1", f"<@{BOT}> which room?", thread=root)
        await until(lambda: says(slack, "C1", "which room?"))
        slack.say("U1", "C1", "sure?", thread=root)
        await until(lambda: says(slack, "C1", "sure?"))
    told = prompts(glm)
    assert ["the printer in room 9 smokes" in prompt for prompt in told] == [not fault] * 2
    assert count(slack, "conversations.replies") == 1
