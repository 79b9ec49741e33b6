"""Counts what happens, and tells Prometheus. Fed as a port's Observer; keeps no global state."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot import __version__
from bot.knowledge.meaning import Health
from bot.ports import Depth
from bot.types import LedgerRow, Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST

_ANSWER = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 180)
"""Seconds; up to the longest attempt."""
_INGEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
"""Seconds; 0.025 is the promise at p99, 3 what Slack waits."""
_QUEUE = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
_NAN = float("nan")


class Metrics:
    """An Observer whose counts can be read; one for each desk."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self._registry)
        Info("frontdesk", "The desk's version", registry=self._registry).info(
            {"version": __version__}
        )
        self._times()
        self._counts()
        self._depth()

    def _times(self) -> None:
        self._first_text = self._histogram(
            "first_text_seconds", "From arrival to the first text on screen", _ANSWER, "route"
        )
        self._total = self._histogram(
            "total_seconds", "From arrival to the settled answer", _ANSWER, "route"
        )
        self._ingest = self._histogram(
            "ingest_seconds", "From a platform's event to its row on disk", _INGEST
        )
        self._queue = self._histogram(
            "queue_seconds", "How long a message waited until work on it began", _QUEUE
        )

    def _counts(self) -> None:
        self._events = self._counter("events", "Platform events stored")
        self._answers = self._counter("answers", "Answers settled", "route", "outcome")
        self._edits = self._counter("edits", "Edits of messages on screen")
        self._throttled = self._counter("throttled", "Times a platform said 429")
        self._retries = self._counter("retries", "Attempts that failed and are made again")
        self._buried = self._counter("dead_letters", "Messages given up")
        self._tokens = self._counter(
            "tokens",
            "Model tokens; prompt includes cached, completion includes reasoning",
            "model",
            "kind",
        )

    def _depth(self) -> None:
        self._waiting = self._gauge("inbox_waiting", "Messages that wait")
        self._leased = self._gauge("inbox_leased", "Conversations being answered")
        self._dead = self._gauge("inbox_dead", "Dead letters kept")
        self._oldest = self._gauge("inbox_oldest_seconds", "Age of the longest-waiting due message")

    def watch(self, embedder: Callable[[], Health]) -> None:
        """Tell of an embedder too, whenever the figures are read."""
        self._registry.register(_Embedder(embedder))

    # --- told by the house ------------------------------------------------------------------

    def taken(self, count: int, seconds: float) -> None:
        self._events.inc(count)
        self._ingest.observe(seconds)

    def leased(self, waited: float) -> None:
        self._queue.observe(waited)

    def settled(self, row: LedgerRow) -> None:
        self._answers.labels(row.route, row.outcome).inc()
        self._total.labels(row.route).observe(row.total_ms / 1000)
        if row.first_text_ms is not None:
            self._first_text.labels(row.route).observe(row.first_text_ms / 1000)
        self._edits.inc(row.edits)
        self._spent(row.model, row.usage)

    def throttled(self) -> None:
        self._throttled.inc()

    def retried(self) -> None:
        self._retries.inc()

    def buried(self) -> None:
        self._buried.inc()

    def _spent(self, model: str, usage: Usage) -> None:
        counts = {
            "prompt": usage.prompt,
            "completion": usage.completion,
            "cached": usage.cached,
            "reasoning": usage.reasoning,
        }
        for kind, count in counts.items():
            if count:
                self._tokens.labels(model, kind).inc(count)

    # --- read by Prometheus -----------------------------------------------------------------

    def exposition(self, depth: Depth | None) -> bytes:
        """Everything in the text format; NaN where the inbox could not be asked."""
        self._waiting.set(depth.waiting if depth else _NAN)
        self._leased.set(depth.leased if depth else _NAN)
        self._dead.set(depth.dead if depth else _NAN)
        self._oldest.set(depth.oldest_ms / 1000 if depth else _NAN)
        return generate_latest(self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *by: str) -> Histogram:
        return Histogram(
            name, text, by, namespace="frontdesk", buckets=buckets, registry=self._registry
        )

    def _counter(self, name: str, text: str, *by: str) -> Counter:
        return Counter(name, text, by, namespace="frontdesk", registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, namespace="frontdesk", registry=self._registry)


class _Embedder(Collector):
    """Searches that meaning helped or was passed over in, and how far the texts are embedded."""

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        health = self._health()
        searches = CounterMetricFamily(
            "frontdesk_embedder_searches", "Searches by what the embedder did", labels=["outcome"]
        )
        for outcome, count in {"helped": health.helped, **health.skipped}.items():
            searches.add_metric([outcome], count)
        yield searches
        texts = GaugeMetricFamily(
            "frontdesk_embedder_texts", "Live texts, and those with a vector", labels=["state"]
        )
        texts.add_metric(["live"], health.standing.texts)
        texts.add_metric(["embedded"], health.standing.done)
        yield texts
