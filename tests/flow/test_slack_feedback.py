"""Verdicts on Slack: pressed under an answer, kept, and thanked for where only one sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.driver import sqlite
from tests.fakes.slack import BOT, FakeSlack
from tests.flow.slack_desk import until
from tests.flow.slack_service import says, served


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Two people, one of them reads Chinese; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {
        "U1": {"real_name": "Ann"},
        "U2": {"real_name": "Bo", "locale": "zh-CN"},
    }
    yield fake
    await fake.close()


def verdicts(folder: Path) -> list[int]:
    """What is kept once the desk is closed, by person."""
    with closing(sqlite.connect(folder / "desk.db")) as db:
        return [good for (good,) in db.execute("SELECT good FROM feedback ORDER BY person")]


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_the_last_verdict_of_each_person_is_kept_and_each_press_is_thanked_for(
    slack: FakeSlack, tmp_path: Path, mode: str
) -> None:
    """The thread shows no message more for it."""
    async with served(slack, mode, tmp_path):
        root = slack.say("U1", "C1", f"<@{BOT}> how long does a refund take?")
        await until(lambda: any("👍" in one.buttons() for one in slack.core.shown("C1")))
        (answer,) = slack.core.shown("C1")
        for user, label in (("U1", "👍"), ("U2", "👍"), ("U1", "👎")):
            await slack.press(user, answer, label)
        await until(lambda: len(slack.core.whispers) == 3)
        assert slack.core.shown("C1") == [answer]
        slack.say("U1", "C1", f"<@{BOT}> help", thread=root)  # its line: behind the verdicts
        await until(lambda: says(slack, "C1", "/new"))
    assert verdicts(tmp_path) == [0, 1]
    thanked = [(one.only_for, one.markdown) for one in slack.core.whispers]
    assert sorted(thanked) == [("U1", "Thank you!"), ("U1", "Thank you!"), ("U2", "谢谢您的反馈！")]
    assert "Five working days" in answer.markdown


async def test_a_verdict_on_a_whispered_answer_is_kept_too(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """And when the thanks cannot be said, nothing else fails."""
    async with served(slack, "socket", tmp_path):
        await slack.command("U1", "C1", "/ask", "how long does a refund take?")
        await until(lambda: any("👍" in one.buttons() for one in slack.core.whispers))
        (answer,) = (one for one in slack.core.whispers if "👍" in one.buttons())
        slack.faults["response_url"] = "500"
        await slack.press("U1", answer, "👍")
        await slack.settled()
        await slack.command("U1", "C1", "/frontdesk", "help")
        await until(lambda: any("/new" in one.markdown for one in slack.core.whispers))
    assert verdicts(tmp_path) == [1]
    assert not any("Thank you" in one.markdown for one in slack.core.whispers)
