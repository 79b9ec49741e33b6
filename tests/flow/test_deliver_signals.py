"""What a person wants of a running answer (stop it, forget it) survives the death of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from bot.i18n import say
from bot.ports import Intake
from bot.types import Place, Signal, SignalKind
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import run_virtual
from tests.flow.test_deliver import PLACEHOLDERS, rows, turns
from tests.flow.virtual_desk import Killer, VirtualDesk, Written, fake, virtual_desk

TEXT = "一二三四五六七八九十" * 30
POINTS_MAX = 60
"""An answer that ends early is over in fewer; a sweep that gets here would never end."""


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


@dataclass
class End:
    """How it ended: what stands, the outcomes and ledger endings, whether a kill struck."""

    screen: list[str]
    outcomes: list[tuple[str, str]]
    remembered: int
    struck: bool


async def _wish(desk: VirtualDesk, kind: SignalKind, asked: int) -> None:
    """As a platform tells it, and tells it again as long as nobody has confirmed it."""
    place = Place(platform="telegram", account="4242", channel="1001", private=True)
    signal = Signal(
        kind=kind,
        conversation=place.conversation,
        key=f"telegram:4242:1001:{asked}" if kind == "delete" else "",
        position=1 << 62 if kind == "stop" else None,
    )
    await desk.stores.inbox.put([Intake(raw="{}", delivery="wish", signal=signal)])


async def _killed(kind: SignalKind, at: int) -> End:
    """A wish in the middle of an answer, and death at the n-th point after it; then another."""
    telegram, database, killer = fake(), InlineDatabase.open(), Killer()
    chat = telegram.private()
    written = Written({"问": TEXT}, rate=15)
    async with virtual_desk(written, telegram, database=database, killer=killer) as desk:
        asked = telegram.say(chat, "问")
        await asyncio.sleep(2.0)
        killer.strike(at)
        wish = asyncio.create_task(_wish(desk, kind, asked))
        ends = [asyncio.create_task(desk.quiet()), asyncio.create_task(killer.dead.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (wish, *ends):
            task.cancel()
        await asyncio.gather(wish, *ends, return_exceptions=True)
    struck = killer.dead.is_set()
    async with virtual_desk(
        written, telegram, database=database, owner="two", takes_over=True
    ) as desk:
        await _wish(desk, kind, asked)
        await desk.quiet()
        found = End(
            screen=[text for text in telegram.screen(chat) if text not in PLACEHOLDERS],
            outcomes=[(row.outcome, row.finish) for row in await rows(desk)],
            remembered=len(await turns(desk, chat)),
            struck=struck,
        )
    await database.close()
    return found


async def _sweep(kind: SignalKind) -> list[End]:
    """A death at every point, until one run is left untouched."""
    ends: list[End] = []
    while not ends or ends[-1].struck:
        ends.append(await _killed(kind, len(ends) + 1))
        assert len(ends) < POINTS_MAX
    assert len(ends) > 10
    return ends


def test_a_deletion_is_obeyed_wherever_its_worker_dies() -> None:
    """Taken from the store and not yet settled, it is heard again by the next owner."""

    async def main() -> None:
        for at, end in enumerate(await _sweep("delete"), 1):
            assert end.screen == [], at
            assert end.remembered == 0, at
            assert all(outcome == "superseded" for outcome, _ in end.outcomes), at

    virtual(main())


def test_a_stop_is_obeyed_wherever_its_worker_dies() -> None:
    """The answer never runs on to its end; what is there is marked as stopped, in one copy."""

    async def main() -> None:
        mark = say("zh", "answer.stopped")
        for at, end in enumerate(await _sweep("stop"), 1):
            assert end.outcomes == [("answered", "stopped")], at
            (shown,) = end.screen
            assert shown.endswith(mark), at
            assert len(shown) < len(TEXT), at

    virtual(main())


@pytest.mark.parametrize("kind", ["delete", "stop"])
def test_a_wish_that_was_settled_disturbs_no_later_answer(kind: SignalKind) -> None:
    """It ends with the answer it was for, whoever works on the next one."""

    async def main() -> None:
        telegram, database = fake(), InlineDatabase.open()
        chat = telegram.private()
        written = Written({"问": TEXT, "再": "好的。"}, rate=15)
        async with virtual_desk(written, telegram, database=database) as desk:
            asked = telegram.say(chat, "问")
            await asyncio.sleep(2.0)
            await _wish(desk, kind, asked)
            await desk.quiet()
        async with virtual_desk(written, telegram, database=database, owner="two") as desk:
            telegram.say(chat, "再")
            await desk.quiet()
        await database.close()
        assert telegram.screen(chat)[-1] == "好的。"

    virtual(main())
