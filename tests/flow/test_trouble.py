"""Trouble of our own making that must not grow: alarms about alarms, apologies over answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import bot.app
from bot.errors import PlatformLocked, PlatformRefused, StorageBusy
from bot.i18n import say
from bot.types import Frame, Lease, MessageRef, Place, Settlement
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import Running, running, until

STAFF = -100123


def telegram_of(run: Running) -> Any:
    """The adapter at work."""
    return run.service._adapters["telegram"]


async def drained(run: Running) -> None:
    """Wait until nothing waits."""
    while True:
        depth = await run.desk.stores.inbox.depth()
        if not (depth.waiting or depth.leased):
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("refusal", "dead"), [(PlatformRefused, 1), (PlatformLocked, 0)])
async def test_a_staff_place_that_refuses_us_is_tried_once_for_each_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[Exception], dead: int
) -> None:
    """That a notice could not be given is no reason for a further notice; one that only waits for
    our credentials to be taken again is kept.
    """
    telegram = FakeTelegram()
    telegram.group(STAFF, "Staff")
    staff = Place(platform="telegram", account=str(telegram.bot_id), channel=str(STAFF))
    tried: list[str] = []
    async with running(tmp_path / "desk.db", staff=staff, telegram=telegram) as run:
        send = telegram_of(run).send

        async def refused(place: Place, frame: Frame, **how: Any) -> MessageRef:
            if place.channel != staff.channel:
                sent: MessageRef = await send(place, frame, **how)
                return sent
            tried.append(frame.content.text)
            raise refusal

        monkeypatch.setattr(telegram_of(run), "send", refused)
        telegram.say(telegram.private(), "/person please")
        await until(lambda: tried)
        await until(lambda: run.service.idle)
        depth = await run.desk.stores.inbox.depth()
        assert (len(tried), depth.dead, depth.waiting) == (1, dead, 1 - dead)


async def test_an_answer_that_stands_is_not_written_over_when_it_cannot_be_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settlement is tried again; the person sees nothing of it."""
    async with running(tmp_path / "desk.db", speaks=False) as run:
        inbox = run.desk.stores.inbox
        settle, failed = inbox.settle, asyncio.Event()

        async def busy(lease: Lease, settlement: Settlement) -> None:
            if failed.is_set():
                return await settle(lease, settlement)
            failed.set()
            raise StorageBusy

        monkeypatch.setattr(inbox, "settle", busy)
        monkeypatch.setattr("bot.service.RETRY_SECONDS", (0.1, 0.1, 0.1, 0.1))
        chat = run.telegram.private()
        run.telegram.say(chat, "How do I return an item?")
        await asyncio.wait_for(failed.wait(), 10)
        async with asyncio.timeout(5):
            await drained(run)
        (shown,) = [m for m in run.telegram.standing(chat) if m.author == run.telegram.bot_id]
        texts = [version.text for version in shown.history]
        assert say("en", "error.retrying") not in texts
        assert "30 days" in texts[-1]


async def test_an_intake_that_breaks_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs a while, not the platform."""
    monkeypatch.setattr(bot.app, "INTAKE_SECONDS", 0.1)
    async with running(tmp_path / "desk.db", speaks=False) as run:
        put, broken = run.desk.stores.inbox.put, asyncio.Event()

        async def once(intakes: Any) -> list[bool]:
            if broken.is_set():
                return await put(intakes)
            broken.set()
            raise RuntimeError("a bug")

        monkeypatch.setattr(run.desk.stores.inbox, "put", once)
        chat = run.telegram.private()
        run.telegram.say(chat, "How do I return an item?")
        await until(lambda: "30 days" in "".join(m.text for m in run.telegram.standing(chat)))
        assert broken.is_set()
