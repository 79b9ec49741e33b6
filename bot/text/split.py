"""Cutting a rich text into messages at safe places, under any measure of length.

The rule of the seam: the whitespace around a cut is dropped, except the indentation of a line of
code, which is kept; nothing else is dropped and nothing is added. A text whose stripped form
fits is one part. A cut is decided by nothing that lies beyond the first visible character after
the limit, so of a growing text all parts but the last stand for good.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from bot.text.width import blank, grapheme_boundary, graphemes
from bot.types import RichText, Span, SpanKind

_CJK = (
    r"\u2e80-\u2fff\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\U00020000-\U0003ffff"
)
_CLOSERS = r"。！？…，、；：」』”’）】》〉〕,.;:!?)\]}%～"
_OPENERS = r"「『“‘（【《〈〔(\[{#@$"

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_ITEM = re.compile(r"\n(?=[^\S\n]*(?:[-*+•◦▪]|\d{1,3}[.)、])\s)")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[。！？…]+[」』”’）)\]】]*|(?<![.!?])[.!?]++[\"')\]”’]*+(?=\s)")
_WORD = re.compile(rf"(?=\s)|(?<=[{_CJK}])(?![{_CLOSERS}])|(?<![{_OPENERS}])(?=[{_CJK}])")
_ORDER = (_PARAGRAPH, _ITEM, _LINE, _SENTENCE, _WORD)
_SPACE = re.compile(r"\s*")

_FIRM: frozenset[SpanKind] = frozenset(("link", "code", "bold", "italic", "strike", "spoiler"))
"""Spans that are not cut while there is another place."""

_WORTH: dict[SpanKind, int] = {
    "pre": 0,
    "code": 1,
    "quote": 2,
    "heading": 3,
    "link": 4,
    "spoiler": 4,
    "bold": 5,
    "strike": 6,
    "italic": 7,
}
"""Which spans go first when a message may not carry them all: the highest number."""


def cut(rich: RichText, start: int, end: int) -> RichText:
    """The part between two positions; a span across an edge becomes the piece inside."""
    spans = tuple(
        replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)
        for span in rich.spans
        if span.start < end and span.end > start
    )
    return RichText(text=rich.text[start:end], spans=spans)


def thin(rich: RichText, spans_max: int) -> RichText:
    """The same text with at most so many spans; those a reader misses least are dropped."""
    if len(rich.spans) <= spans_max:
        return rich
    ranked = sorted(range(len(rich.spans)), key=lambda i: (_WORTH[rich.spans[i].kind], i))
    kept = sorted(ranked[:spans_max])
    return replace(rich, spans=tuple(rich.spans[i] for i in kept))


def split(rich: RichText, limit: int, measure: Callable[[str], int] = len) -> list[RichText]:
    """The parts, each with measure <= limit, none blank; [] for a blank text."""
    return Splitter(limit, measure)(rich)


class Splitter:
    """`split` for a text that grows: a cut once found is found again without a search.

    `limit` must hold any one code point; a measure counts at least 1 for each.
    """

    def __init__(self, limit: int, measure: Callable[[str], int] = len) -> None:
        self._limit = limit
        self._measure = measure
        self._known: dict[int, tuple[RichText, int, int]] = {}

    def __call__(self, rich: RichText) -> list[RichText]:
        """The parts of this text."""
        return [
            cut(rich, start, end)
            for start, end in self._seams(rich)
            if not blank(rich.text[start:end])
        ]

    def _seams(self, rich: RichText) -> Iterator[tuple[int, int]]:
        """Where each part begins and ends."""
        start = _skip(rich, 0)
        while start < (whole := _visible_end(rich.text, start, len(rich.text))):
            if self._measure(rich.text[start:whole]) <= self._limit:
                yield start, whole
                return
            end = self._end(rich, start, self._window(rich.text, start))
            if (visible := _visible_end(rich.text, start, end)) > start:
                yield start, visible
            start = _skip(rich, end)

    def _window(self, text: str, start: int) -> int:
        """The furthest end whose part still fits; at least one code point."""
        low, high = start + 1, min(len(text), start + self._limit)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self._measure(text[start:middle]) <= self._limit
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def _end(self, rich: RichText, start: int, window: int) -> int:
        """The place of the cut, remembered with all that it was decided by."""
        beyond = min(len(rich.text), _run_end(rich.text, window) + 1)
        view = cut(rich, start, beyond)
        known = self._known.get(start)
        if known is None or known[:2] != (view, window):
            known = view, window, start + _place(view, window - start)
            self._known[start] = known
        return known[2]


def _run_end(text: str, position: int) -> int:
    """The end of the whitespace that begins here."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _visible_end(text: str, start: int, end: int) -> int:
    """`end` without the whitespace before it."""
    return start + len(text[start:end].rstrip())


