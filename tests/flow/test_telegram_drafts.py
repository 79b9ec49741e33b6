"""Answers by drafts in a private chat: nothing of them is left, and nothing depends on them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ModelUnavailable, StorageBusy
from bot.i18n import say
from bot.types import Done, File, Grounds, Notice, Progress, Replace, Text
from tests.fakes.glm import says
from tests.fakes.loop import run_virtual
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.drafts import Draft
from tests.fakes.telegram.world import Chat, Version
from tests.flow.answers import fits
from tests.flow.running import running, until
from tests.flow.test_deliver import LONG, PLACEHOLDERS, rows, script, typed
from tests.flow.virtual_desk import Written, fake, virtual_desk

TEXT = "一二三四五六七八九十" * 60
DRAFT, POST, EDIT = "sendMessageDraft", "sendMessage", "editMessageText"
STOPPED = say("zh", "answer.stopped")
EMPTY = Draft(id=1, thread=None, history=[Version(0.0, "")], can_stop=False, keeps=False)


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


def shown(telegram: FakeTelegram, chat: Chat) -> list[str]:
    """All that drafts ever showed there."""
    return [version.text for draft in telegram.drafts[chat.id] for version in draft.history]


def calls(telegram: FakeTelegram, chat: Chat) -> list[str]:
    """What was called for this chat, in order of arrival."""
    showing = (DRAFT, POST, EDIT, "deleteMessage", "sendDocument", "sendChatAction")
    return [name for _, name, to in telegram.times if str(to) == str(chat.id) and name in showing]


async def told(play: Any, *, flood: bool = True) -> tuple[FakeTelegram, Chat]:
    """One question to a desk that answers so, by drafts."""
    telegram = fake(flood=flood)
    chat = telegram.private()
    async with virtual_desk(play, telegram, streaming="drafts") as desk:
        telegram.say(chat, "问")
        await desk.quiet()
    return telegram, chat


async def stopped(telegram: FakeTelegram, chat: Chat, thread: int | None = None) -> Draft:
    """A long answer, stopped by the button of its draft in the middle."""
    async with virtual_desk(Written({"问": TEXT}, rate=20), telegram, streaming="drafts") as desk:
        telegram.say(chat, "问", thread=thread)
        await asyncio.sleep(5.0)
        draft = telegram.draft(chat, thread=thread)
        assert draft is not None
        telegram.stop_draft(chat, thread=thread)
        await desk.quiet()
        assert (await rows(desk))[0].finish == "stopped"
    return draft


# --- what is seen --------------------------------------------------------------------------------


def test_an_answer_grows_in_a_draft_and_ends_as_a_message() -> None:
    """First an empty one ("Thinking…"), then more and more text; the message has two calls."""

    async def main() -> None:
        telegram, chat = await told(
            script(Grounds(route="open"), *typed(TEXT, 5.0), Done(route="open"))
        )
        drafts = shown(telegram, chat)
        assert drafts[0] == ""
        assert len(drafts) > 15
        assert all(TEXT.startswith(text) for text in drafts)
        assert all(len(a) < len(b) for a, b in pairwise(drafts))
        assert calls(telegram, chat) == [DRAFT] * len(drafts) + [POST, EDIT]
        (message,) = telegram.standing(chat)
        assert [version.text for version in message.history] == [PLACEHOLDERS[1], TEXT]

    virtual(main())


def test_no_draft_comes_after_the_message() -> None:
    """Whatever the moment of the end: it would stand below the finished text for half a minute."""

    async def main() -> None:
        for hundredth in range(0, 60, 3):
            steps = typed(TEXT[:60], 1.0 + hundredth / 100)
            telegram, chat = await told(script(Grounds(route="open"), *steps, Done(route="open")))
            assert calls(telegram, chat)[-2:] == [POST, EDIT]
            assert telegram.draft(chat) is None
            assert telegram.screen(chat) == [TEXT[:60]]

    virtual(main())


def test_a_draft_does_not_fade_while_the_model_is_silent() -> None:
    """Neither before its first word nor in the middle of an answer."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        play = script(
            Grounds(route="open"), 75.0, Text(delta="一二三四" * 9), 75.0, Done(route="open")
        )
        async with virtual_desk(play, telegram, streaming="drafts") as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(1.0)
            for second in range(149):
                draft = telegram.draft(chat)
                assert draft is not None, second
                if not 73 <= second <= 76:
                    assert draft.text == ("" if second < 73 else "一二三四" * 9)
                await asyncio.sleep(1.0)
            await desk.quiet()
        assert telegram.screen(chat) == ["一二三四" * 9]
        assert len(shown(telegram, chat)) <= 10

    virtual(main())


def test_what_is_being_done_is_told_in_the_draft() -> None:
    """Until there is text."""

    async def main() -> None:
        play = script(
            Grounds(route="open"),
            1.0,
            Progress(key="answer.placeholder"),
            1.0,
            *typed(TEXT, 2.0),
            Done(route="open"),
        )
        telegram, chat = await told(play)
        assert shown(telegram, chat)[:2] == ["", PLACEHOLDERS[0]]
        assert TEXT.startswith(shown(telegram, chat)[2])

    virtual(main())


