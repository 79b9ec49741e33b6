"""What must not reach a terminal, and how marks are painted there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.console.clean import clean, clean_rich
from adapters.console.screen import paint
from bot.types import RichText, Span


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x1b]52;c;ZWNobw==\x07b", "ab"),
        ("a\x9b2Jb\x9d0;t\x9cc", "abc"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("a\x1bcb", "ab"),
        ("a\rb\x08c\x7f", "abc"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("safe \u202eevil\u202c", "safe evil"),
        ("中文 😀 e\u0301", "中文 😀 e\u0301"),
        ("cut \x1b[3", "cut "),
    ],
)
def test_sequences_and_controls_are_taken_out(text: str, left: str) -> None:
    assert clean(text) == left


@given(st.text(alphabet=st.sampled_from("\x1b\x9b\x9d[]0;1mJ\x07\\P\r\n\tabc\x00\u202e")))
def test_no_text_can_command_a_terminal(text: str) -> None:
    left = clean(text)
    assert not any(ord(one) < 32 and one not in "\n\t" for one in left)
    assert not any(0x7F <= ord(one) < 0xA0 for one in left)
    assert clean(left) == left


def test_marks_of_a_cleaned_text_are_dropped_rather_than_slipped() -> None:
    marks = (Span(start=0, end=4, kind="bold"),)
    assert clean_rich(RichText(text="\x1b[1mbold", spans=marks)) == RichText(text="bold")
    assert clean_rich(RichText(text="bold", spans=marks)).spans == marks


def test_marks_are_painted_and_only_web_links_become_links() -> None:
    spans = (
        Span(start=0, end=1, kind="bold"),
        Span(start=1, end=2, kind="link", detail="https://x.example/\x1b]8;;evil\x07"),
        Span(start=2, end=3, kind="link", detail="file:///etc/passwd"),
    )
    painted = paint(RichText(text="abc", spans=spans))
    assert [str(span.style) for span in painted.spans] == [
        "bold",
        "underline link https://x.example/",
        "underline",
    ]
