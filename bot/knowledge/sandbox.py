"""Reading files where they can do no harm: in a process of its own with limits on time and memory.

Small plain text is read here; whatever needs a library for its format, or is large, in a child.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import PurePosixPath

import msgspec

from bot.errors import KnowledgeError
from bot.knowledge.loaders import LOADERS, Parsed, load

SECONDS = 60
"""What a file may take, of the wall and of the CPU."""
MEMORY = 512 * 1024 * 1024
"""What the child may map, its interpreter and libraries included."""
TRUSTED_MAX = 512 * 1024
"""Bytes of plain text that are read without a child: starting one costs 0.2 s."""


class _Told(msgspec.Struct):
    """What the child says: the entries, or why there are none."""

    parsed: Parsed | None = None
    error: str = ""


async def parse(
    uri: str, content: bytes, *, seconds: float = SECONDS, memory: int = MEMORY
) -> Parsed:
    """The entries of a file. Raises KnowledgeError, for a dead or slow child as well."""
    plain = PurePosixPath(uri).suffix.lower() in LOADERS
    if plain and len(content) <= TRUSTED_MAX:
        return await asyncio.to_thread(load, uri, content)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        uri,
        str(memory),
        str(max(1, round(seconds))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await child.communicate(content)
    except TimeoutError:
        raise KnowledgeError(f"{uri}: reading it took over {seconds:g} s; refused") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return _heard(uri, child.returncode or 0, out, err)


def _heard(uri: str, status: int, out: bytes, err: bytes) -> Parsed:
    """What became of the child."""
    if status == 0:
        told = msgspec.msgpack.decode(out, type=_Told)
        if told.parsed is not None:
            return told.parsed
        raise KnowledgeError(told.error)
    last = (err.decode(errors="replace").strip().splitlines() or [f"status {status}"])[-1]
    if status < 0 and "MemoryError" not in last:
        raise KnowledgeError(f"{uri}: reading it took too long or too much memory; refused")
    if "MemoryError" in last:
        raise KnowledgeError(f"{uri}: reading it needs too much memory; refused")
    raise KnowledgeError(f"{uri}: the file is damaged ({last[:200]})")


def main() -> None:
    """The child: limit itself, read the file from stdin, write the entries to stdout."""
    uri, memory, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    content = sys.stdin.buffer.read()
    try:
        told = _Told(parsed=load(uri, content))
    except KnowledgeError as error:
        told = _Told(error=str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(told))


if __name__ == "__main__":
    main()
