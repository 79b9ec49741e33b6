"""What runs in the process that reads a file: limits first, then the loader, then the spool.

It imports as little as it can, since it is started anew for each large file: no event loop, no log.
"""

from __future__ import annotations

import os
import resource
import sys

import msgspec

from bot.errors import Cause, KnowledgeError
from bot.knowledge.causes import cause_of
from bot.knowledge.loaders import load
from bot.knowledge.spool import pour


class Told(msgspec.Struct):
    """What the child says beside the entries, or why there are none."""

    notes: tuple[Cause, ...] = ()
    error: Cause | None = None


def main() -> None:
    """Limit itself, read the file from stdin, pour the entries into the spool."""
    uri, memory, seconds, out = sys.argv[1], *map(int, sys.argv[2:5])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    content = sys.stdin.buffer.read()
    try:
        parsed = load(uri, content)
        with os.fdopen(out, "wb") as file:
            pour(file, parsed.drafts)
        told = Told(notes=parsed.notes)
    except KnowledgeError as error:
        told = Told(error=cause_of(error))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
