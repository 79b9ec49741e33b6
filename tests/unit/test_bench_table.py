"""The table of `make bench`: what is over, missing or broken is said."""

from __future__ import annotations

import pytest

from bench.__main__ import TARGETS, Target, judged


def verdicts(*lines: str) -> dict[str, str]:
    return {row.name: row.verdict for row in judged("telegram", lines, "0")}


def test_a_figure_is_held_against_its_target_and_one_that_does_not_come_is_missing() -> None:
    found = verdicts("send, 1 at once    0.9 ms, 800/s   target 9 ms", "edit, 1 at once   2.5 ms")
    assert found["send, 1 at once"] == "ok"
    assert found["edit, 1 at once"] == "over"
    assert found["intake of an update"] == "missing"


def test_a_figure_in_another_unit_is_not_judged_by_its_number() -> None:
    assert verdicts("intake of an update   0.1 s")["intake of an update"] == "failed"


def test_a_target_that_only_the_part_knows_is_taken_from_its_line() -> None:
    assert verdicts("a schedule   0.51 s   target 0.55 s")["a schedule"] == "ok"
    assert verdicts("a schedule   0.56 s   target 0.55 s")["a schedule"] == "over"


def test_a_part_that_prints_nothing_has_failed() -> None:
    assert [row.verdict for row in judged("none", [], "0")] == ["failed"]


@pytest.mark.parametrize(("figure", "met"), [("14,596/s", True), ("1,999/s", False)])
def test_thousands_are_read_as_such(figure: str, met: bool) -> None:
    assert Target("p", "n", 2000, "/s", least=True).met(figure) is met


def test_every_target_has_a_name_of_its_own() -> None:
    assert len({(target.part, target.name) for target in TARGETS}) == len(TARGETS)
