"""The one place that knows everybody: builds the dozen objects, runs them, and takes them down."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from random import SystemRandom
from typing import Literal

import structlog

from bot.clock import Clock, SystemClock
from bot.config import Config, Loaded
from bot.engine.answer import Answerer
from bot.engine.commands import Commands
from bot.engine.engine import Engine
from bot.engine.handoff import Handoff
from bot.engine.reports import Reports
from bot.errors import BotError, ConfigError, PlatformLocked
from bot.knowledge.base import KnowledgeBase
from bot.model import build_model, probe
from bot.model.build import usable
from bot.model.tokens import cost, tokens
from bot.ports import Adapter, HasMenu, Intake, Model
from bot.reply.deliver import Deliverer, Price
from bot.reply.record import Cost
from bot.service import Worker
from bot.types import ProviderHealth, Role, Usage, value
from storage import Stores, open_stores

log = structlog.get_logger()

Mode = Literal["run", "chat"]

SAMPLE = "samples/shop"
"""The bundled knowledge of a small shop, for a first look without any setting."""
MEMORY = ":memory:"

NOTHING_TO_SERVE = """\
There is nothing to serve: no platform token is set and nobody types here.
  Telegram   set TELEGRAM_BOT_TOKEN (from @BotFather) in the environment or in .env
  Slack      set SLACK_BOT_TOKEN and SLACK_APP_TOKEN
  console    run `frontdesk chat` in a terminal, or pipe questions in, one a line
"""


@value
class Desk:
    """A desk without its platforms: what the CLI's commands and the running service share."""

    config: Config
    clock: Clock
    stores: Stores
    knowledge: KnowledgeBase
    model: Model
    reports: Reports


@asynccontextmanager
async def open_desk(
    loaded: Loaded, *, read_only: bool = False, database: str | None = None
) -> AsyncIterator[Desk]:
    """Open the stores and the model. Raises AlreadyRunning when another process writes."""
    config, clock = loaded.config, SystemClock()
    async with AsyncExitStack() as stack:
        stores = await open_stores(database or config.database, clock, read_only=read_only)
        stack.push_async_callback(stores.close)
        model = build_model(config, clock)
        stack.push_async_callback(model.close)

        async def ask_model() -> ProviderHealth | None:
            return await probe(model, clock) if speaks(config) else None

        yield Desk(
            config=config,
            clock=clock,
            stores=stores,
            knowledge=KnowledgeBase(stores.passages, clock),
            model=model,
            reports=Reports(config.desk, clock, stores.ledger, stores.inbox, ask_model),
        )


async def run(loaded: Loaded, *, mode: Mode) -> int:
    """Serve until told to stop; the exit status. Raises ConfigError and StorageError at start."""
    platforms = [] if mode == "chat" else _platforms(loaded.config)
    if not platforms and not _somebody_types():
        sys.stderr.write(NOTHING_TO_SERVE)
        return 2
    sample = not platforms and not loaded.config.knowledge.folder
    async with open_desk(loaded, database=MEMORY if sample else None) as desk:
        await _learn(desk, sample=sample)
        service = Service(desk, await _salt(desk.stores))
        for build in platforms:
            service.join(build(desk.config, desk.clock))
        if not platforms:
            from adapters.console import ConsoleAdapter

            stores = desk.stores
            service.join(
                ConsoleAdapter(
                    desk.config.desk,
                    desk.clock,
                    depth=stores.inbox.depth,
                    rows=stores.ledger.rows,
                )
            )
        await service.run()
    return 1 if service.failed else 0


def speaks(config: Config) -> bool:
    """There is a language model, so more can be given than excerpts."""
    return any(usable(model) for model in config.models)


Build = Callable[[Config, Clock], Adapter]


def _platforms(config: Config) -> list[Build]:
    """The platforms whose tokens are set; each library is imported only when it is wanted."""
    builds: list[Build] = []
    if config.telegram.token:
        builds.append(_telegram)
    return builds


def _telegram(config: Config, clock: Clock) -> Adapter:
    from adapters.telegram.adapter import TelegramAdapter

    return TelegramAdapter(config.telegram, clock, random=SystemRandom())


def _somebody_types() -> bool:
    """A terminal, or something other than nothing piped in."""
    if sys.stdin is None or sys.stdin.closed:
        return False
    if sys.stdin.isatty():
        return True
    with suppress(OSError):
        return not Path("/dev/null").samefile(f"/dev/fd/{sys.stdin.fileno()}")
    return True


async def _learn(desk: Desk, *, sample: bool) -> None:
    """Import the configured folder, or the sample for a first look."""
    folder = desk.config.knowledge.folder
    if sample:
        folder = str(resources.files("bot").joinpath(SAMPLE))
    if folder:
        report = await desk.knowledge.import_folder(Path(folder))
        for problem in report.failed:
            log.warning("knowledge_not_read", problem=problem)


