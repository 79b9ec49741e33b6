"""The laws of cutting, for any text, spans and limit. The judge knows only the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bot.text.split import Splitter, split
from bot.text.width import grapheme_boundary, utf8_len, utf16_len
from bot.types import RichText, Span, SpanKind

TOKENS = st.sampled_from(
    [
        "word",
        " ",
        "\n",
        "\n\n",
        "中",
        "文。",
        "！",
        "- ",
        "1. ",
        "    ",
        "👨\u200d👩\u200d👧",
        "🇨🇳",
        "e\u0301",
        "end. ",
        "”",
        "\u200b",
        "x" * 30,
    ]
)
TEXTS = st.lists(TOKENS, max_size=120).map("".join)
MEASURES = st.sampled_from([len, utf16_len, utf8_len])
KINDS: list[SpanKind] = ["bold", "link", "pre", "code", "italic"]
LIMITS = st.integers(48, 160)
"""Room for the longest grapheme of these texts."""


@st.composite
def riches(draw: st.DrawFn) -> RichText:
    text = draw(TEXTS)
    spans = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        if start < end:
            spans.append(Span(start=start, end=end, kind=draw(st.sampled_from(KINDS)), detail="d"))
    return RichText(text=text, spans=tuple(sorted(spans, key=lambda s: (s.start, -s.end))))


def unseen(text: str) -> bool:
    """Nothing that a reader would miss: white space, control and zero-width characters."""
    return all(unicodedata.category(char)[0] in "ZC" for char in text)


def places(text: str, parts: list[str]) -> list[tuple[int, int]]:
    """Where each part stands in the text; fails unless only white space is missing between."""
    found, at = [], 0
    for part in parts:
        start = text.index(part, at)
        assert unseen(text[at:start])
        found.append((start, at := start + len(part)))
    assert unseen(text[at:])
    return found


@given(riches(), LIMITS, MEASURES)
def test_parts_fit_and_join_to_the_text(
    rich: RichText, limit: int, measure: Callable[[str], int]
) -> None:
    """No part is too long or blank, and nothing but white space at seams is lost."""
    parts = split(rich, limit, measure)
    assert all(measure(part.text) <= limit and part.text.strip() for part in parts)
    places(rich.text, [part.text for part in parts])


@given(riches(), LIMITS, MEASURES)
def test_no_seam_inside_a_grapheme(
    rich: RichText, limit: int, measure: Callable[[str], int]
) -> None:
    """A joined emoji, a flag, an accent are never broken."""
    for start, end in places(rich.text, [p.text for p in split(rich, limit, measure)]):
        assert grapheme_boundary(rich.text, start)
        assert grapheme_boundary(rich.text, end)


@given(riches(), LIMITS)
def test_spans_mark_the_same_characters(rich: RichText, limit: int) -> None:
    """Every visible character keeps its marks, and gets no other."""
    marked = [
        frozenset(s.kind for s in rich.spans if s.start <= i < s.end) for i in range(len(rich.text))
    ]
    parts = split(rich, limit)
    for part, (start, _) in zip(parts, places(rich.text, [p.text for p in parts]), strict=True):
        assert all(0 <= s.start < s.end <= len(part.text) for s in part.spans)
        for i, char in enumerate(part.text):
            if not char.isspace():
                assert (
                    frozenset(s.kind for s in part.spans if s.start <= i < s.end)
                    == marked[start + i]
                )


@given(TEXTS, LIMITS, MEASURES, st.data())
def test_full_parts_of_a_prefix_stand_for_good(
    text: str, limit: int, measure: Callable[[str], int], data: st.DataObject
) -> None:
    """All but the last part of any prefix are parts of the whole: what was frozen stays."""
    prefix = text[: data.draw(st.integers(0, len(text)))]
    early = split(RichText(text=prefix), limit, measure)[:-1]
    assert split(RichText(text=text), limit, measure)[: len(early)] == early


@given(TEXTS, LIMITS, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_growing_text_is_cut_as_a_whole_one(text: str, limit: int, rhythm: list[int]) -> None:
    """The memory of earlier cuts changes nothing."""
    splitter, at, turn = Splitter(limit), 0, 0
    while at < len(text):
        at, turn = at + rhythm[turn % len(rhythm)], turn + 1
        assert splitter(RichText(text=text[:at])) == split(RichText(text=text[:at]), limit)


@given(st.text(max_size=60), st.integers(4, 12))
def test_any_text_at_all_under_a_tiny_limit(text: str, limit: int) -> None:
    """Even a grapheme longer than the limit is cut, between code points."""
    parts = [p.text for p in split(RichText(text=text), limit, utf8_len)]
    assert all(utf8_len(part) <= limit and part.strip() for part in parts)
    places(text, parts)
