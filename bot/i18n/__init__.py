"""What the desk says, in each language; sentences live in zh.toml and en.toml, by key."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.types import Scalar

LOCALES = ("en", "zh")
"""The languages with a catalogue; the first is spoken to whoever writes in neither."""


@cache
def catalogue(locale: str) -> dict[str, str]:
    """All sentences of one language, by dotted key."""
    text = resources.files(__package__).joinpath(f"{locale}.toml").read_text("utf-8")
    flat: dict[str, str] = {}
    for section, entries in tomllib.loads(text).items():
        for key, sentence in entries.items():
            flat[f"{section}.{key}"] = sentence.rstrip("\n")
    return flat


def say(locale: str, key: str, /, **values: Scalar) -> str:
    """The sentence `key` in this language. Raises KeyError for a key no catalogue has."""
    sentence = catalogue(locale if locale in LOCALES else LOCALES[0])[key]
    return sentence.format(**values) if values else sentence


@cache
def words(key: str) -> frozenset[str]:
    """The sentence `key` in every language, in lower case: what people may type for it."""
    return frozenset(say(locale, key).lower() for locale in LOCALES)


def means(text: str, key: str) -> bool:
    """Whether a whole message is the sentence `key` in any language, whatever its case and end."""
    return text.strip(" .!。！\n").lower() in words(key)
