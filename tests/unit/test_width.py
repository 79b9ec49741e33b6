"""Lengths in the units that platforms and screens count in."""

from __future__ import annotations

import pytest

from bot.text.width import (
    display_width,
    grapheme_boundary,
    graphemes,
    utf8_len,
    utf16_len,
    utf16_offsets,
    utf16_slice,
)

FAMILY = "👨\u200d👩\u200d👧\u200d👦"


def test_utf16_counts_code_units() -> None:
    """The Bot API's own examples: an emoji is two units, a joined family eleven."""
    assert [utf16_len(t) for t in ("", "a", "中", "👍", FAMILY)] == [0, 1, 1, 2, 11]


def test_utf8_counts_bytes() -> None:
    """Slack's limits are about bytes: Chinese takes three each."""
    assert [utf8_len(t) for t in ("a", "é", "中", "👍")] == [1, 2, 3, 4]


def test_lone_surrogates_have_a_length() -> None:
    """Broken text from outside is measured, not refused."""
    assert (utf16_len("\ud83d"), utf8_len("\ud83d")) == (1, 3)


def test_offsets_follow_code_points() -> None:
    """Positions in code points become offsets in units."""
    assert utf16_offsets("a👍b中", 0, 1, 2, 4) == (0, 1, 3, 5)


@pytest.mark.parametrize("end", [2, 3])
def test_a_slice_never_holds_half_a_pair(end: int) -> None:
    """An offset inside a surrogate pair moves before it."""
    assert utf16_slice("a👍b", 0, end) == ("a" if end == 2 else "a👍")


def test_graphemes_are_what_a_reader_counts() -> None:
    """A family, a flag and a skin tone are one character each."""
    assert list(graphemes(f"a{FAMILY}🇨🇳👍🏽e\u0301")) == ["a", FAMILY, "🇨🇳", "👍🏽", "e\u0301"]


def test_a_boundary_is_where_graphemes_end() -> None:
    """Checked at every position against the clusters themselves."""
    text = f"x\n a{FAMILY}🇨🇳🇩🇪e\u0301中\r\nz"
    ends, at = {0}, 0
    for cluster in graphemes(text):
        at += len(cluster)
        ends.add(at)
    assert {p for p in range(len(text) + 1) if grapheme_boundary(text, p)} == ends


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("中文", 4),
        ("ａ", 2),
        ("👍", 2),
        (FAMILY, 2),
        ("e\u0301", 1),
        ("\u200b", 0),
        ("❤️", 2),
    ],
)
def test_columns_in_a_fixed_width_font(text: str, columns: int) -> None:
    """Wide characters and emoji take two columns, marks none."""
    assert display_width(text) == columns
