"""Replies from their events to screen and ledger, on virtual time, with all that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from bot.errors import ModelUnavailable, ReplyCut, ReplyRetracted
from bot.i18n import say
from bot.types import (
    Button,
    Buttons,
    Done,
    File,
    Forget,
    Forward,
    Grounds,
    Lease,
    LedgerRow,
    MemoryId,
    Notice,
    Place,
    Progress,
    Replace,
    ReplyEvent,
    Retract,
    Say,
    Text,
    Turn,
)
from tests.fakes.loop import EPOCH_MS, run_virtual
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.world import Chat
from tests.flow.answers import fits
from tests.flow.virtual_desk import VirtualDesk, Written, begin, fake, virtual_desk

PLACEHOLDERS = (say("zh", "answer.placeholder"), say("zh", "answer.more"))
LONG = "\n\n".join(f"第{i}段：" + "一二三四五六七八九十。" * 12 for i in range(40))
"""Some 5,500 characters: two messages."""


def script(*steps: ReplyEvent | float | Exception) -> Any:
    """Plays these steps for each lease; a number is a pause in seconds."""

    async def play(lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
        yield begin(lease)
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step

    return play


def typed(text: str, seconds: float, *, size: int = 4) -> list[ReplyEvent | float]:
    """Text in deltas of so many characters over so many seconds."""
    deltas = [text[i : i + size] for i in range(0, len(text), size)]
    return [step for delta in deltas for step in (seconds / len(deltas), Text(delta=delta))]


async def told(play: Any, *, flood: bool = True) -> tuple[FakeTelegram, list[str], LedgerRow]:
    """One question to a desk that answers so: its screen and its ledger row."""
    telegram = fake(flood=flood)
    chat = telegram.private()
    async with virtual_desk(play, telegram) as desk:
        telegram.say(chat, "问")
        await desk.quiet()
        (row,) = await rows(desk)
    return telegram, telegram.screen(chat), row


async def rows(desk: VirtualDesk) -> list[LedgerRow]:
    return await desk.stores.ledger.rows(0, EPOCH_MS * 2)


async def turns(desk: VirtualDesk, chat: Chat) -> list[Turn]:
    return await desk.stores.history.last(MemoryId(f"memory:telegram:4242:{chat.id}:"), 50)


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


# --- what is shown and settled -------------------------------------------------------------------


def test_an_answer_comes_by_edits_of_a_placeholder() -> None:
    """One message; its history grows from the placeholder to the whole; buttons come at the end."""

    async def main() -> None:
        good = Button(label="answer.good", action="good:1")
        text = "您好，" + "退货期是七天。" * 30
        play = script(
            Grounds(route="open", model="m"),
            *typed(text, 3.0),
            Buttons(rows=((good,),)),
            Done(route="open"),
        )
        telegram, screen, row = await told(play)
        assert screen == [text]
        (shown,) = telegram.standing(telegram.private())
        seen = [version.text for version in shown.history]
        assert seen[0] == PLACEHOLDERS[0]
        assert all(text.startswith(part) for part in seen[1:])
        assert [b["text"] for b in shown.buttons] == ["👍"]
        stop = shown.history[1].markup
        assert stop is not None
        assert stop["inline_keyboard"][0][0]["text"] == "停止"
        assert (row.route, row.outcome, row.finish, row.model) == ("open", "answered", "whole", "m")
        assert row.first_text_ms is not None
        assert 0 < row.first_text_ms < 1000 < row.total_ms < 4000
        assert 3 <= row.edits <= 5

    virtual(main())


def test_history_keeps_both_sides() -> None:
    """The question as the engine gave it, the answer as it was written, Markdown and all."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(
            script(Text(delta="**七**天"), Done(route="open")), telegram
        ) as desk:
            telegram.say(chat, "几天？")
            await desk.quiet()
            assert [(t.role, t.text) for t in await turns(desk, chat)] == [
                ("user", "几天？"),
                ("assistant", "**七**天"),
            ]

    virtual(main())


def test_the_reader_never_waits_for_the_platform() -> None:
    """All events are read at the pace they come, while calls take their time."""

    async def main() -> None:
        written = Written({"问": LONG}, rate=0.0)
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(written, telegram) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
        edits = [at for at, method, _ in telegram.times if method == "editMessageText"]
        assert written.ended["问"] < min(edits)
        assert fits(telegram.screen(chat), LONG) == ""

    virtual(main())


