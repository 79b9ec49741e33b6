"""Under an answer: verdicts that are kept, and a person where there is one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bot.i18n import say
from bot.types import Place
from storage.driver import sqlite
from tests.fakes.glm import says
from tests.fakes.telegram import Chat, FakeTelegram, Shown
from tests.flow.running import Running, running, until

GOOD, BAD, PERSON = (say("en", f"answer.{word}") for word in ("good", "bad", "person"))


def labels(shown: Shown) -> list[str]:
    return [button["text"] for button in shown.buttons]


def verdicts(database: Path) -> list[tuple[int, int, int]]:
    """(answer, person, good), of a desk that has ended: locks are the process's."""
    with contextlib.closing(sqlite.connect(database)) as db:
        return db.execute("SELECT answer, person, good FROM feedback ORDER BY person").fetchall()


async def settled(run: Running) -> None:
    """Nothing waits and nothing is worked on."""
    depth = await run.desk.stores.inbox.depth()
    while depth.waiting or depth.leased:
        depth = await run.desk.stores.inbox.depth()


async def answered(run: Running, chat: Chat, text: str, **where: object) -> Shown:
    """Ask, and wait for the finished answer."""
    before = len(run.telegram.standing(chat))
    run.glm.script.append(says("Seven ", "days."))
    run.telegram.say(chat, text, **where)  # type: ignore[arg-type]
    await until(lambda: len(run.telegram.standing(chat)) > before)
    shown = run.telegram.standing(chat)[-1]
    await until(lambda: GOOD in labels(shown))
    return shown


async def test_a_verdict_is_kept_thanked_for_and_its_buttons_go(tmp_path: Path) -> None:
    """The person's button stays: a bad answer is when it is wanted most."""
    staff = Place(platform="telegram", account="4242", channel="-100123")
    telegram = FakeTelegram()
    telegram.group(-100123, "Staff")
    async with running(
        tmp_path / "desk.db", answers="open", knowledge=False, staff=staff, telegram=telegram
    ) as run:
        chat = telegram.private()
        shown = await answered(run, chat, "How long?")
        assert labels(shown) == [GOOD, BAD, PERSON]
        assert all(len(b["callback_data"].encode()) <= 64 for b in shown.buttons)
        press = telegram.press(chat, shown.id, BAD)
        await until(lambda: labels(shown) == [PERSON])
        await settled(run)
        assert telegram.toasts[press] == say("en", "feedback.thanks")
        assert shown.text == "Seven days."
        telegram.press(chat, shown.id, PERSON)
        await until(lambda: say("en", "ticket.opened") in telegram.screen(chat))
    assert [good for _, _, good in verdicts(tmp_path / "desk.db")] == [0]
    assert telegram.violations == []


async def test_without_staff_nobody_is_offered(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        shown = await answered(run, run.telegram.private(), "How long?")
        assert labels(shown) == [GOOD, BAD]


async def test_in_a_group_each_persons_last_verdict_counts_for_them(tmp_path: Path) -> None:
    """The thumbs stay for the others, and no message disturbs the group."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        group = run.telegram.group()
        ada, bob = run.telegram.person(1, "Ada"), run.telegram.person(2, "Bob")
        shown = await answered(run, group, "@desk_bot how long?", user=ada)
        for person, label in ((ada, BAD), (bob, BAD), (ada, GOOD)):
            press = run.telegram.press(group, shown.id, label, person)
            await until(run.telegram.presses[press].is_set)
            await settled(run)
        assert labels(shown) == [GOOD, BAD]
        assert len(run.telegram.standing(group)) == 1
    assert [good for *_, good in verdicts(tmp_path / "desk.db")] == [1, 0]


async def test_nobody_judges_what_was_said_elsewhere(tmp_path: Path) -> None:
    """A verdict typed by hand reaches only answers of its own conversation."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        ada, eve = run.telegram.private(1), run.telegram.private(2, "Eve")
        await answered(run, ada, "How long?")
        run.telegram.say(eve, "/feedback down 1")
        run.telegram.say(eve, "/feedback sideways")
        unknown = say("en", "command.unknown", word="feedback")
        await until(lambda: run.telegram.screen(eve) == [unknown])
        await settled(run)
    assert verdicts(tmp_path / "desk.db") == []
