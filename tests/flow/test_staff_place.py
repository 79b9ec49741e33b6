"""Staff who cannot be reached: whoever runs the desk hears of it, once, in private."""

from __future__ import annotations

from pathlib import Path

from bot.types import Place
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.core import TEAM
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import ADMIN, running, until
from tests.flow.slack_service import says, served
from tests.flow.test_desk import bot_says


def staffed(telegram: FakeTelegram) -> tuple[Place, int]:
    room = telegram.group(topics=(7,))
    account = str(telegram.bot_id)
    return Place(platform="telegram", account=account, channel=str(room.id), thread="7"), room.id


def alarms(telegram: FakeTelegram, chat: int) -> int:
    return sum("I cannot write to the staff place" in text for text in bot_says(telegram, chat))


async def test_put_out_of_the_staff_place_the_desk_tells_its_admins_once(tmp_path: Path) -> None:
    """Those who ever wrote to it; the customers hear nothing of it; a member change elsewhere, or
    a right that was taken or given, is no alarm.
    """
    telegram = FakeTelegram()
    staff, room = staffed(telegram)
    root, ann = telegram.private(ADMIN, "Root"), telegram.private(7, "Ann")
    async with running(tmp_path / "desk.db", telegram=telegram, staff=staff, pace="off") as run:
        telegram.say(root, "/start")
        telegram.say(ann, "/start")
        await until(lambda: bot_says(telegram, root.id) and bot_says(telegram, ann.id))
        telegram.membership(telegram.group(-77), "kicked")
        telegram.membership(telegram.chats[room], "administrator")
        telegram.membership(telegram.chats[room], "kicked")
        telegram.membership(telegram.chats[room], "left")
        await until(lambda: alarms(telegram, ADMIN))
        await until(lambda: run.service.idle)
    assert alarms(telegram, ADMIN) == 1
    assert alarms(telegram, ann.id) == 0
    assert "frontdesk doctor" in bot_says(telegram, ADMIN)[-1]


async def test_a_notice_that_reached_no_staff_raises_the_same_alarm(tmp_path: Path) -> None:
    """Where no signal told of it: the topic is gone, or the desk was down when it happened."""
    telegram = FakeTelegram()
    staff, room = staffed(telegram)
    root, ann = telegram.private(ADMIN, "Root"), telegram.private(7, "Ann")
    async with running(tmp_path / "desk.db", telegram=telegram, staff=staff, pace="off") as run:
        telegram.say(root, "/start")
        await until(lambda: bot_says(telegram, root.id))
        telegram.chats[room].topics.clear()
        telegram.say(ann, "/person")
        await until(lambda: alarms(telegram, ADMIN))
        await until(lambda: run.service.idle)
    assert alarms(telegram, ADMIN) == 1


async def test_on_slack_the_lost_notice_itself_is_the_sign(tmp_path: Path) -> None:
    """Slack tells a bot nothing of its removal (that event wants a scope of its own)."""
    slack = FakeSlack(tiers=False)
    await slack.start()
    slack.core.users = {"U1": {"real_name": "Root"}, "U2": {"real_name": "Ann"}}
    slack.core.channels |= {"D2": "im", "C9": "channel"}
    staff = Place(platform="slack", account=TEAM, channel="C9")
    admins = frozenset({f"slack:{TEAM}/U1"})
    try:
        async with served(slack, "socket", tmp_path, admins=admins, staff=staff):
            slack.say("U1", "D1", "hello")
            await until(lambda: slack.core.shown("D1"))
            del slack.core.channels["C9"]
            slack.say("U2", "D2", "I want to talk to a human")
            await until(lambda: says(slack, "D1", "I cannot write to the staff place (C9)"))
            assert not says(slack, "D2", "staff place")
    finally:
        await slack.close()