def test_notices_are_sent_once_and_without_a_placeholder() -> None:
    """Sentences and tables of ours; what the reply does is settled with them."""

    async def main() -> None:
        memory = MemoryId("memory:telegram:4242:1001:")
        play = script(
            Notice(key="answer.stopped"),
            Say(text="| a | b |\n|---|---|\n| 1 | 2 |"),
            Done(route="command", changes=(Forget(memory=memory),), remember=False),
        )
        _, screen, row = await told(play)
        assert screen == [say("zh", "answer.stopped"), "a | b\n--+--\n1 | 2"]
        assert (row.route, row.edits, row.first_text_ms) == ("command", 0, None)

    virtual(main())


def test_a_reply_for_another_place_says_nothing_here() -> None:
    """A forward alone: nothing on this screen, one message on the other."""

    async def main() -> None:
        telegram = fake()
        staff, chat = telegram.group(-1009), telegram.private()
        there = Place(platform="telegram", account="4242", channel="-1009")
        answered = Notice(key="answer.end")

        async def play(lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
            yield begin(lease)
            if lease.place.channel == "-1009":
                yield answered
            else:
                yield Forward(place=there, text="notice", key="n")
            yield Done(route="command", remember=False)

        async with virtual_desk(play, telegram) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
        assert telegram.screen(chat) == []
        assert telegram.screen(staff) == [say("zh", "answer.end")]

    virtual(main())


def test_an_empty_reply_is_one_honest_sentence() -> None:
    """Also when what came is white space, or markup of nothing."""

    async def main() -> None:
        for text in ("", " \n", "```\n```"):
            _, screen, row = await told(
                script(Grounds(route="open"), Text(delta=text), Done(route="open"))
            )
            assert screen == [say("zh", "answer.empty")]
            assert row.outcome == "answered"

    virtual(main())


def test_text_taken_back_is_replaced_by_a_notice_and_not_remembered() -> None:
    """The provider's safety check struck after text was shown."""

    async def main() -> None:
        for last in (
            [
                Retract(key="error.retracted"),
                Done(route="open", outcome="declined", remember=False),
            ],
            [ReplyRetracted("1301")],
        ):
            play = script(*typed("不该出现的话。" * 10, 2.0), *last)
            _, screen, _ = await told(play)
            assert screen == [say("zh", "error.retracted")]

    virtual(main())


def test_a_cut_stream_asked_again_never_shrinks() -> None:
    """After Replace the message keeps its longer text until the new one is longer still."""

    async def main() -> None:
        first, second = "一" * 200, "二" * 300
        play = script(*typed(first, 3.0), Replace(text=""), *typed(second, 6.0), Done(route="open"))
        telegram, screen, _ = await told(play)
        (shown,) = telegram.standing(telegram.private())
        lengths = [len(v.text) for v in shown.history if v.text not in PLACEHOLDERS]
        assert lengths == sorted(lengths)
        assert screen == [second]

    virtual(main())


def test_a_stream_that_breaks_keeps_its_text_marked() -> None:
    """Also inside a fence, and the longer of two texts; history has no mark."""

    async def main() -> None:
        play = script(*typed("```py\nx = 1\ny = 2", 1.0), ReplyCut("eof"))
        telegram, (screen,), row = await told(play)
        assert screen == "x = 1\ny = 2\n\n" + say("zh", "answer.cut")
        pre = next(
            e for e in telegram.standing(telegram.private())[0].now.entities if e["type"] == "pre"
        )
        assert pre["length"] == len("x = 1\ny = 2")
        assert (row.finish, row.outcome) == ("cut", "answered")
        longer = script(*typed("一" * 60, 1.0), Replace(text=""), Text(delta="二"), ReplyCut("eof"))
        _, (screen,), _ = await told(longer)
        assert screen == "一" * 60 + "\n\n" + say("zh", "answer.cut")

    virtual(main())


def test_trouble_before_any_text_is_an_apology_in_the_same_message_and_then_the_answer() -> None:
    """The placeholder becomes the apology, the apology the answer: one message in all."""

    async def main() -> None:
        tries: list[int] = []

        async def play(lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
            tries.append(lease.attempt)
            yield begin(lease)
            yield Grounds(route="open")
            await asyncio.sleep(0.5)
            if len(tries) < 3:
                raise ModelUnavailable("down")
            yield Text(delta="终于好了")
            yield Done(route="open")

        telegram, screen, row = await told(play)
        assert (tries, screen, row.attempts) == ([1, 2, 3], ["终于好了"], 3)
        (shown,) = telegram.standing(telegram.private())
        assert say("zh", "error.retrying") in [version.text for version in shown.history]

    virtual(main())


def test_progress_is_told_in_the_placeholder() -> None:
    """Before there is text."""

    async def main() -> None:
        play = script(
            Progress(key="answer.placeholder"),
            1.0,
            Progress(key="answer.no_contact"),
            1.0,
            Text(delta="好"),
            Done(route="open"),
        )
        telegram, _, _ = await told(play)
        (shown,) = telegram.standing(telegram.private())
        assert [version.text for version in shown.history] == [
            PLACEHOLDERS[0],
            say("zh", "answer.no_contact"),
            "好",
        ]

    virtual(main())


def test_typing_is_shown_while_there_is_no_text() -> None:
    """About every four seconds, and not after the first text."""

    async def main() -> None:
        play = script(Grounds(route="open"), 10.0, *typed("好" * 40, 10.0), Done(route="open"))
        telegram, _, _ = await told(play)
        assert len(telegram.actions) == 3

    virtual(main())


def test_a_file_is_sent_once() -> None:
    """With its caption, beside the sentences."""

    async def main() -> None:
        play = script(
            File(name="a.csv", content=b"1,2", caption="表"), Done(route="command", remember=False)
        )
        telegram, screen, _ = await told(play)
        assert telegram.files == {"a.csv": b"1,2"}
        assert screen == ["表"]

    virtual(main())


def test_a_person_who_blocked_us_is_undeliverable() -> None:
    """Settled, not tried again; what the reply did stays done."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(
            script(*typed("好" * 100, 3.0), Done(route="open")), telegram
        ) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(1.5)
            chat.blocked = True
            await desk.quiet()
            (row,) = await rows(desk)
            assert row.outcome == "undeliverable"
            assert await turns(desk, chat) == []

    virtual(main())


# --- the person interferes -----------------------------------------------------------------------


def test_stop_keeps_what_is_there_and_marks_it() -> None:
    """The stream is closed; history keeps the partial text without the mark."""

    async def main() -> None:
        telegram, text = fake(), "一二三四五六七八九十" * 50
        chat = telegram.private()
        written = Written({"问": text}, rate=20)
        async with virtual_desk(written, telegram) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(4.0)
            telegram.press(chat, telegram.standing(chat)[0].id, "停止")
            await desk.quiet()
            (screen,) = telegram.screen(chat)
            mark = "\n\n" + say("zh", "answer.stopped")
            assert screen.endswith(mark)
            partial = screen.removesuffix(mark)
            assert len(partial) > 100
            assert text.startswith(partial)
            assert [t.text for t in await turns(desk, chat)] == ["问", partial]
            assert (await rows(desk))[0].finish == "stopped"
            assert written.ended == {}
            assert telegram.standing(chat)[0].buttons == []

    virtual(main())


def test_stop_before_any_text_says_so() -> None:
    """At once, and the placeholder does not stay behind."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(
            script(Grounds(route="open"), 60.0, Done(route="open")), telegram
        ) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(2.0)
            telegram.press(chat, telegram.standing(chat)[0].id, "停止")
            await asyncio.sleep(1.2)
            assert telegram.screen(chat) == [say("zh", "answer.stopped")]
            await desk.quiet(30.0)

    virtual(main())


def test_an_edited_question_is_answered_anew_in_the_same_message() -> None:
    """The running answer is dropped."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"旧": "旧答案。" * 200, "新": "新答案。" * 20})
        async with virtual_desk(written, telegram) as desk:
            asked = telegram.say(chat, "旧")
            await asyncio.sleep(2.0)
            telegram.edit_said(chat, asked, "新")
            await desk.quiet()
            assert [t.text for t in await turns(desk, chat)] == ["新", "新答案。" * 20]
        assert telegram.screen(chat) == ["新答案。" * 20]
        assert written.asked == ["旧", "新"]

    virtual(main())
