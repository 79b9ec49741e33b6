"""Reads .env: NAME=value lines, as shells and container engines write them, without expansion."""

from __future__ import annotations

import re

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_QUOTED = re.compile(r"(['\"])(.*)\1\s*(?:#.*)?")
_REMARK = re.compile(r"(?:^|\s+)#.*")


def parse(content: str) -> tuple[dict[str, str], list[int]]:
    """The variables, and the numbers of lines that are none. The last of equal names wins."""
    found: dict[str, str] = {}
    bad: list[int] = []
    for number, line in enumerate(content.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _LINE.fullmatch(line):
            found[match[1]] = _bare(match[2])
        else:
            bad.append(number)
    return found, bad


def _bare(text: str) -> str:
    """Without quotes, or else without a remark at the end."""
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else _REMARK.sub("", text, count=1)
