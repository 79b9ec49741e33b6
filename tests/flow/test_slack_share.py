"""An answer to /ask is one person's; with a press it is everybody's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.slack import FakeSlack, payloads
from tests.flow.slack_desk import until
from tests.flow.slack_service import says, served

SHARE = "Share in channel"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Two people; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann"}, "U2": {"real_name": "Bo"}}
    yield fake
    await fake.close()


def whispers(slack: FakeSlack, user: str) -> list[str]:
    return [one.markdown for one in slack.core.whispers if one.only_for == user]


async def test_whoever_asked_may_share_the_answer_and_the_channel_sees_it_once(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """Pressed twice, it stands there once; and still nobody is pinged."""
    async with served(slack, "socket", tmp_path):
        await slack.command("U1", "C1", "/ask", "how long does a refund take?")
        await until(lambda: any("Five working days" in one for one in whispers(slack, "U1")))
        (answer,) = (one for one in slack.core.whispers if SHARE in one.buttons())
        assert not slack.core.shown("C1")
        for _ in range(2):
            await slack.press("U1", answer, SHARE)
        await until(lambda: says(slack, "C1", "Five working days"))
        await until(lambda: len(whispers(slack, "U1")) == 3)
    (shared,) = slack.core.shown("C1")
    assert "Ann asked: how long does a refund take?" in shared.markdown
    assert shared.thread is None
    assert slack.core.pings == []


async def test_nobody_shares_what_another_was_told(slack: FakeSlack, tmp_path: Path) -> None:
    """Neither by a forged press nor by the word itself, nor where the answer was not given."""
    async with served(slack, "http", tmp_path):
        await slack.command("U1", "C1", "/ask", "how long does a refund take?")
        await until(lambda: any("Five working days" in one for one in whispers(slack, "U1")))
        (answer,) = (one for one in slack.core.whispers if SHARE in one.buttons())
        pressed = answer.buttons()[SHARE]
        told, url = answer.as_json(), slack._response_url("C1", "U2")
        forged = payloads.press("U2", "C1", told, pressed, url, whispered=True)
        await slack.deliver(forged)
        await slack.command("U2", "C1", "/frontdesk", pressed)
        await slack.command("U1", "G1", "/frontdesk", pressed)
        await until(lambda: len(whispers(slack, "U2")) == 2)
        await until(lambda: len(whispers(slack, "U1")) == 2)
    assert all("only share an answer that you were given here" in w for w in whispers(slack, "U2"))
    assert slack.core.shown("C1") == []
    assert slack.core.shown("G1") == []


async def test_an_answer_that_all_can_see_has_nothing_to_share(
    slack: FakeSlack, tmp_path: Path
) -> None:
    async with served(slack, "socket", tmp_path):
        slack.say("U1", "D1", "how long does a refund take?")
        await until(lambda: any("👍" in one.buttons() for one in slack.core.shown("D1")))
    assert SHARE not in slack.core.shown("D1")[-1].buttons()
