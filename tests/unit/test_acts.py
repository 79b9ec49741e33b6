"""The audit in the language of whoever reads it: no key of a sentence is ever shown."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.engine import acts
from bot.i18n import LOCALES
from bot.ports import AuditEntry

ROOT = Path(__file__).parents[2]
REFUSING = (
    "bot/engine/broadcasting.py",
    "bot/engine/naming.py",
    "bot/engine/owners.py",
    "bot/engine/numbers.py",
    "bot/stats/span.py",
    "bot/web/admin/porter.py",
)
"""Where what ends up in a refusal's line is decided."""
A_NOTICE = "access.bad_number"
"""Refused without an error."""
_KEY = re.compile(r"(?:access|stats|digest|admin)\.[a-z_]+")
_HAN = re.compile(r"[一-鿿]")


def entry(action: str, detail: str = "") -> AuditEntry:
    return AuditEntry(at=0, actor="telegram:1/9", action=action, detail=detail)


def refusals() -> list[str]:
    """The keys that UserErrors of these files, and the porter of the pages, refuse with."""
    found = set()
    for path in REFUSING:
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.Call) and "refuse" in ast.unparse(node.func).lower():
                found |= {key for one in node.args[1:2] for key in _keys(one)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "UserError":
                found |= _keys(node.args[0])
    return sorted(found | {A_NOTICE})


def _keys(node: ast.expr) -> set[str]:
    return set(_KEY.findall(ast.unparse(node)))


def test_the_search_for_refusals_finds_those_of_each_file() -> None:
    found = refusals()
    assert {"access.whom", "digest.bad_day", "stats.bad_order", "admin.no_token"} <= set(found)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("key", refusals())
def test_every_refusal_is_told_in_words(key: str, locale: str) -> None:
    shown = acts.line(entry("ban refused", f"{key}: 4711"), locale)
    assert key not in shown
    assert key.partition(".")[2] not in shown
    assert shown.endswith(" · 4711")
    assert shown.count(" · ") == 2
    assert bool(_HAN.search(shown)) == (locale == "zh")


@pytest.mark.parametrize(
    ("action", "detail", "english"),
    [
        ("ban", "#3", "telegram:1/9 /ban #3"),
        ("kb add", "faq-1", "telegram:1/9 /kb add faq-1"),
        ("admin link", "", "telegram:1/9 link to the admin pages"),
        ("ticket closed", "#4", "telegram:1/9 ticket closed #4"),
        ("stats refused", "stats.bad_range: x", None),
        ("quota refused", "access.whom: ", "telegram:1/9 /quota refused · nobody was named"),
        ("ban refused", "of.a_kind_unknown: 5", "telegram:1/9 /ban refused · 5"),
        ("admin refused", "what it was once: GET /", None),
    ],
)
def test_a_line_reads_as_what_was_done(action: str, detail: str, english: str | None) -> None:
    """A command as it is typed; what is older than these words stands as it was written."""
    shown = acts.line(entry(action, detail), "en")
    assert english is None or shown == english
    assert _HAN.search(acts.line(entry("admin link"), "zh"))
    if action == "admin refused":
        assert shown.endswith(detail)
