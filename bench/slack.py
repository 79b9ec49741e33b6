"""What a Slack event costs: CPU from the socket to the acknowledgement, with the real inbox.

Signed events come from a process of their own, so that only our side is counted.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from adapters.slack.adapter import SlackAdapter
from bot.clock import SystemClock
from bot.config import Secret, SlackConfig
from bot.ports import Intake
from storage import open_stores
from tests.fakes.slack import BOT, BOT_TOKEN, SIGNING_SECRET, FakeSlack, payloads

EVENTS = 2_000
CONCURRENT = 8
WARM_UP = 200


async def send(url: str, count: int, rate: float) -> list[float]:
    """Post `count` signed mentions, `rate` a second (0: as fast as may be); seconds to each ack."""
    fake = FakeSlack()
    await fake.start()
    fake.target = url
    waits: list[float] = []
    gate = asyncio.Semaphore(CONCURRENT)
    start = time.monotonic()

    async def one(number: int) -> None:
        if rate:
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        async with gate:
            ts = fake.core.stamp()
            text = f"<@{BOT}> how long does a refund take, and where do I see it? ({number})"
            event = payloads.twin(payloads.message("C1", "channel", "U1", text, ts))
            event_id = f"Ev{time.monotonic_ns()}.{number}"
            began = time.monotonic()
            status, _ = await fake.post(payloads.envelope(event, event_id=event_id))
            waits.append(time.monotonic() - began)
            assert status == 200

    await asyncio.gather(*(one(number) for number in range(count)))
    await fake.close()
    return waits


async def client(url: str, count: int, rate: float) -> list[float]:
    """`send` in another process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.slack", url, str(count), str(rate)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return [float(word) for word in out.split()]


def cpu() -> float:
    """Seconds of CPU that this process, with all its threads, has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure() -> dict[str, float]:
    """CPU per event in ms, the 99th percentile of the acknowledgement in ms at 50/s."""
    clock, slack = SystemClock(), FakeSlack(tiers=False)
    await slack.start()
    slack.core.users["U1"] = {"real_name": "Ann", "locale": "en-US"}
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=slack.api_root,
    )
    adapter = SlackAdapter(config, clock, random=random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        stores = await open_stores(str(Path(folder) / "desk.db"), clock)

        async def sink(intakes: Sequence[Intake]) -> None:
            await stores.inbox.put(intakes)

        await adapter.start()
        task = asyncio.create_task(adapter.run(sink))
        runner, url = await mount(adapter)
        await client(url, WARM_UP, 0)
        before = cpu()
        await client(url, EVENTS, 0)
        each = (cpu() - before) / EVENTS * 1000
        waits = sorted(await client(url, 500, 50))
        assert (await stores.inbox.depth()).waiting == WARM_UP + EVENTS + 500
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()
        await adapter.close()
        await stores.close()
    await slack.close()
    return {"cpu_ms": each, "ack_p50_ms": waits[250] * 1000, "ack_p99_ms": waits[494] * 1000}


async def mount(adapter: SlackAdapter) -> tuple[web.AppRunner, str]:
    """The adapter's route on a server of its own."""

    async def events(request: web.Request) -> web.Response:
        reply = await adapter.handle_http(await request.read(), request.headers)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    app = web.Application()
    app.router.add_post("/slack/events", events)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}/slack/events"


def main() -> None:
    """Print the table."""
    found = asyncio.run(measure())
    for name, key, target in (
        ("Slack event, CPU up to the ack", "cpu_ms", "1.3 ms"),
        ("Slack ack p50 at 50/s", "ack_p50_ms", "-"),
        ("Slack ack p99 at 50/s", "ack_p99_ms", "25 ms"),
    ):
        print(f"{name:36} {found[key]:>15.2f} ms   target {target}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sent = asyncio.run(send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
        print(*(f"{wait:.6f}" for wait in sent))
    else:
        main()
