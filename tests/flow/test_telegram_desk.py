"""What people do in Telegram while the desk works: interrupt, edit, paste, block, move."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from bot.i18n import LOCALES, say
from storage.driver import sqlite
from tests.fakes.glm import computed, says
from tests.fakes.telegram import Chat, FakeTelegram
from tests.flow.running import ADMIN, Running, running, until

STOPPED = say("en", "answer.stopped")
STOP = say("en", "answer.stop")


def slow(run: Running) -> None:
    """The next answer takes its time."""
    run.glm.script.append(says(*(f"word{n} " for n in range(300)), delay=0.05))


def outcomes(database: Path) -> list[str]:
    with contextlib.closing(sqlite.connect(database)) as db:
        rows = db.execute("SELECT outcome FROM inbox WHERE origin = 'user' ORDER BY position, id")
        return [outcome for (outcome,) in rows]


def asked(run: Running) -> list[str]:
    """What the model was asked last, call by call."""
    return [call.body["messages"][-1]["content"] for call in run.glm.calls]


async def begun(run: Running, chat: Chat, text: str) -> None:
    """A slow answer is on screen."""
    slow(run)
    run.telegram.say(chat, text)
    await until(lambda: "word3" in "".join(run.telegram.screen(chat)))


# --- a new message during an answer ---


async def test_by_default_a_new_message_waits_for_the_running_answer(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        chat = run.telegram.private()
        run.glm.script += [says(*(f"word{n} " for n in range(30)), delay=0.03), says("Second.")]
        run.telegram.say(chat, "First?")
        await until(lambda: "word3" in "".join(run.telegram.screen(chat)))
        run.telegram.say(chat, "Second?")
        await until(lambda: run.telegram.screen(chat)[-1:] == ["Second."])
        assert run.telegram.screen(chat)[0].endswith("word29")


async def test_with_interrupt_it_stops_that_answer_and_is_answered(tmp_path: Path) -> None:
    """The part that was said stays, marked; both messages have an outcome of their own."""
    async with running(
        tmp_path / "desk.db", answers="open", knowledge=False, pace="off", busy="interrupt"
    ) as run:
        chat = run.telegram.private()
        await begun(run, chat, "First?")
        run.glm.script.append(says("Second."))
        run.telegram.say(chat, "No, second!")
        await until(lambda: run.telegram.screen(chat)[-1:] == ["Second."], 5)
        assert len(run.telegram.screen(chat)) == 2
        assert run.telegram.screen(chat)[0].endswith(STOPPED)
        await until(lambda: run.service.idle)
    assert outcomes(tmp_path / "desk.db") == ["answered", "answered"]


async def test_with_interrupt_nobody_stops_anothers_answer_in_a_group(tmp_path: Path) -> None:
    async with running(
        tmp_path / "desk.db", answers="open", knowledge=False, pace="off", busy="interrupt"
    ) as run:
        group = run.telegram.group()
        run.glm.script += [says(*(f"word{n} " for n in range(40)), delay=0.03), says("Second.")]
        run.telegram.say(group, "@desk_bot first?", user=run.telegram.person(1))
        await until(lambda: "word3" in "".join(run.telegram.screen(group)))
        run.telegram.say(group, "@desk_bot second?", user=run.telegram.person(2))
        await until(lambda: run.telegram.screen(group)[-1:] == ["Second."])
        assert run.telegram.screen(group)[0].endswith("word39")


# --- edits ---


async def test_an_edited_question_is_answered_anew_in_the_same_message(tmp_path: Path) -> None:
    """While the answer runs; the old text is gone, and the history holds the question as edited."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        chat = run.telegram.private()
        slow(run)
        question = run.telegram.say(chat, "Lamps?")
        await until(lambda: "word3" in "".join(run.telegram.screen(chat)))
        run.glm.script.append(says("Tables."))
        run.telegram.edit_said(chat, question, "Tables?")
        await until(lambda: run.telegram.screen(chat) == ["Tables."], 5)
        assert asked(run)[-1] == "Tables?"
        await until(lambda: run.service.idle)
    with contextlib.closing(sqlite.connect(tmp_path / "desk.db")) as db:
        assert [t for (t,) in db.execute("SELECT text FROM turn")] == ["Tables?", "Tables."]


async def test_an_edit_after_the_answer_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        run.glm.script.append(says("Lamps."))
        question = run.telegram.say(chat, "Lamps?")
        await until(lambda: run.telegram.screen(chat) == ["Lamps."] and run.service.idle)
        run.telegram.edit_said(chat, question, "Tables?")
        run.glm.script.append(says("Third."))
        run.telegram.say(chat, "Third?")
        await until(lambda: run.telegram.screen(chat) == ["Lamps.", "Third."])
        assert asked(run) == ["Lamps?", "Third?"]


