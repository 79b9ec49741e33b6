"""Cells of a row with their type said: STRICT tables promise it, these functions check it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from storage.database import Row

Word = TypeVar("Word", bound=str)


def number(row: Row, column: str) -> int:
    """A whole number."""
    cell = row[column]
    assert isinstance(cell, int), f"{column} is {cell!r}"
    return cell


def number_or_none(row: Row, column: str) -> int | None:
    """A whole number, or NULL."""
    return None if row[column] is None else number(row, column)


def real_or_none(row: Row, column: str) -> float | None:
    """A number, or NULL."""
    cell = row[column]
    assert cell is None or isinstance(cell, int | float), f"{column} is {cell!r}"
    return cell


def string(row: Row, column: str) -> str:
    """A text."""
    cell = row[column]
    assert isinstance(cell, str), f"{column} is {cell!r}"
    return cell


def word(row: Row, column: str, words: Sequence[Word]) -> Word:
    """A text that is one of `words`."""
    cell = string(row, column)
    assert cell in tuple[str, ...](words), f"{column} is {cell!r}"
    return cast("Word", cell)


def string_or_none(row: Row, column: str) -> str | None:
    """A text, or NULL."""
    return None if row[column] is None else string(row, column)
