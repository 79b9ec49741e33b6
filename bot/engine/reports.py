"""What an owner asks about the desk, as text: its numbers and its health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot.config import DeskConfig
from bot.engine import knowledge_text as told
from bot.i18n import say
from bot.knowledge.gaps import clusters
from bot.knowledge.meaning import Health
from bot.ports import Beside, Clock, Inbox, Ledger
from bot.stats.digest import digest
from bot.stats.render import render
from bot.stats.report import Extras, Report, report
from bot.stats.span import parse_range
from bot.types import ProviderHealth

Probe = Callable[[], Awaitable[ProviderHealth | None]]
"""Makes one real small call to the first model; None where no language model is configured."""

SHOWN = 5
"""Questions without an answer that a report names."""


class Reports:
    """Reads the ledger and the inbox; the same text in chat, on the console and from the CLI."""

    def __init__(
        self,
        desk: DeskConfig,
        clock: Clock,
        ledger: Ledger,
        inbox: Inbox,
        probe: Probe,
        *,
        embedder: Callable[[], Health] | None = None,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._ledger = ledger
        self._inbox = inbox
        self._probe = probe
        self._embedder = embedder

    async def read(self, argument: str) -> Report:
        """The numbers of a range ("today", "7d", "2026-01-01..2026-02-01"): the one object behind
        chat, pictures, files, CLI and pages.

        Raises UserError for a range that cannot be understood.
        """
        zone = ZoneInfo(self._desk.timezone)
        span = parse_range(argument, now=self._clock.now(), zone=zone)
        rows = await self._ledger.rows(span.reach, span.until)
        beside = await self._ledger.beside(span.since, span.until)
        return report(rows, span, zone, extras=_extras(beside))

    async def stats(self, argument: str, locale: str) -> str:
        """The same as text."""
        return render(await self.read(argument), locale)

    async def digest(self, day: date, locale: str) -> str:
        """One day in short, held against the same day a week before.

        Raises UserError for a day that has not come.
        """
        before = day - timedelta(days=7)
        return digest(
            await self.read(f"{day}..{day}"), await self.read(f"{before}..{before}"), locale
        )

    async def health(self, _argument: str, locale: str) -> str:
        """One real small call to the model, and what waits in the inbox."""
        lines = [say(locale, "health.title", desk=self._desk.name)]
        lines.append(_model_line(await self._probe(), locale))
        if self._embedder is not None:
            lines.append(told.embedder(self._embedder(), locale))
        depth = await self._inbox.depth()
        # What asks for this is in the line itself, and being answered.
        waiting, leased = max(0, depth.waiting - 1), max(0, depth.leased - 1)
        counts = {"waiting": waiting, "leased": leased, "dead": depth.dead}
        lines.append(say(locale, "health.inbox", **counts))
        return "\n".join(lines)


def _extras(beside: Beside) -> Extras:
    """What the ledger does not hold, questions gathered by likeness."""
    return Extras(
        dead=beside.dead,
        good=beside.good,
        bad=beside.bad,
        askers=beside.askers,
        unanswered=tuple((one.question, one.count) for one in clusters(beside.gaps)[:SHOWN]),
    )


def _model_line(health: ProviderHealth | None, locale: str) -> str:
    """One model in one line."""
    if health is None:
        return say(locale, "health.no_model")
    return say(
        locale,
        f"health.model_{health.state}",
        name=health.name,
        latency=health.latency_ms or 0,
        error=health.last_error,
    )
