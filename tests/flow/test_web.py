"""Both listeners, reached over real sockets by a real client."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from bot.clock import SystemClock
from bot.config import HttpConfig
from bot.errors import ConfigError, PlatformRefused, StorageBusy, StorageFull
from bot.ports import Depth, HttpReply, HttpRoute
from bot.types import ProviderHealth
from bot.web import Metrics, Readiness, serving
from bot.web import guard as guard_module
from bot.web import readiness as readiness_module

HERE = HttpConfig(public="127.0.0.1:0", operator="127.0.0.1:0")
KIB = 1024


class Platform:
    """An adapter with one route; `answer` is what its handler does."""

    def __init__(self, answer: Callable[[bytes], Awaitable[HttpReply]] | None = None) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self._answer = answer

    def routes(self) -> Sequence[HttpRoute]:
        return [HttpRoute(method="POST", path="/platform/events", handler=self.handle)]

    async def handle(self, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        self.bodies.append(body)
        self.headers.append(headers)
        return await self._answer(body) if self._answer else HttpReply(body=b"kept")


class Site:
    """The running listeners and a client for them."""

    def __init__(self, client: aiohttp.ClientSession, public: int, operator: int) -> None:
        self.client = client
        self.port = public
        self.public = f"http://127.0.0.1:{public}"
        self.operator = f"http://127.0.0.1:{operator}"
        self.full = False
        self.providers: tuple[ProviderHealth, ...] = ()
        self.depth = Depth(waiting=3, leased=1, dead=0, oldest_ms=250)
        self.lost = False

    async def write(self) -> None:
        if self.full:
            raise StorageFull

    async def tell_depth(self) -> Depth:
        if self.lost:
            raise StorageBusy
        return self.depth


@asynccontextmanager
async def site(*adapters: object) -> AsyncIterator[tuple[Site, Readiness, Metrics]]:
    async with aiohttp.ClientSession() as client:
        here = Site(client, 0, 0)
        readiness = Readiness(
            write=here.write, providers=lambda: here.providers, clock=SystemClock()
        )
        metrics = Metrics()
        async with serving(
            HERE, adapters, readiness=readiness, metrics=metrics, depth=here.tell_depth
        ) as bound:
            assert bound.public
            assert bound.operator
            here.port = bound.public
            here.public = f"http://127.0.0.1:{bound.public}"
            here.operator = f"http://127.0.0.1:{bound.operator}"
            yield here, readiness, metrics


async def post(here: Site, body: bytes | AsyncIterator[bytes], **more: object) -> int:
    url = f"{here.public}/platform/events"
    payload = io.BytesIO(body) if isinstance(body, bytes) else body
    async with here.client.post(url, data=payload, **more) as response:  # type: ignore[arg-type]
        await response.read()
        return response.status


# --- routes of platforms ----------------------------------------------------------------------


async def test_a_platforms_event_reaches_its_handler_whole() -> None:
    """Raw bytes and lower-case header names: signatures are computed over exactly these."""
    platform = Platform()
    async with site(platform) as (here, _, _):
        body = bytes(range(256))
        assert await post(here, body, headers={"X-Slack-Signature": "v0=é"}) == 200
    assert platform.bodies == [body]
    assert platform.headers[0]["x-slack-signature"] == "v0=é"


async def test_adapters_without_routes_are_left_alone() -> None:
    """Having routes is an ability; a poller has none."""
    async with site(object()) as (here, _, _):
        assert await post(here, b"x") == 404


@pytest.mark.parametrize(("size", "status"), [(1024 * KIB, 200), (1024 * KIB + 1, 413)])
async def test_a_body_may_be_one_mebibyte_and_no_byte_more(size: int, status: int) -> None:
    """The limit is the announced one, at its edge."""
    platform = Platform()
    async with site(platform) as (here, _, _):
        assert await post(here, b"x" * size) == status
    assert len(platform.bodies) == (status == 200)


async def test_a_body_of_unannounced_size_is_cut_off_at_the_limit() -> None:
    """Chunked: no Content-Length to believe, so what arrives is counted."""

    async def flood() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (64 * KIB)

    platform = Platform()
    async with site(platform) as (here, _, _):
        assert await post(here, flood()) == 413
    assert platform.bodies == []


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow sender holds no handler for ever."""
    monkeypatch.setattr(guard_module, "BODY_SECONDS", 0.05)
    platform = Platform()
    async with site(platform) as (here, _, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(b"POST /platform/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        await writer.wait_closed()
    assert platform.bodies == []


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /platform/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"POST /platform/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["cut off", "broken chunks"],
)
async def test_a_body_that_breaks_off_reaches_no_handler_and_is_no_crash(
    request_text: bytes,
) -> None:
    """Half an event is none; strangers' broken requests write no tracebacks."""
    platform = Platform()
    with structlog.testing.capture_logs() as logs:
        async with site(platform) as (here, _, _):
            _, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(request_text)
            writer.write_eof()
            writer.close()
            await writer.wait_closed()
            assert await post(here, b"next") == 200
    assert platform.bodies == [b"next"]
    assert not [one for one in logs if one["event"] == "request_crashed"]


async def test_the_wrong_method_is_refused() -> None:
    """A route is a method and a path."""
    async with (
        site(Platform()) as (here, _, _),
        here.client.get(f"{here.public}/platform/events") as got,
    ):
        assert got.status == 405


async def crash(_body: bytes) -> HttpReply:
    raise RuntimeError("secret detail")


async def full(_body: bytes) -> HttpReply:
    raise StorageFull


async def busy(_body: bytes) -> HttpReply:
    raise StorageBusy(retry_after=17)


async def refused(_body: bytes) -> HttpReply:
    raise PlatformRefused


@pytest.mark.parametrize(
    ("answer", "status", "event"),
    [
        (crash, 500, "request_crashed"),
        (refused, 500, "request_failed"),
        (full, 503, "request_put_off"),
        (busy, 503, "request_put_off"),
    ],
)
async def test_a_handlers_error_is_never_a_200(
    answer: Callable[[bytes], Awaitable[HttpReply]], status: int, event: str
) -> None:
    """What was not stored is sent again; the log has the cause, the answer has none."""
    with structlog.testing.capture_logs() as logs:
        async with (
            site(Platform(answer)) as (here, _, _),
            here.client.post(f"{here.public}/platform/events", data=b"x") as got,
        ):
            assert got.status == status
            assert b"secret" not in await got.read()
            if answer is busy:
                assert got.headers["Retry-After"] == "17"
    assert [one["event"] for one in logs] == [event]


async def test_one_crash_leaves_the_next_request_alone() -> None:
    """The guard is around one request."""

    async def sometimes(body: bytes) -> HttpReply:
        return await crash(body) if body == b"bad" else HttpReply()

    async with site(Platform(sometimes)) as (here, _, _):
        assert [await post(here, body) for body in (b"bad", b"good")] == [500, 200]


async def test_a_handlers_reply_is_passed_on_as_it_is() -> None:
    """Slack's url_verification and ssl_check need body and headers of their own."""

    async def challenge(_body: bytes) -> HttpReply:
        return HttpReply(status=202, body=b'{"a":1}', headers={"Content-Type": "application/json"})

    async with (
        site(Platform(challenge)) as (here, _, _),
        here.client.post(f"{here.public}/platform/events") as got,
    ):
        assert (got.status, await got.json()) == (202, {"a": 1})
        assert got.headers["Server"] == "frontdesk"


# --- health ------------------------------------------------------------------------------------


async def test_liveness_asks_nothing_of_the_disk() -> None:
    """A full disk is no reason to restart: it would be as full afterwards."""
    async with site() as (here, _, _):
        here.full = True
        async with here.client.get(f"{here.public}/livez") as got:
            assert (got.status, await got.text()) == (200, "ok\n")
        async with here.client.head(f"{here.public}/livez") as got:
            assert got.status == 200


async def readyz(here: Site) -> tuple[int, dict[str, object]]:
    async with here.client.get(f"{here.public}/readyz") as got:
        return got.status, msgspec.json.decode(await got.read())


async def test_readiness_follows_storage_and_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """200, then 503 while writes are refused, 200 again, and 503 from the drain on."""
    monkeypatch.setattr(readiness_module, "FRESH_SECONDS", 0.0)
    async with site() as (here, readiness, _):
        here.providers = (ProviderHealth(name="glm", state="down"),)
        status, body = await readyz(here)
        assert (status, body["answers"]) == (200, "excerpts")
        assert body["providers"] == [
            {"name": "glm", "state": "down", "last_success": None, "latency_ms": None}
        ]
        here.full = True
        status, body = await readyz(here)
        assert (status, body["storage"]) == (503, "StorageFull")
        here.full = False
        assert (await readyz(here))[0] == 200
        readiness.drain()
        assert (await readyz(here))[0] == 503


# --- the operator's listener ---------------------------------------------------------------------


async def test_metrics_are_read_by_prometheus_on_the_operators_side_only() -> None:
    """The public listener knows no /metrics, the operator's no platform."""
    async with site(Platform()) as (here, _, metrics):
        metrics.retried()
        async with here.client.get(f"{here.operator}/metrics") as got:
            assert got.headers["Content-Type"].startswith("text/plain")
            families = {one.name: one for one in text_string_to_metric_families(await got.text())}
        assert families["frontdesk_retries"].samples[0].value == 1
        assert families["frontdesk_inbox_waiting"].samples[0].value == 3
        async with here.client.get(f"{here.public}/metrics") as got:
            assert got.status == 404
        async with here.client.post(f"{here.operator}/platform/events") as got:
            assert got.status == 404


async def test_metrics_are_there_when_the_inbox_is_not() -> None:
    """The hour in which the database fails is the hour the counts are wanted."""
    async with site() as (here, _, _):
        here.lost = True
        async with here.client.get(f"{here.operator}/metrics") as got:
            assert got.status == 200
            assert "frontdesk_inbox_waiting NaN" in await got.text()


# --- start and end -------------------------------------------------------------------------------


async def start(http: HttpConfig) -> None:
    here = Site(None, 0, 0)  # type: ignore[arg-type]  # nobody calls
    readiness = Readiness(write=here.write, providers=tuple, clock=SystemClock())
    async with serving(
        http, (), readiness=readiness, metrics=Metrics(), depth=here.tell_depth
    ) as bound:
        assert (bound.public, bound.operator) == (None, None)


async def test_both_listeners_can_be_off() -> None:
    """Empty turns a listener off."""
    await start(HttpConfig(public="", operator=""))


@pytest.mark.parametrize("setting", ["FRONTDESK_HTTP", "FRONTDESK_ADMIN_HTTP"])
async def test_a_port_in_use_names_the_setting_to_change(setting: str) -> None:
    """And what was opened before it is closed again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        http = (
            HttpConfig(public=address, operator="")
            if setting == "FRONTDESK_HTTP"
            else HttpConfig(public="127.0.0.1:0", operator=address)
        )
        with pytest.raises(ConfigError, match=f"{setting}: {address} is in use"):
            await start(http)


async def test_an_address_of_another_machine_is_refused_plainly() -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    with pytest.raises(ConfigError, match=r"FRONTDESK_HTTP: 192\.0\.2\.1:8080 is not an address"):
        await start(HttpConfig(public="192.0.2.1:8080", operator=""))


async def test_a_request_under_way_is_finished_at_the_end() -> None:
    """An event being stored while the desk ends is answered truthfully, and new ones get no one."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_body: bytes) -> HttpReply:
        began.set()
        await go_on.wait()
        return HttpReply()

    async with aiohttp.ClientSession() as client:
        async with site(Platform(slow)) as (here, _, _):
            url = f"{here.public}/platform/events"
            under_way = asyncio.create_task(client.post(url, data=b"x"))
            await began.wait()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        async with await under_way as got:
            assert got.status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.post(url, data=b"y")
