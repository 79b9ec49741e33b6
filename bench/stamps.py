"""The model of the benchmark: every chunk is the time at which it was written. In a process of its
own, so that its CPU is nobody else's: `python -m bench.stamps`.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from tests.fakes.glm import Call, FakeGlm, frame, opened, question_of, sse, usage_of

CHUNKS = 120
STREAM_SECONDS = 5.0
SLOWLY = "Please tell me slowly"
LAST = "End."
CHUNK = sse(frame("STAMP "), done=False).replace(b"%", b"%%").replace(b"STAMP", b"%.5f")
"""Made once: the model's process must not take the CPU that the desk is waiting for."""


async def stamped(glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
    """CHUNKS chunks, each the time it is written at; over STREAM_SECONDS when asked for slowly."""
    seconds = STREAM_SECONDS if SLOWLY in question_of(call.body) else 0.0
    response = await opened(request)
    start = time.monotonic()
    for number in range(CHUNKS - 1):
        if seconds:
            await asyncio.sleep(start + number * seconds / CHUNKS - time.monotonic())
        await response.write(CHUNK % time.monotonic())
    if seconds:
        await asyncio.sleep(start + seconds - time.monotonic())
    last = frame(f"{time.monotonic():.5f} {LAST}", finish="stop", usage=usage_of("x" * 99, "x"))
    await response.write(sse(last))
    return response


async def model() -> None:
    """Print the base URL, then answer until ended."""
    async with FakeGlm(default=stamped) as glm:
        print(glm.url, flush=True)
        while True:
            await asyncio.sleep(60)
            glm.calls.clear()


if __name__ == "__main__":
    asyncio.run(model())
