"""Bars as numbers a template can draw; pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.stats.report import Bucket
from bot.types import value

WIDTH, HEIGHT = 320, 96
"""Of the drawing, in its own units; the page scales it."""
GAP = 0.25
"""Of a bar's place."""


@value
class Bar:
    """One bar: where it stands, how high it is, and how much of it is failures (on top)."""

    label: str
    x: float
    width: float
    y: float
    height: float
    failed: float
    count: int
    failures: int
    shown: bool

    @property
    def middle(self) -> float:
        """Where the label goes."""
        return round(self.x + self.width / 2, 1)


@value
class Chart:
    """Bars side by side under their highest count."""

    bars: tuple[Bar, ...]
    top: int
    width: int = WIDTH
    height: int = HEIGHT


def chart(buckets: Sequence[Bucket], labels: Sequence[str], *, every: int = 1) -> Chart:
    """Requests of each bucket; every so many-th label is written below."""
    top = max((bucket.requests for bucket in buckets), default=0)
    place = WIDTH / max(1, len(buckets))
    bars = []
    for index, (bucket, label) in enumerate(zip(buckets, labels, strict=True)):
        height = bucket.requests * HEIGHT / top if top else 0.0
        failed = bucket.failed * HEIGHT / top if top else 0.0
        bars.append(
            Bar(
                label=label,
                x=round(index * place + place * GAP / 2, 1),
                width=round(place * (1 - GAP), 1),
                y=round(HEIGHT - height, 1),
                height=round(height, 1),
                failed=round(failed, 1),
                count=bucket.requests,
                failures=bucket.failed,
                shown=index % every == 0,
            )
        )
    return Chart(bars=tuple(bars), top=top)
