"""Reading files where they can do no harm: in a process of its own with limits on time and memory.

Small plain text is read here; whatever needs a library for its format, or is large, in a child.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import PurePosixPath

import msgspec
import structlog

from bot.errors import Cause, KnowledgeError
from bot.knowledge import child
from bot.knowledge.causes import error_of, refused
from bot.knowledge.child import Told
from bot.knowledge.loaders import LOADERS, load
from bot.knowledge.spool import Spool, pour
from bot.types import value

log = structlog.get_logger()

SECONDS = 60
"""What a file may take, of the wall and of the CPU."""
MEMORY = 512 * 1024 * 1024
"""What the child may map, its interpreter and libraries included."""
TRUSTED_MAX = 512 * 1024
"""Bytes of plain text that are read without a child: starting one costs 0.1 s."""


@value
class Read:
    """What of the spool is a file's; `notes` say what of the file could not be read."""

    begin: int
    end: int
    notes: tuple[Cause, ...] = ()


async def parse(
    uri: str, content: bytes, spool: Spool, *, seconds: float = SECONDS, memory: int = MEMORY
) -> Read:
    """Pour the entries of a file into the spool.

    Raises KnowledgeError, for a dead or slow child as well; then the spool is as it was.
    """
    begin = spool.end()
    plain = PurePosixPath(uri).suffix.lower() in LOADERS
    try:
        if plain and len(content) <= TRUSTED_MAX:
            notes = await asyncio.to_thread(_here, uri, content, spool)
        else:
            notes = await _in_child(uri, content, spool, seconds=seconds, memory=memory)
    except KnowledgeError:
        spool.cut(begin)
        raise
    return Read(begin=begin, end=spool.end(), notes=notes)


def _here(uri: str, content: bytes, spool: Spool) -> tuple[Cause, ...]:
    parsed = load(uri, content)
    pour(spool.file, parsed.drafts)
    return parsed.notes


async def _in_child(
    uri: str, content: bytes, spool: Spool, *, seconds: float, memory: int
) -> tuple[Cause, ...]:
    out = spool.file.fileno()
    reader = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        child.__name__,
        uri,
        str(memory),
        str(max(1, round(seconds))),
        str(out),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(out,),
    )
    try:
        async with asyncio.timeout(seconds):
            told, err = await reader.communicate(content)
    except TimeoutError:
        raise refused("cause.slow", uri, seconds=f"{seconds:g}") from None
    finally:
        if reader.returncode is None:
            reader.kill()
            await reader.wait()
    return _heard(uri, reader.returncode or 0, told, err)


def _heard(uri: str, status: int, out: bytes, err: bytes) -> tuple[Cause, ...]:
    """What became of the child."""
    if status == 0:
        told = msgspec.json.decode(out, type=Told)
        if told.error is not None:
            raise error_of(told.error)
        return told.notes
    last = (err.decode(errors="replace").strip().splitlines() or [f"status {status}"])[-1]
    if status < 0 and "MemoryError" not in last:
        raise refused("cause.heavy", uri)
    if "MemoryError" in last:
        raise refused("cause.memory", uri)
    log.info("file_damaged", file=uri, error=last[:200])
    raise refused("cause.damaged", uri)
