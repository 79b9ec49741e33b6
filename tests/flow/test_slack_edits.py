"""A question that is changed or taken back while it is being answered, on Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import BOT, FakeSlack
from tests.flow.slack_desk import until
from tests.flow.slack_service import says, served


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """One person; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann"}}
    yield fake
    await fake.close()


@pytest.fixture
async def glm() -> AsyncIterator[FakeGlm]:
    """A model that takes two seconds to repeat what it was asked."""

    def reply(asked: str) -> str:
        return f"You asked: {asked} " + "and I am thinking " * 20 + "END"

    async with FakeGlm(default=computed(reply, chunks=20, delay=0.1)) as fake:
        yield fake


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_an_edited_question_is_answered_anew_in_the_same_message(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, mode: str
) -> None:
    async with served(slack, mode, tmp_path, glm=glm):
        root = slack.say("U1", "C1", f"<@{BOT}> what of apples?")
        await until(lambda: says(slack, "C1", "You asked"))
        await slack.edit("C1", root, f"<@{BOT}> what of pears?")
        await until(lambda: says(slack, "C1", "END"))
    (answer,) = slack.core.shown("C1")
    assert answer.thread == root
    assert answer.markdown.startswith("You asked: what of pears?")
    assert "apples" not in answer.markdown
    assert slack.core.pings == []


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_question_that_is_taken_back_takes_its_answer_along(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, mode: str
) -> None:
    """The model is let go, and the next question finds a free line."""
    async with served(slack, mode, tmp_path, glm=glm):
        root = slack.say("U1", "D1", "what of apples?")
        await until(lambda: says(slack, "D1", "apples"))
        await slack.erase("D1", root)
        await until(lambda: slack.core.shown("D1") == [])
        await until(glm.calls[0].done.is_set)
        slack.say("U1", "D1", "what of pears?")
        await until(lambda: says(slack, "D1", "END"))
    assert glm.calls[0].cancelled
    assert len(slack.core.shown("D1")) == 1


async def test_slack_s_own_stop_button_ends_the_answer_and_keeps_what_was_said(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """`agent_session_stopped` names the thread, not the answer."""
    async with served(slack, "socket", tmp_path, glm=glm):
        root = slack.say("U1", "D1", "what of apples?")
        await until(lambda: says(slack, "D1", "apples"))
        await slack.stop_session("U1", "D1", root)
        await until(lambda: says(slack, "D1", "⏹"))
    (answer,) = slack.core.shown("D1")
    assert "apples" in answer.markdown
    assert "END" not in answer.markdown
    assert answer.buttons().keys().isdisjoint({"Stop"})
    assert slack.core.sessions["D1", root] == ["processing", "active"]


async def test_a_stream_that_a_person_stopped_ends_the_answer_though_no_event_tells(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """The refused append does; nothing is posted besides."""
    async with served(slack, "socket", tmp_path, glm=glm):
        root = slack.say("U1", "D1", "what of apples?")
        await until(lambda: says(slack, "D1", "apples"))
        assert slack.core.streams.halt("D1", root)
        await until(lambda: says(slack, "D1", "⏹"))
        await until(glm.calls[0].done.is_set)
    (answer,) = slack.core.shown("D1")
    assert "apples" in answer.markdown
    assert "END" not in answer.markdown
    assert glm.calls[0].cancelled


async def test_a_streamed_answer_gets_its_verdict_buttons_with_its_end(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """No post and no edit is needed."""
    async with served(slack, "socket", tmp_path, glm=glm):
        slack.say("U1", "D1", "what of apples?")
        await until(lambda: says(slack, "D1", "END"))
        (answer,) = slack.core.shown("D1")
        await until(lambda: not slack.core.streams.live(answer))
    called = {call.method for call in slack.core.calls}
    assert called >= {"chat.startStream", "chat.appendStream", "chat.stopStream"}
    assert called.isdisjoint({"chat.postMessage", "chat.update"})
    assert len(answer.buttons()) == 2
