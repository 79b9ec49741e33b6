"""Which turns go into a prompt."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.history import TURN_OVERHEAD, window
from bot.types import Turn


def turns(roles: str) -> list[Turn]:
    names = {"u": "user", "a": "assistant"}
    return [
        Turn(role=names[role], text=f"{role}{at}", said_at=at)  # type: ignore[arg-type]
        for at, role in enumerate(roles)
    ]


def test_an_exchange_is_never_cut_in_half() -> None:
    kept = window(turns("uauaua"), 4 * (1 + TURN_OVERHEAD), lambda _: 1)
    assert [turn.text for turn in kept] == ["u2", "a3", "u4", "a5"]


def test_a_budget_too_small_for_the_last_exchange_keeps_nothing() -> None:
    assert window(turns("ua"), 9, lambda _: 1) == []


@given(st.text(alphabet="ua", max_size=20), st.integers(min_value=0, max_value=200))
def test_what_is_kept_fits_and_is_the_newest_and_begins_with_a_user(
    roles: str, budget: int
) -> None:
    past = turns(roles)
    kept = window(past, budget, lambda _: 3)
    assert sum(3 + TURN_OVERHEAD for _ in kept) <= budget
    assert kept == past[len(past) - len(kept) :]
    assert not kept or kept[0].role == "user"
