"""The laws of rendering, for any prefix of any text; judged by the Bot API's entity rules."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.telegram.render import render as telegram
from bot.text.markdown import Markdown, render
from bot.types import RichText
from tests.fakes.telegram.entities import entity_faults
from tests.flow.answers import answer, fits

PIECES = st.sampled_from(
    [
        *("**", "*", "_", "`", "```", "```py\n", "~~", "[", "](", ")", "https://x.y", "![", "[1]"),
        *("\n", "\n\n", "- ", "1. ", "> ", "# ", "---\n", "|", "|---|---|\n", "| a | b |\n"),
        *("中文", "。", "word ", "<b>", "&lt;", "\\", "    ", "👨\u200d👩\u200d👧", "!"),
    ]
)
SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(6, 60))]
SOURCES = st.lists(PIECES, max_size=50).map("".join)


def faults(rich: RichText) -> list[str]:
    """What the Bot API would find wrong with it."""
    shown = telegram(rich)
    return entity_faults(shown.text, [entity.to_dict() for entity in shown.entities])


def spans_fit(rich: RichText) -> bool:
    return all(0 <= s.start < s.end <= len(rich.text) for s in rich.spans)


@given(SOURCES)
def test_any_text_renders_to_valid_entities(source: str) -> None:
    """Settled or open, nonsense or not."""
    for final in (True, False):
        rich = render(source, final=final)
        assert spans_fit(rich)
        assert faults(rich) == []


@example(
    "| a | b |\n|---|---|\n|---|---|\n|---|---|\n\n\n\n\n| a | b |\n- - \n", [8, 41, 31, 8, 36]
)
@example("******| a | b |\n**|---|---|\n|---|---|\n|---|---|\n****", [1])
@given(SOURCES, st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_the_cache_changes_nothing(source: str, rhythm: list[int]) -> None:
    """Growing by any rhythm shows what the same text shows when rendered at once."""
    source = (source + "\n\n") * 4
    markdown, at, turn = Markdown(), 0, 0
    while at < len(source):
        at, turn = at + rhythm[turn % len(rhythm)], turn + 1
        assert markdown(source[:at], final=False) == render(source[:at], final=False)
    assert markdown(source, final=True) == render(source)


def test_another_text_with_the_same_beginning_shows_what_it_shows_alone() -> None:
    """What ended a block in the one may go on with it in the other."""
    begins = "One line of a paragraph, that a second and a third may follow.\n" * 4
    markdown = Markdown()
    for end in ("- an item\n", "goes on\n", "\nA new one\n", "", "# A heading\n"):
        markdown(begins + "- an item\n" * 20, final=False)
        assert markdown(begins + end, final=True) == render(begins + end), end


@given(st.integers(0, 10**9))
def test_an_answer_reads_as_it_was_meant(seed: int) -> None:
    """Judged by a plain text that was made beside the source, not from it."""
    source, plain = answer(Random(seed), 600)
    assert fits([render(source).text], plain) == ""


@pytest.mark.parametrize("seed", SEEDS)
def test_prefixes_of_answers_leak_no_markers(seed: int) -> None:
    """At every cut: valid entities, and no marker outside of code that the whole does not show."""
    source, _ = answer(Random(seed), 300)
    markdown = Markdown()
    for end in range(len(source)):
        rich = markdown(source[:end], final=False)
        assert faults(rich) == []
        assert not re.search(r"\*\*|~~|```|\]\(", _outside_code(rich)), source[:end][-80:]


def _outside_code(rich: RichText) -> str:
    """The text with what stands in code left out."""
    code = [s for s in rich.spans if s.kind in ("pre", "code")]
    return "".join(
        c for i, c in enumerate(rich.text) if not any(s.start <= i < s.end for s in code)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_growing_answer_is_a_growing_text(seed: int) -> None:
    """Blocks that are done stay: each frame begins with what stood two blocks before."""
    source, _ = answer(Random(seed), 600)
    whole, markdown, blocks = render(source).text, Markdown(), source.split("\n\n")
    for count in range(3, len(blocks)):
        done = render("\n\n".join(blocks[: count - 1])).text
        frame = markdown("\n\n".join(blocks[:count]), final=False).text
        assert frame.startswith(done)
        assert whole.startswith(done)
