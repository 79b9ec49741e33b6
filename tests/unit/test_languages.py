"""Both languages say the same things: equal keys, equal placeholders, none unused, none missing."""

from __future__ import annotations

import ast
import re
import string
from functools import cache
from pathlib import Path

from bot.i18n import LOCALES, catalogue, say
from bot.i18n.retold import SECTION

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for room in ("bot", "adapters", "storage") for path in (ROOT / room).rglob("*.py")
)
TEMPLATES = sorted((ROOT / "bot").rglob("*.html")) + sorted((ROOT / "bot").rglob("*.j2"))
KEY = re.compile(r"[a-z_]+\.[a-z0-9_]+")
SPEAKERS = {
    "say",
    "refused",
    "Cause",
    "Notice",
    "UserError",
    "Decline",
    "Courtesy",
    "Retract",
    "Progress",
    "Button",
}
"""Calls whose key is a sentence's."""
SAME = {"doctor.telegram", "doctor.slack", "doctor.sqlite_ok", "doctor.database_open_do"}
"""Names of products, and a command: the same in every language."""


def placeholders(sentence: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def sections() -> set[str]:
    return {key.partition(".")[0] for key in catalogue("en")}


@cache
def trees() -> dict[Path, ast.Module]:
    """The code."""
    return {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}


@cache
def texts() -> tuple[set[str], list[re.Pattern[str]]]:
    """All constant texts of the code, and a pattern for each text that is put together."""
    whole: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                patterns += [pattern] if (pattern := _pattern(node)) else []
    for path in TEMPLATES:
        whole.update(KEY.findall(path.read_text("utf-8")))
    return whole, patterns


def _pattern(node: ast.JoinedStr) -> re.Pattern[str] | None:
    """f"command.{word}" as a pattern; None unless it begins with a section or part of a key."""
    parts = [
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[a-z0-9_]+"
        for part in node.values
    ]
    fixed = "".join(str(p.value) for p in node.values if isinstance(p, ast.Constant))
    section = fixed.partition(".")[0]
    return re.compile("".join(parts)) if "." in fixed and section in sections() else None


def test_every_language_has_the_same_keys() -> None:
    keys = {locale: set(catalogue(locale)) for locale in LOCALES}
    assert all(known == keys[LOCALES[0]] for known in keys.values())


def test_a_sentence_names_the_same_things_in_every_language() -> None:
    """A placeholder that one language lacks would lose a fact; one too many would be an error."""
    for key in catalogue("en"):
        named = {locale: placeholders(catalogue(locale)[key]) for locale in LOCALES}
        assert len({frozenset(names) for names in named.values()}) == 1, (key, named)
        filled = dict.fromkeys(named["en"], 7)
        assert all(say(locale, key, **filled).strip() for locale in LOCALES), key


def test_chinese_is_chinese_and_english_is_not() -> None:
    """No sentence was left in the wrong language."""
    han = re.compile(r"[一-鿿]")
    letters = re.compile(r"[A-Za-z]{3,}")
    for key, sentence in catalogue("zh").items():
        bare = re.sub(r"\{\w+\}|https?://\S+|[A-Z]{2,}[A-Z_]*", "", sentence)
        assert han.search(sentence) or not letters.search(bare) or key in SAME, key
    assert [key for key, sentence in catalogue("en").items() if han.search(sentence)] == []


def test_every_sentence_is_said_somewhere() -> None:
    """By its whole key, or by an expression that can make it; words of one key count by section."""
    whole, patterns = texts()
    never = [
        key
        for key in catalogue("en")
        # The sentences of errors are found by what they say: tests/unit/test_retold.py.
        if not key.startswith(SECTION)
        and key not in whole
        and not any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert never == []


def test_every_sentence_that_is_asked_for_exists() -> None:
    """The key given to say(), Notice() and the like, whole or put together, is in the catalogue."""
    known = catalogue("en")
    missing = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            for asked in _asked(node):
                if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
                    found = asked.value in known or not KEY.fullmatch(asked.value)
                elif isinstance(asked, ast.JoinedStr) and (pattern := _pattern(asked)):
                    found = any(pattern.fullmatch(key) for key in known)
                else:
                    continue
                if not found:
                    missing.append(f"{path.relative_to(ROOT)}:{node.lineno}")  # type: ignore[attr-defined]
    assert missing == []


def _asked(node: ast.AST) -> list[ast.expr]:
    """What a call asks the catalogue for; what an error class says."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS:
        return [
            *node.args[:2],
            *(one.value for one in node.keywords if one.arg in ("key", "label")),
        ]
    named = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    if named and node.target.id == "says" and node.value is not None:  # type: ignore[attr-defined]
        return [node.value]  # type: ignore[attr-defined]
    return []


def test_the_search_for_keys_would_notice() -> None:
    """A key of another section, or one nobody says, is found by the same means."""
    whole, patterns = texts()
    for stranger in ("answer.never_said_4711", "nowhere.at_all"):
        assert stranger not in whole
        assert not any(pattern.fullmatch(stranger) for pattern in patterns)
