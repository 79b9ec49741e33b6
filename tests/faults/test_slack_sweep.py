"""A crash at every single call to storage or Slack, in order, until a run is left untouched."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import FakeSlack
from tests.faults.crashing import CRASHED, REACHED
from tests.faults.gate import reply_to
from tests.faults.test_slack_kill import Desk, answers, at_work, judge

CALLS_MAX = 120
"""A question is answered in far fewer calls; a sweep that gets here would never end."""


def open_messages(desk: Desk) -> int:
    """Messages without an outcome, as the desk's own file has it."""
    with contextlib.closing(sqlite3.connect(f"file:{desk.database}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM inbox WHERE state = 0").fetchone()[0])


async def answered(slack: FakeSlack, desk: Desk, thread: str, seconds: float) -> bool:
    """Whether this question stands answered and settled in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if thread in answers(slack) and not open_messages(desk):
            return True
        await asyncio.sleep(0.02)
    return False


async def crashed(slack: FakeSlack, desk: Desk, thread: str) -> bool:
    """True when the process died; False when it answered, and has nothing left to do."""
    for _ in range(300):
        if (status := await desk.ended(within=0.05)) is not None:
            assert status == CRASHED, desk.log.read_text()[-4000:]
            return True
        if thread in answers(slack) and not open_messages(desk):
            return await desk.ended(within=0.5) is not None
    raise AssertionError("neither crashed nor answered\n" + desk.log.read_text()[-4000:])


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_call_loses_and_doubles_nothing(when: str, tmp_path: Path) -> None:
    """Run n dies at its n-th call; the next one has to tidy up after it, and is killed too."""
    slack = FakeSlack(tiers=False, retries=(0.1,) * 1000)
    slack.ack_seconds = 1.0
    await slack.start()
    slack.core.users = {"U2": {"real_name": "Bo"}}
    asked: list[str] = []
    async with FakeGlm(default=computed(reply_to, chunks=4)) as glm:
        desk = Desk(tmp_path, slack, glm, "socket")
        for calls in range(1, CALLS_MAX):
            await desk.start("tests.faults.crashing", str(calls), when)
            asked.append(slack.say("U2", "D1", f"q{calls % 4}x{calls} please?"))
            if not await crashed(slack, desk, asked[-1]):
                break
            (tmp_path / REACHED).unlink(missing_ok=True)
            await desk.start()
            await at_work(slack)
            assert await answered(slack, desk, asked[-1], 30), desk.log.read_text()[-4000:]
            await desk.kill()
        else:
            pytest.fail(f"no run was left untouched within {CALLS_MAX} calls")
        assert await desk.stop() == 0
        await slack.close()
    print(f"{when}: {desk.kills} crashes, {len(asked)} questions")
    assert desk.kills > 10
    judge(slack, desk, asked)
