"""What those who run the desk decide about people, and what they say to all; each act is audited.

A row decides and says; what it decides becomes true with its settlement, the audit with it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from zoneinfo import ZoneInfo

from bot.config import DeskConfig
from bot.engine.acts import line
from bot.engine.commands import ADMINS, Call, Command
from bot.errors import UserError
from bot.i18n import say
from bot.ports import Audits, Broadcasts, Clock, Directory
from bot.stats.span import local
from bot.types import (
    Audit,
    Change,
    Done,
    DraftBroadcast,
    Notice,
    Person,
    PersonId,
    Place,
    ReplyEvent,
    Role,
    Say,
    Scalar,
    SetQuota,
    SetRole,
    StartBroadcast,
    value,
)

BROADCAST_MAX = 3500
"""Characters: one message on every platform (Telegram shows 4,096 UTF-16 units in one)."""
NEWEST = "0"
"""The number under which the newest broadcast is asked for."""
QUOTA_MAX = 1_000_000
AUDIT_SHOWN, AUDIT_MAX = 20, 100
ARGUMENT_SHOWN = 60
"""Characters of an argument that cannot be understood, in the refusal and in the audit."""

_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>", re.ASCII)  # Slack's own form of @name
_NUMBER = re.compile(r"#(\d{1,15})", re.ASCII)
_IDENTITY = re.compile(r"([a-z]+):(?:([^/\s]+)/)?([^/\s]+)", re.ASCII)
_QUOTA = re.compile(
    r"(?P<who>.*?)\s*(?P<count>(?<!\S)(?:[+-]?\d+(?:\.\d+)?|off|default|不限|默认))?", re.DOTALL
)
_NUMBERED = re.compile(r"(?P<who>#\d{1,15})\s+(?P<count>.+)", re.DOTALL)
_LIFTED = {"off": 0, "不限": 0, "default": None, "默认": None}
"""Words for an answer count: no limit, and what everybody has."""
_CONFIRM = re.compile(r"send\s+(\S+)", re.IGNORECASE)
_STATUS = re.compile(r"status(?:\s+(\S+))?", re.IGNORECASE)

Code = Callable[[], str]
"""A new confirmation code, hard to guess and easy to type."""


@value
class _Decision:
    """What becomes true, and the sentence that says so."""

    key: str
    values: dict[str, Scalar]
    detail: str
    changes: tuple[Change, ...] = ()


class Owners:
    """The rows for those who run the desk."""

    def __init__(
        self,
        desk: DeskConfig,
        clock: Clock,
        directory: Directory,
        audits: Audits,
        broadcasts: Broadcasts,
        *,
        code: Code,
    ) -> None:
        self._zone = ZoneInfo(desk.timezone)
        self._clock = clock
        self._directory = directory
        self._audits = audits
        self._broadcasts = broadcasts
        self._code = code

    def commands(self) -> tuple[Command, ...]:
        """The rows."""
        return (
            Command(word="ban", run=self._ban, roles=ADMINS),
            Command(word="unban", run=self._unban, roles=ADMINS),
            Command(word="allow", run=self._allow, roles=ADMINS),
            Command(word="quota", run=self._quota, roles=ADMINS),
            Command(word="broadcast", run=self._broadcast, roles=ADMINS),
            Command(word="audit", run=self._audit, roles=ADMINS),
        )

    # --- people ------------------------------------------------------------------------------

    async def _ban(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> _Decision:
            person = await self._whom(call, call.argument)
            if person.id == call.person.id or person.role is Role.ADMIN:
                raise UserError("access.not_them", name=_name(person))
            return _role("access.banned", person, Role.BLOCKED, allowed=False)

        async for event in _audited("ban", call, decide):
            yield event

    async def _unban(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> _Decision:
            person = await self._whom(call, call.argument)
            return _role("access.unbanned", person, _freed(person), allowed=person.allowed)

        async for event in _audited("unban", call, decide):
            yield event

    async def _allow(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> _Decision:
            person = await self._whom(call, call.argument)
            return _role("access.allowed", person, _freed(person), allowed=True)

        async for event in _audited("allow", call, decide):
            yield event

    async def _quota(self, call: Call) -> AsyncIterator[ReplyEvent]:
        async def decide() -> _Decision:
            asked = call.argument.strip()
            found = _NUMBERED.fullmatch(asked) or _QUOTA.fullmatch(asked)
            who, count = (found["who"], found["count"]) if found else (call.argument, None)
            if count is not None and not who and call.quoted_user is None:
                who, count = count, None
            person = await self._whom(call, who)
            return _quota_of(person, count, call.locale)

        async for event in _audited("quota", call, decide):
            yield event

    async def _whom(self, call: Call, who: str) -> Person:
        """The person meant: the one replied to, a mention, #number, id, platform:id, or @name."""
        who = who.strip()
        if not who and call.quoted_user is not None:
            who = f"{call.place.platform}:{call.place.account}/{call.quoted_user}"
        if not who:
            raise UserError("access.whom")
        if who.startswith("@"):
            return _only(await self._directory.by_name(who[1:].strip()), who)
        if number := _NUMBER.fullmatch(who):
            found = await self._directory.by_number(PersonId(int(number[1])))
        else:
            found = await self._directory.by_identity(*_identity(who, call.place))
        return _only([found] if found else [], who)

    # --- everybody -----------------------------------------------------------------------------

    async def _broadcast(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "broadcast"})
            yield _done()
            return
        if status := _STATUS.fullmatch(call.argument):
            yield Say(text=await self._progress(status[1] or NEWEST, call.locale))
            yield _done()
            return
        confirmed = _CONFIRM.fullmatch(call.argument)
        if confirmed is None and 0 < len(call.argument) <= BROADCAST_MAX:
            yield Say(text=call.argument)

        async def decide() -> _Decision:
            if confirmed is not None:
                return await self._start(confirmed[1], call)
            return await self._draft(call.argument)

        async for event in _audited("broadcast", call, decide):
            yield event

    async def _draft(self, text: str) -> _Decision:
        """A preview, and the code that lets it go."""
        if not text:
            raise UserError("access.broadcast_usage")
        if len(text) > BROADCAST_MAX:
            raise UserError("access.broadcast_long", most=BROADCAST_MAX, length=len(text))
        if not (people := await self._broadcasts.recipients()):
            raise UserError("access.broadcast_nobody")
        code = self._code()
        return _Decision(
            key="access.broadcast_preview",
            values={"people": people, "code": code},
            detail=f"drafted {code}: {len(text)} characters",
            changes=(DraftBroadcast(code=code, text=text),),
        )

    async def _start(self, code: str, call: Call) -> _Decision:
        """It goes out; a code is good once, for its author, for a quarter of an hour."""
        at = self._clock.now()
        if await self._broadcasts.draft(code, call.person.id, at=at) is None:
            raise UserError("access.broadcast_code", code=code[:ARGUMENT_SHOWN])
        people = await self._broadcasts.recipients()
        return _Decision(
            key="access.broadcast_started",
            values={"people": people},
            detail=f"started {code}: {people} people",
            changes=(StartBroadcast(code=code),),
        )

    async def _progress(self, number: str, locale: str) -> str:
        """How far it came, and to whom it may or may not have come."""
        known = number.isascii() and number.isdigit() and len(number) < 16
        found = await self._broadcasts.progress(int(number)) if known else None
        if found is None and number == NEWEST:
            raise UserError("access.broadcast_never")
        if found is None:
            raise UserError("access.broadcast_none", number=number[:ARGUMENT_SHOWN])
        lines = [
            say(
                locale,
                "access.broadcast_progress",
                number=found.id,
                delivered=found.delivered,
                waiting=found.waiting,
                failed=found.failed,
                unknown=found.unknown,
            )
        ]
        if not found.whole:
            lines.append(say(locale, "access.broadcast_spreading"))
        if found.unknowns:
            names = ", ".join(f"{name or '—'} (#{person})" for person, name in found.unknowns)
            lines.append(say(locale, "access.broadcast_unknowns", names=names))
        return "\n".join(lines)

    # --- what was done -------------------------------------------------------------------------

    async def _audit(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "audit"})
            yield _done()
            return
        wanted = call.argument or str(AUDIT_SHOWN)
        count = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else 0
        if not 1 <= count <= AUDIT_MAX:
            shown = wanted[:ARGUMENT_SHOWN]
            yield Notice(key="access.bad_number", values={"given": shown, "most": AUDIT_MAX})
            yield _done(Audit(action="audit refused", detail=f"access.bad_number: {shown}"))
            return
        entries = await self._audits.last(count)
        lines = [
            f"{local(one.at, self._zone):%Y-%m-%d %H:%M} {line(one, call.locale)}"
            for one in entries
        ]
        yield Say(text="\n".join(lines) or say(call.locale, "access.audit_none"))
        yield _done()