def _price(config: Config) -> Price:
    """What tokens of a model cost, by the prices in the settings."""
    prices = {model.name: model for model in config.models}

    def price(name: str, usage: Usage) -> Cost:
        model = prices.get(name)
        amount = cost(usage, model) if model else None
        return Cost(amount=amount, currency=model.currency if model and amount is not None else "")

    return price


async def _salt(stores: Stores) -> bytes:
    """What person ids are masked with towards the provider; made once per database."""
    text = await stores.settings.get_or_set("salt", secrets.token_hex(32))
    return bytes.fromhex(text)


class Service:
    """The desk with its platforms: intake, worker, control, and their orderly end."""

    def __init__(self, desk: Desk, salt: bytes) -> None:
        self._desk = desk
        self._adapters: dict[str, Adapter] = {}
        self._ending = asyncio.Event()
        self.failed = False
        config, stores = desk.config, desk.stores
        handoff = Handoff(config.desk, stores.tickets, config.staff)
        self._commands = Commands(
            config.desk,
            stores.history,
            handoff,
            stats=desk.reports.stats,
            health=desk.reports.health,
        )
        answerer = Answerer(
            config.desk,
            desk.knowledge,
            stores.history,
            desk.model,
            handoff,
            speaks=speaks(config),
            estimate=tokens,
            context_tokens=min((model.context_tokens for model in config.models), default=0),
        )
        admins = config.admins | {"console:local"}
        engine = Engine(
            config.desk,
            stores.people,
            answerer,
            self._commands,
            admins=admins,
            staff=config.staff,
            salt=salt,
        )
        self._worker = Worker(
            stores.inbox,
            stores.people,
            engine,
            Deliverer(stores.inbox, desk.clock, price=_price(config)),
            self._adapters,
            clock=desk.clock,
            owner=secrets.token_hex(8),
            concurrent=config.desk.concurrent,
            staff=config.staff,
            locale=config.desk.locale,
            random=SystemRandom(),
        )
        self._admins = admins

    def join(self, adapter: Adapter) -> None:
        """Serve this platform too."""
        self._adapters[adapter.platform] = adapter

    @property
    def idle(self) -> bool:
        """No answer is in work."""
        return self._worker.busy == 0

    def end(self) -> None:
        """Begin the orderly end: no more intake, what runs is finished, then all is closed."""
        self._ending.set()

    async def run(self) -> None:
        """Serve until `end`, a signal, or until every platform has run dry (piped input)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        await self._desk.stores.inbox.take_over(self._worker.owner)
        work = asyncio.create_task(self._worker.run())
        intakes = [asyncio.create_task(self._intake(one)) for one in self._adapters.values()]
        menus = [asyncio.create_task(self._publish(one)) for one in self._adapters.values()]
        ending = asyncio.create_task(self._ending.wait())
        try:
            running: set[asyncio.Task[None]] = set(intakes)
            while running and not ending.done() and not work.done():
                await asyncio.wait((ending, work, *running), return_when=asyncio.FIRST_COMPLETED)
                running = {task for task in running if not task.done()}
            if not running and not ending.done():
                await self._until_answered(ending)
        finally:
            for task in (*intakes, *menus, ending):
                task.cancel()
            await asyncio.gather(*intakes, *menus, ending, return_exceptions=True)
            self._worker.drain()
            await work
            for adapter in self._adapters.values():
                await adapter.close()

    async def _intake(self, adapter: Adapter) -> None:
        """One platform's messages, onto disk."""

        async def sink(intakes: Sequence[Intake]) -> None:
            await self._desk.stores.inbox.put(intakes)

        try:
            await adapter.run(sink)
        except (PlatformLocked, ConfigError) as error:
            self.failed = True
            log.error("platform_refused_us", platform=adapter.platform, error=str(error))  # noqa: TRY400  # the message says it all

    async def _publish(self, adapter: Adapter) -> None:
        """The menu of commands; a desk without one works all the same."""
        if isinstance(adapter, HasMenu):
            admins = [admin for admin in self._admins if admin.startswith(adapter.platform)]
            try:
                await adapter.set_menu(self._commands.menu(Role.ADMIN), admins)
            except BotError as error:
                log.warning("menu_not_published", platform=adapter.platform, error=str(error))

    async def _until_answered(self, ending: asyncio.Task[object]) -> None:
        """All input is in; wait until the line is empty."""
        inbox = self._desk.stores.inbox
        while not ending.done():
            depth = await inbox.depth()
            if not depth.waiting and not depth.leased:
                return
            await self._desk.clock.sleep(0.02)
