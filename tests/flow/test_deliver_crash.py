"""What earlier attempts left on screen: it is gone on with, never belied, never doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from bot.errors import ModelUnavailable
from bot.i18n import say
from bot.ports import Intake
from bot.types import Done, File, Grounds, Lease, Place, ReplyEvent, Say, Signal, Text
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import run_virtual
from tests.flow.answers import fits
from tests.flow.test_deliver import LONG, PLACEHOLDERS, rows, script, told, turns, typed
from tests.flow.virtual_desk import Killer, VirtualDesk, Written, begin, fake, virtual_desk

TEXT = "一二三四五六七八九十" * 60
SORRY = say("zh", "error.retrying")


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0, 7.0])
def test_after_a_crash_text_never_shrinks(seconds: float) -> None:
    """What was shown is not known then: the message is left alone until the whole is there."""

    async def main() -> None:
        telegram, database, killer = fake(), InlineDatabase.open(), Killer()
        chat = telegram.private()
        async with virtual_desk(
            Written({"问": TEXT}, rate=20), telegram, database=database, killer=killer
        ):
            telegram.say(chat, "问")
            await asyncio.sleep(seconds)
            killer.dead.set()
        async with virtual_desk(
            Written({"问": TEXT}, rate=20),
            telegram,
            database=database,
            owner="two",
            takes_over=True,
        ) as desk:
            await desk.quiet()
        await database.close()
        (shown,) = [m for m in telegram.standing(chat) if m.now.text not in PLACEHOLDERS]
        lengths = [len(v.text) for v in shown.history if v.text not in PLACEHOLDERS]
        assert all(a <= b for a, b in pairwise(lengths))
        assert shown.now.text == TEXT
        assert shown.buttons == []

    virtual(main())


def test_after_a_crash_in_the_second_message_frames_go_on_in_the_third() -> None:
    """A text that needs more messages than stand is longer than what they can show."""

    async def main() -> None:
        telegram, database, killer = fake(), InlineDatabase.open(), Killer()
        chat, text = telegram.private(), LONG + "\n\n" + LONG
        async with virtual_desk(
            Written({"问": text}, rate=50, size=10), telegram, database=database, killer=killer
        ):
            telegram.say(chat, "问")
            await asyncio.sleep(11.0)
            killer.dead.set()
        standing = len(telegram.standing(chat))
        again = Written({"问": text}, rate=50, size=10)
        async with virtual_desk(
            again, telegram, database=database, owner="two", takes_over=True
        ) as desk:
            await desk.quiet()
        await database.close()
        assert standing == 2
        assert fits(telegram.screen(chat), text) == ""
        third = telegram.standing(chat)[2].history
        assert third[0].at < again.ended["问"]

    virtual(main())


def test_an_apology_gives_way_to_the_first_frame() -> None:
    """It is no text of an answer, and we know that it is all that stands."""

    async def main() -> None:
        tries: list[int] = []

        async def play(lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
            tries.append(lease.attempt)
            yield begin(lease)
            yield Grounds(route="open")
            if len(tries) == 1:
                raise ModelUnavailable("down")
            for start in range(0, len(TEXT), 10):
                await asyncio.sleep(0.1)
                yield Text(delta=TEXT[start : start + 10])
            yield Done(route="open")

        telegram, screen, _ = await told(play)
        (shown,) = telegram.standing(telegram.private())
        seen = [version.text for version in shown.history]
        assert screen == [TEXT]
        assert SORRY in seen
        assert len(seen) - seen.index(SORRY) > 3, "frames follow it"

    virtual(main())


def test_an_edited_question_streams_over_the_old_answer() -> None:
    """The old text is for another question: it is not kept until the new one is longer."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"旧": "旧答案。" * 200, "新": "新答案。" * 60}, rate=10)
        async with virtual_desk(written, telegram) as desk:
            asked = telegram.say(chat, "旧")
            await asyncio.sleep(6.0)
            telegram.edit_said(chat, asked, "新")
            await asyncio.sleep(3.0)
            assert telegram.screen(chat)[0].startswith("新答案。")
            assert "新" not in written.ended
            await desk.quiet()
        assert telegram.screen(chat) == ["新答案。" * 60]

    virtual(main())