async def _audited(
    action: str, call: Call, decide: Callable[[], Awaitable[_Decision]]
) -> AsyncIterator[ReplyEvent]:
    """Say what was decided, or why it was refused; either stands in the audit."""
    try:
        decision = await decide()
    except UserError as error:
        yield Notice(key=error.key, values=dict(error.values))
        given = " ".join(call.argument.split())[:ARGUMENT_SHOWN]
        yield _done(Audit(action=f"{action} refused", detail=f"{error.key}: {given}"))
        return
    yield Notice(key=decision.key, values=decision.values)
    yield _done(*decision.changes, Audit(action=action, detail=decision.detail))


def _done(*changes: Change) -> Done:
    return Done(route="command", changes=changes, remember=False)


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


def _name(person: Person) -> str:
    return f"{person.name or '—'} (#{person.id})"


def _freed(person: Person) -> Role:
    """Their role without a block."""
    return Role.CUSTOMER if person.role is Role.BLOCKED else person.role


def _role(key: str, person: Person, role: Role, *, allowed: bool) -> _Decision:
    return _Decision(
        key=key,
        values={"name": _name(person)},
        detail=f"#{person.id}",
        changes=(SetRole(person=person.id, role=role, allowed=allowed),),
    )


def _quota_of(person: Person, count: str | None, locale: str) -> _Decision:
    """Show it, set it, lift it, or make it everybody's again. Raises UserError."""
    if count is None:
        answers, key, detail = person.quota, "access.quota_shown", "shown"
    else:
        answers, key, detail = _answers(count), "access.quota_set", count
    values: dict[str, Scalar] = {"name": _name(person), "quota": _quota_text(answers, locale)}
    changes = () if count is None else (SetQuota(person=person.id, answers=answers),)
    return _Decision(key=key, values=values, detail=f"#{person.id} {detail}", changes=changes)


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
