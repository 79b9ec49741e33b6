"""A sample of S1 to S6 over HTTP, through the real client libraries, on the clock on the wall.

The scenarios and their oracles are those of the virtual clock, where the bars in seconds are judged
to the millisecond and in hundreds; here the answers are short, the model is fast, and a ban brief.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from random import Random

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.telegram.adapter import TelegramAdapter
from bot.clock import SystemClock
from bot.config import Secret, SlackConfig, TelegramConfig
from storage.stores import Stores, stores
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack
from tests.fakes.slack.core import BOT, SlackCore
from tests.fakes.telegram import FakeTelegram, serve
from tests.fakes.telegram.flood import Flood
from tests.flow import scenarios, slack_scenarios
from tests.flow.scenarios import Verdict
from tests.flow.virtual_desk import Script, VirtualDesk, Written, worker_over

BAN_SECONDS = 8.0
"""As good as the 300 s of S6, for a test that has to wait for its end."""
LAG_MAX = 6.0
"""Seconds, where the virtual clock shows 4: this machine may be busy with other tests."""
FIRST_MAX = BAN_SECONDS / 4
"""To the first sign in the chat beside a banned one; had that one held it up, it would be 8."""
FAULTS = ("network", "lost", "500")
"""What the fake's HTTP front calls the faults of a call."""

RATE: ContextVar[float] = ContextVar("RATE", default=100.0)
"""Deltas a second of the model that writes here, of 16 characters each."""

Run = Callable[[int], Awaitable[Verdict]]


def written(answers: dict[str, str]) -> Written:
    """A model faster than the virtual one."""
    return Written(answers, rate=RATE.get(), size=16)


async def banned(run: Run, seed: int) -> Verdict:
    """S6, with a model that still writes when the ban comes; whether it was felt is seen."""
    RATE.set(15.0)
    begun = time.monotonic()
    verdict = await run(seed)
    if (lasted := time.monotonic() - begun) < BAN_SECONDS:
        verdict.faults.append(f"over in {lasted:.1f} s, so no ban was felt")
    return verdict


# --- Telegram ---------------------------------------------------------------------------------


class BriefFlood(Flood):
    """Bans from outside are over soon."""

    def ban(self, chat: int, now: float, seconds: float) -> None:
        super().ban(chat, now, min(seconds, BAN_SECONDS))


def telegram_on_the_wire(*, flood: bool = True) -> FakeTelegram:
    fake = FakeTelegram(flood=flood)
    fake.flood = BriefFlood() if flood else None
    return fake


@asynccontextmanager
async def telegram_desk(
    script: Script, telegram: FakeTelegram, *, pace: str = "official", streaming: str = "edits"
) -> AsyncIterator[VirtualDesk]:
    """Long polling, by python-telegram-bot, until the block is left."""
    clock, database = SystemClock(), InlineDatabase.open()
    kept = stores(database, clock)
    async with serve(telegram) as root:
        config = TelegramConfig(
            token=Secret(telegram.token), api_root=root, pace=pace, streaming=streaming
        )
        adapter = TelegramAdapter(config, clock, random=Random(1))
        worker = worker_over(script, kept, adapter, clock)

        async def sink(intakes: object) -> None:
            await kept.inbox.put(intakes)  # type: ignore[arg-type]

        tasks = [asyncio.create_task(adapter.run(sink)), asyncio.create_task(worker.run())]
        try:
            yield VirtualDesk(telegram=telegram, stores=kept, adapter=adapter)
        finally:
            await ended(tasks)
            await adapter.close()
            await database.close()


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


TELEGRAM: Mapping[str, Run] = {
    "S1": partial(scenarios._one, group=False, flood=False, low=500, high=1500, faults=False),
    "S2": partial(scenarios._one, group=True, flood=True, low=500, high=1500, faults=False),
    "S3": scenarios._two,
    "S4": partial(scenarios._one, group=False, flood=False, low=400, high=900, faults=True),
    "S5": scenarios._topics,
    "S6": partial(banned, scenarios._banned),
    "D1": partial(
        scenarios._one,
        group=False,
        flood=True,
        low=500,
        high=1500,
        faults=False,
        streaming="drafts",
    ),
}

# --- Slack ------------------------------------------------------------------------------------


class BriefBans(dict[str, float]):
    """Bans from outside begin now and are over soon."""

    def __setitem__(self, channel: str, until: float) -> None:
        super().__setitem__(channel, time.time() + BAN_SECONDS)


class Faults:
    """Faults by the number of a call, as the HTTP front has them."""

    def __init__(self, slack: FakeSlack) -> None:
        self.faults = self
        self._slack = slack

    def __setitem__(self, call: int, fault: str) -> None:
        known = dict(zip(slack_scenarios.FAULTS, FAULTS, strict=True))
        self._slack.faults[call] = known[fault]