# --- pieces ---


async def test_a_long_paste_that_the_client_cut_is_one_question(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        pieces = ["a" * 4096, "b" * 4096, "the end?"]
        run.glm.default = computed(lambda _: "Read.")
        for piece in pieces:
            run.telegram.say(chat, piece)
        await until(lambda: run.telegram.screen(chat) == ["Read."])
        await until(lambda: run.service.idle)
        assert asked(run) == ["\n".join(pieces)]


async def test_an_album_is_one_message_with_its_caption(tmp_path: Path) -> None:
    """Each picture is an update of its own; without a caption one polite line is said, not ten.

    The answer to a caption says that nobody looked at the picture.
    """
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        photo = [{"file_id": "p", "file_unique_id": "p", "width": 9, "height": 9}]
        run.glm.default = computed(lambda _: "A lamp.")
        for number in range(5):
            caption: dict[str, Any] = {"caption": "What is this?"} if number == 2 else {}
            run.telegram.say(chat, None, photo=photo, media_group_id="g1", **caption)
        unseen = say("en", "answer.unseen")
        await until(lambda: run.telegram.screen(chat) == [f"A lamp.\n\n{unseen}"])
        for _ in range(5):
            run.telegram.say(chat, None, photo=photo, media_group_id="g2")
        declined = say("en", "decline.attachment")
        await until(lambda: run.telegram.screen(chat)[1:] == [declined])
        await until(lambda: run.service.idle)
        assert asked(run) == ["What is this?"]
        assert len(run.telegram.screen(chat)) == 2


# --- not welcome ---


async def test_a_person_who_blocks_the_bot_is_left_in_peace(tmp_path: Path) -> None:
    """The message has its outcome, no call is tried again, and a return is served."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        chat = run.telegram.private()
        await begun(run, chat, "First?")
        run.telegram.membership(chat, "kicked")
        await until(lambda: run.service.idle, 5)
        calls = len(run.telegram.calls)
        run.telegram.membership(chat, "member")
        run.glm.script.append(says("Welcome back."))
        run.telegram.say(chat, "Hello again, are you there?")
        await until(lambda: "Welcome back." in run.telegram.screen(chat))
        assert calls < 60
        await until(lambda: run.service.idle)
    assert outcomes(tmp_path / "desk.db") == ["undeliverable", "answered"]


# --- a group that becomes a supergroup ---


async def test_an_answer_follows_its_group_and_the_history_does_too(tmp_path: Path) -> None:
    """The running answer is finished in the new chat; what was said in the old one is known."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        telegram = run.telegram
        old, new = telegram.group(-55), telegram.group(-100055)
        ada = telegram.person(1)
        run.glm.script.append(says("Hello Zed."))
        telegram.say(old, "@desk_bot my name is Zed", user=ada)
        await until(lambda: telegram.screen(old) == ["Hello Zed."] and run.service.idle)
        telegram.migrate(old, new)
        run.glm.script.append(says("You are Zed."))
        telegram.say(new, "@desk_bot who am I?", user=ada)
        await until(lambda: telegram.screen(new) == ["You are Zed."])
        assert "my name is Zed" in str(run.glm.calls[-1].body)


async def test_an_answer_that_runs_while_its_group_moves_is_delivered(tmp_path: Path) -> None:
    """The calls themselves say where the group is now, before any update does."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        telegram = run.telegram
        old, new = telegram.group(-55), telegram.group(-100055)
        run.glm.script.append(says(*(f"word{n} " for n in range(40)), delay=0.03))
        telegram.say(old, "@desk_bot tell me", user=telegram.person(1))
        await until(lambda: "word3" in "".join(telegram.screen(old)))
        old.moved_to = new.id
        await until(lambda: "word39" in "".join(telegram.screen(new)), 8)
        assert len(telegram.screen(new)) == 1


# --- the menu ---


async def test_customers_see_their_words_and_admins_theirs(tmp_path: Path) -> None:
    """In each language; an admin who never wrote to the bot has no chat to show them in."""
    telegram = FakeTelegram()
    telegram.private(ADMIN, "Owner")
    async with running(tmp_path / "desk.db", telegram=telegram):
        await until(lambda: len(telegram.menus) == 6)
    for locale in ("", *LOCALES):
        everybody = [row["command"] for row in telegram.menus[f"default/{locale}"]]
        owner = [row["command"] for row in telegram.menus[f"chat:{ADMIN}/{locale}"]]
        assert "stats" not in everybody
        assert {"help", "person", "stop"} < set(everybody) < set(owner)
        assert "stats" in owner
        assert "feedback" not in owner
    assert telegram.menus["default/zh"] != telegram.menus["default/en"]
