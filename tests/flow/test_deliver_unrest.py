"""Replies while the platform fails, bans, loses messages, or the process dies: one exact copy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.errors import StorageFull
from bot.types import Lease
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.telegram.core import Fault
from tests.flow.answers import fits
from tests.flow.scenarios import FAULTS
from tests.flow.test_deliver import LONG, PLACEHOLDERS, rows, turns, virtual
from tests.flow.virtual_desk import Killer, Written, fake, virtual_desk

# --- the platform interferes ---------------------------------------------------------------------


@pytest.mark.parametrize("streaming", ["edits", "drafts"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_at_every_call_leaves_one_exact_copy(fault: Fault, streaming: str) -> None:
    """Network error, 502, lost response, at each position until none is left to hit."""

    async def main() -> None:
        position = 2
        while True:
            telegram = fake()
            telegram.faults[position] = fault
            chat = telegram.private()
            written = Written({"问": LONG}, rate=24, size=40)
            async with virtual_desk(written, telegram, streaming=streaming) as desk:
                telegram.say(chat, "问")
                await desk.quiet()
                assert len(await rows(desk)) == 1
            assert telegram.draft(chat) is None
            shown = [text for text in telegram.screen(chat) if text not in PLACEHOLDERS]
            assert fits(shown, LONG) == "", position
            unknown = fault in ("refuse", "lose", "502", "late 502")
            assert len(telegram.screen(chat)) - len(shown) <= (1 if unknown else 0)
            if position in telegram.faults:
                return
            position += 1

    virtual(main())


def test_a_deleted_placeholder_is_posted_anew() -> None:
    """The person deletes our message in the middle of the answer."""

    async def main() -> None:
        telegram, text = fake(), "一二三四五六七八九十" * 30
        chat = telegram.private()
        async with virtual_desk(Written({"问": text}), telegram) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(1.0)
            telegram.standing(chat)[0].deleted_at = 1.0
            await desk.quiet()
        assert telegram.screen(chat) == [text]

    virtual(main())


def test_a_long_ban_rests_the_conversation_and_the_model_is_not_asked_again() -> None:
    """The answer is durable: it is shown when the ban ends."""

    async def main() -> None:
        telegram, text = fake(), "一二三四五六七八九十" * 30
        chat = telegram.private()
        written = Written({"问": text})
        async with virtual_desk(written, telegram) as desk:
            telegram.say(chat, "问")
            await asyncio.sleep(1.0)
            assert telegram.flood is not None
            telegram.flood.ban(chat.id, telegram.clock.monotonic(), 200.0)
            await desk.quiet()
            assert (await rows(desk))[0].throttled >= 1
        assert (telegram.screen(chat), written.asked) == ([text], ["问"])
        assert telegram.flood.ignored == 1, "the call that learnt of the ban"

    virtual(main())


# --- the process dies ----------------------------------------------------------------------------


async def _killed(at: int, *, takes_over: bool, rate: float, streaming: str) -> bool:
    """Kill at the n-th point, start again, judge; False when the point was never reached."""
    telegram, database = fake(), InlineDatabase.open()
    chat, killer = telegram.private(), Killer(at)
    answers = {"问": LONG, "二": "第二个答案。"}
    async with virtual_desk(
        Written(answers, rate=rate, size=40),
        telegram,
        database=database,
        killer=killer,
        streaming=streaming,
    ) as desk:
        telegram.say(chat, "问")
        life = asyncio.create_task(desk.quiet())
        await asyncio.wait(
            (life, asyncio.create_task(killer.dead.wait())), return_when=asyncio.FIRST_COMPLETED
        )
        life.cancel()
    async with virtual_desk(
        Written(answers, rate=rate, size=40),
        telegram,
        database=database,
        owner="two",
        takes_over=takes_over,
        streaming=streaming,
    ) as desk:
        await desk.quiet()
        telegram.say(chat, "二")
        await desk.quiet()
        assert telegram.draft(chat) is None
        shown = [text for text in telegram.screen(chat) if text not in PLACEHOLDERS]
        assert fits(shown[:-1], LONG) == "", at
        assert shown[-1] == "第二个答案。"
        assert len(telegram.screen(chat)) - len(shown) <= 1
        assert [row.outcome for row in await rows(desk)] == ["answered", "answered"]
        assert [t.text for t in await turns(desk, chat)] == ["问", LONG, "二", "第二个答案。"]
    await database.close()
    return killer.dead.is_set()


@pytest.mark.soak
@pytest.mark.parametrize("streaming", ["edits", "drafts"])
def test_killed_at_any_point_the_answer_stands_once(streaming: str) -> None:
    """Before and after every call and transaction; the successor knows that we are dead."""

    async def main() -> None:
        at = 1
        while await _killed(at, takes_over=True, rate=40, streaming=streaming):
            at += 1
        assert at > 30

    virtual(main())


@pytest.mark.soak
@pytest.mark.parametrize("streaming", ["edits", "drafts"])
def test_killed_at_any_point_and_taken_over_by_a_stranger(streaming: str) -> None:
    """The lease lapses; the new owner waits out our calls and shows the answer again."""

    async def main() -> None:
        at = 1
        while await _killed(at, takes_over=False, rate=0, streaming=streaming):
            at += 3
        assert at > 10

    virtual(main())


def test_a_disk_that_stays_full_is_told_once_and_the_answer_comes_when_there_is_room() -> None:
    """The log may be on that disk; a line and a traceback each second would help to fill it."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(Written({"问": "答。"}), telegram) as desk:
            inbox: Any = desk.stores.inbox
            lease = inbox.lease
            inbox.lease = full
            with capture_logs() as logs:
                telegram.say(chat, "问")
                await asyncio.sleep(600.0)
                inbox.lease = lease
                await desk.quiet()
        told = [log for log in logs if log["event"].startswith(("storage", "lease"))]
        assert [(log["event"], log.get("kind")) for log in told] == [
            ("storage_failing", "StorageFull"),
            ("storage_works_again", None),
        ]
        assert telegram.screen(chat) == ["答。"]

    async def full(_owner: str, _limit: int) -> list[Lease]:
        raise StorageFull("the disk is full")

    virtual(main())
