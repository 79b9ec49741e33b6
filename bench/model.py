"""What the bare client costs: CPU per chunk, and what it adds before the first token.

`python -m bench.model`. The server is a process of its own that writes prepared bytes, so the
figures are this process's CPU only. Read the CPU columns; wall times depend on the machine.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from multiprocessing.connection import Connection
from pathlib import Path

from bot.clock import SystemClock
from bot.config import ModelConfig, Secret
from bot.model.client import HttpModel
from bot.types import ChatRequest, ChatTurn, ModelText

CHUNKS = 2_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ASK = ChatRequest(turns=(ChatTurn(role="user", content="x"),))


def frame(number: int) -> bytes:
    words = ("the ", "退货 ", "order ", "arrives ")
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": f"{words[number % 4]}{number} "},
    }
    if number == CHUNKS - 1:
        choice["finish_reason"] = "stop"
    found = {"id": "20261122", "created": 1, "model": "glm-4.7-flash", "choices": [choice]}
    return b"data: " + json.dumps(found, ensure_ascii=False).encode() + b"\n\n"


FRAMES = [frame(number) for number in range(CHUNKS)] + [b"data: [DONE]\n\n"]


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Plain HTTP/1.1 by hand; the path says the rhythm: /burst, /single (a segment each), /one."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        writer.write(HEAD)
        if b"/burst/" in head:
            for at in range(0, len(FRAMES), 50):
                writer.write(chunked(b"".join(FRAMES[at : at + 50])))
                await writer.drain()
        elif b"/single/" in head:
            for item in FRAMES[-301:]:
                writer.write(chunked(item))
                await writer.drain()
                await asyncio.sleep(0.001)
        else:
            writer.write(chunked(FRAMES[-2] + FRAMES[-1]))
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def serve(pipe: Connection) -> None:
    async def forever() -> None:
        async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(quietly, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


async def read(model: HttpModel) -> tuple[float, int]:
    """Seconds to the first text, and characters."""
    started, first, said = time.perf_counter(), 0.0, 0
    async with aclosing(model.stream(ASK)) as events:
        async for event in events:
            if type(event) is ModelText:
                first = first or time.perf_counter() - started
                said += len(event.delta)
    return first, said


async def per_chunk(base: str, rhythm: str, chunks: int, rounds: int) -> float:
    """CPU microseconds of this process per chunk; the best of the rounds."""
    model = HttpModel(
        ModelConfig(base_url=f"{base}/{rhythm}/v1", api_key=Secret("k")), SystemClock()
    )
    await read(model)
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        await read(model)
        spent.append((time.process_time() - before) / chunks * 1e6)
    await model.close()
    return min(spent)


async def first_token(base: str, rounds: int) -> tuple[float, float]:
    """Milliseconds to the first text of a one-frame reply on a warm connection: best and median."""
    model = HttpModel(ModelConfig(base_url=f"{base}/one/v1", api_key=Secret("k")), SystemClock())
    await read(model)
    times = [(await read(model))[0] * 1000 for _ in range(rounds)]
    await model.close()
    return min(times), statistics.median(times)


async def measure(base: str) -> list[tuple[str, str, str]]:
    burst = await per_chunk(base, "burst", CHUNKS, 30)
    single = await per_chunk(base, "single", 301, 4)
    best, median = await first_token(base, 200)
    return [
        ("CPU per chunk, bursts", f"{burst:.2f} us", "5 us"),
        ("CPU per chunk, one per segment", f"{single:.0f} us", "-"),
        ("first token after request, best", f"{best:.2f} ms", "2 ms"),
        ("first token after request, median", f"{median:.2f} ms", "-"),
    ]


STARTS = 15
_AIOHTTP = ("-c", "import aiohttp")


def start_of_a_batch() -> float:
    """CPU of `frontdesk batch` with no prompts, in that of `import aiohttp`; the least of each."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "none.jsonl").touch()
        batch = ("-m", "bot", "batch", "none.jsonl", "-o", "out.jsonl")
        pairs = [(_cpu(batch, folder), _cpu(_AIOHTTP, folder)) for _ in range(STARTS)]
    return min(ours for ours, _ in pairs) / min(theirs for _, theirs in pairs)


def _cpu(arguments: Sequence[str], folder: str) -> float:
    """CPU seconds of a run of this Python."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "MODEL_API_KEY": "k",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table, with the machine's load beside it."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    rows = asyncio.run(measure(f"http://127.0.0.1:{here.recv()}"))
    server.terminate()
    rows.append(("a batch's start, in imports of aiohttp", f"{start_of_a_batch():.2f} x", "1.5 x"))
    for name, value, target in rows:
        print(f"{name:40} {value:>12}   target {target}")
    print(f"{'load average':40} {os.getloadavg()[0]:>12.2f}")


if __name__ == "__main__":
    main()
