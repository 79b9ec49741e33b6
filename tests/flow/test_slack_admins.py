"""Admins by user group, on Slack with a whole desk behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.core import TEAM
from tests.flow.running import until as patiently
from tests.flow.slack_desk import count, until
from tests.flow.slack_service import served


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """Ann is in the group of those who run the desk, Bo is not."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann"}, "U2": {"real_name": "Bo"}}
    fake.core.groups = {"S1": ["U1", "U7"]}
    yield fake
    await fake.close()


def answered(slack: FakeSlack, user: str, words: str) -> bool:
    return any(words in one.markdown for one in slack.core.whispers if one.only_for == user)


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_members_of_a_named_user_group_are_admins_and_nobody_else(
    slack: FakeSlack, tmp_path: Path, mode: str
) -> None:
    """Its members are asked for once, not with each message."""
    async with served(slack, mode, tmp_path, admins=frozenset({f"slack:{TEAM}/S1"})):
        for user in ("U1", "U2", "U1"):
            await slack.command(user, "C1", "/frontdesk", "help")
        await until(lambda: len(slack.core.whispers) == 3)
    assert answered(slack, "U1", "/stats")
    assert answered(slack, "U2", "/new")
    assert not answered(slack, "U2", "/stats")
    assert count(slack, "usergroups.users.list") == 1


@pytest.mark.soak
async def test_the_picture_of_the_numbers_is_an_image_file(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """Slack shows an uploaded PNG in the message itself; asked for in a channel it comes alone."""
    async with served(slack, "socket", tmp_path, admins=frozenset({f"slack:{TEAM}/U1"})):
        await slack.command("U1", "C1", "/frontdesk", "help")
        await slack.command("U1", "C1", "/frontdesk", "stats")
        await patiently(lambda: any(slack.core.uploads.values()), 30)
        await patiently(lambda: count(slack, "files.completeUploadExternal"), 30)
    [image] = slack.core.uploads.values()
    assert image.startswith(b"\x89PNG")
    [asked] = [c.args for c in slack.core.calls if c.method == "files.getUploadURLExternal"]
    assert asked["filename"] == "stats.png"
    [shared] = [c.args for c in slack.core.calls if c.method == "files.completeUploadExternal"]
    assert shared["channel_id"] == "DU1"


async def test_where_a_group_cannot_be_looked_up_nobody_becomes_an_admin(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """And the question is answered all the same."""
    named = frozenset({f"slack:{TEAM}/S1", f"slack:{TEAM}/S9GONE"})
    slack.faults["usergroups.users.list"] = "500"
    async with served(slack, "socket", tmp_path, admins=named):
        for word in ("health", "help"):
            await slack.command("U1", "C1", "/frontdesk", word)
        await until(lambda: len(slack.core.whispers) == 2)
    assert not answered(slack, "U1", "/stats")
    assert answered(slack, "U1", "/new")


async def test_without_a_group_in_the_settings_nobody_is_looked_up(
    slack: FakeSlack, tmp_path: Path
) -> None:
    async with served(slack, "socket", tmp_path, admins=frozenset({f"slack:{TEAM}/U2"})):
        await slack.command("U1", "C1", "/frontdesk", "help")
        await slack.command("U2", "C1", "/frontdesk", "help")
        await until(lambda: len(slack.core.whispers) == 2)
    assert not answered(slack, "U1", "/stats")
    assert answered(slack, "U2", "/stats")
    assert count(slack, "usergroups.users.list") == 0
