"""The audit in words: its lines in the language of whoever reads them. Pure.

What is stored is the same for every reader: an act by its name, a refusal by its sentence's key.
"""

from __future__ import annotations

import re

from bot.i18n import catalogue, say
from bot.ports import AuditEntry

_REFUSED = " refused"
_WHY = re.compile(r"[a-z]+\.([a-z_]+)(?:: ?(.*))?", re.DOTALL)


def act(action: str, locale: str) -> str:
    """What was done; a command stands as it is typed."""
    if action.endswith(_REFUSED):
        return say(locale, "act.refused", act=act(action.removesuffix(_REFUSED), locale))
    return catalogue(locale).get(f"act.{action.replace(' ', '_')}", f"/{action}")


def detail(entry: AuditEntry, locale: str) -> str:
    """To what or whom it was done; of a refusal, why in a few words, and what was given."""
    found = _WHY.fullmatch(entry.detail) if entry.action.endswith(_REFUSED) else None
    if found is None:
        return entry.detail
    why = catalogue(locale).get(f"act.why_{found[1]}", "")
    return " · ".join(filter(None, (why, found[2])))


def line(entry: AuditEntry, locale: str) -> str:
    """Who did what, in one line without its time."""
    done, to = act(entry.action, locale), detail(entry, locale)
    between = " · " if entry.action.endswith(_REFUSED) else " "
    return between.join(filter(None, (f"{entry.actor} {done}", to)))
