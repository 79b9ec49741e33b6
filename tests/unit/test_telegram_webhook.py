"""The webhook kept set, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.webhook import LOOK_SECONDS, PATH
from bot.config import Secret, TelegramConfig
from bot.errors import PlatformLocked
from bot.ports import Intake
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.telegram import DirectRequest, FakeTelegram

PUBLIC = "https://desk.example"


async def nowhere(_intakes: Sequence[Intake]) -> None:
    """A sink that is never asked here."""


def stage(token: str = "4242:test-token") -> tuple[FakeTelegram, TelegramAdapter]:
    clock = VirtualClock()
    fake = FakeTelegram(clock=clock)
    config = TelegramConfig(token=Secret(token), mode="webhook", webhook_secret=Secret("s"))
    request = DirectRequest(fake)
    return fake, TelegramAdapter(
        config, clock, random=Random(1), public_url=PUBLIC, request=request
    )


def test_a_webhook_that_somebody_took_away_is_set_anew() -> None:
    """Also when the look itself fails once: the next one finds it."""

    async def main() -> tuple[str, str, int]:
        fake, adapter = stage()
        task = asyncio.create_task(adapter.run(nowhere))
        await fake.clock.sleep(5)
        at_start, fake.webhook = fake.webhook, "https://other.example/x"
        fake.method_faults["getWebhookInfo"] = ["502"]
        await fake.clock.sleep(2 * LOOK_SECONDS + 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return at_start, fake.webhook, sum(1 for name, _ in fake.calls if name == "setWebhook")

    assert run_virtual(main()) == (PUBLIC + PATH, PUBLIC + PATH, 2)


def test_an_outage_at_the_start_is_waited_out_with_growing_pauses() -> None:
    """An hour without Telegram costs some hundred calls, and the webhook is set right after it."""

    async def main() -> tuple[int, str]:
        fake, adapter = stage()
        fake.refuse = 1.0
        task = asyncio.create_task(adapter.run(nowhere))
        await fake.clock.sleep(3600)
        calls, fake.refuse = len(fake.calls), 0.0
        await fake.clock.sleep(60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return calls, fake.webhook

    calls, webhook = run_virtual(main())
    assert calls < 400
    assert webhook == PUBLIC + PATH


def test_a_refused_token_ends_it() -> None:
    async def main() -> str:
        _, adapter = stage("4242:another")
        try:
            await adapter.run(nowhere)
        except PlatformLocked as error:
            return str(error)
        return ""

    assert "token" in run_virtual(main())
