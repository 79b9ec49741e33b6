"""Whatever the rhythm of calls, no bucket gives more than its rate, and finals never starve."""

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.rates import GROUP, PRIVATE, group_gates, private_gates
from bot.pace import Gate, Pace, Rate

Gaps = list[tuple[float, bool]]
GAPS = st.lists(
    st.tuples(st.floats(0, 20, allow_nan=False), st.booleans()), min_size=1, max_size=150
)
SLACK_TIER_3 = Rate(burst=5, every=1.5, reserve=1)


def depart(
    pace: Pace, gates: tuple[Gate, ...], gaps: Gaps, *, refusals: Collection[int] = ()
) -> list[float]:
    """Call as soon as allowed after each gap; the departure times."""
    now = 0.0
    left: list[float] = []
    for index, (gap, final) in enumerate(gaps):
        now = pace.ready(gates, now=now + gap, final=final)
        pace.take(gates, now=now, final=final)
        left.append(now)
        if index in refusals:
            pace.refused(gates, now=now, seconds=30)
    return left


def most_within(times: list[float], seconds: float) -> int:
    """The largest number of times in any closed stretch of that length."""
    return max(sum(1 for t in times if start <= t <= start + seconds) for start in times)


@given(GAPS)
def test_a_group_never_sees_more_than_twenty_calls_in_any_minute(gaps: Gaps) -> None:
    """The documented 20 a minute holds in every sliding minute, not on average."""
    assert most_within(depart(Pace(), group_gates("g"), gaps), 60.0) <= 20


@given(st.lists(st.booleans(), min_size=60, max_size=120))
def test_a_group_stays_under_twenty_even_when_the_network_bunches_calls(finals: list[bool]) -> None:
    """Calls without a pause, delayed by up to 3 s on their way, are still 20 a minute."""
    left = depart(Pace(), group_gates("g"), [(0.0, final) for final in finals])
    arrived = [t + (3.0 if index % 2 else 0.0) for index, t in enumerate(left)]
    assert most_within(arrived, 60.0) <= 20


@given(GAPS)
def test_a_private_chat_keeps_both_of_its_speeds(gaps: Gaps) -> None:
    """Burst 3 and one a second at first; over a minute one each three seconds."""
    left = depart(Pace(), private_gates("p"), gaps)
    for rate in PRIVATE:
        for window in (1.0, 5.0, 60.0):
            assert most_within(left, window) <= rate.burst + window / rate.every + 1e-9


@given(GAPS, st.floats(0.1, 120))
def test_no_bucket_exceeds_its_rate(gaps: Gaps, window: float) -> None:
    """At most burst + W / every in any stretch W, for any rate."""
    left = depart(Pace(), (("T1:chat.update", SLACK_TIER_3),), gaps)
    assert most_within(left, window) <= SLACK_TIER_3.burst + window / SLACK_TIER_3.every + 1e-9


@given(GAPS)
def test_a_final_leaves_at_once_after_any_run_of_frames(gaps: Gaps) -> None:
    """Frames alone never use up what is kept for finals."""
    pace, gates = Pace(), group_gates("g")
    left = depart(pace, gates, [(gap, False) for gap, _ in gaps])
    for _ in range(GROUP.reserve):
        assert pace.ready(gates, now=left[-1], final=True) <= left[-1] + 1e-9
        pace.take(gates, now=left[-1], final=True)


@given(GAPS, st.sets(st.integers(0, 149), max_size=4))
def test_nothing_leaves_during_a_refusal(gaps: Gaps, refusals: set[int]) -> None:
    """After a refusal of 30 s the key is silent for 30 s, whatever is asked."""
    left = depart(Pace(), group_gates("g"), gaps, refusals=refusals)
    for index in refusals:
        if index + 1 < len(left):
            assert left[index + 1] >= left[index] + 30


@given(GAPS)
def test_ready_is_exact(gaps: Gaps) -> None:
    """At the time that `ready` names the call may leave; just before, it may not."""
    pace, gates = Pace(), group_gates("g")
    depart(pace, gates, gaps)
    now = 0.0
    at = pace.ready(gates, now=now, final=False)
    assert pace.ready(gates, now=at, final=False) == at
    assert at == now or pace.ready(gates, now=at - 1e-6, final=False) > at - 1e-6
