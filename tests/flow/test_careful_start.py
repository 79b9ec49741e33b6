"""After crashes: what may be their cause is worked alone, and the innocent are not counted out."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from bot.clock import SystemClock
from bot.types import IncomingMessage, Place, Sender
from storage import open_stores
from tests.contract.stores import intake
from tests.fakes.glm import Call, FakeGlm, computed
from tests.fakes.inline_database import laid
from tests.fakes.telegram.core import FakeTelegram
from tests.flow.running import running, until
from tests.flow.test_desk import bot_says

CHATS = tuple(range(101, 106))


def asked(bot: int, chat: int) -> IncomingMessage:
    place = Place(platform="telegram", account=str(bot), channel=str(chat), private=True)
    return IncomingMessage(
        key=f"{chat}/1",
        place=place,
        sender=Sender(user=str(chat)),
        text=f"what of {chat}?",
        said_at=1,
        position=1,
    )


def answered(telegram: FakeTelegram, chat: int) -> bool:
    return f"Yes, what of {chat}?" in bot_says(telegram, chat)


async def crashed(database: Path, bot: int) -> None:
    """Five questions were in work in three crashes; then one of them, worked alone, in a fourth."""
    stores = await open_stores(str(laid(database)), SystemClock())
    await stores.inbox.put([intake(asked(bot, chat)) for chat in CHATS])
    for number in range(3):
        await stores.inbox.take_over(f"dead {number}")
        assert len(await stores.inbox.lease(f"dead {number}", len(CHATS))) == len(CHATS)
    await stores.inbox.take_over("careful")
    assert len(await stores.inbox.lease("careful", 1)) == 1
    await stores.close()


async def test_those_behind_a_suspect_that_crashed_alone_are_worked_alone_too(
    tmp_path: Path,
) -> None:
    at_once: list[int] = []
    working: set[int] = set()

    async def alone(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        working.add(id(call))
        at_once.append(len(working))
        try:
            return await computed(lambda text: f"Yes, {text}", delay=0.01)(glm, request, call)
        finally:
            working.discard(id(call))

    telegram = FakeTelegram()
    await crashed(tmp_path / "desk.db", telegram.bot_id)
    async with FakeGlm(default=alone) as glm:
        for chat in CHATS:
            telegram.private(chat)
        database = tmp_path / "desk.db"
        async with running(
            database, answers="open", knowledge=False, pace="off", telegram=telegram, glm=glm
        ):
            await until(lambda: all(answered(telegram, chat) for chat in CHATS))
    assert at_once == [1] * len(CHATS)
