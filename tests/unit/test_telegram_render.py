"""Marks become entities that the Bot API accepts, whatever marks come; an own checker judges."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.render import ENTITIES_MAX, around, render
from bot.types import Button, RichText, Span, SpanKind
from tests.fakes.telegram.entities import entity_faults

TEXTS = st.text(alphabet="ab 😀\n字 👨\u200d", max_size=40)
KINDS = st.sampled_from(get_args(SpanKind))


@st.composite
def rich(draw: st.DrawFn) -> RichText:
    text = draw(TEXTS)
    at = st.integers(0, len(text))
    spans = []
    for _ in range(draw(st.integers(0, 12))):
        start, end = sorted((draw(at), draw(at)))
        kind = draw(KINDS)
        detail = draw(st.sampled_from(["", "https://a.b/c", "javascript:x", "py"]))
        spans.append(Span(start=start, end=end, kind=kind, detail=detail))
    return RichText(text=text, spans=tuple(spans))


@given(rich())
def test_every_rendering_satisfies_the_rules_of_the_bot_api(content: RichText) -> None:
    """Boundaries, nesting, white space, links: no fault, and the words are untouched."""
    shown = render(content)
    assert entity_faults(shown.text, [entity.to_dict() for entity in shown.entities]) == []
    assert shown.text == content.text.strip()


def marks(text: str, *spans: Span) -> list[tuple[str, int, int]]:
    shown = render(RichText(text=text, spans=spans))
    return [(str(e.type), e.offset, e.length) for e in shown.entities]


def test_offsets_are_utf16_units_of_the_trimmed_text() -> None:
    """White space in front is cut by the server, so it is cut before counting."""
    assert marks("  😀 ab ", Span(start=4, end=6, kind="bold")) == [("bold", 3, 2)]


def test_bold_is_cut_around_code() -> None:
    """Code may hold or be in nothing but a quote."""
    spans = (Span(start=0, end=8, kind="bold"), Span(start=2, end=6, kind="code"))
    assert marks("a code b", *spans) == [("bold", 0, 1), ("code", 2, 4), ("bold", 7, 1)]


def test_overlapping_marks_are_split_at_the_border() -> None:
    """Both keep everything they marked."""
    spans = (Span(start=0, end=4, kind="bold"), Span(start=2, end=6, kind="italic"))
    assert marks("abcdef", *spans) == [("bold", 0, 4), ("italic", 2, 2), ("italic", 4, 2)]


def test_too_many_marks_lose_the_least_important() -> None:
    """Code blocks stay, italics go first."""
    spans = [Span(start=i, end=i + 1, kind="italic") for i in range(150)]
    spans.append(Span(start=200, end=203, kind="pre", detail="python"))
    shown = render(RichText(text="x" * 300, spans=tuple(spans)))
    assert len(shown.entities) == ENTITIES_MAX
    assert shown.entities[-1].language == "python"


def test_broken_characters_do_not_break_the_call() -> None:
    """Half a surrogate pair or a NUL cannot be encoded; a sign stands for it."""
    assert render(RichText(text="a\ud83d\x00b")).text == "a\ufffd\ufffdb"


def test_buttons_keep_their_rows() -> None:
    """No buttons: no keyboard, which also takes an old one away."""
    one = Button(label="Stop", action="stop:1")
    key = {"text": "Stop", "callback_data": "stop:1"}
    made = around(((one,), (one, one)))
    assert made["reply_markup"] == {"inline_keyboard": [[key], [key, key]]}
    assert "reply_markup" not in around(())
