"""Test sets: questions with what should come of them, one JSON object a line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bot.knowledge.causes import refused, unread


class Case(msgspec.Struct, frozen=True):
    """One question of a test set.

    `in`: one of `rel` (entry or source ids) answers it. `near`: same field, no answer is here.
    `far`: another field.
    """

    text: str
    kind: Literal["in", "near", "far"] = "in"
    rel: tuple[str, ...] = ()
    locale: str = ""


def cases(name: str, text: str) -> list[Case]:
    """A test set in JSONL. Raises KnowledgeError naming the line."""
    return [
        _case(name, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]


def _case(name: str, number: int, line: str) -> Case:
    try:
        case = msgspec.json.decode(line, type=Case)
    except msgspec.DecodeError as error:
        raise refused("cause.not_case", name, line=number) from error
    if not case.text.strip():
        raise refused("cause.not_case", name, line=number)
    if case.kind == "in" and not case.rel:
        raise refused("cause.no_rel", name, line=number)
    return case


def load_cases(path: str | Path) -> list[Case]:
    """The test set in a file. Raises KnowledgeError naming file and line, or for an empty one."""
    name = Path(path)
    try:
        found = cases(name.name, name.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refused("cause.not_utf8", name.name) from error
    except OSError as error:
        raise unread(str(name), error) from error
    if not found:
        raise refused("cause.no_cases", name.name)
    return found
