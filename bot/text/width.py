"""How long a text is, in the several units that platforms and screens count in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import regex

_GRAPHEME = regex.compile(r"\X")
_WIDE = frozenset("WF")
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks without ink: fillers of Hangul and Khmer, the empty braille cell."""
_UNSEEN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf"))
_INVISIBLE = frozenset(("Mn", "Me", "Cf"))


def utf16_len(text: str) -> int:
    """Length in UTF-16 code units, which Telegram counts in; a lone surrogate counts one."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_len(text: str) -> int:
    """Length in UTF-8 bytes, which Slack's limits are about."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_offsets(text: str, *positions: int) -> tuple[int, ...]:
    """Where these code point positions lie in UTF-16 units. Positions must not descend."""
    offsets, units, done = [], 0, 0
    for position in positions:
        units += utf16_len(text[done:position])
        done = position
        offsets.append(units)
    return tuple(offsets)


def utf16_slice(text: str, start: int, end: int) -> str:
    """What lies between two UTF-16 offsets; an offset inside a surrogate pair moves before it."""
    return text[_point(text, start) : _point(text, end)]


def _point(text: str, units: int) -> int:
    """The code point position at, or just before, this many UTF-16 units."""
    low, high = 0, min(len(text), units)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if utf16_len(text[:middle]) <= units else (low, middle - 1)
    return low


def graphemes(text: str) -> Iterator[str]:
    """What a reader takes for single characters (extended grapheme clusters), in order."""
    for match in _GRAPHEME.finditer(text):
        yield match.group()


def grapheme_boundary(text: str, position: int) -> bool:
    """The text can be cut here without breaking what a reader takes for one character."""
    if position <= 0 or position >= len(text):
        return True
    if text[position - 1] == "\n" or (text[position - 1].isascii() and text[position].isascii()):
        return text[position - 1 : position + 1] != "\r\n"
    start = text.rfind("\n", 0, position) + 1
    return any(match.end() == position for match in _GRAPHEME.finditer(text, start))


def blank(text: str) -> bool:
    """Nothing of it can be seen: white space, zero-width and control characters, blank letters.

    Platforms call a message of such characters empty and refuse it.
    """
    return all(c in _BLANK or unicodedata.category(c) in _UNSEEN for c in text)


def display_width(text: str) -> int:
    """Columns in a fixed-width font: East Asian wide and emoji clusters take two."""
    if text.isascii():
        return len(text)
    return sum(_columns(cluster) for cluster in graphemes(text))


def _columns(cluster: str) -> int:
    """Columns of one grapheme cluster."""
    if cluster[0] in "\n\r" or unicodedata.category(cluster[0]) in _INVISIBLE:
        return 0
    wide = unicodedata.east_asian_width(cluster[0]) in _WIDE or "\ufe0f" in cluster
    return 2 if wide else 1
