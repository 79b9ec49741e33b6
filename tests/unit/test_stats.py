"""Reports: hand counts, spans in every kind of zone, and text that a person can read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from bot.errors import UserError
from bot.i18n import LOCALES, catalogue, say
from bot.stats import Latency, Report, Span, parse_range, render, report
from bot.types import LedgerRow, Outcome, Route, Usage

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


NOW = at("2026-03-18T15:30")


def row(
    when: str | int = "2026-03-18T09:10",
    *,
    route: Route = "grounded",
    outcome: Outcome = "answered",
    total: int = 1000,
    first: int | None = 100,
    tokens: int = 0,
    cost: float | None = None,
    currency: str = "",
    attempts: int = 1,
    throttled: int = 0,
) -> LedgerRow:
    return LedgerRow(
        at=at(when) if isinstance(when, str) else when,
        route=route,
        outcome=outcome,
        total_ms=total,
        first_text_ms=first,
        usage=Usage(prompt=tokens, completion=tokens, cached=tokens // 2),
        cost=cost,
        currency=currency,
        attempts=attempts,
        throttled=throttled,
    )


def span(word: str = "", now: int = NOW, zone: ZoneInfo = BERLIN) -> Span:
    return parse_range(word, now=now, zone=zone)


def counted(rows: list[LedgerRow], word: str = "") -> Report:
    return report(rows, span(word), BERLIN)


def test_the_statistics_of_a_recorded_day_equal_a_hand_count() -> None:
    whole = counted(
        [
            row(tokens=100, cost=0.25, currency="USD"),
            row(tokens=10, cost=0.5, currency="CNY", total=3000, first=300),
            row(tokens=1, cost=None, route="open", total=2000, first=None, attempts=3),
            row(route="direct", total=20, first=20, throttled=2),
            row(route="failed", total=9000, first=None),
            row(outcome="undeliverable", total=60),
            row(outcome="declined", route="declined", total=5, first=None),
            row(outcome="superseded", total=7, first=None),
            row("2026-03-17T23:59"),
        ]
    ).whole
    assert (whole.requests, whole.answered, whole.failed) == (8, 4, 2)
    assert (whole.declined, whole.superseded) == (1, 1)
    assert (whole.success_rate, whole.failure_rate) == (0.5, 0.25)
    assert (whole.prompt_tokens, whole.completion_tokens, whole.cached_tokens) == (111, 111, 55)
    assert whole.tokens == 222
    assert (whole.cost, whole.unpriced) == ({"CNY": 0.5, "USD": 0.25}, 1)
    assert (whole.throttled, whole.retries) == (2, 2)
    assert whole.total == Latency(count=8, mean=1886.5, p50=60, p95=9000, max=9000, min=5)
    assert whole.first_text == Latency(count=4, mean=130.0, p50=100, p95=300, max=300, min=20)
    assert whole.routes == {
        "grounded": 4,
        "declined": 1,
        "direct": 1,
        "failed": 1,
        "open": 1,
    }


def test_percentiles_are_values_that_did_occur_by_nearest_rank() -> None:
    times = counted([row(total=one) for one in range(1, 101)]).whole.total
    assert (times.p50, times.p95, times.min, times.max, times.mean) == (50, 95, 1, 100, 50.5)
    assert counted([row(total=7)]).whole.total.p95 == 7


def test_today_has_seven_days_and_24_struck_hours() -> None:
    rows = [row("2026-03-18T15:29"), row("2026-03-17T16:00"), row("2026-03-12T00:00")]
    rows += [row("2026-03-17T15:59"), row("2026-03-11T23:59")]
    made = counted(rows)
    assert [day.requests for day in made.days] == [1, 0, 0, 0, 0, 2, 1]
    assert (len(made.hours), made.hours[0].requests, made.hours[-1].requests) == (24, 1, 1)
    assert made.whole.requests == 1
    assert made.span.reach == at("2026-03-12T00:00")


def test_longer_ranges_have_their_own_days_and_the_hours_of_the_day() -> None:
    made = counted([row("2026-03-12T09:59"), row("2026-03-18T09:00")], "7d")
    assert [day.requests for day in made.days] == [1, 0, 0, 0, 0, 0, 1]
    assert [index for index, hour in enumerate(made.hours) if hour.requests] == [9]
    assert not made.struck


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("", "2026-03-18", "2026-03-18"),
        (" TODAY ", "2026-03-18", "2026-03-18"),
        ("7d", "2026-03-12", "2026-03-18"),
        ("30d", "2026-02-17", "2026-03-18"),
        ("2026-01-01..2026-01-31", "2026-01-01", "2026-01-31"),
        ("2026-03-01..", "2026-03-01", "2026-03-18"),
        ("2026-03-01 .. 2026-04-01", "2026-03-01", "2026-04-01"),
    ],
)
def test_ranges_are_read_as_local_days(word: str, first: str, last: str) -> None:
    made = span(word)
    assert (str(made.first), str(made.last)) == (first, last)
    assert made.since == at(f"{first}T00:00")
    assert datetime.fromtimestamp(made.until / 1000, BERLIN).hour == 0


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("yesterday", "stats.bad_range"),
        ("2026-02-30..2026-03-01", "stats.bad_range"),
        ("2026-13-01..", "stats.bad_range"),
        ("..2026-01-01", "stats.bad_range"),
        ("'; drop table", "stats.bad_range"),
        ("x" * 5000, "stats.bad_range"),
        ("2026-03-02..2026-03-01", "stats.bad_order"),
        ("2026-03-19..2026-03-20", "stats.bad_order"),
        ("0001-01-01..9999-12-31", "stats.too_long"),
        ("2026-03-01..9999-12-31", "stats.too_long"),
        ("0001-01-01..2026-03-01", "stats.too_long"),
        ("0001-01-01..0001-02-01", "stats.bad_range"),
        ("9999-12-31..9999-12-31", "stats.bad_order"),
        ("2024-01-01..2026-01-01", "stats.too_long"),
    ],
)
def test_absurd_ranges_are_refused_in_words(word: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        span(word)
    assert caught.value.key == key
    for locale in LOCALES:
        assert len(say(locale, key, **caught.value.values)) < 200


@pytest.mark.parametrize(
    ("zone", "now", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00", 25),
        ("Asia/Kolkata", "2026-03-29T12:00", 24),
        ("Australia/Lord_Howe", "2026-04-05T12:00", 24.5),
        ("Africa/Cairo", "2026-04-24T12:00", 23),  # clocks skip midnight itself
    ],
)
def test_days_are_as_long_as_the_zone_makes_them(zone: str, now: str, hours: float) -> None:
    info = ZoneInfo(zone)
    made = span("", at(now, info), info)
    assert made.until - made.since == hours * HOUR
    assert made.days[-2:] == (made.since, made.until)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "UTC"])
def test_hours_strike_with_local_clocks(zone: str) -> None:
    info = ZoneInfo(zone)
    now = at("2026-10-25T12:34:56.789", info)
    edges = span("", now, info).hours
    assert all(two - one == HOUR for one, two in pairwise(edges))
    assert {datetime.fromtimestamp(edge / 1000, info).minute for edge in edges} == {0}
    assert edges[-2] <= now < edges[-1]


@pytest.mark.parametrize("locale", LOCALES)
def test_the_text_says_every_number_once_in_plain_lines(locale: str) -> None:
    rows = [row(tokens=1000, cost=1.5, currency="USD") for _ in range(29)]
    text = render(counted([*rows, row(route="failed", tokens=1)]), locale)
    lines = text.splitlines()
    assert "2026-03-18" in lines[0]
    assert "Europe/Berlin" in lines[0]
    for part in ("29 · 96.7%", "1 · 3.3%", "43.50 USD", "58,002", "1.0"):
        assert sum(part in line for line in lines) >= 1, part
    assert max(map(len, lines)) < 110
    assert not any(line != line.strip() for line in lines)
    assert "\t" not in text
    assert "{" not in text


@pytest.mark.parametrize("locale", LOCALES)
def test_an_empty_ledger_is_said_in_one_line(locale: str) -> None:
    assert render(counted([]), locale).splitlines()[2:] == [say(locale, "stats.none")]


def test_an_unknown_price_is_called_unknown() -> None:
    assert "Cost: unknown" in render(counted([row(tokens=5)]), "en")
    partly = render(counted([row(tokens=5), row(tokens=5, cost=2, currency="EUR")]), "en")
    assert "Cost: 2.00 EUR, and unknown for 1 answers" in partly
    assert "Cost: 0\n" in render(counted([row()]), "en")


def test_almost_all_is_not_rounded_to_all() -> None:
    rows = [row() for _ in range(4000)] + [row(route="failed")]
    text = render(counted(rows), "en")
    assert "4,000 · 99.9%" in text
    assert "Failed: 1 · 0.1%" in text


def test_every_route_has_a_name_in_every_language() -> None:
    for locale in LOCALES:
        names = {key for key in catalogue(locale) if key.startswith("stats.route_")}
        assert names == {f"stats.route_{route}" for route in get_args(Route) if route != "relay"}


def test_relays_are_no_requests() -> None:
    assert counted([row(route="relay"), row()]).whole.requests == 1


def test_time_zones_without_a_name_are_fine_too() -> None:
    made = parse_range("7d", now=NOW, zone=UTC)
    assert "UTC" in render(report([row()], made, UTC), "en")
