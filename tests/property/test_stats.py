"""For any ledger, in any zone, the parts of a report add up to its whole."""

from __future__ import annotations

import math
from typing import get_args
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.i18n import LOCALES
from bot.stats import Bucket, parse_range, render, report
from bot.stats.chart import chart
from bot.stats.report import busiest
from bot.stats.table import csv_of
from bot.types import LedgerRow, Outcome, Route, Usage

ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Asia/Kolkata",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/Havana",
        "Pacific/Apia",
        "America/St_Johns",
        "Pacific/Chatham",
    )
]
START = 1_260_000_000_000  # late 2009: Apia's skipped day of 2011 lies ahead
DAY = 86_400_000

rows_before = st.builds(
    lambda ago, **fields: (ago, fields),
    st.integers(0, 40 * DAY),
    route=st.sampled_from([route for route in get_args(Route) if route != "relay"]),
    outcome=st.sampled_from(get_args(Outcome)),
    total_ms=st.integers(0, 10**7),
    first_text_ms=st.none() | st.integers(0, 10**6),
    usage=st.builds(Usage, prompt=st.integers(0, 10**6), completion=st.integers(0, 10**6)),
    cost=st.none() | st.floats(0, 1000),
    currency=st.sampled_from(["USD", "CNY"]),
    throttled=st.integers(0, 9),
    attempts=st.integers(1, 5),
    cached=st.booleans(),
)


def same_sums(whole: Bucket, parts: tuple[Bucket, ...]) -> None:
    for name in ("requests", "answered", "failed", "declined", "superseded", "tokens"):
        assert getattr(whole, name) == sum(getattr(part, name) for part in parts), name
    for name in ("unpriced", "throttled", "retries", "cache_hits"):
        assert getattr(whole, name) == sum(getattr(part, name) for part in parts), name
    for currency, cost in whole.cost.items():
        assert math.isclose(cost, math.fsum(part.cost.get(currency, 0.0) for part in parts))
    for route, count in whole.routes.items():
        assert count == sum(part.routes.get(route, 0) for part in parts)
    assert whole.total.count == sum(part.total.count for part in parts)


def sound(bucket: Bucket) -> None:
    fates = bucket.answered + bucket.failed + bucket.declined + bucket.superseded
    assert bucket.requests == fates == sum(bucket.routes.values()) == bucket.total.count
    for times in (bucket.total, bucket.first_text):
        assert times.min <= times.p50 <= times.p95 <= times.max
        assert times.min <= times.mean <= times.max or math.isclose(times.mean, times.max)


@given(
    ledger=st.lists(rows_before, max_size=30),
    now=st.integers(START, START + 8000 * DAY),
    zone=st.sampled_from(ZONES),
    word=st.sampled_from(["", "7d", "30d"]),
    locale=st.sampled_from(LOCALES),
)
def test_parts_add_up_to_the_whole(
    ledger: list[tuple[int, dict[str, object]]], now: int, zone: ZoneInfo, word: str, locale: str
) -> None:
    rows = [LedgerRow(at=now - ago, **fields) for ago, fields in ledger]  # type: ignore[arg-type]
    span = parse_range(word, now=now, zone=zone)
    made = report(rows, span, zone)
    for bucket in (made.whole, *made.days, *made.hours):
        sound(bucket)
    assert len(made.hours) == 24
    if word:
        same_sums(made.whole, made.days)
        same_sums(made.whole, made.hours)
    else:
        assert sum(hour.requests for hour in made.hours) == sum(
            span.hours[0] <= row.at <= now for row in rows
        )
        same_sums(made.whole, made.days[-1:])
    assert made.whole.requests == sum(span.since <= row.at < span.until for row in rows)
    for buckets in (made.days, made.hours):
        peak = busiest(buckets)
        most = max(bucket.requests for bucket in buckets)
        assert most == (0 if peak is None else buckets[peak].requests)
        assert (peak is None) == (most == 0)
    shown = chart(made, locale)
    for panel, buckets in zip(shown.panels, (made.hours, made.days), strict=False):
        if panel.kind == "bars":
            bars = sum(sum(series.values) for series in panel.series)
            assert bars == sum(bucket.requests for bucket in buckets)
    assert len(csv_of(made).splitlines()) == 2 + len(made.days) + len(made.hours)
    text = render(made, locale)
    assert f"{made.whole.requests:,}" in text or not made.whole.requests


@given(now=st.integers(START, START + 8000 * DAY), zone=st.sampled_from(ZONES))
def test_now_is_always_within_today_and_its_last_hour(now: int, zone: ZoneInfo) -> None:
    span = parse_range("today", now=now, zone=zone)
    assert span.since <= now < span.until
    assert span.hours[-2] <= now < span.hours[-1]
    assert list(span.hours) == sorted(set(span.hours))
    assert list(span.days) == sorted(span.days)
    assert span.reach <= min(span.days[0], span.hours[0])
