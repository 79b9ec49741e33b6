"""From neutral rich text to Telegram's: text with entities in UTF-16 offsets, and keyboards. Pure.

Never `parse_mode`: an entity that is wrong is at worst dropped, it cannot make a message fail.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from telegram import MessageEntity

from bot.types import ButtonRows, RichText, Span, SpanKind, value

ENTITIES_MAX = 95
"""The Bot API honours 100 entities in a message; some room is left for those it finds itself."""
BEYOND_BMP = 0xFFFF
NO_PREVIEW = {"is_disabled": True}
"""A link in an answer is there to be pressed; its page would push the answer off the screen."""

_TYPES: dict[SpanKind, str] = {
    "pre": MessageEntity.PRE,
    "quote": MessageEntity.BLOCKQUOTE,
    "code": MessageEntity.CODE,
    "link": MessageEntity.TEXT_LINK,
    "heading": MessageEntity.BOLD,
    "bold": MessageEntity.BOLD,
    "spoiler": MessageEntity.SPOILER,
    "italic": MessageEntity.ITALIC,
    "strike": MessageEntity.STRIKETHROUGH,
}
"""What each mark becomes, the most important first: too many lose from the end."""
_RANK = {kind: rank for rank, kind in enumerate(_TYPES)}
_VERBATIM = frozenset({MessageEntity.PRE, MessageEntity.CODE})
_LINK = re.compile(r"(https?|tg)://\S", re.IGNORECASE)
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@value
class Rendered:
    """What goes into one message."""

    text: str
    entities: tuple[MessageEntity, ...] = ()


@value
class _Piece:
    """An entity in the making; offsets in code points of the trimmed text."""

    start: int
    end: int
    type: str
    rank: int
    detail: str = ""


def render(content: RichText, *, entities_max: int = ENTITIES_MAX) -> Rendered:
    """Text as Telegram will keep it, with entities that satisfy the Bot API's nesting rules."""
    whole = _UNSAFE.sub("\ufffd", content.text)
    text = whole.strip()
    shift = len(whole) - len(whole.lstrip())
    if not content.spans:
        return Rendered(text=text)
    pieces = list(_nested(_verbatim_apart(_pieces(content.spans, text, shift)), text))
    kept = sorted(pieces, key=lambda p: (p.rank, p.start))[:entities_max]
    kept.sort(key=lambda p: (p.start, -p.end, p.rank))
    return Rendered(text=text, entities=tuple(_entities(kept, text)))


def plain(text: str) -> Rendered:
    """The same with no marks at all; the last resort when entities were refused."""
    return render(RichText(text=text))


def around(buttons: ButtonRows) -> dict[str, Any]:
    """The parameters beside a text: no link preview, and buttons below the message; no buttons
    also takes old ones away.

    Plain JSON: the library's objects for it would cost as much CPU as sending the call.
    """
    if not buttons:
        return {"link_preview_options": NO_PREVIEW}
    keys = [[{"text": b.label, "callback_data": b.action} for b in row] for row in buttons]
    return {"link_preview_options": NO_PREVIEW, "reply_markup": {"inline_keyboard": keys}}


def _pieces(spans: Iterable[Span], text: str, shift: int) -> list[_Piece]:
    """Spans on the trimmed text; those that Telegram would drop are left out."""
    found = []
    for span in spans:
        if span.kind == "link" and not _LINK.match(span.detail):
            continue
        piece = _Piece(
            start=max(0, span.start - shift),
            end=min(len(text), span.end - shift),
            type=_TYPES[span.kind],
            rank=_RANK[span.kind],
            detail=span.detail,
        )
        if piece.start < piece.end:
            found.append(piece)
    return found


def _verbatim_apart(pieces: list[_Piece]) -> list[_Piece]:
    """Code holds no other entity and lies in none but a quote: cut the others around it."""
    walls: list[_Piece] = []
    for piece in sorted(
        (p for p in pieces if p.type in _VERBATIM), key=lambda p: (p.rank, p.start)
    ):
        walls.extend(_around(piece, walls))
    walls.sort(key=lambda p: p.start)
    kept = list(walls)
    for piece in pieces:
        if piece.type == MessageEntity.BLOCKQUOTE:
            kept.append(piece)
        elif piece.type not in _VERBATIM:
            kept.extend(_around(piece, walls))
    return kept


def _around(piece: _Piece, walls: list[_Piece]) -> Iterator[_Piece]:
    """What is left of a piece when the walls are taken out of it."""
    start = piece.start
    for wall in sorted(walls, key=lambda p: p.start):
        if wall.end <= start or wall.start >= piece.end:
            continue
        if start < wall.start:
            yield _cut(piece, start, wall.start)
        start = wall.end
    if start < piece.end:
        yield _cut(piece, start, piece.end)


def _cut(piece: _Piece, start: int, end: int) -> _Piece:
    return _Piece(start=start, end=end, type=piece.type, rank=piece.rank, detail=piece.detail)


def _nested(pieces: list[_Piece], text: str) -> Iterator[_Piece]:
    """Pieces that contain one another or are apart: an overlapping one is split at the border."""
    order = itertools.count()
    heap = [(p.start, -p.end, p.rank, next(order), p) for p in pieces]
    heapq.heapify(heap)
    open_: list[_Piece] = []
    while heap:
        piece = heapq.heappop(heap)[-1]
        while open_ and open_[-1].end <= piece.start:
            open_.pop()
        if open_ and piece.end > open_[-1].end:
            rest = _cut(piece, open_[-1].end, piece.end)
            heapq.heappush(heap, (rest.start, -rest.end, rest.rank, next(order), rest))
            piece = _cut(piece, piece.start, open_[-1].end)
        if any(outer.type == piece.type or outer.type in _VERBATIM for outer in open_):
            continue
        trimmed = _trimmed(piece, text)
        if trimmed.start < trimmed.end:
            open_.append(trimmed)
            yield trimmed


def _trimmed(piece: _Piece, text: str) -> _Piece:
    """Without white space at either end, which the server would cut off; not inside `pre`."""
    start, end = piece.start, piece.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return _cut(piece, start, end)


def _entities(pieces: list[_Piece], text: str) -> Iterator[MessageEntity]:
    at = _offsets(text)
    for piece in pieces:
        start, end = (at[piece.start], at[piece.end]) if at else (piece.start, piece.end)
        yield MessageEntity(
            type=piece.type,
            offset=start,
            length=end - start,
            url=piece.detail if piece.type == MessageEntity.TEXT_LINK else None,
            language=(piece.detail or None) if piece.type == MessageEntity.PRE else None,
        )


def _offsets(text: str) -> list[int] | None:
    """The UTF-16 offset of each code point and of the end; None where they are the indexes."""
    if text.isascii() or max(text) <= chr(BEYOND_BMP):
        return None
    widths = (2 if ord(char) > BEYOND_BMP else 1 for char in text)
    return [0, *itertools.accumulate(widths)]
