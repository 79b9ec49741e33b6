"""A checker of the Bot API's rules for entities; it shares nothing with our renderer."""

from __future__ import annotations

from typing import Any

KNOWN = {
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
}
VERBATIM = {"code", "pre"}
QUOTES = {"blockquote", "expandable_blockquote"}


def entity_faults(text: str, entities: list[dict[str, Any]]) -> list[str]:
    """What is wrong with these entities on this text; empty if nothing is."""
    if len(entities) > 100:
        return [f"{len(entities)} entities, 100 are honoured"]
    faults = [fault for entity in entities for fault in _alone(text, entity)]
    if faults:
        return faults
    spans = [(e["offset"], e["offset"] + e["length"], e["type"]) for e in entities]
    return [
        fault
        for index, first in enumerate(spans)
        for second in spans[index + 1 :]
        if (fault := _together(first, second))
    ]


def _alone(text: str, entity: dict[str, Any]) -> list[str]:
    units = text.encode("utf-16-le")
    kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
    if kind not in KNOWN:
        return [f"unknown type {kind!r}"]
    if not isinstance(offset, int) or not isinstance(length, int):
        return [f"{kind}: offset and length must be numbers"]
    end = offset + length
    if offset < 0 or length < 1 or 2 * end > len(units):
        return [f"{kind}: {offset}+{length} is outside of the text"]
    faults = [
        f"{kind}: {at} is inside a surrogate pair"
        for at in (offset, end)
        if 2 * at < len(units) and 0xDC <= units[2 * at + 1] <= 0xDF
    ]
    if not faults and units[2 * offset : 2 * end].decode("utf-16-le").strip() == "":
        faults.append(f"{kind}: nothing but white space at {offset}")
    if kind == "text_link" and not str(entity.get("url", "")).startswith(("http", "tg://")):
        faults.append("text_link without a usable url")
    return faults


def _together(first: tuple[int, int, str], second: tuple[int, int, str]) -> str:
    (a, b, one), (c, d, two) = first, second
    if b <= c or d <= a:
        return ""
    if not ((a <= c and d <= b) or (c <= a and b <= d)):
        return f"{one} {a}-{b} and {two} {c}-{d} overlap in part"
    if one == two or {one, two} <= QUOTES:
        return f"{one} within itself at {max(a, c)}"
    if {one, two} & VERBATIM and not {one, two} & QUOTES:
        return f"{one} and {two} share {max(a, c)}"
    inner, outer = (two, one) if (a <= c and d <= b) else (one, two)
    if (a, b) != (c, d) and outer in VERBATIM:
        return f"{inner} inside {outer} at {max(a, c)}"
    return ""
