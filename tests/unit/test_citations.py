"""Citations are checked while an answer streams."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.citations import CitationFilter, footer
from bot.types import Citation

OFFERED = (Citation(number=1, source="returns.md", title="Returns"), Citation(number=2, source="b"))


def whole(text: str) -> tuple[str, list[int]]:
    check = CitationFilter(OFFERED)
    shown = check.feed(text) + check.flush()
    return shown, [citation.number for citation in check.cited]


def test_numbers_nobody_gave_are_taken_out() -> None:
    assert whole("A [1], B [7] and C [2][9].") == ("A [1], B  and C [2].", [1, 2])


def test_fullwidth_and_joined_marks_are_read() -> None:
    assert whole("可以【1】。另外[1, 2]") == ("可以[1]。另外[1][2]", [1, 2])


def test_an_open_bracket_at_the_end_is_text() -> None:
    assert whole("see [1") == ("see [1", [])


@given(
    st.text(alphabet="a[]【】12 ,9", max_size=40),
    st.lists(st.integers(min_value=1, max_value=5), min_size=1),
)
def test_any_cut_gives_the_same_text(text: str, cuts: list[int]) -> None:
    check, shown, rest = CitationFilter(OFFERED), "", text
    while rest:
        for cut in cuts:
            shown += check.feed(rest[:cut])
            rest = rest[cut:]
    assert (shown + check.flush(), [c.number for c in check.cited]) == whole(text)


def test_the_footer_names_each_source_once() -> None:
    assert footer(OFFERED, "Source:") == "\n\nSource:\n[1] Returns — returns.md\n[2] b"
    assert footer((), "Source:") == ""
