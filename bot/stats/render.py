"""Writes a report as plain text, the same in chat and terminal.

Chats use proportional fonts, so nothing here relies on columns: each line is read by itself, with
its label first and a bar last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from bot.i18n import say
from bot.stats.report import Bucket, Extras, Latency, Report, busiest
from bot.stats.span import local

LINE_MAX = 80
"""Characters of a name or question."""
_MARKS = re.compile(r"[\\`*_~<>\[\]|@]|://")
"""What Markdown or a platform could take for a mark, a link or a mention."""
_FIRST_MARKS = re.compile(r"\A(?:[-+ ]|#(?!\d))+")
"""What would begin a heading or a list; #1 is how the nameless are listed."""
BAR = 12
"""Blocks of the longest bar: label, numbers and bar stay on one line of a phone."""


def render(report: Report, locale: str) -> str:
    """The report in this language."""
    whole = report.whole
    lines = [title(report, locale), "", *_summary(whole, locale)]
    lines += _outcome(report.extras, locale)
    if whole.requests:
        lines += [*_peaks(report, locale), "", *_routes(whole, locale)]
    lines += ranked("stats.unanswered", report.extras.unanswered, locale)
    lines += ranked("stats.askers", report.extras.askers, locale)
    if len(report.days) > 1 and any(day.requests for day in report.days):
        head = "stats.last_days" if report.struck else "stats.by_day"
        labels = day_labels(report, locale)
        lines += ["", say(locale, head), *_table(labels, report.days, locale)]
    if any(hour.requests for hour in report.hours):
        head = "stats.last_hours" if report.struck else "stats.by_hour"
        labels = hour_labels(report)
        lines += ["", say(locale, head), *_table(labels, report.hours, locale, quiet=False)]
    return "\n".join(lines)


def title(report: Report, locale: str) -> str:
    """Which days, in which zone."""
    first, last = str(report.span.first), str(report.span.last)
    days = first if first == last else f"{first} – {last}"
    return say(locale, "stats.title", days=days, zone=str(report.zone))


def _summary(whole: Bucket, locale: str) -> Iterator[str]:
    if not whole.requests:
        yield say(locale, "stats.none")
        return
    yield say(locale, "stats.requests", count=grouped(whole.requests))
    yield say(
        locale,
        "stats.answered",
        count=grouped(whole.answered),
        rate=percent(whole.success_rate),
    )
    yield say(locale, "stats.failed", count=grouped(whole.failed), rate=percent(whole.failure_rate))
    if whole.declined:
        yield say(locale, "stats.declined", count=grouped(whole.declined))
    if whole.superseded:
        yield say(locale, "stats.superseded", count=grouped(whole.superseded))
    yield from _spent(whole, locale)
    if whole.first_text.count:
        yield say(locale, "stats.first_text", **_times(whole.first_text))
    yield say(locale, "stats.total", **_times(whole.total))
    if whole.throttled or whole.retries:
        yield say(
            locale,
            "stats.strain",
            throttled=grouped(whole.throttled),
            retries=grouped(whole.retries),
        )


def _outcome(extras: Extras, locale: str) -> Iterator[str]:
    """What became of answers after they were given."""
    if extras.score is not None:
        verdicts = grouped(extras.good + extras.bad)
        yield say(locale, "stats.feedback", score=percent(extras.score), count=verdicts)
    if extras.dead:
        yield say(locale, "stats.dead", count=grouped(extras.dead))


def _peaks(report: Report, locale: str) -> Iterator[str]:
    """When there was most to do; days only where there are several to compare."""
    peaks = [(hour_labels(report), report.hours)]
    if not report.struck and len(report.days) > 1:
        peaks.append((day_labels(report, locale), report.days))
    found = [
        f"{labels[index]} ({grouped(buckets[index].requests)})"
        for labels, buckets in peaks
        if (index := busiest(buckets)) is not None
    ]
    if found:
        yield say(locale, "stats.busiest", peaks=" · ".join(found))


