"""Writes a report as plain text, the same in chat and terminal.

Chats use proportional fonts, so nothing here relies on columns: each line is read by itself, with
its label first and a bar last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from bot.i18n import say
from bot.stats.report import Bucket, Latency, Report
from bot.stats.span import local

BAR = 12
"""Blocks of the longest bar: label, numbers and bar stay on one line of a phone."""


def render(report: Report, locale: str) -> str:
    """The report in this language."""
    whole = report.whole
    lines = [_title(report, locale), "", *_summary(whole, locale)]
    if whole.requests:
        lines += ["", *_routes(whole, locale)]
    if len(report.days) > 1 and any(day.requests for day in report.days):
        head = "stats.last_days" if report.struck else "stats.by_day"
        labels = [_day(report, index, locale) for index in range(len(report.days))]
        lines += ["", say(locale, head), *_table(labels, report.days, locale)]
    if any(hour.requests for hour in report.hours):
        head = "stats.last_hours" if report.struck else "stats.by_hour"
        labels = [_hour(report, bucket, index) for index, bucket in enumerate(report.hours)]
        lines += ["", say(locale, head), *_table(labels, report.hours, locale, quiet=False)]
    return "\n".join(lines)


def _title(report: Report, locale: str) -> str:
    first, last = str(report.span.first), str(report.span.last)
    days = first if first == last else f"{first} – {last}"
    return say(locale, "stats.title", days=days, zone=str(report.zone))


def _summary(whole: Bucket, locale: str) -> Iterator[str]:
    if not whole.requests:
        yield say(locale, "stats.none")
        return
    yield say(locale, "stats.requests", count=_count(whole.requests))
    yield say(
        locale,
        "stats.answered",
        count=_count(whole.answered),
        rate=_percent(whole.success_rate),
    )
    yield say(locale, "stats.failed", count=_count(whole.failed), rate=_percent(whole.failure_rate))
    if whole.declined:
        yield say(locale, "stats.declined", count=_count(whole.declined))
    if whole.superseded:
        yield say(locale, "stats.superseded", count=_count(whole.superseded))
    yield from _spent(whole, locale)
    if whole.first_text.count:
        yield say(locale, "stats.first_text", **_times(whole.first_text))
    yield say(locale, "stats.total", **_times(whole.total))
    if whole.throttled or whole.retries:
        yield say(
            locale,
            "stats.strain",
            throttled=_count(whole.throttled),
            retries=_count(whole.retries),
        )


def _spent(whole: Bucket, locale: str) -> Iterator[str]:
    yield say(
        locale,
        "stats.tokens",
        total=_count(whole.tokens),
        prompt=_count(whole.prompt_tokens),
        completion=_count(whole.completion_tokens),
        cached=_count(whole.cached_tokens),
    )
    priced = " + ".join(f"{_money(cost)} {currency}" for currency, cost in whole.cost.items())
    if whole.unpriced and priced:
        yield say(locale, "stats.cost_partly", cost=priced, count=_count(whole.unpriced))
    elif whole.unpriced:
        yield say(locale, "stats.cost_unknown")
    else:
        yield say(locale, "stats.cost", cost=priced or "0")


def _routes(whole: Bucket, locale: str) -> Iterator[str]:
    yield say(locale, "stats.routes")
    for route, count in whole.routes.items():
        share = _percent(count / whole.requests)
        yield f"{say(locale, f'stats.route_{route}')}: {_count(count)} · {share}"


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
    rate = _percent(bucket.success_rate)
    return f"{label} · {_count(bucket.requests)} · {rate} · {median} {bar}"


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


def _percent(share: float | None) -> str:
    """One decimal; a share that is not all is never rounded up to all, nor to none."""
    if share is None:
        return "–"
    if share in {0.0, 1.0}:
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _count(number: int) -> str:
    return f"{number:,}"


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"
