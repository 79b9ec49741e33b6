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


async def test_a_ban_that_would_bite_nothing_is_refused_and_says_what_to_do(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """Who runs the desk by a group is let in whatever is stored about them; who has left it may be
    kept out as soon as they have spoken without it.
    """
    named = frozenset({f"slack:{TEAM}/S1", f"slack:{TEAM}/U3"})

    async def said(user: str, text: str, count: int) -> None:
        await slack.command(user, "C1", "/frontdesk", text)
        await until(lambda: len(slack.core.whispers) == count)

    async with served(slack, "socket", tmp_path, admins=named):
        await said("U1", "help", 1)
        await said("U3", "ban <@U1> rude", 2)
        await said("U3", "lang zh", 3)
        await said("U3", "ban <@U1>", 4)
    assert "belongs to a user group that runs this desk" in slack.core.whispers[1].markdown
    assert "用户组管理本服务台" in slack.core.whispers[3].markdown
    slack.core.groups = {"S1": ["U7"]}
    async with served(slack, "socket", tmp_path, admins=named):
        await said("U1", "help", 5)
        await said("U3", "ban <@U1>", 6)
        await said("U1", "help", 7)
    assert slack.core.whispers[5].markdown == "已禁止 Ann (#1) 使用。"
    assert "/new" in slack.core.whispers[4].markdown
    assert "/new" not in slack.core.whispers[6].markdown


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
