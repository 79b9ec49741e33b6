"""What files gave, on disk between reading and staging: the largest import needs little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Self

import msgspec

from bot.knowledge.port import EntryDraft

BATCH = 500
"""Entries that are decoded, compared and staged together: a few milliseconds of the loop."""
_LENGTH = 4
"""Bytes in which the length of a batch is written before it."""


class Spool:
    """A file without a name, of its owner alone, that goes with the import."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def end(self) -> int:
        """Where the next batch will be written; a child that inherits the file writes there."""
        return self.file.seek(0, 2)

    def cut(self, end: int) -> None:
        """Forget what was written from there on."""
        self.file.truncate(end)
        self.file.seek(end)

    def batches(self, begin: int, end: int) -> Iterator[list[EntryDraft]]:
        """What was poured in between two places."""
        while begin < end:
            self.file.seek(begin)
            length = int.from_bytes(self.file.read(_LENGTH), "big")
            yield msgspec.msgpack.decode(self.file.read(length), type=list[EntryDraft])
            begin += _LENGTH + length


def pour(file: IO[bytes], made: Sequence[EntryDraft]) -> None:
    """Write drafts, some at a time, where the file stands."""
    for start in range(0, len(made), BATCH):
        encoded = msgspec.msgpack.encode(made[start : start + BATCH])
        file.write(len(encoded).to_bytes(_LENGTH, "big") + encoded)
    file.flush()
