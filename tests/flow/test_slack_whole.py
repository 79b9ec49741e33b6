"""A whole desk on Slack, without a model: from a person's words to what stands on their screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.slack import BOT, FakeSlack
from tests.flow.slack_desk import until
from tests.flow.slack_service import says, served


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Strict about its tiers, on the wall's clock."""
    fake = FakeSlack()
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}}
    yield fake
    await fake.close()


@pytest.mark.parametrize("mode", ["http", "socket"])
@pytest.mark.parametrize("order", ["message mention", "mention message"])
async def test_a_mention_is_answered_once_in_its_thread_and_pings_nobody(
    slack: FakeSlack, mode: str, order: str, tmp_path: Path
) -> None:
    async with served(slack, mode, tmp_path):
        root = slack.say("U1", "C1", f"<@{BOT}> how long does a refund take?", order=order)
        await slack.settled()
        await until(lambda: says(slack, "C1", "Five working days"))
        private = slack.say("U1", "D1", "how long does a refund take?")
        await until(lambda: says(slack, "D1", "Five working days"))
    (answer,) = slack.core.shown("C1")
    assert answer.thread == root
    assert "@U1" in answer.markdown
    (direct,) = slack.core.shown("D1")
    assert direct.thread == private
    assert slack.core.pings == []
    assert slack.core.links == []
    assert slack.core.cut == []
    assert not [call for call in slack.core.calls if call.outcome != "ok"]


async def test_a_slash_question_is_answered_in_private(slack: FakeSlack, tmp_path: Path) -> None:
    async with served(slack, "socket", tmp_path):
        await slack.command("U1", "C1", "/ask", "how long does a refund take?")
        await slack.command("U1", "C1", "/frontdesk", "help")
        await until(lambda: len(slack.core.whispers) >= 2)
    assert {whisper.only_for for whisper in slack.core.whispers} == {"U1"}
    assert any("Five working days" in whisper.markdown for whisper in slack.core.whispers)
    assert any("/help" in whisper.markdown for whisper in slack.core.whispers)
    assert slack.core.shown("C1") == []
