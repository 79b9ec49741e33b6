"""Kill -9 at any instant: nothing is lost, nothing is said twice, order and history stay exact."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.faults.gate import crowd, drained, staged, verdict

KILLS = 30
SEED = int(os.environ.get("GATE_SEED", "20261122"))


@pytest.mark.soak
async def test_a_desk_that_is_never_killed_answers_everything(tmp_path: Path) -> None:
    """The harness itself, and refusals, lost responses and duplicates without any kill."""
    rng = random.Random(SEED)
    async with staged(tmp_path, seed=SEED) as stage:
        await stage.start()
        await crowd(stage, users=4, seconds=4, rng=rng)
        await drained(stage)
        status = await stage.stop()
    assert verdict(stage) == {}, stage.log()
    assert status == 0


@pytest.mark.soak
async def test_thirty_kills_lose_nothing(tmp_path: Path) -> None:
    """The real process under 30 SIGKILLs at random moments."""
    rng = random.Random(SEED)
    async with staged(tmp_path, seed=SEED) as stage:
        await stage.start()

        async def killer() -> None:
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.7, 3.5))
                await stage.kill()
                await stage.start()

        await asyncio.gather(killer(), crowd(stage, users=10, seconds=60, rng=rng))
        await drained(stage)
        status = await stage.stop()
    asked = sum(stage.asked.values())
    print(f"{stage.kills} kills, {asked} questions, {stage.telegram.unknown_sends} lost sends")
    assert verdict(stage) == {}, stage.log()
    assert (stage.kills, status) == (KILLS, 0)
