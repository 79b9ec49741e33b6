"""The named statements of sql/*.sql: blocks that begin with `-- name: purpose`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "sql"

_HEAD = re.compile(r"^-- ([a-z][a-z0-9_]*): \S.*$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """The statements of one file by name. ValueError for a name given twice or an empty block."""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found: dict[str, str] = {}
    for head, end in zip(heads, ends, strict=True):
        name, statement = head[1], text[head.end() : end].strip().rstrip(";")
        if name in found or not statement:
            raise ValueError(f"statement {name}: {'named twice' if statement else 'empty'}")
        found[name] = statement
    return found


@cache
def statements() -> Mapping[str, str]:
    """Every statement of the house, read once."""
    found: dict[str, str] = {}
    for file in sorted(FOLDER.glob("*.sql")):
        for name, statement in parse(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"statement {name} is in two files, one is {file.name}")
            found[name] = statement
    return MappingProxyType(found)
