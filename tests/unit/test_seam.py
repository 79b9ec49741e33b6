"""Where the rest of an answer begins: nothing that stands is said again, nothing new is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.continuing import own_words
from bot.engine.seam import Seam, going_on
from bot.i18n import LOCALES, say
from bot.types import ModelDone, ModelEvent, ModelReset, ModelText

BEFORE = "退货期是七天，自签收之日起算。The parcel has to be whole, and the invoice has to lie"
REST = " in the box. 其他情况请联系客服，我们会尽快处理。"


def fed(before: Sequence[str], text: str, size: int = 3) -> str:
    seam = Seam(before)
    deltas = [text[at : at + size] for at in range(0, len(text), size)]
    return "".join(map(seam.feed, deltas)) + seam.flush()


@given(
    st.sampled_from([0, 20, len(BEFORE) - 6, len(BEFORE) - 17, len(BEFORE)]),
    st.integers(1, 40),
)
def test_a_model_that_repeats_itself_is_not_repeated(begins: int, size: int) -> None:
    """From the first word, from the middle, the last words only, or not at all; in any deltas."""
    assert fed([BEFORE], BEFORE[begins:] + REST, size).strip() == REST.strip()


@given(st.text(max_size=60), st.text(min_size=1, max_size=60), st.integers(1, 9))
def test_what_stands_nowhere_before_is_kept_whole(before: str, rest: str, size: int) -> None:
    rest = "§" + rest.replace("`", "").replace("~", "")
    before = before.replace("§", "").replace("`", "").replace("~", "")
    assert fed([before], rest, size) == rest


def test_a_beginning_that_was_cut_once_more_is_no_rest() -> None:
    assert fed([BEFORE], BEFORE[:50]) == ""
    assert fed([BEFORE], "The parcel") == "The parcel", "a few words may be news"


@pytest.mark.parametrize(
    ("before", "said", "shown"),
    [
        ("```py\nx = 1\nif x:", "    y = 2\n```\nDone.", "```py\n    y = 2\n```\nDone."),
        ("```py\nx = 1", "```py\ny = 2\n```", "```py\ny = 2\n```"),
        ("```py\nx = 1", "```\nThat is all.", "That is all."),
        ("```\nx = 1", "```\ny = 2\n```", "```\ny = 2\n```"),
        ("```py\nx = 1\n```", "```py\ny = 2\n```", "```py\ny = 2\n```"),
        ("~~~sh\nls", "cd\n~~~", "~~~sh\ncd\n~~~"),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 99])
def test_code_goes_on_as_code(before: str, said: str, shown: str, size: int) -> None:
    """The block is opened again, once, and a mere end of it is no code."""
    assert fed([before], said, size) == shown


async def test_a_stream_that_is_asked_again_begins_at_the_seam_again() -> None:
    async def events() -> AsyncIterator[ModelEvent]:
        for event in (
            *(ModelText(delta=BEFORE[-20:]), ModelText(delta=" in the"), ModelReset()),
            *(ModelText(delta=BEFORE), ModelText(delta=REST), ModelDone()),
        ):
            yield event

    shown = ""
    async for event in going_on(events(), [BEFORE]):
        if isinstance(event, ModelReset):
            shown = ""
        elif isinstance(event, ModelText):
            shown += event.delta
    assert shown == REST


@pytest.mark.parametrize("locale", LOCALES)
def test_what_we_wrote_under_an_answer_is_not_the_models_own_word(locale: str) -> None:
    source, unverified = say(locale, "answer.source"), say(locale, "answer.unverified")
    for under in (f"\n\n{source}\n[1] A — b.md\n[2] C", "\n\n" + unverified, ""):
        assert own_words("Seven days [1]." + under) == "Seven days [1]."
    assert own_words(f"Text\n\n{source}\nsomething else") == f"Text\n\n{source}\nsomething else"
