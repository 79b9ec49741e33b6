"""Which time a report is about: words and dates to instants, in the desk's time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from bot.errors import UserError
from bot.types import value

DAYS_MAX = 366
"""Longer tables are read by nobody in a chat."""

HOUR_MS = 3_600_000
_EPOCH_YEAR = 1970
_WORDS = {"": 1, "today": 1, "7d": 7, "30d": 30}
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})\s*\.\.\s*(\d{4}-\d{2}-\d{2})?", re.ASCII)


@value
class Span:
    """A run of local days. Instants in ms since the epoch, `until` excluded.

    `days` are the starts of the days in the table by day, with the end of the last one behind;
    `hours` the same for the table by hour when it follows the clock (today's report), else empty.
    `reach` is where the oldest row that any table needs may lie.
    """

    first: date
    last: date
    since: int
    until: int
    days: tuple[int, ...]
    hours: tuple[int, ...] = ()

    @property
    def reach(self) -> int:
        """Read the ledger from here to `until`."""
        return min(self.since, self.days[0], *self.hours[:1])


def parse_range(word: str, *, now: int, zone: tzinfo) -> Span:
    """Reads today (or nothing), 7d, 30d, 2026-01-01..2026-01-31, or 2026-01-01.. until today.

    Days are the zone's own. Today's report also shows the last seven days and 24 hours.
    Raises UserError for anything else, for a range that is longer than a year or not yet begun.
    """
    word = word.strip().lower()
    today = local(now, zone).date()
    if word in _WORDS:
        first, last = today - timedelta(days=_WORDS[word] - 1), today
    else:
        first, last = _dates(word, today)
    if last < first or first > today:
        raise UserError("stats.bad_order", range=word[:40])
    if (last - first).days >= DAYS_MAX:
        raise UserError("stats.too_long", days=DAYS_MAX)
    if first.year <= _EPOCH_YEAR:
        raise UserError("stats.bad_range", range=word[:40])
    shown = last - timedelta(days=6) if first == last == today else first
    return Span(
        first=first,
        last=last,
        since=midnight(first, zone),
        until=midnight(last + timedelta(days=1), zone),
        days=_midnights(shown, last, zone),
        hours=_hours(now, zone) if first == last == today else (),
    )


def _dates(word: str, today: date) -> tuple[date, date]:
    if (found := _DATES.fullmatch(word)) is None:
        raise UserError("stats.bad_range", range=word[:40])
    try:
        return date.fromisoformat(found[1]), date.fromisoformat(found[2] or str(today))
    except ValueError:  # no such day, as February 30
        raise UserError("stats.bad_range", range=word[:40]) from None


def local(at: int, zone: tzinfo) -> datetime:
    """The instant on the zone's wall clocks."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)


def midnight(day: date, zone: tzinfo) -> int:
    """When the day begins; where clocks skip midnight, the first instant after the gap."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(start.timestamp() * 1000)


def _midnights(first: date, last: date, zone: tzinfo) -> tuple[int, ...]:
    count = (last - first).days + 2
    return tuple(midnight(first + timedelta(days=index), zone) for index in range(count))


def _hours(now: int, zone: tzinfo) -> tuple[int, ...]:
    """The last 24 hours as local clocks strike them, the running one included."""
    starts = [_struck(now, zone)]
    while len(starts) < 24:
        starts.append(_struck(starts[-1] - 1, zone))
    return (*reversed(starts), starts[0] + HOUR_MS)


def _struck(at: int, zone: tzinfo) -> int:
    """The latest full local hour; in half-hour zones it is not one of UTC's."""
    clock = local(at, zone)
    return at - (clock.minute * 60 + clock.second) * 1000 - at % 1000
