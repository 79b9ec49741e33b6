"""What the web's parts decide by themselves: addresses, readiness, counts."""

import asyncio

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import ConfigError, StorageFull
from bot.ports import Depth, NullObserver, Observer
from bot.types import LedgerRow, ProviderHealth, Usage
from bot.web.listener import parse
from bot.web.metrics import Metrics
from bot.web.readiness import FRESH_SECONDS, PROBE_SECONDS, Condition, Readiness
from tests.fakes.loop import VirtualClock, run_virtual


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("desk.internal:65535", ("desk.internal", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, expected: tuple[str, int]) -> None:
    """Brackets belong to IPv6 and are taken off."""
    assert parse(address, setting="X") == expected


@pytest.mark.parametrize(
    "address", ["", "8080", "host:", ":8080", "::1:80", "a:65536", "a:-1", "a b:80", "a/b:80"]
)
def test_a_wrong_address_names_its_setting(address: str) -> None:
    """The operator reads which line to change and how it should look."""
    with pytest.raises(ConfigError, match="FRONTDESK_HTTP: expected host:port"):
        parse(address, setting="FRONTDESK_HTTP")


def health(name: str, state: str) -> ProviderHealth:
    return ProviderHealth(name=name, state=state, last_error="key sk-1 refused")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("providers", "answers"),
    [
        ((), "excerpts"),
        ((health("a", "down"),), "excerpts"),
        ((health("a", "down"), health("b", "degraded")), "written"),
        ((health("a", "unknown"),), "written"),
    ],
)
def test_dead_providers_leave_the_desk_ready_with_excerpts(
    providers: tuple[ProviderHealth, ...], answers: str
) -> None:
    """A model that is down takes no desk off the air."""
    condition = Condition(providers=providers)
    assert condition.ready
    assert msgspec.json.decode(condition.body())["answers"] == answers


def test_the_public_body_repeats_no_error_texts() -> None:
    """A provider's error may quote keys and addresses; strangers read this page."""
    body = Condition(providers=(health("glm", "down"),)).body()
    assert b"glm" in body
    assert b"sk-1" not in body


