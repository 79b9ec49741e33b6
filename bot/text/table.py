"""A table as text in columns, for screens that have no tables: aligned by what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

from bot.text.width import display_width

Align = Literal["left", "center", "right"]


def aligned(rows: Sequence[Sequence[str]], aligns: Sequence[Align]) -> str:
    """The first row is the head. Wide characters take two columns, so Chinese lines up."""
    columns = [list(column) for column in zip_longest(*rows, fillvalue="")]
    widths = [max(map(display_width, column)) for column in columns]
    lines = [_line(row, widths, aligns) for row in zip(*columns, strict=True)]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _line(row: Sequence[str], widths: Sequence[int], aligns: Sequence[Align]) -> str:
    cells = zip_longest(row, widths[: len(row)], aligns[: len(row)], fillvalue="left")
    return " | ".join(_padded(str(cell), int(width), align) for cell, width, align in cells)


def _padded(cell: str, width: int, align: str | int) -> str:
    room = max(0, width - display_width(cell))
    left = {"right": room, "center": room // 2}.get(str(align), 0)
    return " " * left + cell + " " * (room - left)