class WireDesk:
    """What a scenario needs of a desk on a workspace."""

    def __init__(self, slack: FakeSlack, kept: Stores, adapter: SlackAdapter) -> None:
        self.core: SlackCore = slack.core
        self.stores = kept
        self.adapter = self
        self.client = Faults(slack)
        self._slack = slack
        self._real = adapter

    async def say(self, channel: str, text: str, *, thread: str | None = None) -> str:
        private = self.core.channels[channel] == "im"
        words = text if private else f"<@{BOT}> {text}"
        return self._slack.say("U1", channel, words, thread=thread)

    async def quiet(self, seconds: float = 60.0) -> None:
        await self._slack.settled()
        async with asyncio.timeout(seconds):
            while (depth := await self.stores.inbox.depth()).waiting or depth.leased:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def slack_desk(script: Script, streaming: str = "native") -> AsyncIterator[WireDesk]:
    """Socket Mode, by slack-bolt and slack-sdk, until the block is left."""
    clock, database = SystemClock(), InlineDatabase.open()
    kept, slack = stores(database, clock), FakeSlack()
    slack.core.channels["C2"] = "channel"
    slack.core.banned = BriefBans()
    await slack.start()
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        app_token=Secret(APP_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=slack.api_root,
        mode="socket",
        streaming=streaming,
    )
    adapter = SlackAdapter(config, clock, random=Random(1))
    await adapter.start()
    worker = worker_over(script, kept, adapter, clock)

    async def sink(intakes: object) -> None:
        await kept.inbox.put(intakes)  # type: ignore[arg-type]

    tasks = [asyncio.create_task(adapter.run(sink)), asyncio.create_task(worker.run())]
    try:
        await asyncio.wait_for(slack.connected.wait(), 5)
        slack.core.calls.clear()
        yield WireDesk(slack, kept, adapter)
    finally:
        await ended(tasks)
        await adapter.close()
        await slack.close()
        await database.close()


SLACK: Mapping[str, Run] = {
    "S1": partial(slack_scenarios._one, channel="D1", low=500, high=1500),
    "S2": partial(slack_scenarios._one, channel="C1", low=500, high=1500),
    "S3": partial(slack_scenarios._two, topics=False),
    "S4": partial(slack_scenarios._one, channel="D1", low=400, high=900, faults=True),
    "S5": partial(slack_scenarios._two, topics=True),
    "S6": partial(banned, slack_scenarios._banned),
}

# --- both -------------------------------------------------------------------------------------


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenarios play on the wire."""
    monkeypatch.setattr(scenarios, "fake", telegram_on_the_wire)
    monkeypatch.setattr(scenarios, "virtual_desk", telegram_desk)
    monkeypatch.setattr(slack_scenarios, "slack_desk", slack_desk)
    for module in (scenarios, slack_scenarios):
        monkeypatch.setattr(module, "Written", written)


def judge(name: str, verdict: Verdict, *, since: float) -> list[str]:
    """What is wrong with a run. `since`: what the fake's clock shows at the loop's zero."""
    lags = [lag - since for lag in verdict.lags]
    most = FIRST_MAX if name == "S6" else LAG_MAX
    late = [f"{lag:.1f} s late" for lag in lags if name != "S4" and lag > most]
    refused = verdict.refusals if name not in ("S4", "S6") else 0
    orphans = verdict.orphans if name != "S4" else 0
    odd = [f"{refused} refusals, {orphans} orphans"] if refused or orphans else []
    return [f"{name}: {fault}" for fault in (*verdict.faults, *late, *odd)]


async def all_of(runs: Mapping[str, Run], seeds: range, *, since: float) -> list[str]:
    """Every scenario with these seeds, side by side: they wait more than they work."""
    names = [name for name in runs for _ in seeds]
    verdicts = await asyncio.gather(*(runs[name](seed) for name in runs for seed in seeds))
    return [
        fault
        for name, verdict in zip(names, verdicts, strict=True)
        for fault in judge(name, verdict, since=since)
    ]


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("wired")
@pytest.mark.parametrize("platform", ["telegram", "slack"])
async def test_a_sample_of_each_is_exact(platform: str) -> None:
    """Complete, one copy, no word cut, no 429 provoked, no placeholder left, and soon enough.

    Slack's stamps are seconds since the epoch.
    """
    runs = TELEGRAM if platform == "telegram" else SLACK
    slack = time.time() - asyncio.get_running_loop().time()
    since = slack if platform == "slack" else 0.0
    assert await all_of(runs, range(4), since=since) == []