def _skip(rich: RichText, position: int) -> int:
    """Where the next part begins: after whitespace, but at the indentation of a line of code."""
    after = _run_end(rich.text, position)
    if any(span.kind == "pre" and span.start <= after < span.end for span in rich.spans):
        opening = max(
            span.start
            for span in rich.spans
            if span.kind == "pre" and span.start <= after < span.end
        )
        line = rich.text.rfind("\n", position, after) + 1
        return max(position, line, min(opening, after))
    return after


def _place(view: RichText, high: int) -> int:
    """The best cut in (0, high]. `view` shows one visible character beyond."""
    allowed = _Allowed(view, high)
    for pattern in _ORDER:
        for position in _candidates(pattern, view.text, high, high // 2):
            if allowed(position, pattern):
                return position
    if opening := allowed.before_code(high // 4):
        return opening
    for pattern in (_LINE, _SENTENCE, _WORD):
        for position in _candidates(pattern, view.text, high, 0):
            if allowed(position, pattern):
                return position
    return _grapheme(view, high, allowed)


def _grapheme(view: RichText, high: int, allowed: _Allowed) -> int:
    """A cut where no good one is: at a character, outside links if it can be."""
    ends = itertools.accumulate(len(cluster) for cluster in graphemes(view.text))
    places = list(itertools.takewhile(lambda end: end <= high, ends))[::-1]
    return next((p for p in places if allowed(p, None)), places[0] if places else high)


def _candidates(pattern: re.Pattern[str], text: str, high: int, low: int) -> list[int]:
    """Places of one kind in (low, high], the last first."""
    after = pattern is _SENTENCE
    # A list marker must lie inside the limit whole: more is not known of a text that grows.
    seen = text[:high] if pattern is _ITEM else text
    found = (m.end() if after else m.start() for m in pattern.finditer(seen))
    return [position for position in found if low < position <= high][::-1]


class _Allowed:
    """Which places the spans of a text leave for a cut."""

    def __init__(self, view: RichText, high: int) -> None:
        self._text = view.text
        self._pre = [span for span in view.spans if span.kind == "pre"]
        self._firm = [span for span in view.spans if span.kind in _FIRM]
        self._high = high

    def __call__(self, position: int, pattern: re.Pattern[str] | None) -> bool:
        """May the text be cut here? Inside code only between lines; `None` is the last resort."""
        if not self._text[:position].strip():
            return False
        if any(_inside(position, span) for span in self._firm if pattern or span.kind == "link"):
            return False
        if pattern is not None and pattern is not _LINE and self._in_code(position):
            return False
        if pattern is _LINE and (opening := self.before_code(self._high // 4)):
            return not opening < position
        return pattern is None or grapheme_boundary(self._text, position)

    def before_code(self, low: int) -> int:
        """The start of the code block that the limit would cut, if it is beyond `low`; else 0."""
        for span in self._pre:
            straddles = low < span.start < self._high < span.end
            if straddles and self._text[: span.start].strip():
                return span.start if grapheme_boundary(self._text, span.start) else 0
        return 0

    def _in_code(self, position: int) -> bool:
        return any(_inside(position, span) for span in self._pre)


def _inside(position: int, span: Span) -> bool:
    """A cut here would break the span in two."""
    return span.start < position < span.end
