"""Where a text is cut, by example; the laws are in tests/property/test_split.py."""

from __future__ import annotations

from bot.text.split import cut, split, thin
from bot.text.width import utf8_len, utf16_len
from bot.types import RichText, Span, SpanKind


def plain(text: str, limit: int) -> list[str]:
    return [part.text for part in split(RichText(text=text), limit)]


def test_a_text_that_fits_is_one_part() -> None:
    """Trailing white space does not count."""
    assert plain("abc \n\n", 3) == ["abc"]


def test_nothing_is_no_part() -> None:
    """Blank text has nothing to show."""
    assert plain(" \n ", 10) == []


def test_paragraphs_before_lines_before_sentences() -> None:
    """The coarsest border in the second half of the room wins."""
    assert plain("one two.\n\nthree four\nfive six", 20) == ["one two.\n\nthree four", "five six"]
    assert plain("one two three\n\nfour five six", 20) == ["one two three", "four five six"]
    assert plain("one two three. four five six", 20) == ["one two three.", "four five six"]
    assert plain("one two three four five six", 20) == ["one two three four", "five six"]


def test_a_list_item_before_a_mere_line() -> None:
    """An item stays whole where it can."""
    assert plain("• aaaa aaaa\n• bbb\n  bbb bbb bbb", 21) == ["• aaaa aaaa", "• bbb\n  bbb bbb bbb"]


def test_chinese_sentences_and_their_quotes() -> None:
    """The closing quote stays with its sentence."""
    assert plain("他说：“一二三四五。”然后走了很远很远", 12) == [
        "他说：“一二三四五。”",
        "然后走了很远很远",
    ]


def test_chinese_without_any_stop_is_cut_between_characters() -> None:
    """But no line begins with closing punctuation."""
    assert plain("一二三四五六七八，九十", 8) == ["一二三四五六七", "八，九十"]


def test_a_joined_emoji_stays_whole() -> None:
    """It goes to the next part rather than being broken."""
    family = "👨\u200d👩\u200d👧\u200d👦"
    assert [p.text for p in split(RichText(text="a" * 8 + family), 11, utf16_len)] == [
        "a" * 8,
        family,
    ]


def test_bytes_as_measure() -> None:
    """Three bytes for each of these."""
    assert [p.text for p in split(RichText(text="中" * 5), 9, utf8_len)] == ["中" * 3, "中" * 2]


def test_a_link_is_not_cut() -> None:
    """The whole label moves to the next part."""
    rich = RichText(
        text="one two three four five",
        spans=(Span(start=8, end=18, kind="link", detail="https://x"),),
    )
    assert [(p.text, [(s.start, s.end) for s in p.spans]) for p in split(rich, 15)] == [
        ("one two", []),
        ("three four five", [(0, 10)]),
    ]


def test_code_goes_to_the_next_part_where_it_fits() -> None:
    """A block that would be cut begins a new message when that wastes little."""
    text = "intro text\n\nx = 1\ny = 2\nz = 3"
    rich = RichText(text=text, spans=(Span(start=12, end=29, kind="pre", detail="py"),))
    parts = split(rich, 20)
    assert [p.text for p in parts] == ["intro text", "x = 1\ny = 2\nz = 3"]
    assert parts[1].spans == (Span(start=0, end=17, kind="pre", detail="py"),)


def test_long_code_is_cut_between_lines_and_goes_on_in_its_language() -> None:
    """Two `pre` spans of one language; the indentation of a line is kept."""
    text = "\n".join(f"    line {i}" for i in range(6))
    rich = RichText(text=text, spans=(Span(start=0, end=len(text), kind="pre", detail="py"),))
    parts = split(rich, 30)
    assert all(p.spans == (Span(start=0, end=len(p.text), kind="pre", detail="py"),) for p in parts)
    assert "\n".join(p.text for p in parts) == text


def test_cut_clips_spans() -> None:
    """A span across the edge becomes the piece inside."""
    rich = RichText(text="abcdef", spans=(Span(start=1, end=5, kind="bold"),))
    assert cut(rich, 2, 4) == RichText(text="cd", spans=(Span(start=0, end=2, kind="bold"),))


def test_thin_keeps_what_readers_miss_most() -> None:
    """Code before links before italics; order in the text is kept."""
    kinds: list[SpanKind] = ["italic", "pre", "link", "bold"]
    spans = tuple(Span(start=i, end=i + 1, kind=kind) for i, kind in enumerate(kinds))
    kept = thin(RichText(text="abcd", spans=spans), 2)
    assert [span.kind for span in kept.spans] == ["pre", "link"]
