"""The picture of a report, drawn by another process, so that the desk's memory stays small."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import structlog

from bot.stats.chart import spec
from bot.stats.report import Report

log = structlog.get_logger()

SECONDS = 45.0
"""The first picture on a machine also looks through its fonts, which takes some seconds."""
PICTURE_MAX = 4 << 20
_DRAW = Path(__file__).with_name("draw.py")
_KEPT = (
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "MPLCONFIGDIR",
    "SYSTEMROOT",
)
"""What the process is told of our environment: it needs no tokens."""


def can_draw() -> bool:
    """The extra `charts` is installed."""
    return find_spec("matplotlib") is not None


async def picture(report: Report, locale: str, *, seconds: float = SECONDS) -> bytes | None:
    """A PNG; None where there is nothing to show, nothing to draw with, or it went wrong."""
    if not report.whole.requests or not can_draw():
        return None
    drawn = await _drawn(spec(report, locale), seconds=seconds)
    return drawn if drawn and len(drawn) <= PICTURE_MAX else None


async def letters(*, seconds: float = SECONDS) -> str | None:
    """The font that Chinese labels are written in; "": none, they are in English. None: no picture
    can be drawn here at all.
    """
    if not can_draw():
        return None
    said = await _drawn(b"", "letters", seconds=seconds)
    return None if said is None else said.decode()


async def _drawn(told: bytes, *words: str, seconds: float) -> bytes | None:
    """What the process that draws answers; None where it failed, or took too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_DRAW),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    try:
        async with asyncio.timeout(seconds):
            drawn, said = await process.communicate(told)
    except TimeoutError:
        log.warning("picture_too_slow", seconds=seconds)
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.warning(
            "picture_failed", status=process.returncode, said=said[-500:].decode(errors="replace")
        )
        return None
    return drawn


def _environment() -> dict[str, str]:
    """One thread: threads of the numerics take memory and gain nothing here."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "OPENBLAS_NUM_THREADS": "1"}
