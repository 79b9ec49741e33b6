"""The digest: when it is due in any zone, and what it says of a day by hand count."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.i18n import LOCALES
from bot.stats import parse_range, report
from bot.stats.digest import digest, next_due
from bot.stats.report import Extras, Report
from bot.stats.span import local
from bot.types import LedgerRow, Route
from tests.property.test_stats import DAY, START, ZONES

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "when", "due"),
    [
        ("2026-03-18T08:59", "09:00", "2026-03-18T09:00"),
        ("2026-03-18T09:00", "09:00", "2026-03-19T09:00"),
        ("2026-03-28T10:00", "09:00", "2026-03-29T09:00"),  # 23 hours: the night clocks go ahead
        ("2026-10-24T10:00", "09:00", "2026-10-25T09:00"),  # 25 hours
        ("2026-03-28T10:00", "02:30", "2026-03-29T03:30"),  # skipped by the clocks
        ("2026-10-24T10:00", "02:30", "2026-10-25T02:30"),  # shown twice: the first
    ],
)
def test_it_is_due_when_local_clocks_show_the_time(now: str, when: str, due: str) -> None:
    day, moment = next_due(at(now), when, BERLIN)
    assert moment == at(due)
    assert str(day) == due[:10]


def test_half_hour_zones_have_their_own_nine_o_clock() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    day, due = next_due(at("2026-03-18T09:00", kolkata), "09:00", kolkata)
    assert str(day) == "2026-03-19"
    assert due % HOUR == HOUR // 2


@given(
    now=st.integers(START, START + 8000 * DAY),
    zone=st.sampled_from(ZONES),
    when=st.sampled_from(["00:00", "00:30", "02:30", "09:00", "23:59"]),
)
def test_each_firing_arms_a_later_one_of_another_day(now: int, zone: ZoneInfo, when: str) -> None:
    """However clocks jump: strictly later, never the same day's key again, never two days off."""
    fired = [next_due(now, when, zone)]
    for _ in range(5):
        fired.append(next_due(fired[-1][1], when, zone))
    assert now < fired[0][1] <= now + 2 * DAY
    for (day, due), (later, then) in pairwise(fired):
        assert day < later
        assert due < then <= due + 2 * DAY
    for day, due in fired:
        assert abs(local(due, zone).date() - day) <= timedelta(days=1)


def day_of(day: str, routes: list[Route], extras: Extras | None = None) -> Report:
    rows = [
        LedgerRow(at=at(f"{day}T10:00"), route=route, outcome="answered", total_ms=1)
        for route in routes
    ]
    span = parse_range(f"{day}..{day}", now=at("2026-03-18T09:00"), zone=BERLIN)
    return report(rows, span, BERLIN, extras=extras)


def test_it_says_what_a_hand_count_says() -> None:
    extras = Extras(dead=1, good=3, bad=1, askers=(("Ann (#1)", 9),), unanswered=(("Why?", 2),))
    routes: list[Route] = ["direct", "direct", "grounded", "abstained", "abstained", "failed"]
    text = digest(
        day_of("2026-03-17", routes, extras),
        day_of("2026-03-10", ["direct", "direct", "direct", "failed"]),
        "en",
    )
    assert text.splitlines() == [
        "Daily digest · 2026-03-17 Tue · Europe/Berlin",
        "",
        "Requests: 6 · the same day last week 4 (+50%)",
        "Succeeded: 83.3% · last week 75.0%",
        "Failed: 1 · last week 1",
        "Not known: 2 · last week 0",
        "Dead letters: 1 · to look at them: frontdesk dead list",
        "Found good: 75.0% of 4 verdicts",
        "",
        "Asked without an answer",
        "Why? · 2",
    ]


@pytest.mark.parametrize("locale", LOCALES)
def test_a_quiet_day_is_said_in_a_line_and_askers_never(locale: str) -> None:
    extras = Extras(askers=(("Ann (#1)", 9),))
    text = digest(day_of("2026-03-17", [], extras), day_of("2026-03-10", ["direct"] * 1234), locale)
    assert "1,234" in text
    assert "Ann" not in text


def test_less_than_last_week_is_said_so() -> None:
    fewer = digest(day_of("2026-03-17", ["direct"]), day_of("2026-03-10", ["direct"] * 4), "en")
    assert "(−75%)" in fewer
