"""Which turns of the past go into a prompt; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.types import Turn

Estimate = Callable[[str], int]
"""Tokens of a text."""

TURN_OVERHEAD = 4
"""Tokens that the role and the separators of one message cost."""


def window(turns: Sequence[Turn], budget: int, estimate: Estimate) -> list[Turn]:
    """The newest whole exchanges that fit into `budget` tokens, oldest first.

    An exchange is a user's turn with the replies to it; it is never cut in half, since half an
    exchange misleads a model more than none.
    """
    kept: list[Turn] = []
    left = budget
    for exchange in reversed(_exchanges(turns)):
        cost = sum((turn.tokens or estimate(turn.text)) + TURN_OVERHEAD for turn in exchange)
        if cost > left:
            break
        left -= cost
        kept[:0] = exchange
    return kept


def _exchanges(turns: Sequence[Turn]) -> list[list[Turn]]:
    """Turns grouped so that each group begins with a user's turn; a leading reply is left out."""
    groups: list[list[Turn]] = []
    for turn in turns:
        if turn.role == "user" and not (groups and all(t.role == "user" for t in groups[-1])):
            groups.append([turn])
        elif groups:
            groups[-1].append(turn)
    return groups
