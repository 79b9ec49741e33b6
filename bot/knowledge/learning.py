"""The configured folder while the desk runs: imported at start, and again when its files change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from bot.clock import Clock
from bot.errors import KnowledgeError, StorageError
from bot.i18n import LOCALES
from bot.knowledge import causes, confidence
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.imports import ImportReport, stamps

log = structlog.get_logger()

LOOK_SECONDS = 30.0
"""Between two looks at the folder: times and sizes only, no content."""


Told = Callable[[ImportReport], None]
"""Called after each import of the folder, and with what else could not be read."""


def logged(report: ImportReport) -> None:
    """A Told for a desk that nobody watches."""
    for problem in report.failed:
        log.warning("knowledge_not_read", problem=causes.told(problem, LOCALES[0]))
    if report.moved:
        log.info(
            "knowledge_moved",
            added=report.added,
            changed=report.changed,
            removed=report.removed,
        )


class Learning:
    """Keeps a knowledge base up to its folder, and its thresholds up to its entries.

    What cannot be read is told, and what was known stays. `every`: seconds between two looks.
    """

    def __init__(
        self,
        knowledge: KnowledgeBase,
        clock: Clock,
        *,
        folder: str = "",
        watch: bool = True,
        every: float = LOOK_SECONDS,
        told: Told = logged,
    ) -> None:
        self._knowledge = knowledge
        self._clock = clock
        self._folder = Path(folder) if folder else None
        self._watch = watch
        self._every = every
        self._told = told
        self._seen: dict[str, tuple[int, int]] | None = None
        self._fit: ImportReport | None = None
        self._renewed = False

    async def begin(self) -> None:
        """The first import. Raises KnowledgeError when there is no such folder."""
        if self._folder is not None:
            self._seen = await asyncio.to_thread(stamps, self._folder)
            report = await self._import(self._folder)
            if await self._knowledge.calibration() == confidence.DEFAULT:
                # Whoever imported it, a piped chat for one, did not stay to measure it.
                self._fit = report

    async def run(self) -> None:
        """Look at the folder, and measure the base anew where it moved, until cancelled."""
        while True:
            try:
                await self._look()
                await self._renew()
                await self._measure()
            except KnowledgeError as error:
                self._told(ImportReport(generation=0, failed=(causes.cause_of(error),)))
            except StorageError as error:
                log.warning("knowledge_not_kept_up", error=str(error))
            await self._clock.sleep(self._every)

    async def _look(self) -> None:
        """Import again when a file came, changed or went."""
        if self._folder is None or self._seen is None or not self._watch:
            return
        now = await asyncio.to_thread(stamps, self._folder)
        if now != self._seen:
            self._seen = now
            await self._import(self._folder)

    async def _import(self, folder: Path) -> ImportReport:
        report = await self._knowledge.import_folder(folder, by="folder")
        self._told(report)
        if report.moved:
            self._fit = report
        return report

    async def _renew(self) -> None:
        """Once, after an update that reads words otherwise."""
        if not self._renewed:
            if count := await self._knowledge.renew():
                log.info("knowledge_indexed_anew", entries=count)
            self._renewed = True

    async def _measure(self) -> None:
        """Refit once after the base moved: some seconds of CPU that no start waits for."""
        report, self._fit = self._fit, None
        if report is not None:
            await self._knowledge.remeasure(report)
