"""What the buckets do at their corners: isolation, refusals, the shared cap, forgetting."""

import pytest

from adapters.telegram.rates import GROUP, OVERALL, group_gates, private_gates
from bot.pace import IDLE_KEYS, SLOW_SECONDS, Gate, Pace, Rate


def leave(pace: Pace, gates: tuple[Gate, ...], now: float, *, final: bool = False) -> float:
    at = pace.ready(gates, now=now, final=final)
    pace.take(gates, now=at, final=final)
    return at


def test_first_calls_of_a_private_chat_go_at_once_then_one_a_second() -> None:
    """Three with the one kept for finals, then a second apart."""
    pace = Pace()
    times = [leave(pace, private_gates("p"), 0.0, final=True) for _ in range(5)]
    assert times == [0.0, 0.0, 0.0, 1.0, 2.0]


def test_a_refused_chat_delays_no_other() -> None:
    """A ban of 300 s in one chat leaves the next one free."""
    pace = Pace()
    pace.refused(group_gates("a"), now=0.0, seconds=300)
    assert pace.ready(group_gates("a"), now=1.0, final=True) == 300.0
    assert pace.ready(group_gates("b"), now=1.0, final=False) == 1.0


def test_after_a_refusal_the_final_goes_first_and_frames_are_twice_as_far_apart() -> None:
    """No burst into a chat that has just forgiven us."""
    pace = Pace()
    gates = group_gates("g")
    pace.refused(gates, now=0.0, seconds=10)
    assert leave(pace, gates, 0.0, final=True) == 10.0
    first = leave(pace, gates, 10.0)
    second = leave(pace, gates, first)
    assert second - first == pytest.approx(2 * GROUP.every)


def test_the_old_spacing_returns_when_the_chat_was_quiet() -> None:
    """A minute after the refusal has ended nothing remembers it."""
    pace = Pace()
    gates = group_gates("g")
    pace.refused(gates, now=0.0, seconds=10)
    later = 10.0 + SLOW_SECONDS + 60
    times = [leave(pace, gates, later, final=True) for _ in range(GROUP.burst + 1)]
    assert times[-1] - later == pytest.approx(GROUP.every)


def test_a_second_refusal_does_not_shorten_the_first() -> None:
    """The later end counts."""
    pace = Pace()
    pace.refused(group_gates("g"), now=0.0, seconds=100)
    pace.refused(group_gates("g"), now=1.0, seconds=5)
    assert pace.ready(group_gates("g"), now=2.0, final=True) == 100.0


def test_the_cap_over_all_chats_holds_frames_back_but_no_final() -> None:
    """Frames into 200 chats are spread over seconds; a final waits for none of them."""
    pace = Pace(OVERALL)
    times = [leave(pace, private_gates(str(n)), 0.0) for n in range(200)]
    assert sum(1 for t in times if t <= 1.0) <= OVERALL.burst + 1 / OVERALL.every
    assert pace.ready(private_gates("late"), now=0.0, final=True) == 0.0


def test_refusals_that_spread_slow_all_frames() -> None:
    """Two chats refused within seconds: the account as a whole goes slower, finals do not."""
    pace = Pace(Rate(burst=1, every=0.1, reserve=0))
    for chat in ("a", "b"):
        pace.refused(group_gates(chat), now=0.0, seconds=5)
    first = leave(pace, group_gates("c"), 1.0)
    second = leave(pace, group_gates("d"), 1.0)
    assert second - first > 0.5
    assert pace.ready(group_gates("e"), now=1.0, final=True) == 1.0


def test_quiet_chats_are_forgotten() -> None:
    """Memory follows the chats that are busy, not those ever seen."""
    pace = Pace()
    for n in range(10 * IDLE_KEYS):
        leave(pace, group_gates(str(n)), float(n))
    assert len(pace._full_at) <= IDLE_KEYS + 1


def test_several_gates_must_all_agree() -> None:
    """A call counted per method and per channel waits for the slower of both."""
    pace = Pace()
    method = ("T1:chat.postMessage", Rate(burst=5, every=0.5, reserve=0))
    channel = ("T1:C1", Rate(burst=1, every=1.0, reserve=0))
    assert leave(pace, (method, channel), 0.0) == 0.0
    assert pace.ready((method, channel), now=0.0, final=False) == 1.0
    assert pace.ready((method,), now=0.0, final=False) == 0.0
