"""What is wrong with a setting or a line, in the reader's language.

Where such an error is raised it is said in English, for logs; the section `wrong` of the catalogues
has each sentence once more beside its translation, and what is no sentence of it stays as it is.
"""

from __future__ import annotations

import re
import string
from functools import cache

from bot.i18n import LOCALES, catalogue, say

SECTION = "wrong."


def retold(text: str, locale: str) -> str:
    """One line, "NAME: expected …" or a sentence alone, in this language."""
    if locale == LOCALES[0]:
        return text
    name, colon, rest = text.partition(": ")
    return _sentence(text, locale) or f"{name}{colon}{_sentence(rest, locale) or rest}"


def _sentence(text: str, locale: str) -> str:
    """The translation; "" for a text that is no sentence of ours."""
    for key, pattern in _patterns():
        if found := pattern.fullmatch(text):
            return say(locale, key, **found.groupdict())
    return ""


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """What each English sentence looks like, those with the most words of their own first."""
    found = []
    for key, sentence in catalogue(LOCALES[0]).items():
        if key.startswith(SECTION):
            parts = [(fixed, name) for fixed, name, _, _ in string.Formatter().parse(sentence)]
            pattern = "".join(re.escape(f) + (f"(?P<{n}>.+?)" if n else "") for f, n in parts)
            found.append((sum(len(f) for f, _ in parts), key, re.compile(pattern)))
    return [(key, pattern) for _, key, pattern in sorted(found, key=lambda one: -one[0])]
