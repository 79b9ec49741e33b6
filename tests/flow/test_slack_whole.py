"""A whole desk on Slack, without a model: from a person's words to what stands on their screen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.app import Service
from bot.clock import SystemClock
from bot.config import Config, HttpConfig, Loaded, Secret, SlackConfig
from bot.desk import open_desk
from tests.fakes.slack import APP_TOKEN, BOT, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from tests.flow.slack_desk import mounted, until

FAQ = """\
# Returns

## How long does a refund take?

Five working days after the parcel has arrived. Ask <!channel> or <@U1> if it takes longer.
"""


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Strict about its tiers, on the wall's clock."""
    fake = FakeSlack()
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}}
    yield fake
    await fake.close()


@asynccontextmanager
async def served(slack: FakeSlack, mode: str, folder: Path) -> AsyncIterator[SlackAdapter]:
    """A desk with its own database and one document, on Slack."""
    (folder / "faq.md").write_text(FAQ, "utf-8")
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        app_token=Secret(APP_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=slack.api_root,
        mode=mode,
    )
    adapter = SlackAdapter(config, SystemClock(), random=random.Random(3))
    settings = Loaded(config=Config(http=HttpConfig(public="", operator="")))
    async with open_desk(settings, database=str(folder / "desk.db")) as desk:
        await desk.knowledge.import_folder(folder)
        service = await Service.build(desk)
        service.join(adapter)
        running = asyncio.create_task(service.run())
        try:
            if mode == "http":
                await adapter.start()
                async with mounted(adapter) as url:
                    slack.target = url
                    yield adapter
            else:
                await asyncio.wait_for(slack.connected.wait(), 5)
                yield adapter
        finally:
            service.end()
            await running


def says(slack: FakeSlack, channel: str, words: str) -> bool:
    return any(words in shown.markdown for shown in slack.core.shown(channel))


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
