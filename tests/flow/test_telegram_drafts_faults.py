"""Answers by drafts when calls fail and the process dies: exact, once, and no draft left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import run_virtual
from tests.fakes.telegram.core import Fault
from tests.flow.answers import fits
from tests.flow.scenarios import FAULTS
from tests.flow.test_deliver import LONG, PLACEHOLDERS, rows, turns
from tests.flow.virtual_desk import Killer, Written, fake, virtual_desk


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_at_every_call_leaves_one_exact_copy(fault: Fault) -> None:
    """Of draft or message, at each position until none is left to hit."""

    async def main() -> None:
        position = 2
        while True:
            telegram = fake()
            telegram.faults[position] = fault
            chat = telegram.private()
            written = Written({"问": LONG}, rate=60, size=16)
            async with virtual_desk(written, telegram, streaming="drafts") as desk:
                telegram.say(chat, "问")
                await desk.quiet()
                assert len(await rows(desk)) == 1
            stands = [text for text in telegram.screen(chat) if text not in PLACEHOLDERS]
            assert fits(stands, LONG) == "", position
            unknown = fault in ("refuse", "lose", "502", "late 502")
            assert len(telegram.screen(chat)) - len(stands) <= (1 if unknown else 0)
            assert telegram.draft(chat) is None
            if position in telegram.faults:
                return
            position += 1

    virtual(main())


async def killed(at: int, *, takes_over: bool) -> bool:
    """Kill at the n-th point, start again, judge; False when the point was never reached."""
    telegram, database = fake(), InlineDatabase.open()
    chat, killer = telegram.private(), Killer(at)
    answers = {"问": LONG, "二": "第二个答案。"}

    def written() -> Written:
        return Written(answers, rate=40, size=80)

    async with virtual_desk(
        written(), telegram, database=database, killer=killer, streaming="drafts"
    ) as desk:
        telegram.say(chat, "问")
        life = asyncio.create_task(desk.quiet())
        dead = asyncio.create_task(killer.dead.wait())
        await asyncio.wait((life, dead), return_when=asyncio.FIRST_COMPLETED)
        life.cancel()
        dead.cancel()
    async with virtual_desk(
        written(),
        telegram,
        database=database,
        owner="two",
        takes_over=takes_over,
        streaming="drafts",
    ) as desk:
        await desk.quiet()
        telegram.say(chat, "二")
        await desk.quiet()
        stands = [text for text in telegram.screen(chat) if text not in PLACEHOLDERS]
        assert fits(stands[:-1], LONG) == "", at
        assert stands[-1] == "第二个答案。"
        assert len(telegram.screen(chat)) - len(stands) <= 1
        assert telegram.draft(chat) is None
        assert [row.outcome for row in await rows(desk)] == ["answered", "answered"]
        assert [t.text for t in await turns(desk, chat)] == ["问", LONG, "二", "第二个答案。"]
    await database.close()
    return killer.dead.is_set()


@pytest.mark.parametrize("takes_over", [True, False])
def test_killed_at_any_point_the_answer_stands_once(takes_over: bool) -> None:
    """Nothing of a draft was anchored: the answer is asked for again, or taken as it was kept."""

    async def main() -> None:
        at = 1
        while await killed(at, takes_over=takes_over):
            at += 1 if takes_over else 3
        assert at > 40

    virtual(main())
