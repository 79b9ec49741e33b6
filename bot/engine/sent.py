"""Files sent in a chat, on their way into the knowledge base: fetched one by one, taken in as one.

One state of the base holds all of one message, so that a rollback takes all of them back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

from bot.errors import Cause, KnowledgeError, PlatformRefused
from bot.knowledge import causes
from bot.knowledge.imports import FILE_MAX, megabytes, too_large
from bot.types import Attachment, Place, value

SENT = "sent"
"""The folder under which files sent in a chat are sources; no imported folder's file is there."""
TOGETHER_MAX = 3 * FILE_MAX
"""Bytes that are taken in at once: more would not be done within one attempt at an answer."""


class Fetch(Protocol):
    """Brings a file that was sent with a message. Raises UserError where that is impossible."""

    async def __call__(
        self, place: Place, attachment: Attachment, /, *, most: int = FILE_MAX
    ) -> bytes:
        """The bytes, `most` of them at most."""
        ...


@value
class SentFile:
    """A file of a message, where it lies now, or why it cannot be had."""

    name: str
    path: Path = Path()
    cause: Cause | None = None

    @property
    def uri(self) -> str:
        """Its name among the sources."""
        return f"{SENT}/{self.name}"


async def fetched(
    fetch: Fetch, place: Place, attachments: Sequence[Attachment], folder: Path
) -> list[SentFile]:
    """Each file put into a folder, or refused for itself. Raises PlatformError to be tried again:
    then nothing was taken in.
    """
    files: list[SentFile] = []
    total = 0
    for number, one in enumerate(attachments):
        name = PurePath(one.name.replace("\\", "/")).name or one.kind
        try:
            if any(name == other.name for other in files):
                raise causes.refused("cause.name_twice", name)
            content = await _content(fetch, place, name, one, total)
        except KnowledgeError as error:
            cause = causes.cause_of(error)._replace(file=name)
            files.append(SentFile(name=name, cause=cause))
        else:
            total += len(content)
            path = folder / str(number)
            await asyncio.to_thread(path.write_bytes, content)
            files.append(SentFile(name=name, path=path))
    return files


async def _content(fetch: Fetch, place: Place, name: str, file: Attachment, before: int) -> bytes:
    """What was sent, behind so many bytes. Raises KnowledgeError where it is not to be had."""
    _allow(name, file.size or 0, before)
    try:
        content = await fetch(place, file, most=FILE_MAX)
    except PlatformRefused as error:
        raise causes.refused("cause.not_fetched", name) from error
    _allow(name, len(content), before)
    return content


def _allow(name: str, size: int, before: int) -> None:
    if size > FILE_MAX:
        raise too_large(name, size, most=FILE_MAX)
    if before + size > TOGETHER_MAX:
        raise causes.refused("cause.too_many", name, most=megabytes(TOGETHER_MAX))