def test_trouble_with_the_platform_does_not_talk_over_the_answer() -> None:
    """A whole answer that cannot be finished now keeps what stands; no apology in its place."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(Written({"问": LONG}, rate=80, size=10), telegram) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(4.5)
            for call in range(len(telegram.calls) + 1, len(telegram.calls) + 40):
                telegram.faults[call] = "unsent"
            await desk.quiet()
            assert (await rows(desk))[0].outcome == "answered"
        seen = {v.text for message in telegram.standing(chat) for v in message.history}
        assert SORRY not in seen
        assert fits(telegram.screen(chat), LONG) == ""

    virtual(main())


async def _file_and_death(at: int) -> tuple[int, bool]:
    """Killed at the n-th point while a document is sent: how often it came; was it reached."""
    telegram, database, killer = fake(), InlineDatabase.open(), Killer(at)
    chat, sent = telegram.private(), 0
    play = script(File(name="a.csv", content=b"1,2"), Done(route="command", remember=False))
    for owner in ("one", "two"):
        async with virtual_desk(
            play, telegram, database=database, killer=killer, owner=owner, takes_over=owner == "two"
        ) as desk:
            if owner == "one":
                telegram.say(chat, "问")
            quiet = asyncio.create_task(desk.quiet())
            death = asyncio.create_task(killer.dead.wait())
            await asyncio.wait((quiet, death), return_when=asyncio.FIRST_COMPLETED)
            quiet.cancel()
            death.cancel()
        reached, killer = killer.dead.is_set(), Killer()
        if not reached:
            break
    sent = sum(1 for method, _ in telegram.calls if method == "sendDocument")
    await database.close()
    return sent, reached or owner == "two"


def test_a_file_is_never_sent_twice() -> None:
    """Marked on disk before it leaves, wherever the process is killed."""

    async def main() -> None:
        at, reached = 1, True
        while reached and at < 40:
            sent, reached = await _file_and_death(at)
            assert sent <= 1, at
            at += 1
        assert at > 8
        assert sent == 1

    virtual(main())


# --- the question goes ----------------------------------------------------------------------------


async def _delete(desk: VirtualDesk, asked: int) -> None:
    """As a platform tells it that has such events; Telegram's private chats have none."""
    place = Place(platform="telegram", account="4242", channel="1001", private=True)
    key = f"telegram:4242:1001:{asked}"
    signal = Signal(kind="delete", conversation=place.conversation, key=key)
    await desk.stores.inbox.put([Intake(raw="{}", delivery="deleted", signal=signal)])


@pytest.mark.parametrize("text", [TEXT, LONG])
def test_a_deleted_question_takes_its_answer_along(text: str) -> None:
    """All its messages; it is superseded, history holds nothing, the next one is served."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        written = Written({"问": text, "二": "第二个答案。"}, rate=60, size=16)
        async with virtual_desk(written, telegram) as desk:
            asked = telegram.say(chat, "问")
            await asyncio.sleep(0.6 * len(text) / 960 if text is TEXT else 5.2)
            assert telegram.screen(chat)
            await _delete(desk, asked)
            await desk.quiet()
            assert telegram.screen(chat) == []
            assert [row.outcome for row in await rows(desk)] == ["superseded"]
            assert await turns(desk, chat) == []
            assert "问" not in written.ended
            telegram.say(chat, "二")
            await desk.quiet()
            assert telegram.screen(chat) == ["第二个答案。"]

    virtual(main())


# --- small print ----------------------------------------------------------------------------------


def test_an_answer_in_a_group_quotes_its_question() -> None:
    """The first message only, also when the question itself was a reply; never in private."""

    async def main() -> None:
        telegram = fake()
        group, private = telegram.group(), telegram.private()
        written = Written({"问": LONG, "再问": "好。"}, rate=0)
        async with virtual_desk(written, telegram) as desk:
            asked = telegram.say(group, "@desk_bot 问")
            telegram.say(private, "再问")
            await desk.quiet()
            ours = telegram.standing(group)
            assert [message.reply_to for message in ours] == [asked] + [None] * (len(ours) - 1)
            again = telegram.say(group, "@desk_bot 再问", reply_to=ours[0].id)
            await desk.quiet()
            assert telegram.standing(group)[-1].reply_to == again
            assert telegram.standing(private)[0].reply_to is None

    virtual(main())


def test_a_hundred_kilobytes_are_shown_whole_even_where_that_takes_minutes() -> None:
    """An attempt ends before a group has seen it all; the next one goes on, asking nobody."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.group()
        text = "\n\n".join(f"第{i}段：" + "一二三四五六七八九十。" * 12 for i in range(714))
        written = Written({"问": text}, rate=50, size=40)
        async with virtual_desk(written, telegram) as desk:
            telegram.say(chat, "@desk_bot 问")
            await desk.quiet(1200.0)
            assert [row.outcome for row in await rows(desk)] == ["answered"]
        assert fits(telegram.screen(chat), text) == ""
        assert written.asked == ["问"]
        assert telegram.flood is not None
        assert telegram.flood.refusals == 0

    virtual(main())


def test_nothing_to_see_is_answered_with_a_sentence() -> None:
    """Zero-width text of a model, and a table of ours without a row."""

    async def main() -> None:
        for event in (Text(delta="\u200b\u200d\ufeff"), Say(text=" \n")):
            _, screen, row = await told(script(event, Done(route="open")))
            assert screen == [say("zh", "answer.empty")]
            assert row.outcome == "answered"

    virtual(main())


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 4095, "x" * 4096, "x" * 4097, "👍" * 2047 + "x", "👍" * 2048, "👍" * 2048 + "x"),
        *("👨\u200d👩\u200d👧" * 700, "שלום עולם. " * 500, "\u202eאבג\u202c" * 900, "中" * 4097),
        *(
            "**加粗。**后面" * 500,
            "List<String> `a<b>` " * 300,
            "| " + "x" * 5000 + " | b |\n|---|---|\n",
        ),
        "\n".join("  " * (i % 12) + f"- {i} " + "word " * 20 for i in range(120)),
    ],
)
def test_texts_at_the_edge_arrive_whole(text: str) -> None:
    """No character of the plain text is lost, none cut in two; the fake checks all entities."""

    async def main() -> None:
        telegram, screen, row = await told(
            script(*typed(text, 2.0), Done(route="open")), flood=False
        )
        assert telegram.violations == []
        assert row.outcome == "answered"
        letters = [c for c in "".join(screen) if c.isalnum() or ord(c) > 0x1F000]
        wanted = [c for c in text if c.isalnum() or ord(c) > 0x1F000]
        assert letters == wanted

    virtual(main())
