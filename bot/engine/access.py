"""Who is let in, and what may be spent on their answer; pure.

Refusals are sentences with the time when it goes on, never silence.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.config import AccessConfig
from bot.ports import Spent
from bot.stats.span import local, midnight
from bot.types import Means, Person, Place, Role, Scalar, value

MINUTE_MS = 60_000
THRIFTY_FROM = 0.8
"""Of a budget: from here on the cheapest model answers, so that the rest lasts longer."""


@value
class Verdict:
    """What may be spent, and until when (local time as text); or the sentence that refuses."""

    means: Means = "full"
    until: str = ""
    refusal: str = ""

    @property
    def values(self) -> dict[str, Scalar]:
        """What the sentence names."""
        return {"until": self.until} if self.until else {}


def names_of(place: Place, user: str) -> set[str]:
    """How settings may name somebody: with the account or without."""
    return {f"{place.platform}:{user}", f"{place.platform}:{place.account}/{user}"}


def entry(role: Role, person: Person, names: Collection[str], access: AccessConfig) -> str:
    """The catalogue key of the sentence that keeps somebody out; "" lets them in.

    Those who run the desk are always let in; a name on both lists of the settings is blocked.
    """
    if role in (Role.ADMIN, Role.STAFF):
        return ""
    if role is Role.BLOCKED or set(names) & access.block:
        return "decline.blocked"
    if access.entry == "open" or person.allowed or set(names) & access.allow:
        return ""
    return "access.not_listed"


def counts(access: AccessConfig, person: Person) -> bool:
    """There is a limit, so the ledger has to be asked."""
    rates = access.person_per_minute or access.chat_per_minute
    days = access.person_per_day or access.person_tokens_per_day
    return bool(rates or days or access.tokens_per_day or access.cost_per_day or person.quota)


def verdict(
    spent: Spent, person: Person, role: Role, access: AccessConfig, *, now: int, zone: ZoneInfo
) -> Verdict:
    """What may be spent on one more answer. Admins are limited by nothing."""
    if role is Role.ADMIN:
        return Verdict()
    if _full(spent.person_minute, access.person_per_minute) and role is not Role.STAFF:
        return Verdict(refusal="access.too_fast")
    if _full(spent.chat_minute, access.chat_per_minute):
        return Verdict(refusal="access.chat_too_fast")
    quota = access.person_per_day if person.quota is None else person.quota
    if _full(spent.person_day, quota):
        return Verdict(refusal="access.day_spent", until=day_ends(now, zone))
    used = _used(spent, access)
    if used >= 1.0:
        until = day_ends(now, zone)
        if access.spent == "stop":
            return Verdict(refusal="access.budget_spent", until=until)
        return Verdict(means="knowledge", until=until)
    return Verdict(means="thrifty" if used >= THRIFTY_FROM else "full")


def day(now: int, zone: ZoneInfo) -> tuple[int, int]:
    """When the zone's day began and will end (ms)."""
    today = local(now, zone).date()
    return midnight(today, zone), midnight(today + timedelta(days=1), zone)


def day_ends(now: int, zone: ZoneInfo) -> str:
    """When it will end, as the zone's clocks show it."""
    return local(day(now, zone)[1], zone).strftime("%Y-%m-%d %H:%M %Z")


def _full(count: int, limit: int) -> bool:
    """A limit of 0 is none."""
    return 0 < limit <= count


def _used(spent: Spent, access: AccessConfig) -> float:
    """The part of the day's budget that is gone, of whichever is the nearest to its end."""
    pairs = (
        (spent.person_tokens, access.person_tokens_per_day),
        (spent.desk_tokens, access.tokens_per_day),
        (spent.desk_cost, access.cost_per_day),
    )
    return max((used / limit for used, limit in pairs if limit), default=0.0)
