"""S1 to S6 on Slack in small for every run of the suite, and whole for the soak."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.loop import EPOCH_MS, run_virtual
from tests.flow.scenarios import Verdict
from tests.flow.slack_scenarios import SCENARIOS, STREAMING, crowd, slack_desk
from tests.flow.virtual_desk import Written

LAG_MAX = {"S1": 1.0, "S2": 4.0, "S3": 4.0, "S4": 15.0, "S5": 4.0, "S6": 0.5}
"""Seconds: from the end of the model to the last call; in S6 to the other chat's first call."""
CALLS_MAX = {"S2": 15, "S2 by edits": 15, "6000": 15}
"""For an answer in a channel, by streams as by edits."""
REFUSALS = {"S6": 2, "S6 by edits": 1}
"""A ban is learnt of by one call: a post, or a start and the post in its stead."""
SOAK = {"6000": 50, "S3": 100, "S5": 100, "S6": 100, "long": 50} | {
    f"{name} by edits": 50 for name in ("S2", "S4", "S6")
}
"""Runs; S3, S5 and S6 have two answers each. All others: 200. By edits fewer: Telegram's are all
by edits."""


def judge(name: str, seeds: range) -> None:
    """All runs of one scenario against the bar of the Telegram ones."""
    verdict = Verdict()
    for seed in seeds:
        verdict.add(SCENARIOS[name](seed))
    assert verdict.faults == []
    assert max(verdict.lags) <= LAG_MAX.get(name[:2], 1e9)
    assert max(verdict.calls) <= CALLS_MAX.get(name, 10**9)
    assert verdict.refusals == len(seeds) * REFUSALS.get(name, 0)
    if not name.startswith("S4"):
        assert verdict.orphans == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_sample_is_exact(name: str) -> None:
    """Three random runs each: complete, one copy, no word cut, within the tiers."""
    judge(name, range(1000, 1003))


@pytest.mark.parametrize("seed", range(2))
def test_answers_share_a_workspace_s_streams_and_go_without_where_there_are_none(
    seed: int,
) -> None:
    """No call is refused and no end waits: who gets no stream is answered by edits."""
    verdict = crowd(seed)
    assert (verdict.faults, verdict.refusals, verdict.orphans) == ([], 0, 0)
    assert max(verdict.lags) <= 1.0
    assert 3 <= verdict.calls[0] < 12


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
def test_two_hundred_answers_are_exact(name: str) -> None:
    """The same for 200 random answers of each scenario."""
    judge(name, range(SOAK.get(name, 200)))


@pytest.mark.parametrize("size", [100, 1500])
def test_a_deleted_question_takes_its_answer_along(size: int) -> None:
    """`message_deleted` while the answer runs, in one message or two: nothing of it stands."""

    async def main() -> None:
        text = "一句话的答案。" * size
        written = Written({"q": text, "next": "The next one is served."}, rate=50, size=20)
        async with slack_desk(written) as desk:
            asked = await desk.say("C1", "q")
            await asyncio.sleep(0.5 if size == 100 else 10.0)
            shown = desk.core.shown("C1")
            assert len(shown) == (1 if size == 100 else 3)
            await desk.erase("C1", asked)
            await desk.quiet()
            assert desk.core.shown("C1") == []
            assert written.ended == {}
            rows = await desk.stores.ledger.rows(0, EPOCH_MS * 2)
            assert [row.outcome for row in rows] == ["superseded"]
            await desk.say("C1", "next")
            await desk.quiet()
            assert [m.markdown for m in desk.core.shown("C1")] == ["The next one is served."]

    run_virtual(main())


def test_a_frame_of_which_nothing_could_be_shown_is_no_edit_and_no_first_text() -> None:
    """A stream takes a table when it is whole; until then its reader has seen nothing."""

    async def main() -> None:
        table = "| a | b |\n|---|---|\n" + "| one | two |\n" * 40
        written = Written({"q": f"{table}\n" + "That is all of it. " * 20})
        async with slack_desk(written) as desk:
            await desk.say("D1", "q")
            asked = asyncio.get_running_loop().time()
            await desk.quiet()
            [row] = await desk.stores.ledger.rows(0, EPOCH_MS * 2)
            shown = [call for call in desk.core.calls if call.method in STREAMING[1:]]
            assert row.edits == len(shown)
            assert row.first_text_ms is not None
            assert row.first_text_ms >= 1000 * (shown[0].at - asked) > 2000

    run_virtual(main())
