"""The fake is as strict as Slack: so what passes against it has been proved against something."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from tests.fakes.slack import BOT_TOKEN, FakeSlack, SlackCore
from tests.fakes.slack.core import Refusal
from tests.flow.slack_desk import Hand


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def core(hand: Hand) -> SlackCore:
    return SlackCore(hand)


def post(core: SlackCore, text: str, **more: Any) -> str:
    return str(core.do("chat.postMessage", {"channel": "C1", "text": text, **more})["ts"])


def marked(text: str) -> list[dict[str, Any]]:
    return [{"type": "markdown", "text": text}]


def test_an_updates_text_is_cut_at_4000_bytes_without_a_word(core: SlackCore) -> None:
    ts = post(core, "x")
    core.do("chat.update", {"channel": "C1", "ts": ts, "text": "数" * 2000})
    assert len(core.messages["C1", ts].text.encode()) <= 4000
    assert len(core.cut) == 1


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"blocks": marked("x" * 12_001)}, "msg_blocks_too_long"),
        ({"blocks": marked("x" * 6_001) * 2}, "msg_blocks_too_long"),
        ({"blocks": marked(" ")}, "invalid_blocks"),
        ({"blocks": [{"type": "dance"}]}, "invalid_blocks"),
        ({"text": " "}, "no_text"),
        ({"text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ({"text": "x", "channel": "C9"}, "channel_not_found"),
    ],
)
def test_what_slack_refuses_is_refused(
    core: SlackCore, args: Mapping[str, Any], error: str
) -> None:
    with pytest.raises(Refusal, match=error):
        core.do("chat.postMessage", {"channel": "C1", **args})


@pytest.mark.parametrize(
    "text", ["<!channel>", "<!here|here>", "<@U1>", "<!subteam^S1|@x>", "`<@U1>`", "a <!everyone"]
)
def test_what_would_ping_is_noticed_in_text_and_in_markdown(core: SlackCore, text: str) -> None:
    post(core, text)
    post(core, "x", blocks=marked(text))
    assert len(core.pings) == 2


def test_plain_at_channel_pings_only_where_names_are_linked(core: SlackCore) -> None:
    post(core, "@channel")
    assert core.pings == []
    post(core, "@channel", link_names=True)
    assert core.pings == ["@channel"]


def test_autolinks_and_pictures_are_noticed(core: SlackCore) -> None:
    post(core, "x", blocks=marked("<https://a.b|c> ![p](https://a.b/p.png) \\![no](https://a.b)"))
    assert len(core.links) == 2


def test_a_tier_refuses_the_call_beyond_its_minute(core: SlackCore, hand: Hand) -> None:
    ts = post(core, "x")
    change = {"channel": "C1", "ts": ts, "text": "y"}
    for _ in range(50):
        core.do("chat.update", change)
    with pytest.raises(Refusal) as refusal:
        core.do("chat.update", change)
    assert refusal.value.retry_after
    hand.seconds += refusal.value.retry_after
    core.do("chat.update", change)


def test_posts_to_one_channel_are_one_a_second(core: SlackCore) -> None:
    for _ in range(4):
        post(core, "x")
    with pytest.raises(Refusal):
        post(core, "x")
    core.do("chat.postMessage", {"channel": "D1", "text": "elsewhere"})


def test_a_response_url_lives_30_minutes_and_five_uses(core: SlackCore, hand: Hand) -> None:
    core.responses |= {name: (hand(), 0, "C1", "U1") for name in ("a", "b")}
    for _ in range(5):
        core.respond("a", {"text": "x"})
    with pytest.raises(Refusal, match="used_url"):
        core.respond("a", {"text": "x"})
    hand.seconds += 1_801
    with pytest.raises(Refusal, match="expired_url"):
        core.respond("b", {"text": "x"})


async def test_methods_that_take_forms_do_not_read_json(plain: FakeSlack) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {BOT_TOKEN}"}) as session:
        url = f"{plain.api_root}conversations.replies"
        async with session.post(url, json={"channel": "C1", "ts": "1.0"}) as answer:
            assert (await answer.json())["error"] == "invalid_arguments"
        async with session.post(url, headers={"Authorization": "Bearer x"}) as answer:
            assert (await answer.json())["error"] == "invalid_auth"


@pytest.fixture
async def plain() -> AsyncIterator[FakeSlack]:
    slack = FakeSlack()
    await slack.start()
    yield slack
    await slack.close()


async def test_it_stands_alone_and_can_be_steered() -> None:
    """For the kill gate: the desk dies, Slack lives on and remembers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.slack"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as session:
            target = {"url": "http://127.0.0.1:9/"}
            await session.post(f"{url}/control/target", json=target)
            asked = {"user": "U1", "channel": "D1", "text": "hello"}
            async with session.post(f"{url}/control/say", json=asked) as answer:
                ts = (await answer.json())["answer"]
            async with session.get(f"{url}/control/transcript") as answer:
                told = json.loads(await answer.text())
        assert [(m["ts"], m["text"]) for m in told["messages"]] == [(ts, "hello")]
    finally:
        process.kill()
        await process.wait()
