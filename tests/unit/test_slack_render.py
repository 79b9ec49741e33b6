"""Slack markdown shows what was written, as an independent CommonMark parser reads it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.slack.render import BLOCK_MAX, TEXT_MAX, blocks, markdown, measure, summary
from bot.types import Button, Frame, RichText, Span, SpanKind

_READER = MarkdownIt("commonmark").enable("strikethrough")


def _inline(token: Token) -> str:
    """What an inline run shows; a picture would be shown, and fetched, so it is marked."""
    shown = {"softbreak": "\n", "hardbreak": "\n", "image": "[PICTURE]", "html_inline": "[HTML]"}
    return "".join(shown.get(child.type, child.content) for child in token.children or ())


def seen(source: str) -> list[str]:
    """The lines with anything on them that a reader sees, without indents and list signs."""
    tokens = _READER.parse(source)
    parts = [
        _inline(token) if token.type == "inline" else token.content
        for token in tokens
        if token.type in ("inline", "fence", "code_block", "html_block")
    ]
    return lines("\n".join(parts))


def lines(text: str) -> list[str]:
    """A text's lines, compared without white space at their edges."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def marks(source: str) -> list[str]:
    """The kinds of all inline marks and blocks, in order."""
    found = []
    for token in _READER.parse(source):
        found += [token.type] if token.type != "inline" else []
        found += [child.type for child in token.children or () if child.nesting == 1]
    return found


def rich(text: str, *spans: tuple[int, int, SpanKind] | tuple[int, int, SpanKind, str]) -> RichText:
    return RichText(
        text=text,
        spans=tuple(
            Span(start=s[0], end=s[1], kind=s[2], detail=s[3] if len(s) > 3 else "") for s in spans
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 and a*b*c and **not bold**",
        "snake_case _alone_ __init__",
        "1~3 days, ~~kept~~",
        "`code` and ``more``",
        r"C:\temp\*.txt and \_ and \\",
        "# no heading\n> no quote\n+ no list\n---\n===\n- - -\n***\n___",
        "text\n---\nmore\n===",
        "[1] and [label](https://a.b) and ![pic](https://a.b/c.png)",
        "[a]: https://a.b",
        "List<String> and Map<K, V> and <b>bold</b> <!-- c -->",
        "&lt; &amp; &#60; AT&T a&b;",
        "ends with a backslash\\\nnext",
        "~~~\nno fence\n~~~\n```\nneither\n```",
        "！[x](y) and Wow![x](y)",
        "邮箱 a_b@c.d，加粗**。",
    ],
)
def test_plain_text_stays_plain(text: str) -> None:
    assert seen(markdown(rich(text))) == lines(text)


_CHARACTERS = st.sampled_from(
    [*list('ab 1.。，*_~`#>[]()!<>&;\\|-=+:"中文\n'), "&lt;", "](", "](u)"]
)
_KINDS: tuple[SpanKind, ...] = ("bold", "italic", "strike", "code", "link", "spoiler")


@given(st.lists(_CHARACTERS, max_size=60).map("".join))
def test_any_plain_text_stays_plain(text: str) -> None:
    """List signs and ordered numbers are left to work, so lines that bear one are left out."""
    kept = "\n".join(
        line.strip() for line in text.split("\n") if line.strip()[:1] not in ("-", "1", "")
    )
    assert seen(markdown(rich(kept))) == lines(kept)