def test_a_full_part_becomes_a_message_and_the_rest_goes_on_in_a_draft() -> None:
    """Under another number, as it is another text."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"问": LONG}, rate=40, size=10)
        async with virtual_desk(written, telegram, streaming="drafts") as desk:
            telegram.say(chat, "问")
            await desk.quiet()
        first, second = telegram.standing(chat)
        assert fits([first.text, second.text], LONG) == ""
        assert first.now.at < written.ended["问"] < second.history[0].at
        assert [m.buttons for m in (first, second)] == [[], []]
        numbers = [draft.id for draft in telegram.drafts[chat.id]]
        assert len(set(numbers)) == 2
        assert all(second.text.startswith(v.text) for v in telegram.drafts[chat.id][-1].history)

    virtual(main())


def test_an_answer_asked_for_again_never_shrinks_in_the_draft() -> None:
    """The frames of the second are held until it is longer."""

    async def main() -> None:
        play = script(
            Grounds(route="open"),
            *typed("甲" * 200, 2.0),
            Replace(text=""),
            *typed("乙" * 300, 3.0),
            Done(route="open"),
        )
        telegram, chat = await told(play)
        sizes = [len(text) for text in shown(telegram, chat)]
        assert all(a <= b for a, b in pairwise(sizes))
        assert telegram.screen(chat) == ["乙" * 300]

    virtual(main())


def test_groups_keep_to_edits() -> None:
    """There are no drafts there."""

    async def main() -> None:
        telegram = fake()
        group = telegram.group()
        async with virtual_desk(Written({"问": TEXT}), telegram, streaming="drafts") as desk:
            telegram.say(group, "@desk_bot 问")
            await desk.quiet()
        assert telegram.screen(group) == [TEXT]
        assert DRAFT not in calls(telegram, group)
        assert len(telegram.standing(group)[0].history) > 2

    virtual(main())


# --- the Stop button -----------------------------------------------------------------------------


def test_its_stop_button_keeps_what_is_there_and_marks_it() -> None:
    """And the kept draft gives way to that message."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        draft = await stopped(telegram, chat)
        (text,) = telegram.screen(chat)
        assert text.endswith(STOPPED)
        assert text.removesuffix(STOPPED).strip().startswith(draft.text)
        assert telegram.draft(chat) is None

    virtual(main())


def test_a_stop_in_a_topic_stops_the_answer_of_that_topic() -> None:
    """The server names the chat and the draft's number, not the topic."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        chat.topics |= {7, 8}
        await stopped(telegram, chat, thread=7)
        assert telegram.screen(chat, thread=7)[0].endswith(STOPPED)

    virtual(main())


def test_a_stop_that_comes_late_harms_nothing() -> None:
    """The next answer is not stopped by it."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"问": TEXT, "二": TEXT}, rate=100)
        async with virtual_desk(written, telegram, streaming="drafts") as desk:
            telegram.say(chat, "问")
            await desk.quiet()
            number = telegram.drafts[chat.id][0].id
            telegram.say(chat, "二")
            await asyncio.sleep(1.0)
            pressed = {"chat": chat.json(), "draft_id": number}
            telegram.push("stopped_message_generation", pressed)
            await desk.quiet()
        assert telegram.screen(chat) == [TEXT, TEXT]

    virtual(main())


async def test_on_the_wire_a_whole_desk_is_stopped_by_the_button_of_its_draft(
    tmp_path: Path,
) -> None:
    """Over HTTP, with the real library, polling: what the fake is strict about holds there too."""
    async with running(
        tmp_path / "desk.db", answers="open", knowledge=False, streaming="drafts"
    ) as run:
        chat = run.telegram.private()
        run.glm.script.append(says(*(f"**word{n}** " for n in range(300)), delay=0.02))
        run.telegram.say(chat, "Words?")
        await until(lambda: "word9" in (run.telegram.draft(chat) or EMPTY).text)
        assert run.telegram.screen(chat) == []
        run.telegram.stop_draft(chat)
        await until(
            lambda: "".join(run.telegram.screen(chat)).endswith(say("en", "answer.stopped"))
        )
        await until(lambda: run.service.idle)
    (text,) = run.telegram.screen(chat)
    assert text.startswith("word0 word1 ")
    assert "word299" not in text
    assert run.telegram.violations == []
    first = run.telegram.drafts[chat.id][0]
    assert first.keeps
    assert any(version.entities for version in first.history)


# --- limits and refusals -------------------------------------------------------------------------


