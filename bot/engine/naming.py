"""Whom those who run the desk mean: by reply, mention, number, id or name, with words behind it."""

from __future__ import annotations

import re

from bot.engine.audited import ARGUMENT_SHOWN
from bot.engine.commands import Call
from bot.errors import UserError
from bot.ports import Directory
from bot.types import Person, PersonId, Place

NAME_WORDS = 8
"""Words of a name that is followed by more; each length is one look into the store."""

_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>", re.ASCII)  # Slack's own form of @name
_NUMBER = re.compile(r"#(\d{1,15})", re.ASCII)
_IDENTITY = re.compile(r"([a-z]+):(?:([^/\s]+)/)?([^/\s]+)", re.ASCII)
_CERTAIN = re.compile(r"<@[^>]+>|#\d{1,15}(?!\w)|[a-z]+:[^\s:：,，]+|\d+(?!\w)", re.ASCII)
"""What can only be meant as somebody, wherever it stands first."""
_FIRST = re.compile(r"[^\s:：,，]+")
_BETWEEN = " \t\r\n:：,，"
"""Between somebody and the words about them."""


class Naming:
    """Finds people as a call names them; each method raises UserError for nobody and for several.

    A message that is replied to names its author where the argument names nobody.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def whom(self, call: Call, who: str) -> Person:
        """The person that the whole of `who` names: a mention, #number, id, platform:id, @name."""
        who = who.strip() or _author(call)
        if not who:
            raise UserError("access.whom")
        return _only(await self._found(who, call.place), who)

    async def whom_and_why(self, call: Call) -> tuple[Person, str]:
        """The person that the argument begins with, and the words behind that, in one line.

        A name may have spaces: the longest one that somebody has counts. In a reply the argument is
        all reason, unless it begins with what can only be somebody.
        """
        given = call.argument.strip()
        if given.startswith("@"):
            return await self._by_first_words(given)
        if not given:
            return await self.whom(call, given), ""
        named = _CERTAIN.match(given) or _FIRST.match(given)
        who = named[0] if named else given
        found = await self._found(who, call.place)
        if not found and not _CERTAIN.match(given) and (author := _author(call)):
            return await self.whom(call, author), _one_line(given)
        return _only(found, who), _one_line(given[len(who) :])

    async def _by_first_words(self, given: str) -> tuple[Person, str]:
        words = given[1:].split()
        if whole := await self._directory.by_name(given[1:].strip()):
            return _only(whole, given), ""
        for count in range(min(len(words), NAME_WORDS), 0, -1):
            name = " ".join(words[:count]).rstrip(_BETWEEN)
            if found := await self._directory.by_name(name):
                return _only(found, f"@{name}"), _one_line(" ".join(words[count:]))
        return _only([], given), ""

    async def _found(self, who: str, place: Place) -> list[Person]:
        if who.startswith("@"):
            return await self._directory.by_name(who[1:].strip())
        if number := _NUMBER.fullmatch(who):
            found = await self._directory.by_number(PersonId(int(number[1])))
        else:
            found = await self._directory.by_identity(*_identity(who, place))
        return [found] if found else []


def _author(call: Call) -> str:
    """Who wrote what is replied to, as whom() takes it; "" where nothing is."""
    if call.quoted_user is None:
        return ""
    return f"{call.place.platform}:{call.place.account}/{call.quoted_user}"


def _identity(who: str, place: Place) -> tuple[str, str, str]:
    """Platform, account and id of what was written; a bare id is one of this very account."""
    if mention := _MENTION.fullmatch(who):
        return place.platform, place.account, mention[1]
    if named := _IDENTITY.fullmatch(who):
        return named[1], named[2] or place.account, named[3]
    return place.platform, place.account, who


def _only(found: list[Person], who: str) -> Person:
    """The one there is; UserError for nobody and for more."""
    if not found:
        raise UserError("access.unknown_person", who=who[:ARGUMENT_SHOWN])
    if len(found) > 1:
        numbers = ", ".join(f"#{person.id}" for person in found)
        raise UserError("access.many_people", who=who[:ARGUMENT_SHOWN], numbers=numbers)
    return found[0]


def _one_line(text: str) -> str:
    return " ".join(text.strip(_BETWEEN).split())
