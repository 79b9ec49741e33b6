"""The sample shop as it is after its import, which takes ten times as long as a copy of it."""

from __future__ import annotations

from pathlib import Path

import bot
from bot.clock import SystemClock
from bot.knowledge.base import KnowledgeBase
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase

SHOP = Path(bot.__file__).parent / "samples" / "shop"

_imported: list[InlineDatabase] = []
_images: list[bytes] = []


async def shop_database() -> InlineDatabase:
    """A database of the caller's own with the shop in it."""
    if not _imported:
        database = InlineDatabase.open()
        await KnowledgeBase(PassageStore(database), SystemClock()).import_folder(SHOP)
        _imported.append(database)
    return _imported[0].copied()


async def shop_image() -> bytes:
    """What a file with the shop in it holds; an import there finds nothing to change."""
    if not _images:
        _images.append((await shop_database()).image())
    return _images[0]
