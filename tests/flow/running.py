"""A whole desk in this process: real SQLite, the real libraries, the fakes on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from adapters.telegram.adapter import TelegramAdapter
from bot.app import Service
from bot.chat import SAMPLE
from bot.config import Config, DeskConfig, HttpConfig, Loaded, ModelConfig, Secret, TelegramConfig
from bot.desk import Desk, open_desk
from bot.types import Place, value
from tests.fakes.glm import KEY, FakeGlm
from tests.fakes.inline_database import laid
from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.http import serve
from tests.flow.shop import shop_image

ROOT = Path(__file__).parents[2]
ADMIN = 9001


@value
class Running:
    """A desk at work and the worlds around it."""

    desk: Desk
    service: Service
    telegram: FakeTelegram
    glm: FakeGlm


@asynccontextmanager
async def running(
    database: Path,
    *,
    answers: str = "assist",
    speaks: bool = True,
    knowledge: bool = True,
    staff: Place | None = None,
    pace: str = "official",
    streaming: str = "edits",
    telegram: FakeTelegram | None = None,
    glm: FakeGlm | None = None,
    contact: str = "",
    skills: Path | None = None,
    busy: str = "queue",
    http: HttpConfig | None = None,
    digest: str = "",
) -> AsyncIterator[Running]:
    """Serve Telegram until the block is left."""
    async with AsyncExitStack() as stack:
        if glm is None:
            glm = await stack.enter_async_context(FakeGlm())
        telegram = telegram or FakeTelegram()
        root = await stack.enter_async_context(serve(telegram))
        model = ModelConfig(base_url=glm.url, api_key=Secret(KEY))
        config = Config(
            desk=DeskConfig(
                name="Lumen Home", answers=answers, contact=contact, busy=busy, digest=digest
            ),
            telegram=TelegramConfig(
                token=Secret(telegram.token), api_root=root, pace=pace, streaming=streaming
            ),
            models=(model,) if speaks else (),
            http=http or HttpConfig(public="", operator=""),
            database=str(database),
            skills=str(skills or database.parent / "skills"),
            admins=frozenset({f"telegram:{ADMIN}"}),
            staff=staff,
        )
        laid(database, await shop_image() if knowledge else None)
        desk = await stack.enter_async_context(open_desk(Loaded(config=config)))
        if knowledge:
            await desk.knowledge.import_folder(ROOT / "bot" / SAMPLE)
        service = await Service.build(desk)
        service.join(TelegramAdapter(config.telegram, desk.clock, random=Random(1)))
        serving = asyncio.create_task(service.run())
        try:
            yield Running(desk=desk, service=service, telegram=telegram, glm=glm)
        finally:
            service.end()
            await serving


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so; fails when it is not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