class Disk:
    """A write that can be made to fail or to hang; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.full = False
        self.seconds = 0.0

    async def write(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.full:
            raise StorageFull


def test_strangers_who_ask_often_cost_one_write() -> None:
    """The probe is a disk sync: at most one in FRESH_SECONDS, also for callers at once."""

    async def main() -> None:
        disk = Disk()
        disk.seconds = 0.1
        readiness = Readiness(write=disk.write, providers=tuple, clock=VirtualClock())
        await asyncio.gather(*(readiness.condition() for _ in range(50)))
        assert disk.asked == 1
        await asyncio.sleep(FRESH_SECONDS + 0.01)
        await readiness.condition()
        assert disk.asked == 2

    run_virtual(main())


def test_refused_writes_flip_readiness_and_it_flips_back() -> None:
    """Storage that refuses writes is not ready; storage that takes them again is."""

    async def main() -> None:
        disk = Disk()
        readiness = Readiness(write=disk.write, providers=tuple, clock=VirtualClock())
        seen = []
        for full in (False, True, False):
            disk.full = full
            seen.append((await readiness.condition()).storage)
            await asyncio.sleep(FRESH_SECONDS + 0.01)
        assert seen == ["", "StorageFull", ""]

    run_virtual(main())


def test_a_disk_that_hangs_is_not_ready_in_time() -> None:
    """The answer comes within PROBE_SECONDS, whatever the disk does."""

    async def main() -> None:
        disk = Disk()
        disk.seconds = 3600
        readiness = Readiness(write=disk.write, providers=tuple, clock=VirtualClock())
        began = asyncio.get_running_loop().time()
        assert (await readiness.condition()).storage == "slow"
        assert asyncio.get_running_loop().time() - began <= PROBE_SECONDS + 0.01

    run_virtual(main())


def test_a_draining_desk_is_not_ready_and_asks_no_disk() -> None:
    """While it ends, the database may be closed already."""

    async def main() -> None:
        disk = Disk()
        readiness = Readiness(write=disk.write, providers=tuple, clock=VirtualClock())
        readiness.drain()
        condition = await readiness.condition()
        assert not condition.ready
        assert condition.draining
        assert disk.asked == 0

    run_virtual(main())


def samples(metrics: Metrics, depth: Depth | None = None) -> dict[tuple[str, ...], float]:
    """Every sample by name and label values (sorted), as Prometheus reads them."""
    text = metrics.exposition(depth).decode()
    return {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


ROW = LedgerRow(
    at=0,
    route="grounded",
    outcome="answered",
    total_ms=4200,
    first_text_ms=400,
    model="glm",
    usage=Usage(prompt=100, completion=20, cached=60),
    edits=7,
    throttled=3,
)


def test_a_settled_answer_is_counted_once_in_each_place() -> None:
    """Times in seconds; a 429 comes by `throttled` alone, never again by the ledger row."""
    metrics = Metrics()
    metrics.settled(ROW)
    seen = samples(metrics)
    assert seen["frontdesk_answers_total", "answered", "grounded"] == 1
    assert seen["frontdesk_total_seconds_sum", "grounded"] == 4.2
    assert seen["frontdesk_first_text_seconds_sum", "grounded"] == 0.4
    assert seen["frontdesk_first_text_seconds_bucket", "0.5", "grounded"] == 1
    assert seen["frontdesk_first_text_seconds_bucket", "0.25", "grounded"] == 0
    assert seen[("frontdesk_edits_total",)] == 7
    assert seen["frontdesk_tokens_total", "glm", "prompt"] == 100
    assert seen["frontdesk_tokens_total", "cached", "glm"] == 60
    assert ("frontdesk_tokens_total", "glm", "reasoning") not in seen
    assert seen[("frontdesk_throttled_total",)] == 0


def test_an_answer_without_text_has_no_first_text() -> None:
    """A None is not a zero: it would make the desk look fast."""
    metrics = Metrics()
    metrics.settled(LedgerRow(at=0, route="failed", outcome="undeliverable", total_ms=10))
    assert ("frontdesk_first_text_seconds_sum", "failed") not in samples(metrics)


def test_what_the_observer_is_told_is_counted() -> None:
    """Each of the other events has its own count."""
    metrics = Metrics()
    metrics.taken(3, 0.02)
    metrics.leased(1.5)
    metrics.throttled()
    metrics.retried()
    metrics.buried()
    seen = samples(metrics)
    assert seen[("frontdesk_events_total",)] == 3
    assert seen["frontdesk_ingest_seconds_bucket", "0.025"] == 1
    assert seen[("frontdesk_queue_seconds_sum",)] == 1.5
    assert seen[("frontdesk_throttled_total",)] == 1
    assert seen[("frontdesk_retries_total",)] == 1
    assert seen[("frontdesk_dead_letters_total",)] == 1


def test_gauges_are_what_the_inbox_says_or_unknown() -> None:
    """Without the inbox's word a gauge is NaN, not yesterday's number."""
    metrics = Metrics()
    seen = samples(metrics, Depth(waiting=5, leased=2, dead=1, oldest_ms=1500))
    names = ("inbox_waiting", "inbox_leased", "inbox_dead", "inbox_oldest_seconds")
    assert [seen[(f"frontdesk_{name}",)] for name in names] == [5, 2, 1, 1.5]
    seen = samples(metrics, None)
    assert all(value != value for name in names for value in [seen[(f"frontdesk_{name}",)]])


def test_two_desks_in_one_process_share_no_count() -> None:
    """No global registry."""
    one, other = Metrics(), Metrics()
    one.retried()
    assert samples(other)[("frontdesk_retries_total",)] == 0


@pytest.mark.parametrize("observer", [Metrics(), NullObserver()])
def test_observers_take_every_event(observer: Observer) -> None:
    """Both fulfil the port; neither raises."""
    observer.taken(1, 0.1)
    observer.leased(0.1)
    observer.settled(ROW)
    observer.throttled()
    observer.retried()
    observer.buried()
