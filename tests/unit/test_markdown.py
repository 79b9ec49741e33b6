"""What Markdown becomes, by example, with the cases where other renderers lose text."""

from __future__ import annotations

import pytest

from bot.text.markdown import Markdown, closed, render
from bot.types import RichText


def marks(rich: RichText) -> list[tuple[str, str, str]]:
    """(kind, marked text, detail) of each span."""
    return [(s.kind, rich.text[s.start : s.end], s.detail) for s in rich.spans]


@pytest.mark.parametrize(
    ("source", "text", "bold"),
    [
        ("**加粗。**后面", "加粗。后面", "加粗。"),
        ("前面**（重点）**后面", "前面（重点）后面", "（重点）"),
        ("请看**“说明”**。", "请看“说明”。", "“说明”"),
        ("**注意！**English next", "注意！English next", "注意！"),
        ("在**2026年**发布", "在2026年发布", "2026年"),
        ("- **标题：**内容", "• 标题：内容", "标题："),
        ("まず**「設定」**を開く", "まず「設定」を開く", "「設定」"),
    ],
)
def test_bold_beside_cjk_punctuation(source: str, text: str, bold: str) -> None:
    """CommonMark wants spaces there; CJK text has none."""
    rich = render(source)
    assert rich.text == text
    assert marks(rich) == [("bold", bold, "")]


@pytest.mark.parametrize(
    "source",
    [
        "List<String> x = a < b && c > d;",
        "use <b>not a tag</b> here",
        "<div class='x'>kept</div>",
        "&lt; &amp; &nbsp; stay",
        "snake_case_name and __init__ 2 * 3 * 4",
        "C:\\Users\\me",
        "a ~ b ~ c, 5 > 3",
        "price: $5_000",
        "1) no ** bold ** here",
    ],
)
def test_what_is_no_markup_stays(source: str) -> None:
    """Nothing is swallowed as HTML, and lone signs are text."""
    rendered = render(source)
    expected = source.replace("__init__", "init") if "__init__" in source else source
    assert rendered.text == expected


def test_blocks_are_a_blank_line_apart() -> None:
    """Headings are marked, rules are drawn."""
    rich = render("# Title\ntext\n***\nmore")
    assert rich.text == "Title\n\ntext\n\n———\n\nmore"
    assert marks(rich) == [("heading", "Title", "")]


def test_lists_nest_and_count() -> None:
    """Bullets, numbers with their start, deeper lists further in, tasks as written."""
    source = "- a\n  - b\n- [ ] c\n\n3. x\n4. y\n   more"
    assert render(source).text == "• a\n  • b\n• [ ] c\n\n3. x\n4. y\nmore"


def test_loose_and_tight_lists_look_alike() -> None:
    """A blank line that comes later must not move what stands."""
    assert render("- a\n\n- b").text == render("- a\n- b").text


def test_code_keeps_everything() -> None:
    """The language is a detail of the span; markers inside are text, also within a list."""
    rich = render("```py title\na **b** `c`\n\n    d\n```\n\n- x\n  ```\n  y\n  ```")
    assert rich.text == "a **b** `c`\n\n    d\n\n• x\ny"
    assert marks(rich) == [("pre", "a **b** `c`\n\n    d", "py"), ("pre", "y", "")]


def test_links_and_images() -> None:
    """What cannot be clicked says where it leads; scripts never become links."""
    rich = render(
        "[a](https://x.y/z) [b](/rel) ![pic](https://i.j) <https://k.l> [bad](javascript:x)"
    )
    assert rich.text == "a b (/rel) pic https://k.l [bad](javascript:x)"
    assert marks(rich) == [
        ("link", "a", "https://x.y/z"),
        ("link", "pic", "https://i.j"),
        ("link", "https://k.l", "https://k.l"),
    ]


def test_citations_are_text() -> None:
    """[1] names a source and is no link."""
    assert render("See [1] and [2].") == RichText(text="See [1] and [2].")


def test_tables_line_up_by_what_is_seen() -> None:
    """A Chinese character is two columns wide."""
    rich = render("| 名称 | n |\n|:--|--:|\n| 手机壳 | 12 |\n| x | 3 |")
    assert rich.text == "名称   |  n\n-------+---\n手机壳 | 12\nx      |  3"
    assert marks(rich) == [("pre", rich.text, "")]


def test_quotes_hold_paragraphs() -> None:
    """One mark over all of it."""
    assert marks(render("> a\n> b\n\nc")) == [("quote", "a\nb", "")]


def test_nested_emphasis() -> None:
    """Spans lie inside one another."""
    assert marks(render("***both*** **a *b* c** ~~no~~")) == [
        ("bold", "both", ""),
        ("italic", "both", ""),
        ("bold", "a b c", ""),
        ("italic", "b", ""),
        ("strike", "no", ""),
    ]


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("**加粗", "加粗", ["bold"]),
        ("a **b *c", "a b c", ["bold", "italic"]),
        ("a `co", "a co", ["code"]),
        ("a ~~b", "a b", ["strike"]),
        ("a **", "a", []),
        ("a **b*", "a b", ["bold"]),
        ("see [the doc", "see", []),
        ("see [the doc](https://x", "see", []),
        ("x\n```py", "x", []),
        ("x\n```py\nco", "x\n\nco", ["pre"]),
        ("x\n```py\nco\n``", "x\n\nco", ["pre"]),
        ("x\n\n| a | b |\n|--", "x", []),
        ("x\n- ", "x", []),
        ("x\n\n#", "x", []),
        ("x\n\n1.", "x", []),
        ("**", "", []),
    ],
)
def test_open_ends_are_healed_in_frames(source: str, text: str, kinds: list[str]) -> None:
    """A frame shows no half markers; what they begin is marked already."""
    rich = render(source, final=False)
    assert (rich.text.strip(), [s.kind for s in rich.spans]) == (text, kinds)


def test_a_settled_text_is_taken_at_its_word() -> None:
    """A marker that nothing closed is text in the end."""
    assert render("a **b").text == "a **b"


@pytest.mark.parametrize(
    "source",
    ["```py\nx = 1", "a\n~~~\nb", "- x\n  ```\n  y", "> ```\n> q", "````\n```\nx"],
)
def test_a_closed_fence_lets_text_follow(source: str) -> None:
    """A mark after a cut answer must not stand inside its code."""
    rich = render(closed(source) + "\n\nthe end")
    (pre,) = (s for s in rich.spans if s.kind == "pre")
    assert rich.text.endswith("the end")
    assert pre.end < len(rich.text) - len("the end")


def test_what_has_no_open_fence_is_left_alone() -> None:
    """Closed or none."""
    assert [closed(t) for t in ("a", "```\nx\n```")] == ["a", "```\nx\n```"]


def test_another_text_starts_anew() -> None:
    """After Replace nothing of the first text is left in the cache."""
    markdown = Markdown()
    first = "one **two**\n\n" * 40
    markdown(first, final=False)
    assert markdown("three", final=True) == RichText(text="three")


def test_windows_line_ends() -> None:
    """CRLF is a line end."""
    assert render("a\r\n\r\nb").text == "a\n\nb"
