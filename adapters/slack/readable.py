"""What Slack's message text reads like to a person: tokens resolved, entities decoded; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.types import Sender

_TOKEN = re.compile(r"<([^<>\s][^<>]*)>")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_SCHEME = re.compile(r"^(?:https?://|mailto:|tel:)")


def mentioned(text: str) -> frozenset[str]:
    """The ids of all users that the raw text mentions."""
    return frozenset(_MENTION.findall(text))


def readable(text: str, *, me: str, people: Mapping[str, Sender]) -> str:
    """The raw text as a person reads it. Mentions of `me` are left out, others become names.

    Slack escapes only `&`, `<` and `>` in message text, so a decoded `<` can start no token.
    """
    shown = _TOKEN.sub(lambda token: _resolved(token.group(1), people), unaddressed(text, me))
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def unaddressed(text: str, me: str) -> str:
    """The raw text without mentions of `me`, as what is said to us begins."""
    return re.sub(rf"<@{me}(?:\|[^<>]*)?>[ \t]?[,:，：]?[ \t]*", "", text).strip()


def _resolved(token: str, people: Mapping[str, Sender]) -> str:
    """One token without its angle brackets, as text."""
    target, _, label = token.partition("|")
    match target[:1]:
        case "@":
            known = people.get(target[1:])
            return "@" + (label or (known.name if known else "") or target[1:])
        case "#":
            return "#" + (label or target[1:])
        case "!":
            return _special(target[1:], label)
        case _:
            return _link(target, label)


def _special(name: str, label: str) -> str:
    """A group mention or a date."""
    if label:
        return label
    return "@" + name.partition("^")[2] if name.startswith("subteam^") else "@" + name


def _link(url: str, label: str) -> str:
    """A link: its label with the address behind it, unless they are the same."""
    address = url.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (url, address, _SCHEME.sub("", url)):
        return address
    return f"{label} ({address})"
