"""What Telegram costs this process, the fake being another one: `python -m bench.telegram`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import msgspec

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.normalise import Me
from bot.clock import SystemClock
from bot.config import Secret, TelegramConfig
from bot.types import Frame, MessageRef, Place, RichText
from tests.fakes.telegram import FakeTelegram

CALLS = 600
CONCURRENT = 64
UPDATES = 4000
TEXT = "Returns are accepted within seven days. 七天内可以退货。" * 8
# Not ru_maxrss: a child inherits its parent's peak.
RSS = "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20)"

Row = tuple[str, str, str]


def allow() -> None:
    """A guard that always lets go."""


def place(user: int) -> Place:
    return Place(platform="telegram", account="4242", channel=str(user), private=True)


def frame(number: int) -> Frame:
    return Frame(content=RichText(text=f"{TEXT} {number}"))


async def spent(work: Callable[[int], Awaitable[Any]], concurrent: int) -> tuple[float, float]:
    """CPU milliseconds per call and calls per second."""
    await asyncio.gather(*(work(-1 - number) for number in range(min(50, CALLS))))
    numbers = iter(range(CALLS))

    async def lane() -> None:
        for number in numbers:
            await work(number)

    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.gather(*(lane() for _ in range(concurrent)))
    took = time.monotonic() - wall
    return (time.process_time() - cpu) * 1000 / CALLS, CALLS / took


async def calls(adapter: TelegramAdapter) -> list[Row]:
    refs: list[MessageRef] = []
    for user in range(1, CONCURRENT + 1):
        refs.append(await adapter.send(place(user), frame(0), guard=allow))  # noqa: PERF401 - in order

    async def send(number: int) -> None:
        await adapter.send(place(1 + number % CONCURRENT), frame(number), guard=allow)

    async def edit(number: int) -> None:
        await adapter.edit(refs[number % CONCURRENT], frame(number), guard=allow)

    rows = []
    for name, work in (("send", send), ("edit", edit)):
        for concurrent in (1, CONCURRENT):
            cpu, rate = await spent(work, concurrent)
            target = "1.7 ms" if concurrent == 1 else "1.3 ms"
            rows.append((f"{name}, {concurrent} at once", f"{cpu:.2f} ms, {rate:.0f}/s", target))
    return rows


def intake(adapter: TelegramAdapter) -> Row:
    """From the bytes of an update to a normalised message."""
    fake = FakeTelegram()
    ada = fake.private()
    for number in range(UPDATES):
        fake.say(ada, f"How do I return an item? {number}")
    raws = [msgspec.json.encode(update) for update in fake.queue]
    adapter.me = Me(id=4242, username="desk_bot")
    cpu = time.process_time()
    for raw in raws:
        assert adapter.intake(raw).message is not None
    each = (time.process_time() - cpu) * 1000 / UPDATES
    return ("intake of an update", f"{each:.3f} ms", "0.25 ms")


def memory(code: str) -> float:
    """MB of a fresh interpreter after running `code`."""
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\n{RSS}"], capture_output=True, check=True, text=True
    )
    return float(out.stdout)


async def measure(root: str) -> list[Row]:
    config = TelegramConfig(token=Secret("4242:test-token"), api_root=root, pace="off")
    adapter = TelegramAdapter(config, SystemClock(), random=Random(1))
    try:
        return [*await calls(adapter), intake(adapter)]
    finally:
        await adapter.close()


def serve() -> tuple[subprocess.Popen[str], str]:
    """The fake in a process of its own, with a chat for everybody."""
    command: Sequence[str] = [sys.executable, "-m", "tests.fakes.telegram", "--no-flood"]
    process = subprocess.Popen(
        [*command, "--people", str(CONCURRENT)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["root"]


def main() -> None:
    """Print the table, with the machine's load beside it."""
    process, root = serve()
    try:
        rows = asyncio.run(measure(root))
    finally:
        process.terminate()
        process.wait()
    imported = memory("import adapters.telegram.adapter")
    rows.append(("RSS after import", f"{imported:.0f} MB", "-"))
    for name, value, target in rows:
        print(f"{name:36} {value:>18}   target {target}")
    print(f"{'load average':36} {os.getloadavg()[0]:>18.2f}")


if __name__ == "__main__":
    main()