def test_a_refused_draft_slows_drafts_and_never_the_answer() -> None:
    """A 429 on drafts alone, of five minutes: the message stands as soon as the text is whole."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"问": TEXT}, rate=30)
        async with virtual_desk(written, telegram, streaming="drafts") as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(1.5)
            assert telegram.draft_flood is not None
            telegram.draft_flood.ban(chat.id, telegram.clock.monotonic(), 300.0)
            await desk.quiet()
            assert (await rows(desk))[0].throttled == 1
        (message,) = telegram.standing(chat)
        assert message.text == TEXT
        assert message.now.at - written.ended["问"] < 0.5
        assert telegram.draft_flood.refusals == 1, "the call that learnt of it"
        assert telegram.flood is not None
        assert telegram.flood.refusals == 0

    virtual(main())


@pytest.mark.parametrize("refusal", ["here", "everywhere"])
def test_where_drafts_are_refused_the_same_answer_goes_on_by_edits(refusal: str) -> None:
    """And it is not tried again: in that chat, or at all where the server does not know them."""

    async def main() -> None:
        telegram = fake()
        ada, bob = telegram.private(), telegram.private(2002, "Bob")
        ada.refuses_drafts, telegram.knows_drafts = refusal == "here", refusal == "here"
        written = Written({"问": TEXT, "二": TEXT}, rate=50)
        async with virtual_desk(written, telegram, streaming="drafts") as desk:
            for question in ("问", "二"):
                telegram.say(ada, question)
                await desk.quiet()
            telegram.say(bob, "问")
            await desk.quiet()
        assert telegram.screen(ada) == [TEXT, TEXT]
        assert telegram.screen(bob) == [TEXT]
        assert calls(telegram, ada).count(DRAFT) == 1
        assert (DRAFT in calls(telegram, bob)) == (refusal == "here")
        first = telegram.standing(ada)[0].history
        assert first[0].text == PLACEHOLDERS[0]
        assert len(first) > 3, "it grew"

    virtual(main())


def test_drafts_refused_in_the_middle_become_a_message_that_grows() -> None:
    """A server that is replaced by an older one, say."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(
            Written({"问": TEXT}, rate=20), telegram, streaming="drafts"
        ) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(2.0)
            chat.refuses_drafts = True
            await desk.quiet()
        (message,) = telegram.standing(chat)
        assert message.text == TEXT
        assert message.history[0].text == PLACEHOLDERS[1]
        assert len(message.history) > 4

    virtual(main())


def test_refused_marks_cost_drafts_and_not_the_answer() -> None:
    """The message says the same words without them."""

    async def main() -> None:
        telegram = fake()
        telegram.refuses_entities = True
        chat = telegram.private()
        async with virtual_desk(
            Written({"问": "**重要**。" + TEXT}), telegram, streaming="drafts"
        ) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
        assert telegram.screen(chat) == ["重要。" + TEXT]

    virtual(main())


# --- beside the answer ---------------------------------------------------------------------------


def test_before_something_else_is_posted_the_draft_becomes_a_message() -> None:
    """Any message takes a draft off the screen; so the answer goes on by edits, above it."""

    async def main() -> None:
        play = script(
            Grounds(route="open"),
            *typed(TEXT[:200], 2.0),
            File(name="a.txt", content=b"a"),
            *typed(TEXT[200:], 3.0),
            Done(route="open"),
        )
        telegram, chat = await told(play)
        assert telegram.screen(chat) == [TEXT, ""]
        arrived = calls(telegram, chat)
        assert arrived.index(POST) < arrived.index("sendDocument")
        assert DRAFT not in arrived[arrived.index(POST) :]

    virtual(main())


def test_notices_alone_have_no_draft() -> None:
    """Nothing is being written."""

    async def main() -> None:
        telegram, chat = await told(script(Notice(key="stop.nothing"), Done(route="command")))
        assert calls(telegram, chat) == [POST]

    virtual(main())


@pytest.mark.parametrize(
    "trouble",
    [(0.5, ModelUnavailable("down")), (*typed(TEXT, 2.0), StorageBusy("locked"))],
    ids=["before any text", "when text was only in a draft"],
)
def test_trouble_is_told_in_a_message_which_the_next_attempt_takes(trouble: Any) -> None:
    """A draft fades: neither an apology nor text in one counts as standing."""

    async def main() -> None:
        tried: list[int] = []
        good = script(Grounds(route="open"), *typed(TEXT, 2.0), Done(route="open"))
        bad = script(Grounds(route="open"), *trouble)

        def play(lease: Any) -> Any:
            tried.append(1)
            return (bad if len(tried) == 1 else good)(lease)

        telegram, chat = await told(play)
        (message,) = telegram.standing(chat)
        assert say("zh", "error.retrying") in [version.text for version in message.history]
        assert message.text == TEXT

    virtual(main())


def test_an_edited_question_is_answered_anew() -> None:
    """Nothing stands of the first answer, and nothing of it is left."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"旧": "旧答案。" * 200, "新": "新答案。" * 60}, rate=20)
        async with virtual_desk(written, telegram, streaming="drafts") as desk:
            asked = telegram.say(chat, "旧")
            await asyncio.sleep(3.0)
            telegram.edit_said(chat, asked, "新")
            await desk.quiet()
        assert telegram.screen(chat) == ["新答案。" * 60]
        assert len(telegram.standing(chat)[0].history) == 2

    virtual(main())
