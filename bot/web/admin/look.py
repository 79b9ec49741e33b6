"""How pages look: templates, sentences, times and numbers. Everything is escaped by default."""

from __future__ import annotations

from functools import cache, partial
from zoneinfo import ZoneInfo

import jinja2

from bot.engine import acts
from bot.i18n import catalogue, say
from bot.ports import AuditEntry
from bot.stats.span import local
from bot.types import Scalar

DONE = frozenset(
    (
        "closed",
        "not_open",
        "added",
        "edited",
        "imported",
        "deleted",
        "requeued",
        "not_requeued",
        "went_back",
    )
)
"""What a page may say after a form led to it: `done=` in an address names one of these."""
ROOMS = ("overview", "conversations", "tickets", "knowledge", "letters", "settings", "audit")


class Look:
    """The templates of this package, filled in."""

    def __init__(self, *, name: str, timezone: str) -> None:
        self._name, self._templates = name, _templates(timezone)

    def page(self, template: str, *, locale: str, path: str, done: str, **values: object) -> str:
        """A whole page."""
        return self._templates.get_template(template).render(
            desk=self._name,
            t=partial(sentence, locale),
            route=partial(route, locale),
            reason=partial(reason, locale),
            act=partial(act, locale),
            detail=partial(detail, locale),
            locale=locale,
            room=room(path),
            done=done if done in DONE else "",
            **values,
        )


@cache
def _templates(timezone: str) -> jinja2.Environment:
    """Compiled once in a process: that takes longer than many pages do."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("bot.web.admin"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(rooms=ROOMS)
    templates.filters.update(
        when=partial(when, ZoneInfo(timezone)), seconds=seconds, share=share, size=size
    )
    return templates


def when(zone: ZoneInfo, at: int | None) -> str:
    """A time on the desk's own clock, to the minute."""
    return f"{local(at, zone):%Y-%m-%d %H:%M}" if at is not None else "—"


def room(path: str) -> str:
    """Which of the rooms a path is in."""
    first = path.split("/")[1]
    return first if first in ROOMS else "" if first else ROOMS[0]


def sentence(locale: str, key: str, /, **values: Scalar) -> str:
    """A sentence of the pages."""
    return say(locale, f"admin.{key}", **values)


def route(locale: str, name: str) -> str:
    """How an answer came to be, in words where there are some."""
    return catalogue(locale).get(f"stats.route_{name}", name)


def reason(locale: str, key: str) -> str:
    """Why there is a ticket, in words where there are some."""
    return catalogue(locale).get(key, "")


def act(locale: str, entry: AuditEntry) -> str:
    """What was done, by a line of the audit."""
    return acts.act(entry.action, locale)


def detail(locale: str, entry: AuditEntry) -> str:
    """To what or whom, or why not."""
    return acts.detail(entry, locale)


def seconds(ms: float) -> str:
    """Milliseconds as seconds."""
    return f"{ms / 1000:.1f} s"


def share(part: float | None) -> str:
    """0 to 1 as a percentage."""
    return "—" if part is None else f"{part:.0%}"


def size(count: float) -> str:
    """A count with its thousands apart."""
    return f"{count:,}"
