"""How far the screen is behind the writer, and what a frame costs: `python -m bench.delivery`.

Lags are on virtual time, with 0.12 s for each call and the official pace; CPU is real.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncGenerator
from random import Random

from bot.text.markdown import Markdown, render
from bot.types import Done, Grounds, Lease, ReplyEvent, Text
from tests.fakes.loop import run_virtual
from tests.fakes.telegram.world import Chat, Version
from tests.flow.answers import answer
from tests.flow.virtual_desk import begin, fake, virtual_desk

CHUNKS, SECONDS, LATENCY = 120, 5.0, 0.12
DRAFT_SECONDS = 5 / 18
"""How far apart drafts are where the 18 that may leave in five seconds are spread evenly."""

Row = tuple[str, str, str]


class Metered:
    """Writes plain text and notes when each chunk came."""

    def __init__(self) -> None:
        self.came: list[tuple[float, int]] = []

    async def __call__(self, lease: Lease) -> AsyncGenerator[ReplyEvent, None]:
        yield begin(lease)
        yield Grounds(route="open")
        size = 0
        for _ in range(CHUNKS):
            await asyncio.sleep(SECONDS / CHUNKS)
            size += 5
            self.came.append((asyncio.get_running_loop().time(), size))
            yield Text(delta="一二三四 ")
        yield Done(route="open")


def lags(came: list[tuple[float, int]], history: list[Version]) -> list[float]:
    """For each chunk, how long after it came a version with it stood."""
    texts = [version for version in history if "一" in version.text]
    seen = [(version.at, len(version.text) + 1) for version in texts]
    return [next(at for at, length in seen if length >= size) - then for then, size in came]


def best(came: list[tuple[float, int]], interval: float) -> list[float]:
    """The lags of a schedule that knows the future: 0.3 s, then each interval, and the end."""
    begin, end = came[0][0], came[-1][0]
    times = [begin + 0.3 + interval * number for number in range(int(SECONDS / interval) + 1)]
    shown = sorted([at for at in times if at < end] + [end])
    return [next(at for at in shown if at >= then) - then + LATENCY / 2 for then, _ in came]


async def drafted() -> list[Row]:
    """The same by drafts. The end is a message: posted empty, then filled, so two calls late."""
    telegram, written = fake(), Metered()
    chat: Chat = telegram.private()
    async with virtual_desk(written, telegram, streaming="drafts") as desk:
        telegram.say(chat, "@desk_bot q")
        await desk.quiet()
    (shown,) = telegram.standing(chat)
    drafts = [version for draft in telegram.drafts[chat.id] for version in draft.history]
    found = lags(written.came, [*drafts, *shown.history])
    mean, ideal = statistics.mean(found), statistics.mean(best(written.came, DRAFT_SECONDS))
    return [
        ("mean lag of a chunk, drafts", f"{mean:.3f} s", f"{1.1 * ideal:.3f} s"),
        ("the same without the way there", f"{mean - LATENCY / 2:.3f} s", "0.15 s"),
        ("last chunk to whole text, drafts", f"{found[-1] - LATENCY / 2:.3f} s", "-"),
        ("drafts, and calls after them", f"{len(drafts)} + {len(shown.history)}", "-"),
    ]


async def schedule(*, group: bool) -> list[Row]:
    """One answer of five seconds: the mean lag of a chunk and that of the last one."""
    telegram, written = fake(), Metered()
    chat: Chat = telegram.group() if group else telegram.private()
    async with virtual_desk(written, telegram) as desk:
        telegram.say(chat, "@desk_bot q")
        await desk.quiet()
    (shown,) = telegram.standing(chat)
    found = lags(written.came, shown.history)
    frames = sum(1 for version in shown.history if "一" in version.text)
    ideal = statistics.mean(best(written.came, 3.0 if group else 1.0))
    where = "group" if group else "private"
    return [
        (
            f"mean lag of a chunk, {where}",
            f"{statistics.mean(found):.2f} s",
            f"{1.1 * ideal:.2f} s",
        ),
        (f"last chunk to whole text, {where}", f"{found[-1] - LATENCY / 2:.3f} s", "0.05 s"),
        (f"calls, {where}", str(frames + 1), "-"),
    ]


def rendering() -> list[Row]:
    """CPU of rendering one frame of a reply that grows to 4 KB, and of a whole one."""
    source, _ = answer(Random(4), 4096)
    markdown, spent = Markdown(), []
    for end in range(200, len(source), 100):
        began = time.process_time()
        markdown(source[:end], final=False)
        spent.append(time.process_time() - began)
    began = time.process_time()
    render(source)
    whole = time.process_time() - began
    return [
        ("CPU of a frame, mean", f"{1000 * statistics.mean(spent):.2f} ms", "5 ms"),
        ("CPU of a frame, worst", f"{1000 * max(spent):.2f} ms", "5 ms"),
        ("CPU of 4 KB rendered at once", f"{1000 * whole:.2f} ms", "-"),
    ]


def main() -> list[Row]:
    """The rows; printed when run alone."""
    private = run_virtual(schedule(group=False))
    group = run_virtual(schedule(group=True))
    return [*private, *run_virtual(drafted()), *group, *rendering()]


if __name__ == "__main__":
    for name, figure, target in main():
        print(f"{name:36} {figure:>18}   target {target}")
    print(f"{'load average':36} {os.getloadavg()[0]:>18.2f}")
