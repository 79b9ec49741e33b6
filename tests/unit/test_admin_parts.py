"""The pure parts of the admin pages: languages, words, bars."""

from __future__ import annotations

import pytest

from bot.i18n import LOCALES, catalogue
from bot.stats.report import Bucket
from bot.web.admin.chart import HEIGHT, WIDTH, chart
from bot.web.admin.look import DONE, ROOMS
from bot.web.admin.porter import form_token, language


@pytest.mark.parametrize(
    ("wanted", "default", "spoken"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh"),
        ("fr, en;q=0.5, zh;q=0.7", "", "zh"),
        ("fr", "zh", "zh"),
        ("", "", "en"),
        ("en;q=x,zh;q=0.1", "", "zh"),
        (",;q=;;" * 1000, "", "en"),
    ],
)
def test_the_browsers_language_is_spoken(wanted: str, default: str, spoken: str) -> None:
    """By weight; what cannot be read weighs nothing."""
    assert language(wanted, default=default) == spoken


def test_every_sentence_of_the_pages_has_its_words() -> None:
    """Names that templates put together are in both catalogues."""
    keys = [{key for key in catalogue(one) if key.startswith("admin.")} for one in LOCALES]
    assert keys[0] == keys[1]
    made = {f"admin.room_{one}" for one in ROOMS} | {f"admin.done_{one}" for one in DONE}
    assert made <= keys[0]


def test_the_highest_bar_fills_the_drawing_and_failures_are_part_of_a_bar() -> None:
    """Heights are in proportion to counts, and nothing stands outside."""
    buckets = [Bucket(requests=n, failed=n // 2) for n in (0, 1, 4, 8)]
    drawn = chart(buckets, ["a", "b", "c", "d"], every=2)
    assert drawn.top == 8
    assert [bar.height for bar in drawn.bars] == [0, HEIGHT / 8, HEIGHT / 2, HEIGHT]
    assert [bar.shown for bar in drawn.bars] == [True, False, True, False]
    for bar in drawn.bars:
        assert bar.failed <= bar.height
        assert bar.y + bar.height == HEIGHT
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH


def test_a_day_without_requests_is_drawn_too() -> None:
    """Nothing is divided by nothing."""
    assert [bar.height for bar in chart([Bucket(), Bucket()], ["a", "b"]).bars] == [0, 0]
    assert chart([], []).bars == ()


def test_the_token_of_forms_tells_nothing_of_the_session() -> None:
    """It stands in every page; it differs for each session."""
    assert "secret" not in form_token("secret")
    assert form_token("a") != form_token("b")
