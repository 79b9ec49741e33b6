"""Kill -9 under a webhook: what was answered 200 is on disk, what was not is sent again."""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path

import pytest

from tests.faults.gate import Stage, crowd, drained, staged, verdict
from tests.faults.test_kill_gate import SEED

KILLS = 12
PUBLIC = "https://desk.example"


def by_webhook(stage: Stage) -> None:
    """Have the desk take its updates over HTTP, behind a proxy that ends the TLS."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    stage.telegram.proxies[PUBLIC] = f"http://{address}"
    stage.environment |= {
        "TELEGRAM_MODE": "webhook",
        "TELEGRAM_WEBHOOK_SECRET": "gate-secret",
        "PUBLIC_URL": PUBLIC,
        "FRONTDESK_HTTP": address,
    }


async def gate(folder: Path, *, users: int, seconds: float, kills: int) -> None:
    rng = random.Random(SEED)
    async with staged(folder, seed=SEED) as stage:
        by_webhook(stage)
        await stage.start()

        async def killer() -> None:
            for _ in range(kills):
                await asyncio.sleep(rng.uniform(1.5, 3.0))
                await stage.kill()
                await stage.start()

        await asyncio.gather(killer(), crowd(stage, users=users, seconds=seconds, rng=rng))
        await drained(stage)
        status = await stage.stop()
    asked = sum(stage.asked.values())
    print(f"{stage.kills} kills, {asked} questions, {len(stage.telegram.hook_statuses)} deliveries")
    assert verdict(stage) == {}, (folder / "desk.log").read_text()[-4000:]
    assert (stage.kills, status) == (kills, 0)
    assert stage.telegram.polls == 0
    assert stage.telegram.hook_statuses.count(200) >= asked


@pytest.mark.soak
async def test_many_kills_under_a_webhook_lose_nothing(tmp_path: Path) -> None:
    await gate(tmp_path, users=8, seconds=32, kills=KILLS)
