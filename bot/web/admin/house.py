"""Pages about the desk itself: overview, settings, dead letters, audit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.config import Config, Secret
from bot.config.table import MODEL, SETTINGS, Setting
from bot.stats.report import Report, report
from bot.stats.span import local, parse_range
from bot.types import Place, value
from bot.web.admin.behind import Behind, Visit
from bot.web.admin.chart import chart

LETTERS = 100
AUDITS = 200
STARS = "•••"
_USERINFO = re.compile(r"(?<=//)[^/@\s]+(?=@)")


async def overview(visit: Visit) -> web.Response:
    """How the desk is doing, in ten seconds."""
    behind = visit.behind
    today, week = await _reports(behind)
    zone = ZoneInfo(behind.config.desk.timezone)
    hours = [f"{local(one.since, zone):%H}" for one in today.hours]
    days = [f"{local(one.since, zone):%m-%d}" for one in today.days]
    return visit.page(
        "overview.html",
        spans=(("today", today.whole), ("week", week.whole)),
        depth=await behind.depth(),
        providers=behind.health(),
        by_hour=chart(today.hours, hours, every=6),
        by_day=chart(today.days, days),
        routes=list(week.whole.routes.items()),
        most=max(week.whole.routes.values(), default=0),
    )


async def _reports(behind: Behind) -> tuple[Report, Report]:
    """Today and the last seven days, from one look into the ledger."""
    zone, now = ZoneInfo(behind.config.desk.timezone), behind.clock.now()
    today, week = (parse_range(word, now=now, zone=zone) for word in ("today", "7d"))
    rows = await behind.ledger.rows(min(today.reach, week.reach), week.until)
    return report(rows, today, zone), report(rows, week, zone)


@value
class Row:
    """A setting as it is shown. `source` "": nobody set it."""

    path: str
    shown: str
    source: str


async def settings(visit: Visit) -> web.Response:
    """Every setting, what it is and who says so; secrets as stars."""
    return visit.page("settings.html", rows=list(_rows(visit.behind)))


def _rows(behind: Behind) -> Iterator[Row]:
    config = behind.config
    for setting in SETTINGS:
        yield _row(behind, setting.path, _at(config, setting), secret=setting.secret)
    for index, model in enumerate(config.models):
        for setting in MODEL:
            if hasattr(model, setting.path):
                held = getattr(model, setting.path)
                path = f"models[{index}].{setting.path}"
                yield _row(behind, path, held, secret=setting.secret)


def _at(config: Config, setting: Setting) -> object:
    node: object = config
    for name in setting.path.split("."):
        node = getattr(node, name)
    return node


def _row(behind: Behind, path: str, held: object, *, secret: bool) -> Row:
    return Row(path=path, shown=_shown(held, secret=secret), source=behind.sources.get(path, ""))


def _shown(held: object, *, secret: bool) -> str:
    """A setting's text. What may be a secret is stars whatever its type, passwords in addresses
    included.
    """
    if secret or isinstance(held, Secret):
        return STARS if held else "—"
    if isinstance(held, frozenset):
        return ", ".join(sorted(map(str, held))) or "—"
    if isinstance(held, Place):
        return held.conversation
    return "—" if held is None or held == "" else _USERINFO.sub(STARS, str(held))


async def letters(visit: Visit) -> web.Response:
    """What was given up, newest first."""
    return visit.page("letters.html", letters=await visit.behind.files.letters(LETTERS))


async def requeue(visit: Visit) -> web.Response:
    """Put one back into its line."""
    number = visit.number("id")
    back = await visit.behind.requeue([number])
    if back:
        await visit.note("letter requeued", f"#{number}")
    done = "requeued" if back else "not_requeued"
    return web.Response(status=303, headers={"Location": f"/letters?done={done}"})


async def audit(visit: Visit) -> web.Response:
    """What was done, newest first."""
    return visit.page("audit.html", entries=await visit.behind.audits.last(AUDITS))
