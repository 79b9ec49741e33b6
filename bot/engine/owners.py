"""What those who run the desk decide about people; each act is audited.

A row decides and says; what it decides becomes true with its settlement, the audit with it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from zoneinfo import ZoneInfo

from bot.config import DeskConfig
from bot.engine.access import names_of
from bot.engine.acts import line
from bot.engine.audited import ARGUMENT_SHOWN, Decision, audited, done
from bot.engine.commands import ADMINS, Call, Command
from bot.engine.naming import Naming
from bot.errors import UserError
from bot.i18n import say
from bot.ports import Audits, Banned, Directory
from bot.stats.span import local
from bot.types import (
    Audit,
    Notice,
    Person,
    ReplyEvent,
    Role,
    Say,
    Scalar,
    SetQuota,
    SetRole,
)

QUOTA_MAX = 1_000_000
AUDIT_SHOWN, AUDIT_MAX = 20, 100
REASON_MAX = 200
"""Characters of the reason for a ban that are kept."""
BANNED_SHOWN = 50

_QUOTA = re.compile(
    r"(?P<who>.*?)\s*(?P<count>(?<!\S)(?:[+-]?\d+(?:\.\d+)?|off|default|不限|默认))?", re.DOTALL
)
_NUMBERED = re.compile(r"(?P<who>#\d{1,15})\s+(?P<count>.+)", re.DOTALL)
_LIFTED = {"off": 0, "不限": 0, "default": None, "默认": None}
"""Words for an answer count: no limit, and what everybody has."""
_LIST = frozenset({"list", "列表", "名单"})
"""Asks who is kept out."""


class Owners:
    """The rows for those who run the desk."""

    def __init__(
        self, desk: DeskConfig, directory: Directory, audits: Audits, *, admins: Collection[str]
    ) -> None:
        self._zone = ZoneInfo(desk.timezone)
        self._directory = directory
        self._naming = Naming(directory)
        self._audits = audits
        self._admins = frozenset(admins)

    def commands(self) -> tuple[Command, ...]:
        """The rows."""
        return (
            Command(word="ban", run=self._ban, roles=ADMINS),
            Command(word="unban", run=self._unban, roles=ADMINS),
            Command(word="allow", run=self._allow, roles=ADMINS),
            Command(word="quota", run=self._quota, roles=ADMINS),
            Command(word="audit", run=self._audit, roles=ADMINS),
        )

    # --- people ------------------------------------------------------------------------------

    async def _ban(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if call.argument.strip().lower() in _LIST:
            async for event in self._list(call):
                yield event
            return

        async def decide() -> Decision:
            if not call.argument.strip() and call.quoted_user is None:
                raise UserError("access.ban_usage")
            person, reason = await self._naming.whom_and_why(call)
            if key := await self._runs_this(call, person):
                raise UserError(key, name=person.listed)
            return _banned(person, _cut(reason), private=call.place.private)

        async for event in audited("ban", call, decide):
            yield event

    async def _runs_this(self, call: Call, person: Person) -> str:
        """The sentence for whom a block would not bite, since no stored role tells who is an admin
        by name, or by a group of users; "" for everybody else.
        """
        if person.id == call.person.id:
            return "access.not_them"
        known = await self._directory.known_as(person.id)
        if any(names_of(place, sender.user) & self._admins for place, sender in known):
            return "access.not_them"
        groups = {
            f"{place.platform}:{place.account}/{group}"
            for place, sender in known
            for group in sender.groups
        }
        return "access.not_their_group" if groups & self._admins else ""

    async def _list(self, call: Call) -> AsyncIterator[ReplyEvent]:
        """Who is kept out, since when and why: nobody else's business."""
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "ban list"})
        else:
            banned = await self._directory.banned(BANNED_SHOWN)
            lines = [self._kept_out(one) for one in banned]
            yield Say(text="\n".join(lines) or say(call.locale, "access.ban_nobody"))
        yield done()

    def _kept_out(self, banned: Banned) -> str:
        since = "—" if banned.at is None else f"{local(banned.at, self._zone):%Y-%m-%d %H:%M}"
        return " · ".join(filter(None, (since, banned.person.listed, banned.reason)))

    async def _unban(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> Decision:
            person = await self._naming.whom(call, call.argument)
            if person.role is not Role.BLOCKED:
                raise UserError("access.not_banned", name=person.listed)
            return _role("access.unbanned", person, _freed(person), allowed=person.allowed)

        async for event in audited("unban", call, decide):
            yield event

    async def _allow(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> Decision:
            person = await self._naming.whom(call, call.argument)
            return _role("access.allowed", person, _freed(person), allowed=True)

        async for event in audited("allow", call, decide):
            yield event

    async def _quota(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> Decision:
            asked = call.argument.strip()
            found = _NUMBERED.fullmatch(asked) or _QUOTA.fullmatch(asked)
            who, count = (found["who"], found["count"]) if found else (call.argument, None)
            if count is not None and not who and call.quoted_user is None:
                who, count = count, None
            if not who.strip() and call.quoted_user is None:
                raise UserError("access.quota_usage")
            person = await self._naming.whom(call, who)
            return _quota_of(person, count, call.locale)

        async for event in audited("quota", call, decide):
            yield event

    # --- what was done -------------------------------------------------------------------------

    async def _audit(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "audit"})
            yield done()
            return
        wanted = call.argument or str(AUDIT_SHOWN)
        count = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else 0
        if not 1 <= count <= AUDIT_MAX:
            shown = wanted[:ARGUMENT_SHOWN]
            yield Notice(key="access.bad_number", values={"given": shown, "most": AUDIT_MAX})
            yield done(Audit(action="audit refused", detail=f"access.bad_number: {shown}"))
            return
        entries = await self._audits.last(count)
        lines = [
            f"{local(one.at, self._zone):%Y-%m-%d %H:%M} {line(one, call.locale)}"
            for one in entries
        ]
        yield Say(text="\n".join(lines) or say(call.locale, "access.audit_none"))
        yield done()


def _cut(text: str) -> str:
    return text if len(text) <= REASON_MAX else text[: REASON_MAX - 1] + "…"


def _banned(person: Person, reason: str, *, private: bool) -> Decision:
    """Kept out; the reason stands beside the name wherever only those who run the desk see it."""
    values: dict[str, Scalar] = {"name": person.listed}
    told = bool(reason) and private
    return Decision(
        key="access.banned_because" if told else "access.banned",
        values=values | {"reason": reason} if told else values,
        detail=f"#{person.id}: {reason}" if reason else f"#{person.id}",
        changes=(SetRole(person=person.id, role=Role.BLOCKED, allowed=False, reason=reason),),
    )


def _freed(person: Person) -> Role:
    """Their role without a block."""
    return Role.CUSTOMER if person.role is Role.BLOCKED else person.role


def _role(key: str, person: Person, role: Role, *, allowed: bool) -> Decision:
    return Decision(
        key=key,
        values={"name": person.listed},
        detail=f"#{person.id}",
        changes=(SetRole(person=person.id, role=role, allowed=allowed),),
    )


def _quota_of(person: Person, count: str | None, locale: str) -> Decision:
    """Show it, set it, lift it, or make it everybody's again. Raises UserError."""
    if count is None:
        answers, key, detail = person.quota, "access.quota_shown", ""
    else:
        answers, key, detail = _answers(count), "access.quota_set", count
    values: dict[str, Scalar] = {"name": person.listed, "quota": _quota_text(answers, locale)}
    changes = () if count is None else (SetQuota(person=person.id, answers=answers),)
    return Decision(
        key=key, values=values, detail=f"#{person.id} {detail}".strip(), changes=changes
    )


def _answers(count: str) -> int | None:
    """What was written, as a number of answers: 0 is no limit, None what everybody has."""
    if count in _LIFTED:
        return _LIFTED[count]
    answers = int(count) if count.isdecimal() and len(count) <= len(str(QUOTA_MAX)) else 0
    if not 1 <= answers <= QUOTA_MAX:
        raise UserError("access.bad_quota", given=count[:ARGUMENT_SHOWN], most=QUOTA_MAX)
    return answers


def _quota_text(answers: int | None, locale: str) -> str:
    if answers is None:
        return say(locale, "access.quota_default")
    return str(answers) if answers else say(locale, "access.quota_off")
