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
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Case))
            except msgspec.DecodeError as error:
                raise refused("cause.not_case", name, line=number) from error
    return found


def load_cases(path: str | Path) -> list[Case]:
    """The test set in a file. Raises KnowledgeError naming file and line."""
    name = Path(path)
    try:
        return cases(name.name, name.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refused("cause.not_utf8", name.name) from error
    except OSError as error:
        raise unread(str(name), error) from error
