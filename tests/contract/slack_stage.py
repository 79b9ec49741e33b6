"""Slack for the adapter contract: the real SDK and Bolt on the strict fake, both transports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from adapters.slack.adapter import SlackAdapter
from bot.clock import SystemClock
from bot.config import Secret, SlackConfig
from bot.types import Place
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from tests.fakes.slack.core import TEAM, Shown
from tests.flow.slack_desk import mounted

if TYPE_CHECKING:
    from bot.ports import Adapter
    from tests.contract.adapters import Fault


class SlackStage:
    """Two people, each in a thread of their direct messages.

    A lost answer to a send is not among the faults: this adapter finds the post by its mark, so
    there is no doubt to tell of (tests/flow/test_slack_speech.py).
    """

    faults: frozenset[Fault] = frozenset({"lose edit", "ban", "block", "redeliver"})

    def __init__(self, fake: FakeSlack, adapter: SlackAdapter) -> None:
        self.fake = fake
        self.adapter: Adapter = adapter
        self.here, self.there = (self._place(channel) for channel in ("D1", "D2"))

    def _place(self, channel: str) -> Place:
        core = self.fake.core
        core.channels[channel], ts = "im", core.stamp()
        core.messages[channel, ts] = Shown(channel=channel, ts=ts, user="U1", text="hello")
        return Place(platform="slack", account=TEAM, channel=channel, thread=ts, private=True)

    async def say(self, place: Place, text: str) -> None:
        self.fake.say("U1", place.channel, text, thread=place.thread)
        await self.fake.settled()

    def screen(self, place: Place) -> list[str]:
        shown = self.fake.core.shown(place.channel, thread=place.thread)
        return [message.markdown for message in shown]

    async def cause(self, fault: Fault, place: Place) -> None:
        match fault:
            case "lose edit":
                self.fake.faults["chat.update"] = "lost"
            case "ban":
                self.fake.core.banned[place.channel] = time.time() + 300
            case "block":
                self.fake.core.outside.add(place.channel)
            case "redeliver":
                await self.fake.deliver(self.fake.sent[-1])
            case "lose send":
                raise AssertionError("not among the faults")


@asynccontextmanager
async def _slack(mode: str) -> AsyncIterator[SlackStage]:
    fake = FakeSlack()
    await fake.start()
    fake.core.users["U1"] = {"real_name": "Ann", "locale": "zh-CN"}
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        app_token=Secret(APP_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=fake.api_root,
        mode=mode,
    )
    adapter = SlackAdapter(config, SystemClock(), random=Random(1))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fake.close)
        stack.push_async_callback(adapter.close)
        await adapter.start()
        if mode == "http":
            fake.target = await stack.enter_async_context(mounted(adapter))
        yield SlackStage(fake, adapter)


def slack_http() -> AbstractAsyncContextManager[SlackStage]:
    """Events over HTTP, signed."""
    return _slack("http")


def slack_socket() -> AbstractAsyncContextManager[SlackStage]:
    """Events over Socket Mode."""
    return _slack("socket")
