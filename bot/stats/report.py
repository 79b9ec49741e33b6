"""Counts a ledger: how many, how well, how fast, at what price. Pure: rows come from outside."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import tzinfo
from itertools import pairwise

from bot.stats.span import Span, local
from bot.types import LedgerRow, value


@value
class Latency:
    """Times in ms over `count` answers. Percentiles are by nearest rank: one that did occur."""

    count: int = 0
    mean: float = 0.0
    p50: int = 0
    p95: int = 0
    max: int = 0
    min: int = 0


@value
class Bucket:
    """The rows from `since` to `until` (ms, excluded), or of one hour of all days (`until` 0).

    requests = answered + failed + declined + superseded. An answer counts as failed when its route
    is, or when it could not be delivered; declined is what the desk would not do; superseded what
    the person took back. `cost` is by currency, over the rows whose price is known;
    `unpriced` counts those that spent tokens at an unknown price. `cache_hits` are answers that the
    desk had kept, for which no model was asked.
    """

    since: int = 0
    until: int = 0
    requests: int = 0
    answered: int = 0
    failed: int = 0
    declined: int = 0
    superseded: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: Mapping[str, float] = field(default_factory=dict)
    unpriced: int = 0
    cache_hits: int = 0
    throttled: int = 0
    retries: int = 0
    first_text: Latency = Latency()
    total: Latency = Latency()
    routes: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """All that are billed."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def success_rate(self) -> float | None:
        """Answered of all requests, 0 to 1; None without any."""
        return self.answered / self.requests if self.requests else None

    @property
    def failure_rate(self) -> float | None:
        """Failed of all requests, 0 to 1; None without any."""
        return self.failed / self.requests if self.requests else None


@value
class Extras:
    """What the ledger does not hold. `askers` and `unanswered` with their numbers, most first."""

    dead: int = 0
    good: int = 0
    bad: int = 0
    askers: tuple[tuple[str, int], ...] = ()
    unanswered: tuple[tuple[str, int], ...] = ()

    @property
    def score(self) -> float | None:
        """Good verdicts of all, 0 to 1; None without any."""
        return self.good / (self.good + self.bad) if self.good + self.bad else None


@value
class Report:
    """A span in numbers: the whole, by day, by hour.

    Today's report has the last seven days and the last 24 hours, as the clock struck them; any
    other has its own days, and the 24 hours of the day over all of them (`struck` false).
    """

    span: Span
    zone: tzinfo
    whole: Bucket
    days: tuple[Bucket, ...]
    hours: tuple[Bucket, ...]
    struck: bool
    extras: Extras = Extras()


def busiest(buckets: Sequence[Bucket]) -> int | None:
    """Which of them has the most requests, the earliest of several; None where none has any."""
    most = max(range(len(buckets)), key=lambda index: buckets[index].requests, default=0)
    return most if buckets and buckets[most].requests else None


def report(
    rows: Iterable[LedgerRow], span: Span, zone: tzinfo, *, extras: Extras | None = None
) -> Report:
    """Count the rows within the span's reach, in any order. Relays are ours: nobody asked them."""
    within = [row for row in rows if row.route != "relay" and span.reach <= row.at < span.until]
    own = [row for row in within if span.since <= row.at < span.until]
    return Report(
        span=span,
        zone=zone,
        whole=_bucket(own, span.since, span.until),
        days=_slices(within, span.days),
        hours=_slices(within, span.hours) if span.hours else _by_hour(own, zone),
        struck=bool(span.hours),
        extras=extras or Extras(),
    )


def _slices(rows: Sequence[LedgerRow], edges: Sequence[int]) -> tuple[Bucket, ...]:
    sorted_in: list[list[LedgerRow]] = [[] for _ in edges[1:]]
    for row in rows:
        if edges[0] <= row.at < edges[-1]:
            sorted_in[bisect_right(edges, row.at) - 1].append(row)
    return tuple(
        _bucket(part, since, until)
        for part, (since, until) in zip(sorted_in, pairwise(edges), strict=True)
    )


def _by_hour(rows: Sequence[LedgerRow], zone: tzinfo) -> tuple[Bucket, ...]:
    sorted_in: list[list[LedgerRow]] = [[] for _ in range(24)]
    for row in rows:
        sorted_in[local(row.at, zone).hour].append(row)
    return tuple(_bucket(part) for part in sorted_in)


def _bucket(rows: Sequence[LedgerRow], since: int = 0, until: int = 0) -> Bucket:
    fates = Counter(_fate(row) for row in rows)
    return Bucket(
        since=since,
        until=until,
        requests=len(rows),
        answered=fates["answered"],
        failed=fates["failed"],
        declined=fates["declined"],
        superseded=fates["superseded"],
        prompt_tokens=sum(row.usage.prompt for row in rows),
        completion_tokens=sum(row.usage.completion for row in rows),
        cached_tokens=sum(row.usage.cached for row in rows),
        cost=_cost(rows),
        unpriced=sum(1 for row in rows if row.cost is None and row.usage.total),
        cache_hits=sum(row.cached for row in rows),
        throttled=sum(row.throttled for row in rows),
        retries=sum(max(0, row.attempts - 1) for row in rows),
        first_text=_latency([row.first_text_ms for row in rows if row.first_text_ms is not None]),
        total=_latency([row.total_ms for row in rows]),
        routes=dict(sorted(Counter(row.route for row in rows).items(), key=_often_first)),
    )


def _often_first(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _fate(row: LedgerRow) -> str:
    if row.outcome == "undeliverable" or (row.outcome == "answered" and row.route == "failed"):
        return "failed"
    return row.outcome


def _cost(rows: Sequence[LedgerRow]) -> dict[str, float]:
    """Currencies are never added up: no rate is known here."""
    spent: dict[str, list[float]] = {}
    for row in rows:
        if row.cost is not None and (row.cost or row.usage.total):
            spent.setdefault(row.currency, []).append(row.cost)
    return {currency: math.fsum(spent[currency]) for currency in sorted(spent)}


def _latency(times: list[int]) -> Latency:
    if not times:
        return Latency()
    times.sort()
    return Latency(
        count=len(times),
        mean=math.fsum(times) / len(times),
        p50=_rank(times, 0.50),
        p95=_rank(times, 0.95),
        max=times[-1],
        min=times[0],
    )


def _rank(ordered: Sequence[int], share: float) -> int:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
