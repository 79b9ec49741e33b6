"""The desk in this terminal: one person and no platform, beside a running desk too."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path

from bot.app import Service
from bot.config import Config, HttpConfig, Loaded
from bot.desk import Desk, open_desk
from bot.errors import AlreadyRunning, Cause, StorageError, UserError
from bot.i18n import say
from bot.knowledge.causes import told
from bot.knowledge.imports import ImportReport
from bot.knowledge.learning import Learning
from storage import stores as stores_over
from storage.lock import see_folder
from storage.watched import Watched

SAMPLE = "samples/shop"
"""The bundled knowledge of a small shop, for a first look without any setting."""
MEMORY = ":memory:"
LOOK_SECONDS = 2.0
"""Between two looks at the folder: who sits here changes a file and asks at once."""

Tell = Callable[[str, str], None]
"""Says something beside the talk: a catalogue key and what it is about."""


async def run(
    loaded: Loaded, *, tell: Tell, locale: str, model: str = "", knowledge: bool = True
) -> int:
    """Chat until the person leaves, or the piped input ends; the exit status.

    `locale` is the terminal's, for what has no language of its own. `model` answers instead of the
    configured ones; without `knowledge` it answers alone. Raises UserError when there is no model
    for that, StorageError for a database that cannot be used, or not be written any more.
    """
    if not _somebody_types():
        sys.stderr.write(say(locale, "operator.nothing_to_serve") + "\n")
        return 2
    config = chosen(loaded.config, model=model, knowledge=knowledge)
    config = replace(config, http=HttpConfig(public="", operator=""))  # a chat has no pages
    async with _opened(replace(loaded, config=config), tell) as (desk, folder):
        return await _converse(desk, folder, tell=tell, locale=locale)


def chosen(config: Config, *, model: str, knowledge: bool) -> Config:
    """The settings with another model, or without knowledge.

    A name that is not in the chain is asked for at the first model's provider.
    """
    if (model or not knowledge) and not config.models:
        raise UserError("operator.console_no_model")
    if model:
        named = [one for one in config.models if one.name == model]
        one = named[0] if named else replace(config.models[0], name=model)
        config = replace(config, models=(one,))
    if not knowledge:
        alone = replace(config.knowledge, folder="")
        config = replace(config, knowledge=alone, desk=replace(config.desk, answers="open"))
    return config


@asynccontextmanager
async def _opened(loaded: Loaded, tell: Tell) -> AsyncIterator[tuple[Desk, str]]:
    """On the desk's own file, with the folder that it learns from; in memory, and without one, for
    a first look or while another desk holds the file.
    """
    config = loaded.config
    folder = config.knowledge.folder
    async with AsyncExitStack() as stack:
        if not folder and not await asyncio.to_thread(Path(config.database).exists):
            await asyncio.to_thread(see_folder, config.database)
            desk = await stack.enter_async_context(open_desk(loaded, database=MEMORY))
            await desk.knowledge.import_folder(str(resources.files("bot").joinpath(SAMPLE)))
        else:
            try:
                desk = await stack.enter_async_context(open_desk(loaded))
            except AlreadyRunning:
                tell("operator.console_reads", config.database)
                other = open_desk(loaded, database=MEMORY, knowledge=config.database)
                desk, folder = await stack.enter_async_context(other), ""
        yield desk, folder


async def _learn(desk: Desk, folder: str, tell: Tell, locale: str) -> None:
    """Take a folder in, unless nothing asks the knowledge base anyway."""
    if not folder or desk.config.desk.answers == "open":
        return
    report = await desk.knowledge.import_folder(folder)
    for problem in report.failed:
        tell("cli.import_failed", told(problem, locale))


async def _converse(desk: Desk, folder: str, *, tell: Tell, locale: str) -> int:
    """One person at a terminal, or lines through a pipe; who sits here sees the folder followed.

    A served desk waits until its disk has room again; who talks here would wait for ever, so the
    chat ends with what the store said.
    """
    from adapters.console import TerminalAdapter, open_console

    failures: list[StorageError] = []
    service: Service | None = None

    def failed(error: StorageError) -> None:
        failures.append(error)
        if service is not None:  # else whoever builds it hears of it at once
            service.end()

    stores = stores_over(Watched(desk.stores.database, failed), desk.clock)
    desk = replace(desk, stores=stores)
    console = open_console(
        desk.config.desk,
        desk.clock,
        depth=stores.inbox.depth,
        rows=stores.ledger.rows,
        locale=locale,
    )
    service = await Service.build(desk)
    service.join(console)
    # What others write beside a chat goes through it, unless another desk holds the file.
    service.public = desk.config.database != MEMORY
    if isinstance(console, TerminalAdapter) and desk.config.desk.answers != "open":
        service.learning = _learning(desk, folder, console.note, locale)
        await service.learning.begin()
    else:
        await _learn(desk, folder, tell, locale)
    sits = sys.stdin.isatty()
    status = await service.run()
    _let_go()
    if failures:
        raise failures[0]
    if not console.taken and not sits:
        sys.stderr.write(say(locale, "operator.nothing_to_serve") + "\n")
        return 2
    return status


def _learning(desk: Desk, folder: str, note: Callable[[str], None], locale: str) -> Learning:
    """The folder as a served desk follows it, but told where the talk is, and each failure once."""
    known: set[Cause] = set()

    def heard(report: ImportReport) -> None:
        if report.moved:
            counts = ("added", "changed", "removed")
            note(say(locale, "console.learnt", **{name: getattr(report, name) for name in counts}))
        for problem in report.failed:
            if problem not in known:
                note(say(locale, "cli.import_failed", text=told(problem, locale)))
        known.clear()
        known.update(report.failed)

    watch = desk.config.knowledge.watch
    return Learning(
        desk.knowledge, desk.clock, folder=folder, watch=watch, every=LOOK_SECONDS, told=heard
    )


def _let_go() -> None:
    """Where nobody reads any more, what could not be written is not tried again at the exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with Path(os.devnull).open("wb") as nothing, suppress(OSError, ValueError):
            os.dup2(nothing.fileno(), sys.stdout.fileno())


def _somebody_types() -> bool:
    """A terminal, or something other than nothing piped in."""
    if sys.stdin is None or sys.stdin.closed:
        return False
    if sys.stdin.isatty():
        return True
    with suppress(OSError):
        return not Path("/dev/null").samefile(f"/dev/fd/{sys.stdin.fileno()}")
    return True
