"""Which language to answer in; pure."""

from __future__ import annotations

import re

_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]+")


def language(text: str, *, chosen: str | None, platform: str | None, default: str) -> str:
    """The locale to answer in: as chosen with /lang, as written, as set, as the platform says.

    A text with Han characters is Chinese unless it is mostly Latin words: people put product names
    into Chinese, rarely Chinese into English.
    """
    if chosen:
        return chosen
    han, words = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if han and han * 2 >= words:
        return "zh"
    if words:
        return "en"
    hint = (default or platform or "").lower()
    return "zh" if hint.startswith("zh") else "en"
