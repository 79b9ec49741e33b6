"""Message shortcuts: a skill run on a message or its whole thread, answered in that thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.normalise import Me, Setting, normalise
from bot.config import AccessConfig
from bot.i18n import say
from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import BOT, FakeSlack
from tests.fakes.slack.core import Shown
from tests.flow.slack_desk import count, until
from tests.flow.slack_service import says, served

SUMMARIZE, EXPLAIN = "thread:summarize", "message:explain"
CODE = "```\nfor i in range(3): print(i)\n```"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Three people; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {
        "U1": {"real_name": "Ann", "locale": "en-US"},
        "U2": {"real_name": "Bo", "locale": "en-US"},
        "U3": {"real_name": "陈", "locale": "zh-CN"},
    }
    yield fake
    await fake.close()


@pytest.fixture
async def glm() -> AsyncIterator[FakeGlm]:
    """A model that answers everything alike."""
    async with FakeGlm(default=computed(lambda _: "The gist of it.", chunks=2)) as fake:
        yield fake


def material(glm: FakeGlm) -> str:
    """What the model was given to work on, last."""
    told: str = glm.calls[-1].body["messages"][1]["content"]
    return told


def thread(slack: FakeSlack, *lines: tuple[str, str], channel: str = "C1") -> Shown:
    """A thread of people; its first message."""
    root = None
    for user, text in lines:
        ts = slack.say(user, channel, text, thread=root)
        root = root or ts
    assert root
    return slack.core.messages[channel, root]


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_whole_thread_is_summarised_with_names_in_that_thread(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, mode: str
) -> None:
    """All pages of it, whichever message was chosen, and nothing said after that."""
    async with served(slack, mode, tmp_path, glm=glm):
        lines = [("U2" if n % 2 else "U1", f"Point {n}.") for n in range(250)]
        first = thread(slack, *lines)
        await slack.settled()
        chosen = next(m for m in slack.core.messages.values() if m.text == "Point 7.")
        assert await slack.shortcut("U3", chosen, SUMMARIZE) == 200
        await until(lambda: says(slack, "C1", "The gist of it."))
        (shown,) = slack.core.shown("C1")
        assert shown.thread == first.ts
        told = material(glm)
        assert "Ann: Point 0.\nBo: Point 1." in told
        assert told.count("Ann: Point 0.\n") == 1
        assert "Bo: Point 249.\n</text>" in told
        assert "规则" in glm.calls[-1].body["messages"][0]["content"]  # for U3, who asked


async def test_code_in_a_message_is_explained_in_its_thread(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    async with served(slack, "http", tmp_path, glm=glm):
        said = thread(slack, ("U2", CODE))
        await slack.shortcut("U1", said, EXPLAIN)
        await until(lambda: says(slack, "C1", "The gist of it."))
        assert slack.core.shown("C1")[0].thread == said.ts
        assert material(glm) == f"<code>\n{CODE}\n</code>"


async def test_a_file_without_words_is_what_a_shortcut_is_about(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    async with served(slack, "http", tmp_path, glm=glm):
        ts = slack.upload("U2", "C1", "", "loop.py", b"while True: pass\n")
        await slack.shortcut("U1", slack.core.messages["C1", ts], EXPLAIN)
        await until(lambda: says(slack, "C1", "The gist of it."))
        assert "while True: pass" in material(glm)


async def test_where_the_desk_is_no_member_only_the_one_who_asked_is_answered(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """It can neither read the thread nor write there: by the response URL, about the message."""
    slack.core.outside.add("C1")
    async with served(slack, "http", tmp_path, glm=glm):
        said = thread(slack, ("U2", "We moved the fair to May."), ("U1", "Fine."))
        await slack.shortcut("U1", said, SUMMARIZE)
        await until(lambda: bool(slack.core.whispers))
        assert slack.core.whispers[-1].markdown.startswith("The gist of it.")
        assert slack.core.whispers[-1].only_for == "U1"
        assert "<text>\nWe moved the fair to May.\n</text>" in material(glm)
        assert not slack.core.shown("C1")


@pytest.mark.parametrize("fault", ["429", "500", "network"])
async def test_slack_in_trouble_while_the_thread_is_looked_at_changes_nothing(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, fault: str
) -> None:
    """The look before the acknowledgement is a courtesy; the reading is done when it is worked."""
    async with served(slack, "http", tmp_path, glm=glm):
        said = thread(slack, ("U2", "Shall we?"), ("U1", "We shall."))
        await slack.settled()
        slack.faults["conversations.replies"] = fault
        assert await slack.shortcut("U1", said, SUMMARIZE) == 200
        await until(lambda: says(slack, "C1", "The gist of it."))
        assert "Bo: Shall we?\nAnn: We shall." in material(glm)


async def test_a_shortcut_starts_no_exchange_and_a_second_use_counts_as_one_more(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """People go on among themselves; limits hold as for the command."""
    limits = AccessConfig(person_per_day=1)
    async with served(slack, "http", tmp_path, glm=glm, access=limits):
        said = thread(slack, ("U2", "Shall we?"), ("U1", "We shall."))
        await slack.shortcut("U1", said, SUMMARIZE)
        await until(lambda: says(slack, "C1", "The gist of it."))
        slack.say("U1", "C1", "and now among us", thread=said.ts)
        await slack.settled()
        await slack.shortcut("U1", said, SUMMARIZE)
        limit = say("en", "access.day_spent", until="").partition("{")[0][:20]
        await until(lambda: says(slack, "C1", limit))
        assert len(glm.calls) == 1
        assert count(slack, "conversations.replies") >= 2


async def test_the_same_use_delivered_twice_is_answered_once(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    async with served(slack, "http", tmp_path, glm=glm):
        said = thread(slack, ("U2", CODE))
        await slack.shortcut("U1", said, EXPLAIN)
        body = slack.sent[-1]
        await until(lambda: says(slack, "C1", "The gist of it."))
        assert await slack.deliver(body) == 200
        await slack.shortcut("U1", said, EXPLAIN)
        await until(lambda: len(slack.core.shown("C1")) == 2)
        assert len(glm.calls) == 2


async def test_its_bare_word_in_a_thread_is_about_the_thread_or_the_file_above(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """A mention does what the shortcut does."""
    async with served(slack, "http", tmp_path, glm=glm):
        said = thread(slack, ("U2", "Shall we?"), ("U1", "We shall."))
        slack.say("U1", "C1", f"<@{BOT}> summarize", thread=said.ts)
        await until(lambda: says(slack, "C1", "The gist of it."))
        assert "<text>\nBo: Shall we?\nAnn: We shall.\n</text>" in material(glm)
        sent = slack.upload("U2", "C1", "have a look", "notes.md", "# 会议\n五月见".encode())
        slack.say("U1", "C1", f"<@{BOT}> summarize", thread=sent)
        await until(lambda: len(slack.core.shown("C1", thread=sent)) == 1)
        await until(lambda: len(glm.calls) == 2)
        assert "<text>\n# 会议\n五月见\n</text>" in material(glm)


ME = Me(account="T0DESK", user=BOT, bot="B0BOT")


def used(**more: Any) -> dict[str, Any]:
    """A shortcut's payload, with parts of it changed."""
    return {
        "type": "message_action",
        "callback_id": EXPLAIN,
        "trigger_id": "1.2.3",
        "action_ts": "1700000001.000000",
        "user": {"id": "U1", "name": "ann", "team_id": "T0DESK"},
        "channel": {"id": "C1", "name": "directmessage"},
        "response_url": "https://hooks.slack.com/app/1",
        "message_ts": "1700000000.000100",
        "message": {"ts": "1700000000.000100", "user": "U2", "text": "a &lt; b"},
        **more,
    }


@pytest.mark.parametrize("callback", ["ask", "thread:", "message:/ban x", "file:explain", ""])
def test_a_callback_id_that_is_not_ours_says_nothing(callback: str) -> None:
    """The word comes from the app's manifest; nothing behind it can be smuggled in."""
    assert normalise(used(callback_id=callback), ME, Setting(now=1)).message is None


def test_people_of_other_workspaces_use_it_only_where_strangers_are_answered() -> None:
    foreign = used(user={"id": "U9", "name": "zed", "team_id": "T9"})
    assert normalise(foreign, ME, Setting(now=1)).message is None
    assert normalise(foreign, ME, Setting(now=1, strangers=True)).message is not None


def test_a_shortcut_reads_the_message_as_a_person_does() -> None:
    message = normalise(used(), ME, Setting(now=1)).message
    assert message is not None
    assert (message.text, message.quoted, message.alone) == ("/explain", "a < b", True)
    assert message.place.thread == "1700000000.000100"
    assert message.reply_to is None
