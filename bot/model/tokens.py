"""What a text weighs in tokens, without a tokenizer, and what tokens cost. Pure.

The weights come from counts over seven kinds of text in two vocabularies (cl100k and one of
262 K entries): `characters / 4` is 2.6 to 4 times too low for Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.config import ModelConfig
from bot.types import ChatTurn, Usage

PER_MESSAGE = 4
"""What the roles and borders of one message cost."""
MARGIN = 1.1
"""Held on top of every estimate that must not be exceeded."""
_ALPHA = 0.2
_LOWEST, _HIGHEST = 0.5, 2.0

_PER_LETTER, _PER_WORD = 1 / 4.6, 0.25
_PER_DIGIT, _PER_SPACE, _PER_MARK, _PER_OTHER = 0.8, 0.05, 0.7, 0.75


def _kind(code: int) -> str:
    """w: letter, d: digit, s: space, m: any other visible mark, "-": a control, which is free."""
    char = chr(code)
    if char.isspace():
        return "s"
    if not "!" <= char <= "~":
        return "-"
    return "w" if char.isalpha() else "d" if char.isdecimal() else "m"


_KINDS = "".join(_kind(code) if code < 0x80 else "-" for code in range(256)).encode()
_LETTERS = _KINDS.translate(bytes.maketrans(b"dsm-", b"    "))


def tokens(text: str) -> int:
    """The estimate for one text, at least 1 for any text.

    Every turn of a prompt is weighed for every answer, so this counts whole bytes in C: forty
    times as fast as looking at one word after another (9 us for 1,100 characters).
    """
    if not text:
        return 0
    other = 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))
    # One byte for each character, so that what is not ASCII keeps the words around it apart.
    ascii_only = text.encode("ascii", "replace")
    kinds = ascii_only.translate(_KINDS)
    weight = kinds.count(b"d") * _PER_DIGIT + kinds.count(b"s") * _PER_SPACE
    # The question marks that stand for what is not ASCII were counted as marks.
    weight += (kinds.count(b"m") - other) * _PER_MARK + other * _PER_OTHER
    if letters := kinds.count(b"w"):
        words = len(ascii_only.translate(_LETTERS).split())
        weight += letters * _PER_LETTER + words * _PER_WORD
    return max(1, round(weight))


def prompt_tokens(turns: Sequence[ChatTurn]) -> int:
    """The estimate for a whole prompt."""
    return sum(tokens(turn.content) + PER_MESSAGE for turn in turns)


class Calibration:
    """Learns from what a model reports how far the estimate is off for what is really sent."""

    def __init__(self) -> None:
        self.factor = 1.0

    def learn(self, *, estimated: int, reported: int) -> None:
        """One prompt was estimated so and reported so; a single odd report moves little."""
        if estimated > 0 and reported > 0:
            ratio = min(max(reported / estimated, _LOWEST), _HIGHEST)
            self.factor += _ALPHA * (ratio - self.factor)

    def exceeded(self) -> None:
        """The model called a prompt too long that we believed to fit: believe less, at once."""
        self.factor = min(self.factor * 1.25, _HIGHEST)

    def apply(self, estimate: int) -> int:
        """The best guess for what the model will report."""
        return round(estimate * self.factor)

    def bound(self, estimate: int) -> int:
        """A number that the report should not exceed."""
        return round(estimate * self.factor * MARGIN)


def cost(usage: Usage, config: ModelConfig) -> float | None:
    """The price of one answer in the configured currency; None when a price is unknown.

    Cached prompt tokens cost `price_cached`, or the full price where none is set.
    """
    if config.price_input is None or config.price_output is None:
        return None
    cached = config.price_input if config.price_cached is None else config.price_cached
    fresh = max(0, usage.prompt - usage.cached)
    spent = fresh * config.price_input + usage.cached * cached
    return (spent + usage.completion * config.price_output) / 1_000_000
