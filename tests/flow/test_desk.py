"""A person asks in Telegram, the desk answers: everything real but the platforms' servers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bot.i18n import say
from bot.types import Place
from tests.fakes.glm import computed, says, status
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import ADMIN, running, until


def bot_says(telegram: FakeTelegram, chat_id: int) -> list[str]:
    """What stands in a chat from the bot, oldest first."""
    chat = telegram.chats[chat_id]
    return [shown.text for shown in telegram.standing(chat) if shown.author == telegram.bot_id]


async def test_a_question_is_answered_from_the_knowledge_base_with_its_source(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "desk.db", speaks=False) as run:
        chat = run.telegram.private()
        run.telegram.say(chat, "How do I return an item?")
        await until(lambda: any("Source" in text for text in bot_says(run.telegram, chat.id)))
        assert len(bot_says(run.telegram, chat.id)) == 1
        assert "30" in bot_says(run.telegram, chat.id)[0]


async def test_a_model_answer_streams_into_one_message_and_is_remembered(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        text = " ".join(f"word{number}" for number in range(120))
        run.glm.script.append(says(*(f"{word} " for word in text.split()), delay=0.02))
        chat = run.telegram.private()
        run.telegram.say(chat, "Tell me something long")
        await until(lambda: bot_says(run.telegram, chat.id)[-1:] == [text])
        (shown,) = [m for m in run.telegram.standing(chat) if m.author == run.telegram.bot_id]
        assert len(shown.history) > 2
        run.glm.script.append(computed(lambda _: "And you said that before."))
        run.telegram.say(chat, "What did I ask?")
        await until(lambda: len(bot_says(run.telegram, chat.id)) == 2)
        await until(lambda: "before" in bot_says(run.telegram, chat.id)[1])
        sent = run.glm.calls[-1].body["messages"]
        assert [m["content"] for m in sent[1:]] == [
            "Tell me something long",
            text,
            "What did I ask?",
        ]
    assert not run.telegram.violations


async def test_chinese_is_answered_in_chinese(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", speaks=False) as run:
        chat = run.telegram.private(language="zh-hans")
        run.telegram.say(chat, "怎么退货？")
        await until(lambda: any("来源" in text for text in bot_says(run.telegram, chat.id)))
        run.telegram.say(chat, "你们卖火箭发动机吗？")
        await until(lambda: len(bot_says(run.telegram, chat.id)) == 2)
        await until(lambda: say("zh", "answer.not_in_kb") in bot_says(run.telegram, chat.id)[1])


async def test_asking_for_a_person_opens_one_ticket_with_one_notice(tmp_path: Path) -> None:
    telegram = FakeTelegram()
    group = telegram.group(-100123, "Staff")
    staff = Place(platform="telegram", account=str(telegram.bot_id), channel="-100123")
    async with running(tmp_path / "desk.db", staff=staff, telegram=telegram) as run:
        chat = run.telegram.private()
        run.telegram.say(chat, "/person my lamp exploded")
        await until(lambda: len(bot_says(telegram, group.id)) == 1)
        assert "my lamp exploded" in bot_says(telegram, group.id)[0]
        assert "Ada (#1), Telegram" in bot_says(telegram, group.id)[0]
        run.telegram.say(chat, "转人工")
        await until(lambda: say("zh", "ticket.already") in bot_says(telegram, chat.id))
        assert len(bot_says(telegram, group.id)) == 1


async def test_with_no_staff_the_contact_line_is_given(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", contact="Call 123.") as run:
        chat = run.telegram.private()
        run.telegram.say(chat, "/person")
        await until(
            lambda: (
                [say("en", "ticket.none", contact="Call 123.")] == bot_says(run.telegram, chat.id)
            )
        )


async def test_without_a_contact_line_who_wants_a_person_is_asked_what_it_is_about(
    tmp_path: Path,
) -> None:
    """To rephrase the wish for a person would help nobody."""
    async with running(tmp_path / "desk.db") as run:
        chat = run.telegram.private()
        run.telegram.say(chat, "I want to talk to a human")
        english, chinese = (say(locale, "ticket.nobody") for locale in ("en", "zh"))
        await until(lambda: bot_says(run.telegram, chat.id) == [english])
        run.telegram.say(chat, "转人工")
        await until(lambda: bot_says(run.telegram, chat.id) == [english, chinese])


async def test_stop_reaches_the_running_answer_and_keeps_what_was_said(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script.append(says(*(f"word{n} " for n in range(300)), delay=0.05))
        chat = run.telegram.private()
        run.telegram.say(chat, "Talk for ever")
        await until(lambda: "word3" in "".join(bot_says(run.telegram, chat.id)))
        run.telegram.say(chat, "/stop")
        mark = say("en", "answer.stopped")
        await until(lambda: mark in "".join(bot_says(run.telegram, chat.id)), 4)
        await until(lambda: run.service.idle)
        assert len(bot_says(run.telegram, chat.id)) == 1
        assert "word299" not in bot_says(run.telegram, chat.id)[0]


async def test_the_stop_button_stops_and_goes_away(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script.append(says(*(f"word{n} " for n in range(300)), delay=0.05))
        chat = run.telegram.private()
        run.telegram.say(chat, "Talk for ever")
        await until(lambda: "word3" in "".join(bot_says(run.telegram, chat.id)))
        (shown,) = [m for m in run.telegram.standing(chat) if m.author == run.telegram.bot_id]
        run.telegram.press(chat, shown.id, say("en", "answer.stop"))
        mark = say("en", "answer.stopped")
        await until(lambda: mark in "".join(bot_says(run.telegram, chat.id)), 4)
        assert not shown.buttons


async def test_commands_answer_and_admin_words_are_for_admins(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db") as run:
        chat, owner = run.telegram.private(), run.telegram.private(ADMIN, "Owner")
        for word in ("/start", "/help", "/stats", "/frobnicate", "/history", "/stop"):
            run.telegram.say(chat, word)
        await until(lambda: len(bot_says(run.telegram, chat.id)) == 6)
        said = bot_says(run.telegram, chat.id)
        assert "Lumen Home" in said[0]
        assert "/stats" not in said[1]
        assert said[2] == say("en", "command.not_allowed", word="stats")
        assert said[3] == say("en", "command.unknown", word="frobnicate")
        assert said[4] == say("en", "history.none")
        assert said[5] == say("en", "stop.nothing")
        run.telegram.say(owner, "/stats")
        run.telegram.say(owner, "/health")
        await until(lambda: len(bot_says(run.telegram, owner.id)) == 3, 30)
        told = bot_says(run.telegram, owner.id)
        assert told[0].startswith("Statistics")
        assert told[1] == ""  # the picture, whose heading is drawn in it
        assert "glm-4.7-flash" in told[2]


async def test_new_forgets_the_conversation(tmp_path: Path) -> None:
    async with running(tmp_path / "desk.db", answers="open", knowledge=False) as run:
        chat = run.telegram.private()
        run.telegram.say(chat, "My name is Zed")
        await until(lambda: len(bot_says(run.telegram, chat.id)) == 1 and run.service.idle)
        run.telegram.say(chat, "/new")
        await until(lambda: say("en", "history.fresh") in bot_says(run.telegram, chat.id))
        run.telegram.say(chat, "Who am I?")
        await until(lambda: len(run.glm.calls) == 2)
        assert "Zed" not in str(run.glm.calls[-1].body)


async def test_a_provider_that_is_down_is_replaced_by_an_excerpt_that_says_so(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "desk.db") as run:
        run.glm.default = status(500)
        chat = run.telegram.private()
        run.telegram.say(chat, "Tell me about lamp care and how to clean the shade please")
        await until(
            lambda: (
                bot_says(run.telegram, chat.id)
                and bot_says(run.telegram, chat.id)[0] != say("en", "answer.placeholder")
            ),
            20,
        )
        await until(lambda: run.service.idle, 20)
        assert len(bot_says(run.telegram, chat.id)) == 1


async def test_a_command_is_answered_in_the_language_of_who_says_it(tmp_path: Path) -> None:
    """Its words are the same in every language, and so are most of its arguments."""
    async with running(tmp_path / "desk.db") as run:
        chat = run.telegram.private(language="zh-hans")
        run.telegram.say(chat, "/frobnicate")
        run.telegram.say(chat, "/lang auto")
        told = [say("zh", "command.unknown", word="frobnicate"), say("zh", "lang.auto")]
        await until(lambda: bot_says(run.telegram, chat.id) == told)


async def test_a_command_s_own_words_are_in_no_language(tmp_path: Path) -> None:
    """Neither those that an admin gives it, nor the command of somebody who is kept out."""
    async with running(tmp_path / "desk.db") as run:
        admin = run.telegram.private(ADMIN, "Wang", language="zh-hans")
        chat = run.telegram.private(1001, "Li", language="zh-hans")
        said = [
            (chat, "/start", say("zh", "desk.greeting", desk="Lumen Home")),
            (admin, "/broadcast status 77", say("zh", "access.broadcast_none", number="77")),
            (admin, "/broadcast status", say("zh", "access.broadcast_never")),
            (admin, "/ban @Li", say("zh", "access.banned", name="Li (#1)")),
            (chat, "/help", say("zh", "decline.blocked")),
            (chat, "/translate to French: hello", say("en", "decline.blocked")),
        ]
        for there, text, told in said:
            run.telegram.say(there, text)
            await until(partial(_stands, run.telegram, there.id, told), 5)


def _stands(telegram: FakeTelegram, chat: int, text: str) -> bool:
    return text in bot_says(telegram, chat)
