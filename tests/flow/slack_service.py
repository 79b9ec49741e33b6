"""A whole desk on Slack in this process, and what stands on its screens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.slack.adapter import SlackAdapter
from bot.app import Service, _slack
from bot.config import Config, DeskConfig, HttpConfig, Loaded, ModelConfig, Secret, SlackConfig
from bot.desk import open_desk
from tests.fakes.glm import KEY, FakeGlm
from tests.fakes.inline_database import laid
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from tests.flow.slack_desk import mounted

FAQ = """\
# Returns

## How long does a refund take?

Five working days after the parcel has arrived. Ask <!channel> or <@U1> if it takes longer.
"""


@asynccontextmanager
async def served(
    slack: FakeSlack,
    mode: str,
    folder: Path,
    *,
    glm: FakeGlm | None = None,
    busy: str = "queue",
    streaming: str = "native",
    **more: Any,
) -> AsyncIterator[SlackAdapter]:
    """A desk with its own database and one document; with `glm`, a model answers everything."""
    (folder / "faq.md").write_text(FAQ, "utf-8")
    platform = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        app_token=Secret(APP_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=slack.api_root,
        mode=mode,
        streaming=streaming,
    )
    model = ModelConfig(base_url=glm.url, api_key=Secret(KEY)) if glm else None
    config = Config(
        desk=DeskConfig(answers="open" if glm else "strict", busy=busy),
        slack=platform,
        models=(model,) if model else (),
        http=HttpConfig(public="", operator=""),
        **more,
    )
    async with open_desk(Loaded(config=config), database=str(laid(folder / "desk.db"))) as desk:
        await desk.knowledge.import_folder(folder)
        service = await Service.build(desk)
        adapter = _slack(desk, service.commands)
        assert isinstance(adapter, SlackAdapter)
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
    """These words stand in a message of ours there."""
    return any(words in shown.markdown for shown in slack.core.shown(channel))
