"""Which of a question's terms a stored row has, found without taking the row apart; pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from bot.knowledge.terms import cjk_share


class Sieve:
    """A question's terms, ready to be looked for in the terms of many rows.

    A row has a hundred terms and shares five: to make a string of each and look it up was a third
    of what a search cost. A sign of CJK stands in a row's joined terms only where it is one of
    them, alone or with a neighbour; a pair of signs only where both of them do.
    """

    __slots__ = ("_pairs", "_signs", "_words")

    def __init__(self, wanted: Iterable[str]) -> None:
        """`wanted` is what terms.terms gave: each pair of signs comes with both of them."""
        self._signs: list[str] = []
        self._pairs: list[tuple[str, str, str]] = []
        self._words: list[tuple[str, str]] = []
        for term in wanted:
            if len(term) > 2 or not _is_sign(term[0]):
                self._words.append((term, f" {term} "))
            elif len(term) == 1:
                self._signs.append(term)
            else:
                self._pairs.append((term, term[0], term[1]))

    def __call__(self, joined: str) -> set[str]:
        """Those of them that are among the space-separated terms of a row."""
        shared = {sign for sign in self._signs if sign in joined}
        if shared:
            shared.update(
                [
                    pair
                    for pair, first, second in self._pairs
                    if first in shared and second in shared and pair in joined
                ]
            )
        if self._words:
            row = f" {joined} "
            shared.update([word for word, apart in self._words if word in row and apart in row])
        return shared


@lru_cache(maxsize=1024)
def _is_sign(term: str) -> bool:
    """A single character of a script whose words no space parts."""
    return cjk_share(term) > 0
