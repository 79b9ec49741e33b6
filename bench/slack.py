"""What Slack costs this process: an event up to its acknowledgement, an answer that grows.

Events come from a process of their own, and calls go to one, so that only our side is counted.
"""

from __future__ import annotations

import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from adapters.slack.adapter import SlackAdapter
from bot.clock import SystemClock
from bot.config import Secret, SlackConfig
from bot.ports import Intake
from bot.text.markdown import Markdown
from bot.types import Frame, Place, RichText
from storage import open_stores
from tests.fakes.slack import BOT, BOT_TOKEN, SIGNING_SECRET, FakeSlack, payloads
from tests.flow.answers import answer as written

ANSWERS = 60
FRAMES = 20
"""Of one answer of 1,200 characters: what it has when a model writes it in fifteen seconds."""
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


class Hasty(SystemClock):
    """Whoever waits for the pace of calls goes on at once, with the time that it would be."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        self._ahead += seconds
        await asyncio.sleep(0)


async def grown(url: str, streaming: str) -> float:
    """CPU in ms for one answer, from its placeholder to its end, frame by frame."""
    config = SlackConfig(
        bot_token=Secret(BOT_TOKEN),
        signing_secret=Secret(SIGNING_SECRET),
        api_root=f"{url}/api/",
        streaming=streaming,
    )
    clock = Hasty()
    adapter = SlackAdapter(config, clock, random=random.Random(1))
    await adapter.start()
    sources = [written(random.Random(number), 1_200)[0] for number in range(ANSWERS)]
    thread = await asked(url)
    place = Place(
        platform="slack", account=adapter.account, channel="D1", thread=thread, private=True
    )
    await answer(adapter, clock, place, sources[0])
    before = cpu()
    for source in sources:
        await answer(adapter, clock, place, source)
    spent = (cpu() - before) / ANSWERS * 1000
    await adapter.close()
    return spent


async def answer(adapter: SlackAdapter, clock: Hasty, place: Place, source: str) -> None:
    """One answer that grows on the screen."""
    markdown = Markdown()
    waiting = Frame(content=RichText(text="Looking it up…"), grows=True)
    ref = await adapter.send(place, waiting, guard=allow)
    for number in range(1, FRAMES):
        part = markdown(source[: len(source) * number // FRAMES], final=False)
        await clock.sleep(2.0)  # so that no frame finds the budget spent
        await adapter.edit(ref, Frame(content=part, final=False), guard=allow)
    await adapter.edit(ref, Frame(content=markdown(source, final=True)), guard=allow)
    await clock.sleep(4.0)


async def asked(url: str) -> str:
    """A person has said something; where."""
    async with aiohttp.ClientSession() as session:
        await session.post(f"{url}/control/target", json={"url": "http://127.0.0.1:9/"})
        said = {"user": "U1", "channel": "D1", "text": "hello"}
        async with session.post(f"{url}/control/say", json=said) as told:
            return str((await told.json())["answer"])


def allow() -> None:
    """A guard that always lets go."""


def growing() -> dict[str, float]:
    """CPU per answer in ms, as a stream and by edits."""
    command = [sys.executable, "-m", "tests.fakes.slack", "--no-tiers"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    try:
        return {mode: asyncio.run(grown(url, mode)) for mode in ("native", "edits")}
    finally:
        process.terminate()
        process.wait()


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
    found = asyncio.run(measure()) | growing()
    for name, key, target in (
        ("Slack event, CPU up to the ack", "cpu_ms", "1.3 ms"),
        ("Slack ack p50 at 50/s", "ack_p50_ms", "-"),
        ("Slack ack p99 at 50/s", "ack_p99_ms", "25 ms"),
        (f"Slack answer streamed, {FRAMES} frames, CPU", "native", "50 ms"),
        (f"Slack answer by edits, {FRAMES} frames, CPU", "edits", "-"),
    ):
        print(f"{name:44} {found[key]:>15.2f} ms   target {target}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sent = asyncio.run(send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
        print(*(f"{wait:.6f}" for wait in sent))
    else:
        main()
