"""The picture and the file of a report: what they show, and that drawing stays outside the desk."""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.stats import parse_range, report
from bot.stats import picture as drawing
from bot.stats.chart import BARS_MAX, chart, charts, spec
from bot.stats.picture import letters, picture
from bot.stats.report import Report
from bot.stats.table import csv_name, csv_of
from bot.types import LedgerRow, Outcome, Route, Usage

ZONE = ZoneInfo("Asia/Kolkata")
NOW = 1_773_830_000_000  # 2026-03-18 16:03 there
HOUR = 3_600_000
DAY = 24 * HOUR


def row(ago: int, route: Route = "grounded", outcome: Outcome = "answered") -> LedgerRow:
    usage = Usage(prompt=10, completion=5)
    return LedgerRow(
        at=NOW - ago, route=route, outcome=outcome, total_ms=2000, usage=usage, cached=not ago
    )


def counted(word: str = "7d") -> Report:
    rows = [row(0), row(HOUR), row(HOUR, "failed"), row(DAY), row(2 * DAY, "declined", "declined")]
    return report(rows, parse_range(word, now=NOW, zone=ZONE), ZONE)


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("locale", ["zh", pytest.param("en", marks=pytest.mark.soak)])
async def test_the_picture_is_a_png_of_a_readable_size_with_something_on_it(locale: str) -> None:
    png = await picture(counted(), locale)
    assert png is not None
    width, height = size(png)
    assert 600 < width < 2000
    assert 600 < height < 2500
    assert 20_000 < len(png) < 1 << 20


async def test_where_nothing_was_asked_there_is_no_picture() -> None:
    empty = report([], parse_range("", now=NOW, zone=ZONE), ZONE)
    assert await picture(empty, "en") is None


async def test_a_drawing_that_takes_too_long_is_ended() -> None:
    assert await picture(counted(), "en", seconds=0.01) is None


async def test_without_the_library_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "can_draw", lambda: False)
    assert await picture(counted(), "en") is None


async def test_a_drawing_that_fails_is_none_and_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "draw.py"
    broken.write_text("raise SystemExit(3)")
    monkeypatch.setattr(drawing, "_DRAW", broken)
    assert await picture(counted(), "en") is None


async def test_the_process_that_draws_sees_no_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it prints is what it sees: our environment is not in it."""
    told = tmp_path / "draw.py"
    told.write_text("import os; print(sorted(os.environ), os.environ)")
    monkeypatch.setattr(drawing, "_DRAW", told)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    seen = await picture(counted(), "en")
    assert seen is not None
    assert b"PATH" in seen
    assert b"secret" not in seen
    assert b"TELEGRAM" not in seen


IN_BOTH = """
import json, sys
from matplotlib import font_manager
sys.path.insert(0, {folder!r})
import draw
known = font_manager.fontManager.ttflist
if {bare}:
    known[:] = [font for font in known if font.name.startswith("DejaVu")]
chinese, english = (draw.draw(charts) for charts in json.load(sys.stdin))
print(json.dumps([draw.letters(), chinese == english]))
"""


def drawn(*, bare: bool) -> list[object]:
    """What a machine with all its fonts, or with matplotlib's own only, draws of one report in two
    languages: its font for Chinese letters, and whether the pictures are the same. Every warning
    is an error: a letter that no font has is one.
    """
    code = IN_BOTH.format(folder=str(Path(drawing.__file__).parent), bare=bare)
    asked = b"[%s,%s]" % (spec(counted(), "zh"), spec(counted(), "en"))
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, input=asked, capture_output=True, check=True)
    said: list[object] = json.loads(done.stdout)
    return said


@pytest.mark.soak
def test_where_no_font_has_chinese_letters_the_labels_are_english_and_none_is_a_box() -> None:
    """The very picture that English gets, without a warning about a missing letter."""
    assert drawn(bare=True) == ["", True]


@pytest.mark.soak
async def test_where_a_font_has_them_the_labels_are_chinese_and_none_is_a_box() -> None:
    if not (font := await letters()):
        pytest.skip("no font on this machine has Chinese letters")
    assert drawn(bare=False) == [font, False]


def test_the_desk_itself_never_loads_what_draws() -> None:
    code = "import sys, bot.desk, bot.stats.picture; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("word", ["today", "7d", "2025-03-18..2026-03-18"])
def test_the_bars_add_up_to_the_report(word: str) -> None:
    made = counted(word)
    hours, *others = chart(made, "en").panels
    assert sum(sum(one.values) for one in hours.series) == sum(h.requests for h in made.hours)
    [days] = [panel for panel in others if panel.kind == "bars"]
    assert sum(sum(one.values) for one in days.series) == sum(d.requests for d in made.days)
    assert len(days.labels) == len(days.series[0].values) <= BARS_MAX
    assert sum(others[-1].series[0].values) == made.whole.requests


def test_every_language_has_an_english_picture_for_machines_without_its_letters() -> None:
    english = chart(counted(), "en")
    assert charts(counted(), "zh") == (chart(counted(), "zh"), english)
    assert charts(counted(), "en") == (english,)
    assert json.dumps(json.loads(spec(counted(), "en"))).isascii() is True


def test_the_file_holds_the_whole_every_day_and_every_hour() -> None:
    made = counted()
    content = csv_of(made)
    assert content.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [one["part"] for one in rows] == ["whole", *["day"] * 7, *["hour"] * 24]
    for name in ("requests", "answered", "failed", "declined", "prompt_tokens", "cache_hits"):
        whole = int(rows[0][name])
        assert whole == sum(int(one[name]) for one in rows if one["part"] == "day"), name
        assert whole == sum(int(one[name]) for one in rows if one["part"] == "hour"), name
    assert int(rows[0]["requests"]) == 5
    assert int(rows[0]["cache_hits"]) == 1
    assert int(rows[0]["route_failed"]) == 1
    assert rows[0]["from"] == "2026-03-12 00:00"
    assert rows[1]["total_p50_ms"] == ""
    assert csv_name(made) == "stats-2026-03-12-2026-03-18.csv"
