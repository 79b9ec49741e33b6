"""S1 to S6, some also by drafts (D), in small for every run of the suite, whole for the soak."""

from __future__ import annotations

import pytest

from tests.flow.scenarios import SCENARIOS, Verdict

LAG_MAX = {"S1": 1.0, "S2": 4.0, "S3": 4.0, "S4": 15.0, "S6": 0.5, "D1": 2.0, "D4": 15.0}
"""Seconds: from the end of the model to the last text; in S6 to the other chat's first text."""
CALLS_MAX = {"S2": 15}
SOAK = {"S3": 100, "S5": 100, "S6": 100, "long": 50, "D long": 50}
"""Runs; two answers each but for the long ones. All others: 200."""
SAMPLE = {"long": 3, "D long": 2}
CALM = ("S1", "S2", "S3", "S5", "long", "D1", "D long")
"""Where no 429 may be provoked; S4 runs without limits, S6 is banned from outside."""


def run(name: str, seeds: range) -> Verdict:
    """All runs of one scenario together."""
    verdict = Verdict()
    for seed in seeds:
        verdict.add(SCENARIOS[name](seed))
    return verdict


def judge(name: str, verdict: Verdict) -> None:
    """The bar of the issue."""
    assert verdict.faults == []
    if name in CALM:
        assert (verdict.refusals, verdict.orphans) == (0, 0)
    assert max(verdict.lags, default=0.0) <= LAG_MAX.get(name, 1e9)
    assert max(verdict.calls, default=0) <= CALLS_MAX.get(name, 10**9)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_sample_is_exact(name: str) -> None:
    """Five random answers each: complete, one copy, no word cut, within the limits."""
    judge(name, run(name, range(1000, 1000 + SAMPLE.get(name, 5))))


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_two_hundred_answers_are_exact(name: str) -> None:
    """The same for 200 random answers of each scenario."""
    judge(name, run(name, range(SOAK.get(name, 200))))
