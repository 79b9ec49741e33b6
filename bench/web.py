"""What it takes to acknowledge a webhook, stored on a real file: `python -m bench.web`.

The server is a process of its own, so that its CPU time is its own; the sender speaks HTTP/1.1 over
kept connections, as Telegram does, at a steady rate and not in step with the answers.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles

import aiohttp

from bot.clock import SystemClock
from bot.config import HttpConfig
from bot.ports import HttpReply, HttpRoute, Intake
from bot.types import IncomingMessage, Place, Sender
from bot.web import Metrics, Readiness, serving
from storage import Stores, open_stores

RATE = 50
"""Events a second: what is promised at p99 25 ms on a quiet machine."""
SECONDS = 20
FLOOD = 4000
"""Events sent as fast as LANES connections carry them."""
LANES = 40
"""Telegram's default max_connections."""
WARM = 50

Figures = list[tuple[str, str]]


class Webhook:
    """The least a platform can do: read one message out of the body and store it."""

    def __init__(self, stores: Stores, metrics: Metrics) -> None:
        self._stores = stores
        self._metrics = metrics

    def routes(self) -> Sequence[HttpRoute]:
        return [HttpRoute(method="POST", path="/hook", handler=self.take)]

    async def take(self, body: bytes, _headers: Mapping[str, str]) -> HttpReply:
        began = time.perf_counter()
        event = json.loads(body)
        number, chat = str(event["update_id"]), str(event["message"]["chat"]["id"])
        message = IncomingMessage(
            key=f"bench:1:{chat}:{number}",
            place=Place(platform="bench", account="1", channel=chat, private=True),
            sender=Sender(user=chat, name="Ann"),
            text=event["message"]["text"],
            said_at=event["message"]["date"] * 1000,
            position=event["update_id"],
            delivery=number,
        )
        await self._stores.inbox.put([Intake(raw=body.decode(), delivery=number, message=message)])
        self._metrics.taken(1, time.perf_counter() - began)
        return HttpReply()


def serve(path: str, pipe: Connection) -> None:
    """The server's process: tells its port, then its CPU seconds whenever asked, until told off."""
    asyncio.run(_serve(path, pipe))


async def _serve(path: str, pipe: Connection) -> None:
    clock = SystemClock()
    stores = await open_stores(path, clock)
    metrics = Metrics()

    async def write() -> None:
        await stores.settings.get_or_set("probe", "1")

    readiness = Readiness(write=write, providers=tuple, clock=clock)
    async with serving(
        HttpConfig(public="127.0.0.1:0", operator=""),
        [Webhook(stores, metrics)],
        readiness=readiness,
        metrics=metrics,
        depth=stores.inbox.depth,
    ) as bound:
        pipe.send(bound.public)
        while await asyncio.to_thread(pipe.recv):
            pipe.send((time.process_time(), (await stores.inbox.depth()).waiting))
    await stores.close()


async def measure() -> Figures:
    """Every figure, as (name, figure); about half a minute."""
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.db")
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(path, there))
        process.start()
        try:
            url = f"http://127.0.0.1:{await asyncio.to_thread(here.recv)}/hook"
            figures = await _drive(url, here)
            here.send(False)
        finally:
            await asyncio.to_thread(process.join, 10)
            process.kill()
    return figures


async def _drive(url: str, pipe: Connection) -> Figures:
    connector = aiohttp.TCPConnector(limit=LANES)
    async with aiohttp.ClientSession(connector=connector) as client:
        sender = Sending(client, url)
        await asyncio.gather(*(sender.one() for _ in range(WARM)))
        cpu, _ = _asked(pipe)
        steady = await sender.steadily(RATE, SECONDS)
        spent, _ = _asked(pipe)
        began = time.perf_counter()
        flood = await sender.flood(FLOOD)
        took = time.perf_counter() - began
        flooded, stored = _asked(pipe)
    assert stored == WARM + len(steady) + len(flood), "an acknowledged event is not on disk"
    cut = quantiles(steady, n=100)
    return [
        ("load average", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"),
        (f"webhook ack at {RATE}/s, p50", f"{cut[49] * 1000:.1f} ms"),
        (f"webhook ack at {RATE}/s, p99 (promised: 25 ms, quiet)", f"{cut[98] * 1000:.1f} ms"),
        (f"server CPU an event at {RATE}/s", f"{(spent - cpu) / len(steady) * 1000:.2f} ms"),
        (f"webhook acks over {LANES} connections", f"{len(flood) / took:.0f}/s"),
        ("server CPU an event, flooded", f"{(flooded - spent) / len(flood) * 1000:.2f} ms"),
    ]


def _asked(pipe: Connection) -> tuple[float, int]:
    """The server's CPU seconds so far, and how many messages it holds."""
    pipe.send(True)
    cpu, waiting = pipe.recv()
    return float(cpu), int(waiting)


class Sending:
    """Numbered updates, each timed from the moment it is sent to its 200."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url
        self._number = 0

    async def one(self) -> float:
        self._number += 1
        body = _update(self._number)
        began = time.perf_counter()
        async with self._client.post(self._url, data=body) as answer:
            await answer.read()
            assert answer.status == 200, answer.status
        return time.perf_counter() - began

    async def steadily(self, rate: int, seconds: int) -> list[float]:
        """One each 1/rate s by the clock, whether or not earlier ones are answered."""
        began, tasks = time.perf_counter(), []
        for index in range(rate * seconds):
            await asyncio.sleep(max(0.0, began + index / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self.one()))
        return list(await asyncio.gather(*tasks))

    async def flood(self, count: int) -> list[float]:
        """As many as the connections carry."""

        async def lane() -> list[float]:
            return [await self.one() for _ in range(count // LANES)]

        return [
            one for took in await asyncio.gather(*(lane() for _ in range(LANES))) for one in took
        ]


def _update(number: int) -> bytes:
    user = {"id": number % 500 + 1, "is_bot": False, "first_name": "Ann", "language_code": "en"}
    message = {
        "message_id": number,
        "from": user,
        "chat": {"id": user["id"], "first_name": "Ann", "type": "private"},
        "date": 1_700_000_000,
        "text": "How do I return an item that I bought last week? " * 6,
    }
    return json.dumps({"update_id": number, "message": message}).encode()


def main() -> None:
    """Print the figures."""
    for name, figure in asyncio.run(measure()):
        print(f"{name:<58} {figure}")


if __name__ == "__main__":
    main()
