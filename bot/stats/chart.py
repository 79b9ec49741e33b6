"""What the picture of a report shows: panels of numbers and words, no drawing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bot.i18n import LOCALES, say
from bot.stats.render import day_labels, hour_labels, title
from bot.stats.report import Bucket, Report
from bot.types import value

BARS_MAX = 62
"""More days than fit side by side are taken together, evenly."""


@value
class Series:
    """One colour of a panel. `tone`: good, bad, quiet or plain."""

    name: str
    tone: str
    values: tuple[float, ...]


@value
class Panel:
    """Bars standing on each other, bars lying down (`rows`), or lines, over the same labels."""

    kind: str
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


@value
class Chart:
    """A whole picture."""

    title: str
    panels: tuple[Panel, ...]


def charts(report: Report, locale: str) -> tuple[Chart, ...]:
    """The picture in this language, then in English for a machine without its letters."""
    plain = LOCALES[0]
    locales = (locale,) if locale == plain else (locale, plain)
    return tuple(chart(report, one) for one in locales)


def chart(report: Report, locale: str) -> Chart:
    """Volume by hour and by day, time to the answer, and routes."""
    hours = hour_labels(report)
    days, day_names = _gathered(report.days, day_labels(report, locale))
    timed, names = (days, day_names) if len(report.days) > 1 else (report.hours, hours)
    panels = [_volume(say(locale, "stats.chart_hours"), hours, report.hours, locale)]
    if len(report.days) > 1:
        together = len(days[0])
        heading = say(locale, "stats.chart_days")
        if together > 1:
            heading = say(locale, "stats.chart_days_many", days=together)
        panels.append(_volume(heading, day_names, days, locale))
    panels += [
        _latency(say(locale, "stats.chart_latency"), names, timed),
        _routes(report.whole, locale),
    ]
    return Chart(title=title(report, locale), panels=tuple(panels))


def spec(report: Report, locale: str) -> bytes:
    """`charts` as JSON, as the process that draws takes it."""
    drawings: list[Any] = msgspec.to_builtins(charts(report, locale))
    return msgspec.json.encode(drawings)


_Slot = tuple[Bucket, ...]


def _gathered(days: Sequence[Bucket], names: Sequence[str]) -> tuple[list[_Slot], list[str]]:
    """Days by themselves, or several side by side as one bar, under the name of the first."""
    step = -(-len(days) // BARS_MAX)
    starts = range(0, len(days), step)
    return [tuple(days[at : at + step]) for at in starts], [names[at] for at in starts]


def _slots(buckets: Sequence[Bucket | _Slot]) -> list[_Slot]:
    return [one if isinstance(one, tuple) else (one,) for one in buckets]


def _volume(
    heading: str, labels: Sequence[str], buckets: Sequence[Bucket | _Slot], locale: str
) -> Panel:
    slots = _slots(buckets)
    kinds: tuple[tuple[str, str, Callable[[Bucket], int]], ...] = (
        ("good", "stats.chart_answered", lambda one: one.answered),
        ("bad", "stats.chart_failed", lambda one: one.failed),
        ("quiet", "stats.chart_other", lambda one: one.declined + one.superseded),
    )
    series = tuple(
        Series(
            name=say(locale, key),
            tone=tone,
            values=tuple(float(sum(count(one) for one in slot)) for slot in slots),
        )
        for tone, key, count in kinds
    )
    return Panel(kind="bars", title=heading, labels=tuple(labels), series=series)


def _latency(heading: str, labels: Sequence[str], buckets: Sequence[Bucket | _Slot]) -> Panel:
    """The worst of days taken together: a mean of percentiles would be none."""
    slots = _slots(buckets)
    series = tuple(
        Series(
            name=name,
            tone=tone,
            values=tuple(max(getattr(one.total, name) for one in slot) / 1000 for slot in slots),
        )
        for name, tone in (("p95", "quiet"), ("p50", "plain"))
    )
    return Panel(kind="lines", title=heading, labels=tuple(labels), series=series)


def _routes(whole: Bucket, locale: str) -> Panel:
    labels = tuple(say(locale, f"stats.route_{route}") for route in whole.routes)
    counts = tuple(float(count) for count in whole.routes.values())
    series = Series(name="", tone="plain", values=counts)
    heading = say(locale, "stats.chart_routes")
    return Panel(kind="rows", title=heading, labels=labels, series=(series,))