def ranked(key: str, entries: tuple[tuple[str, int], ...], locale: str) -> Iterator[str]:
    """What others wrote, each with its number, under a heading; nothing for none."""
    if entries:
        yield from ("", say(locale, key))
        for text, count in entries:
            yield f"{plain(text)} · {grouped(count)}"


def plain(text: str) -> str:
    """What others wrote, in one short line that can mark up nothing."""
    line = _FIRST_MARKS.sub("", " ".join(_MARKS.sub(" ", text).split()))
    return line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…"


def _spent(whole: Bucket, locale: str) -> Iterator[str]:
    yield say(
        locale,
        "stats.tokens",
        total=grouped(whole.tokens),
        prompt=grouped(whole.prompt_tokens),
        completion=grouped(whole.completion_tokens),
        cached=grouped(whole.cached_tokens),
    )
    if whole.cache_hits:
        yield say(locale, "stats.cache_hits", count=grouped(whole.cache_hits))
    priced = " + ".join(f"{_money(cost)} {currency}" for currency, cost in whole.cost.items())
    if whole.unpriced and priced:
        yield say(locale, "stats.cost_partly", cost=priced, count=grouped(whole.unpriced))
    elif whole.unpriced:
        yield say(locale, "stats.cost_unknown")
    else:
        yield say(locale, "stats.cost", cost=priced or "0")


def _routes(whole: Bucket, locale: str) -> Iterator[str]:
    yield say(locale, "stats.routes")
    for route, count in whole.routes.items():
        name, share = say(locale, f"stats.route_{route}"), percent(count / whole.requests)
        yield f"{name} · {grouped(count)} · {share}"


def _table(
    labels: Iterable[str], buckets: tuple[Bucket, ...], locale: str, *, quiet: bool = True
) -> Iterator[str]:
    """One line a bucket; without `quiet` those in which nothing happened are left out."""
    most = max(bucket.requests for bucket in buckets)
    for label, bucket in zip(labels, buckets, strict=True):
        if bucket.requests:
            yield _line(label, bucket, most, locale)
        elif quiet:
            yield f"{label} · 0"


def _line(label: str, bucket: Bucket, most: int, locale: str) -> str:
    bar = "▇" * max(1, round(BAR * bucket.requests / most))
    median = say(locale, "stats.median", seconds=_seconds(bucket.total.p50))
    rate = percent(bucket.success_rate)
    return f"{label} · {grouped(bucket.requests)} · {rate} · {median} {bar}"


def day_labels(report: Report, locale: str) -> list[str]:
    """What the report's days are called."""
    return [_day(report, index, locale) for index in range(len(report.days))]


def hour_labels(report: Report) -> list[str]:
    """What its hours are called, as local clocks show them."""
    return [_hour(report, bucket, index) for index, bucket in enumerate(report.hours)]


def _day(report: Report, index: int, locale: str) -> str:
    day = report.span.last - timedelta(days=len(report.days) - 1 - index)
    names = say(locale, "stats.weekdays").split()
    return f"{day:%m-%d} {names[day.weekday()]}"


def _hour(report: Report, bucket: Bucket, index: int) -> str:
    return f"{local(bucket.since, report.zone):%H:%M}" if report.struck else f"{index:02}:00"


def _times(latency: Latency) -> dict[str, str]:
    return {
        "mean": _seconds(latency.mean),
        "p50": _seconds(latency.p50),
        "p95": _seconds(latency.p95),
        "max": _seconds(latency.max),
        "min": _seconds(latency.min),
    }


def _seconds(milliseconds: float) -> str:
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f}" if milliseconds >= 95 else f"{milliseconds / 1000:.2f}"
    return f"{milliseconds / 1000:,.0f}"


def percent(share: float | None) -> str:
    """One decimal; a share that is not all is never rounded up to all, nor to none."""
    if share is None:
        return "–"
    if share in {0.0, 1.0}:
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def grouped(number: int) -> str:
    """With its thousands apart."""
    return f"{number:,}"


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"
