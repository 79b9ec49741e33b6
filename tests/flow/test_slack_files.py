"""Files that people send in Slack: what may be fetched, from whom, and what skills do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.files import address
from bot.errors import BotError, PlatformBusy, PlatformRefused, PlatformUnavailable
from bot.i18n import say
from bot.ports import FetchesFiles
from bot.types import Attachment
from tests.fakes.glm import FakeGlm, computed
from tests.fakes.slack import BOT, BOT_TOKEN, FakeSlack
from tests.flow.slack_desk import Store, adapter_for, running, until
from tests.flow.slack_service import says, served

API = "https://slack.com/api/"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """One person; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}}
    yield fake
    await fake.close()


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def adapter(slack: FakeSlack, store: Store) -> AsyncIterator[SlackAdapter]:
    """The adapter alone."""
    async with running(slack, "http", store) as at_work:
        yield at_work


async def sent(slack: FakeSlack, store: Store, content: bytes, name: str) -> Attachment:
    """A file as it comes to us with a message."""
    slack.upload("U1", "D1", "", name, content)
    await slack.settled()
    return store.messages[-1].attachments[0]


@pytest.mark.parametrize(
    ("name", "size"), [("notes.txt", 0), ("表 格.csv", 300_000), ("a.html", 9)]
)
async def test_a_sent_file_is_brought_whole(
    slack: FakeSlack, store: Store, adapter: SlackAdapter, name: str, size: int
) -> None:
    """Also one that is itself a page."""
    content = bytes(n % 251 for n in range(size))
    attachment = await sent(slack, store, content, name)
    assert attachment.name == name
    assert await adapter.fetch(attachment, most=400_000) == content


async def test_what_is_too_large_is_not_read_whatever_was_said_about_its_size(
    slack: FakeSlack, store: Store, adapter: SlackAdapter
) -> None:
    attachment = await sent(slack, store, b"x" * 200_000, "a.txt")
    with pytest.raises(PlatformRefused):
        await adapter.fetch(attachment, most=199_999)
    asked = len(slack.core.calls)
    slack.core.files[attachment.id].told["size"] = 1
    modest = Attachment(kind="document", id=attachment.id, size=1)
    with pytest.raises(PlatformRefused, match="over"):
        await adapter.fetch(modest, most=1000)
    assert len(slack.core.calls) == asked + 1  # the first was not even asked for


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("login", PlatformRefused),
        ("429", PlatformBusy),
        ("500", PlatformUnavailable),
    ],
)
async def test_a_page_for_signing_in_is_no_file_and_trouble_is_told_as_trouble(
    slack: FakeSlack, store: Store, adapter: SlackAdapter, fault: str, error: type[BotError]
) -> None:
    attachment = await sent(slack, store, b"text", "a.txt")
    slack.faults["download"] = fault
    with pytest.raises(error):
        await adapter.fetch(attachment, most=1000)
    assert await adapter.fetch(attachment, most=1000) == b"text"


async def test_a_redirect_is_not_followed(
    slack: FakeSlack, store: Store, adapter: SlackAdapter
) -> None:
    """Slack redirects whom it does not let in; wherever that leads, our token does not go."""
    attachment = await sent(slack, store, b"text", "a.txt")
    told = slack.core.files[attachment.id].told
    told["url_private_download"] = told["url_private_download"].replace("-F1/", "-F9/")
    with pytest.raises(PlatformRefused, match="signing in"):
        await adapter.fetch(attachment, most=1000)


@pytest.mark.parametrize(
    ("file", "fine"),
    [
        ({"url_private": "https://files.slack.com/files-pri/T1-F1/a.txt"}, True),
        ({"url_private_download": "https://files.slack.com/files-pri/T1-F1/download/a"}, True),
        ({"url_private": "http://files.slack.com/a.txt"}, False),
        ({"url_private": "https://files.slack.com:8443/a.txt"}, False),
        ({"url_private": "https://evilslack.com/a.txt"}, False),
        ({"url_private": "https://slack.com.evil.example/a.txt"}, False),
        ({"url_private": "https://files.slack.com@evil.example/a.txt"}, False),
        ({"url_private": "https://docs.example/a.txt", "is_external": True}, False),
        ({"url_private": "https://files.slack.com/a.txt", "mode": "tombstone"}, False),
        ({}, False),
    ],
)
def test_our_token_goes_to_slack_alone(file: dict[str, Any], fine: bool) -> None:
    if fine:
        assert address(file, API).startswith("https://files.slack.com/")
    else:
        with pytest.raises(PlatformRefused) as refused:
            address(file, API)
        assert BOT_TOKEN not in str(refused.value)


def test_a_government_slack_has_its_own_hosts() -> None:
    file = {"url_private": "https://files.slack-gov.com/a.txt"}
    assert address(file, "https://slack-gov.com/api/")
    with pytest.raises(PlatformRefused):
        address(file, API)


async def test_the_adapter_has_the_ability_that_the_engine_asks_for(slack: FakeSlack) -> None:
    assert isinstance(adapter_for(slack, "http"), FetchesFiles)


# --- with a whole desk ---------------------------------------------------------------------------


@pytest.fixture
async def glm() -> AsyncIterator[FakeGlm]:
    """A model that answers everything alike."""
    async with FakeGlm(default=computed(lambda _: "The gist of it.", chunks=2)) as fake:
        yield fake


@pytest.mark.parametrize(
    ("channel", "words"), [("D1", "summarize"), ("C1", f"<@{BOT}> /summarize 30 words")]
)
async def test_a_file_sent_with_the_word_is_summarised(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, channel: str, words: str
) -> None:
    async with served(slack, "http", tmp_path, glm=glm):
        slack.upload("U1", channel, words, "notes.md", b"# Fair\nWe meet in May.")
        await until(lambda: says(slack, channel, "The gist of it."))
        material = glm.calls[-1].body["messages"][1]["content"]
        assert material == "<text>\n# Fair\nWe meet in May.\n</text>"
    assert BOT_TOKEN not in (tmp_path / "desk.db").read_bytes().decode("latin-1")


@pytest.mark.parametrize("why", ["scope", "gone", "picture"])
async def test_a_file_that_cannot_be_read_is_answered_with_a_sentence(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path, why: str
) -> None:
    """Never with silence, and never with a reference number for what the person can mend."""
    name = "a.png" if why == "picture" else "a.txt"
    if why == "scope":
        slack.core.scopes = "chat:write"
    async with served(slack, "http", tmp_path, glm=glm):
        slack.upload("U1", "D1", "summarize", name, b"\x89PNG\x00\x00\xff")
        if why == "gone":
            slack.core.files.clear()
        told = say("en", "skill.file_unreadable", name=name)
        await until(lambda: says(slack, "D1", told))
    assert not glm.calls


async def test_an_admin_imports_what_they_send(
    slack: FakeSlack, glm: FakeGlm, tmp_path: Path
) -> None:
    """`/kb import` with a file; it is known at once."""
    admins = frozenset({"slack:U1"})
    async with served(slack, "http", tmp_path, admins=admins):
        faq = "# Parking\n\n## Where can I park my camel?\n\nBehind the barn, next to the well.\n"
        slack.upload("U1", "D1", "/kb import", "parking.md", faq.encode())
        await until(lambda: says(slack, "D1", "parking.md"))
        slack.say("U1", "D1", "Where can I park my camel?")
        await until(lambda: says(slack, "D1", "Behind the barn"))
