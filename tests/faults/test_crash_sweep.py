"""A crash at every single call to storage or platform, in order, until a run is left untouched.

Random kills find what is likely; a sweep finds what is not (SQLite's own way of testing).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.crashing import CRASHED, REACHED
from tests.faults.gate import Stage, drained, staged, verdict
from tests.faults.test_telegram_webhook_kill import by_webhook

CALLS_MAX = 200
"""A question is answered in far fewer calls; a sweep that gets here would never end."""


async def crashed_or_answered(stage: Stage) -> bool:
    """True when the process died; False when every question was answered and nothing is left."""
    assert stage.process
    ended = asyncio.create_task(stage.process.wait())
    try:
        async with asyncio.timeout(30):
            while not ended.done():
                if stage.answered() == sum(stage.asked.values()) and not stage.open_messages():
                    await asyncio.sleep(0.3)  # what follows an answer is part of the run
                    return ended.done()
                await asyncio.sleep(0.02)
    finally:
        ended.cancel()
    assert stage.process.returncode == CRASHED, stage.log()
    return True


@pytest.mark.soak
@pytest.mark.parametrize(
    ("mode", "when"),
    [("polling", "before"), ("polling", "after"), ("webhook", "before"), ("drafts", "after")],
)
async def test_a_crash_at_any_call_loses_and_doubles_nothing(
    mode: str, when: str, tmp_path: Path
) -> None:
    """Run n dies at its n-th call; the next one has to tidy up after it, and is killed too."""
    async with staged(tmp_path, seed=1, refuse=0, lose=0, duplicate=0) as stage:
        if mode == "webhook":
            by_webhook(stage)
        if mode == "drafts":
            stage.environment["TELEGRAM_STREAMING"] = "drafts"
        for calls in range(1, CALLS_MAX):
            await stage.start(module=("tests.faults.crashing", str(calls), when))
            stage.ask(stage.telegram.private(1000 + calls, "User"))
            if not await crashed_or_answered(stage):
                if not (tmp_path / REACHED).exists():
                    break
                stage.ask(stage.telegram.private(5000 + calls, "Waker"))
                assert await crashed_or_answered(stage)
            (tmp_path / REACHED).unlink(missing_ok=True)
            stage.kills += 1
            await stage.start()
            await drained(stage)
            await stage.kill()
        else:
            pytest.fail(f"no run was left untouched within {CALLS_MAX} calls")
        assert await stage.stop() == 0
    print(f"{mode}, {when}: {stage.kills} crashes, {sum(stage.asked.values())} questions")
    assert stage.kills > 10
    assert verdict(stage) == {}, stage.log()
