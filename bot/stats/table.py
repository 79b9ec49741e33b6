"""A report as CSV, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from bot.stats.report import Bucket, Latency, Report
from bot.stats.span import local

MARK = "\ufeff"
"""Excel takes UTF-8 for the local code page without it."""

_COUNTS = (
    "requests",
    "answered",
    "failed",
    "declined",
    "superseded",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_hits",
    "unpriced",
    "throttled",
    "retries",
)
_TIMES = ("mean", "p50", "p95", "max", "min")


def csv_of(report: Report) -> bytes:
    """One row for the whole span, each day and each hour; the column `part` says which.

    Columns for routes and currencies are those that occur. Times are in ms, `from` is the start on
    the zone's clocks, or only the hour of the day where all days are taken together.
    """
    routes = sorted(set().union(*(bucket.routes for _, _, bucket in _parts(report))))
    currencies = sorted(set().union(*(bucket.cost for _, _, bucket in _parts(report))))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        (
            "part",
            "from",
            *_COUNTS,
            *(f"cost_{currency}" for currency in currencies),
            *(f"first_text_{name}_ms" for name in _TIMES),
            *(f"total_{name}_ms" for name in _TIMES),
            *(f"route_{route}" for route in routes),
        )
    )
    for part, start, bucket in _parts(report):
        writer.writerow(
            (
                part,
                start,
                *(getattr(bucket, name) for name in _COUNTS),
                *(round(bucket.cost.get(currency, 0.0), 6) for currency in currencies),
                *_latency(bucket.first_text),
                *_latency(bucket.total),
                *(bucket.routes.get(route, 0) for route in routes),
            )
        )
    return (MARK + out.getvalue()).encode()


def csv_name(report: Report) -> str:
    """What the file is called."""
    return f"stats-{report.span.first}-{report.span.last}.csv"


def _parts(report: Report) -> Iterator[tuple[str, str, Bucket]]:
    yield "whole", _start(report, report.whole), report.whole
    for day in report.days:
        yield "day", _start(report, day), day
    for index, hour in enumerate(report.hours):
        yield "hour", _start(report, hour) if report.struck else f"{index:02}:00", hour


def _start(report: Report, bucket: Bucket) -> str:
    start: datetime = local(bucket.since, report.zone)
    return f"{start:%Y-%m-%d %H:%M}"


def _latency(latency: Latency) -> tuple[int | str, ...]:
    """Empty cells where nothing was measured: a zero would pull down every mean over the column."""
    if not latency.count:
        return ("",) * len(_TIMES)
    return (round(latency.mean), *(getattr(latency, name) for name in _TIMES[1:]))
