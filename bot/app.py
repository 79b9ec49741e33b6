"""The one place that knows every platform: runs a desk with its adapters, and takes it down."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import structlog

from bot.config import Config, Loaded
from bot.control import ControlServer, socket_path
from bot.desk import Desk, build_engine, change, numbers, open_desk, price_of, take_in
from bot.engine.alarm import Alarm
from bot.engine.commands import Commands
from bot.engine.engine import Engine
from bot.engine.route import interrupting
from bot.engine.skills.run import FILE_MAX
from bot.errors import BotError, ConfigError, PlatformLocked, StorageError, UserError
from bot.knowledge.learning import Learning
from bot.ports import Adapter, FetchesFiles, HasMenu, Intake, NullObserver, Observer
from bot.reply.deliver import Deliverer
from bot.service import Worker
from bot.types import Attachment, Place, Role
from storage.retention import Retention, prune

if TYPE_CHECKING:
    from bot.web.admin import Behind
    from bot.web.readiness import Readiness

log = structlog.get_logger()

PRUNE_SECONDS = 6 * 3600.0
YOUNG_MOST = 5_000
"""New objects between two looks for garbage. Python's 700 is less than what three replies have in
hand at one moment, so that each look finds most of it in use and looks at it again."""
INTAKE_SECONDS = 5.0
"""Before an intake that broke is begun again."""


async def run(loaded: Loaded) -> int:
    """Serve every platform whose tokens are set until told to stop; the exit status.

    Raises ConfigError and StorageError at start.
    """
    async with open_desk(loaded) as desk:
        service = await Service.build(desk)
        for build in platforms(loaded.config):
            service.join(build(desk, service.commands))
        await service.learning.begin()
        # What stands now stands to the end. Looked through again and again for garbage, it takes a
        # tenth of a reply's CPU and holds up all replies for some 80 ms at a time.
        gc.freeze()
        gc.set_threshold(YOUNG_MOST, *gc.get_threshold()[1:])
        return await service.run()


Build = Callable[[Desk, Commands], Adapter]


def platforms(config: Config) -> list[Build]:
    """The platforms whose tokens are set; each library is imported only when it is wanted."""
    builds: list[Build] = []
    if config.telegram.token:
        builds.append(_telegram)
    if config.slack.bot_token:
        builds.append(_slack)
    return builds


def _telegram(desk: Desk, _commands: Commands) -> Adapter:
    from adapters.telegram.adapter import TelegramAdapter

    return TelegramAdapter(
        desk.config.telegram,
        desk.clock,
        random=SystemRandom(),
        public_url=desk.config.http.public_url,
    )


def _slack(desk: Desk, commands: Commands) -> Adapter:
    from adapters.slack.adapter import SlackAdapter

    return SlackAdapter(
        desk.config.slack,
        desk.clock,
        random=SystemRandom(),
        words=commands.bare(),
        party=desk.stores.threads.party,
        context=True,
        groups=_groups(desk.admins),
    )


def _groups(admins: Collection[str]) -> list[str]:
    """Those among the admins that are user groups of Slack, whose ids begin with S."""
    ids = [admin.partition("/")[2] for admin in admins if admin.startswith("slack:")]
    return sorted(one for one in ids if one.startswith("S"))


def pages_of(desk: Desk) -> Behind:
    """What the admin pages stand on."""
    from bot.web.admin import Behind

    stores = desk.stores
    return Behind(
        config=desk.config,
        sources=desk.sources,
        clock=desk.clock,
        door=stores.door,
        files=stores.files,
        audits=stores.audits,
        ledger=stores.ledger,
        knowledge=desk.knowledge,
        depth=stores.inbox.depth,
        requeue=stores.inbox.requeue,
        health=desk.model.health,
    )


class Service:
    """A desk with its platforms: intake, worker, listeners, control, and their orderly end."""

    def __init__(
        self, desk: Desk, engine: Engine, commands: Commands, adapters: dict[str, Adapter]
    ) -> None:
        self.commands = commands
        self.failed = False
        self._desk = desk
        self._observer: Observer = NullObserver()
        self._adapters = adapters
        kept = desk.config.knowledge
        self.learning = Learning(desk.knowledge, desk.clock, folder=kept.folder, watch=kept.watch)
        self._ending = asyncio.Event()
        self._readiness: Readiness | None = None
        self.public = True
        config, stores = desk.config, desk.stores
        self._alarm = Alarm(
            stores.inbox,
            stores.directory,
            desk.clock,
            admins=config.admins,
            staff=config.staff,
            locale=config.desk.locale,
        )
        self._worker = Worker(
            stores.inbox,
            stores.people,
            engine,
            Deliverer(stores.inbox, desk.clock, price=price_of(config)),
            self._adapters,
            clock=desk.clock,
            owner=secrets.token_hex(8),
            concurrent=config.desk.concurrent,
            staff=config.staff,
            locale=config.desk.locale,
            random=SystemRandom(),
            lost=self._alarm.lost,
        )

    @classmethod
    async def build(cls, desk: Desk) -> Service:
        """The service over a desk."""
        adapters: dict[str, Adapter] = {}

        async def fetch(place: Place, attachment: Attachment, /, *, most: int = FILE_MAX) -> bytes:
            adapter = adapters.get(place.platform)
            if not isinstance(adapter, FetchesFiles):
                raise UserError("skill.no_files")
            return await adapter.fetch(attachment, most=most)

        engine, commands = await build_engine(desk, fetch=fetch)
        return cls(desk, engine, commands, adapters)

    def join(self, adapter: Adapter) -> None:
        """Serve this platform too."""
        self._adapters[adapter.platform] = adapter

    @property
    def idle(self) -> bool:
        """No answer is in work."""
        return self._worker.busy == 0

    def end(self) -> None:
        """Begin the orderly end: no more intake, what runs is finished, then all is closed."""
        if self._readiness is not None:
            self._readiness.drain()
        self._ending.set()

    async def run(self) -> int:
        """Serve until `end`, a signal, or until every platform has run dry (piped input)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        await self._worker.start()
        staff = self._desk.config.staff
        if staff is not None and staff.platform in self._adapters:
            await numbers(self._desk).arm()
        async with AsyncExitStack() as stack:
            if self.public:
                await self._listen(stack)
            await self._serve()
        return 1 if self.failed else 0

    async def _listen(self, stack: AsyncExitStack) -> None:
        """Both HTTP listeners and the control socket; raises ConfigError for a taken address."""
        config, stores = self._desk.config, self._desk.stores
        control = ControlServer(
            socket_path(config.database),
            {
                "kb_import": self._import,
                "kb_change": self._change,
                "dead_requeue": stores.inbox.requeue,
                "forget": stores.exports.erase,
            },
        )
        await control.start()
        stack.push_async_callback(control.close)
        if not (config.http.public or config.http.operator):
            return
        from bot.web.metrics import Metrics
        from bot.web.readiness import Readiness
        from bot.web.serve import serving

        metrics = Metrics()
        if (dense := self._desk.knowledge.dense) is not None:
            metrics.watch(dense.health)
        self._observer = self._worker.observer = metrics
        self._readiness = Readiness(
            write=self._prove_writing, providers=self._desk.model.health, clock=self._desk.clock
        )
        listeners = serving(
            config.http,
            self._adapters.values(),
            readiness=self._readiness,
            metrics=metrics,
            depth=stores.inbox.depth,
            pages=pages_of(self._desk),
        )
        # Whoever is not named in the settings any more is out from this start on.
        await stores.door.empty()
        bound = await stack.enter_async_context(listeners)
        log.info("listening", public=bound.public, operator=bound.operator)

    async def _prove_writing(self) -> None:
        """A small durable write; raises StorageError where none is possible."""
        await self._desk.stores.settings.put("ready", str(self._desk.clock.now()))

    async def _serve(self) -> None:
        """Intake and work side by side, until the end."""
        work = asyncio.create_task(self._worker.run())
        intakes = [asyncio.create_task(self._intake(one)) for one in self._adapters.values()]
        others = [asyncio.create_task(self._publish(one)) for one in self._adapters.values()]
        others.append(asyncio.create_task(self._prune()))
        others.append(asyncio.create_task(self._desk.summariser.run()))
        others.append(asyncio.create_task(self.learning.run()))
        if (dense := self._desk.knowledge.dense) is not None:
            from bot.knowledge.embedding import Embedding

            folder = self._desk.config.knowledge.folder
            keeper = Embedding(self._desk.knowledge, dense, self._desk.clock, folder=folder)
            others.append(asyncio.create_task(keeper.run()))
        ending = asyncio.create_task(self._ending.wait())
        try:
            running: set[asyncio.Task[None]] = set(intakes)
            while running and not ending.done() and not work.done():
                await asyncio.wait((ending, work, *running), return_when=asyncio.FIRST_COMPLETED)
                running = {task for task in running if not task.done()}
            if not running and not ending.done() and not self.failed:
                await self._until_answered(ending)
        finally:
            for task in (*intakes, *others, ending):
                task.cancel()
            await asyncio.gather(*intakes, *others, ending, return_exceptions=True)
            self._worker.drain()
            await work
            for adapter in self._adapters.values():
                await adapter.close()

    async def _intake(self, adapter: Adapter) -> None:
        """One platform's messages, onto disk. A platform that locks us out stops; others go on.

        A fault of ours in taking them in is logged, and the intake is begun again.
        """

        async def sink(intakes: Sequence[Intake]) -> None:
            begun = self._desk.clock.monotonic()
            if self._desk.config.desk.busy == "interrupt":
                intakes = [interrupting(one) for one in intakes]
            await self._desk.stores.inbox.put(intakes)
            await self._alarm.heed(intakes)
            self._observer.taken(len(intakes), self._desk.clock.monotonic() - begun)

        while True:
            try:
                await adapter.run(sink)
            except (PlatformLocked, ConfigError) as error:
                self.failed = True
                problem = {"platform": adapter.platform, "error": str(error)}
                log.error("platform_refused_us", **problem)  # noqa: TRY400  # no traceback says more
            except Exception:  # guard: what the platform believes delivered must still come in
                log.exception("intake_crashed", platform=adapter.platform)
                await self._desk.clock.sleep(INTAKE_SECONDS)
                continue
            return

    async def _publish(self, adapter: Adapter) -> None:
        """The menu of commands; a desk without one works all the same."""
        if isinstance(adapter, HasMenu):
            admins = [a for a in self._desk.admins if a.startswith(f"{adapter.platform}:")]
            try:
                await adapter.set_menu(self.commands.menu(Role.CUSTOMER))
                if admins:
                    await adapter.set_menu(self.commands.menu(Role.ADMIN), only=admins)
            except BotError as error:
                log.warning("menu_not_published", platform=adapter.platform, error=str(error))

    async def _prune(self) -> None:
        """Let go of what is past its time, a few times a day."""
        privacy = self._desk.config.privacy
        keep = Retention(
            history=privacy.history_days, done=privacy.done_days, dead=privacy.dead_days
        )
        while True:
            try:
                now = self._desk.clock.now()
                gone = await prune(self._desk.stores.database, keep, now=now)
                log.debug("pruned", **gone)
            except StorageError as error:
                log.warning("not_pruned", error=str(error))
            await self._desk.clock.sleep(PRUNE_SECONDS)

    async def _import(self, path: str) -> dict[str, Any]:
        """`frontdesk kb import` of a second process."""
        return await take_in(self._desk.knowledge, Path(path), refit=True)

    async def _change(self, **asked: str) -> dict[str, Any]:
        """`frontdesk kb add`, `edit`, `remove` and `rollback` of a second process."""
        return await change(self._desk.knowledge, **asked)

    async def _until_answered(self, ending: asyncio.Task[object]) -> None:
        """All input is in; wait until the line is empty."""
        inbox = self._desk.stores.inbox
        while not ending.done():
            depth = await inbox.depth()
            if not depth.waiting and not depth.leased:
                return
            await self._desk.clock.sleep(0.02)