@given(st.lists(_CHARACTERS, max_size=40).map("".join), st.integers())
def test_nothing_that_is_rendered_bears_a_token(text: str, seed: int) -> None:
    """Whatever the spans, no `<` leaves: not in code, not in a link's address."""
    chance = random.Random(seed)
    spans = []
    for _ in range(4):
        left, right = sorted(chance.randint(0, len(text)) for _ in range(2))
        kind = chance.choice((*_KINDS, "pre", "quote", "heading"))
        spans.append((left, right, kind, "https://a.b/<!channel>"))
    content = rich(text, *spans)
    assert "<" not in markdown(content)
    assert "<" not in summary(content)


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (rich("hi you", (0, 2, "bold")), "**hi** you"),
        (rich("加粗。后面", (0, 3, "bold")), "**加粗**。后面"),
        (rich("前“加粗”后", (1, 5, "bold")), "前“**加粗**”后"),
        (rich(" a ", (0, 3, "italic")), "\u00a0*a* "),
        (rich("a\nb", (0, 3, "bold")), "**a**  \n**b**"),
        (
            rich("see docs.", (4, 8, "link", "https://a.b/c d(e)")),
            "see [docs](https://a.b/c%20d%28e%29).",
        ),
        (rich("see docs.", (4, 8, "link", "javascript:x")), "see docs."),
        (rich("a b c", (0, 5, "bold"), (2, 3, "code")), "**a `b` c**"),
        (rich("x `y` z", (2, 5, "code")), "x `` `y` `` z"),
        (rich("• a\n  • b"), "• a  \n\u00a0\u00a0• b"),
        (rich("1. a\n2. b"), "1. a  \n2. b"),
        (rich("T\nbody", (0, 1, "heading")), "# T\nbody"),
        (rich("q\nr\nend", (0, 3, "quote")), "> q  \n> r\n\nend"),
        (rich("a\nx<y\nb", (2, 5, "pre", "py")), "a\n```py\nx&lt;y\n```\nb"),
        (rich("```", (0, 3, "pre")), "````\n```\n````"),
        (rich("secret", (0, 6, "spoiler")), "secret"),
    ],
)
def test_marks(content: RichText, source: str) -> None:
    assert markdown(content) == source


@given(
    st.lists(
        st.sampled_from(["ab", "中文", "。", " ", "a.", "（x）", "1"]), min_size=3, max_size=9
    ),
    st.data(),
)
def test_emphasis_is_taken_for_emphasis(words: list[str], data: st.DataObject) -> None:
    """Whatever stands beside it: the reader finds the mark, and no asterisk is left to see."""
    at = data.draw(st.integers(0, len(words) - 1))
    start = sum(map(len, words[:at]))
    content = rich("".join(words), (start, start + len(words[at]), "bold"))
    source = markdown(content)
    assert seen(source) == lines(content.text)
    if any(letter.isalnum() for letter in words[at]) and not words[0].startswith("1"):
        assert "strong_open" in marks(source)


def test_a_picture_cannot_be_made_of_a_link() -> None:
    """`!` before a link would make Slack fetch an address that the model chose."""
    source = markdown(rich("Wow!docs", (4, 8, "link", "https://evil.example/p.png")))
    assert "image" not in {child.type for t in _READER.parse(source) for child in t.children or ()}


@given(st.text(max_size=300))
def test_the_measure_bounds_what_is_sent(text: str) -> None:
    assert len(markdown(rich(text)).encode()) <= measure(text) + 8
    assert measure(text + "x") >= measure(text)


def test_links_give_way_when_they_would_burst_the_block() -> None:
    text = "docs " * 400
    spans = [(n, n + 4, "link", "https://a.b/" + "x" * 200) for n in range(0, len(text), 5)]
    source = markdown(rich(text, *spans))  # type: ignore[arg-type]
    assert len(source) <= BLOCK_MAX
    assert seen(source) == lines(text)


def test_a_whole_part_of_any_text_fits_the_block() -> None:
    for letter in ("中", "a", "<", "*", "&", "😀"):
        text = letter * (TEXT_MAX // measure(letter))
        assert len(markdown(rich(text))) <= BLOCK_MAX


def test_buttons_are_rows_with_ids_of_their_own() -> None:
    button = Button(label="字" * 80, action="stop:1")
    shown = blocks(Frame(content=rich(""), buttons=((button, button), (button,))))
    assert [block["type"] for block in shown] == ["markdown", "actions", "actions"]
    ids = [element["action_id"] for block in shown[1:] for element in block["elements"]]
    assert len(set(ids)) == 3
    assert len(shown[1]["elements"][0]["text"]["text"]) == 75
    assert shown[0]["text"] == "…"


def test_the_summary_is_short_and_escaped() -> None:
    assert summary(rich("a < b & c\n> d")) == "a &lt; b &amp; c &gt; d"
    assert len(summary(rich("x" * 1000))) == 150
