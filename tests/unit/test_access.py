"""Who is let in and what may be spent on them, decided without a clock, a store or a platform."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from bot.config import AccessConfig, ModelConfig
from bot.engine.access import counts, day, entry, names_of, verdict
from bot.model.thrifty import Thrifty, cheapest_first
from bot.ports import Spent
from bot.types import (
    Change,
    ChatRequest,
    ChatTurn,
    DurableAnswer,
    MemoryId,
    ModelText,
    Person,
    PersonId,
    Place,
    Role,
    Settlement,
)
from storage.codec import read_answer, write_answer
from tests.fakes.scripted import ScriptedModel

PLACE = Place(platform="slack", account="T1", channel="D1", private=True)
ANN = Person(id=PersonId(1), name="Ann")
NOON = 1_764_590_400_000  # 2025-12-01 12:00 UTC
UTC = ZoneInfo("UTC")


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.BLOCKED, Role.STAFF, Role.ADMIN])
@pytest.mark.parametrize("door", ["open", "listed"])
@pytest.mark.parametrize("listed", ["", "allow", "block", "both"])
@pytest.mark.parametrize("allowed", [False, True])
def test_who_is_let_in(role: Role, door: str, listed: str, *, allowed: bool) -> None:
    """Staff and admins always; a block beats every permission; a closed door needs one."""
    name = frozenset({"slack:T1/U1"})
    access = AccessConfig(
        entry=door,
        allow=name if listed in ("allow", "both") else frozenset(),
        block=name if listed in ("block", "both") else frozenset(),
    )
    person = Person(id=PersonId(1), role=role, allowed=allowed)
    refusal = entry(role, person, names_of(PLACE, "U1"), access)
    if role in (Role.STAFF, Role.ADMIN):
        assert refusal == ""
    elif role is Role.BLOCKED or listed in ("block", "both"):
        assert refusal == "decline.blocked"
    elif door == "open" or allowed or listed == "allow":
        assert refusal == ""
    else:
        assert refusal == "access.not_listed"


def test_a_name_without_account_is_anybody_of_the_platform_and_no_other_platform() -> None:
    access = AccessConfig(block=frozenset({"slack:U1"}))
    assert entry(Role.CUSTOMER, ANN, names_of(PLACE, "U1"), access)
    there = Place(platform="telegram", account="1", channel="1")
    assert not entry(Role.CUSTOMER, ANN, names_of(there, "U1"), access)


@pytest.mark.parametrize(
    ("spent", "role", "refusal"),
    [
        (Spent(person_minute=4), Role.CUSTOMER, ""),
        (Spent(person_minute=5), Role.CUSTOMER, "access.too_fast"),
        (Spent(person_minute=5), Role.STAFF, ""),
        (Spent(chat_minute=7), Role.CUSTOMER, "access.chat_too_fast"),
        (Spent(chat_minute=7), Role.STAFF, "access.chat_too_fast"),
        (Spent(person_day=9), Role.CUSTOMER, "access.day_spent"),
        (Spent(person_minute=99, chat_minute=99, person_day=99), Role.ADMIN, ""),
    ],
)
def test_counts_refuse_at_their_limit_and_not_before(
    spent: Spent, role: Role, refusal: str
) -> None:
    access = AccessConfig(person_per_minute=5, chat_per_minute=7, person_per_day=9)
    assert verdict(spent, ANN, role, access, now=NOON, zone=UTC).refusal == refusal


def test_no_limit_means_none() -> None:
    free = AccessConfig(person_per_minute=0, chat_per_minute=0)
    much = Spent(person_minute=10**9, chat_minute=10**9, person_day=10**9, desk_cost=1e12)
    assert verdict(much, ANN, Role.CUSTOMER, free, now=NOON, zone=UTC).refusal == ""
    assert not counts(free, ANN)
    assert counts(free, Person(id=PersonId(1), quota=3))


@pytest.mark.parametrize(
    ("quota", "day_count", "refused"),
    [(None, 9, True), (None, 8, False), (3, 3, True), (20, 9, False), (0, 10**6, False)],
)
def test_a_person_s_own_quota_goes_before_everybody_s(
    quota: int | None, day_count: int, *, refused: bool
) -> None:
    person = Person(id=PersonId(1), quota=quota)
    access = AccessConfig(person_per_day=9)
    may = verdict(Spent(person_day=day_count), person, Role.CUSTOMER, access, now=NOON, zone=UTC)
    assert bool(may.refusal) == refused


@pytest.mark.parametrize("budget", ["person_tokens", "desk_tokens", "desk_cost"])
@pytest.mark.parametrize(
    ("used", "means", "refusal"),
    [(79, "full", ""), (80, "thrifty", ""), (99, "thrifty", ""), (100, "knowledge", "")],
)
def test_a_budget_is_stretched_by_cheaper_means_before_it_ends(
    budget: str, used: int, means: str, refusal: str
) -> None:
    access = AccessConfig(person_tokens_per_day=100, tokens_per_day=100, cost_per_day=100.0)
    may = verdict(Spent(**{budget: used}), ANN, Role.CUSTOMER, access, now=NOON, zone=UTC)
    assert (may.means, may.refusal) == (means, refusal)


def test_the_last_step_may_be_a_stop_that_names_the_time() -> None:
    access = AccessConfig(tokens_per_day=100, spent="stop")
    zone = ZoneInfo("Asia/Kolkata")
    may = verdict(Spent(desk_tokens=100), ANN, Role.CUSTOMER, access, now=NOON, zone=zone)
    assert may.refusal == "access.budget_spent"
    assert may.values == {"until": "2025-12-02 00:00 IST"}


@pytest.mark.parametrize(
    ("zone", "now", "hours"),
    [
        ("Europe/Berlin", 1_743_296_400_000, 23),  # 2025-03-30: clocks go forward
        ("Europe/Berlin", 1_761_440_400_000, 25),  # 2025-10-26: and back
        ("Asia/Kathmandu", NOON, 24),
        ("America/Santiago", 1_757_260_800_000, 23),  # 2025-09-07 begins at one o'clock
    ],
)
def test_a_day_is_the_zone_s_own_whatever_its_length(zone: str, now: int, hours: int) -> None:
    begin, end = day(now, ZoneInfo(zone))
    assert begin <= now < end
    assert (end - begin) / 3_600_000 == hours


async def test_each_means_asks_its_own_model() -> None:
    full, cheap, none = (ScriptedModel([word]) for word in ("full", "cheap", "none"))
    model = Thrifty(full, thrifty=cheap, knowledge=none)
    said = {}
    for means in ("full", "thrifty", "knowledge"):
        ask = ChatRequest(turns=(ChatTurn(role="user", content="q"),), means=means)
        said[means] = [e.delta async for e in model.stream(ask) if isinstance(e, ModelText)]
    assert said == {"full": ["full"], "thrifty": ["cheap"], "knowledge": ["none"]}


def test_the_cheapest_model_goes_first_and_the_unpriced_last() -> None:
    priced = [ModelConfig(price_output=price) for price in (4.0, None, 0.0, 1.5)]
    assert cheapest_first(priced) == [2, 3, 0, 1]


@pytest.mark.parametrize("kind", get_args(Change), ids=lambda kind: kind.__name__)
def test_every_change_survives_the_way_to_disk_and_back(kind: type) -> None:
    """A settlement is written down before its last edit: no change may be lost on that way."""
    samples = {"int": 3, "str": "x", "bool": True, "float": 0.5, "Role": Role.STAFF}
    given = {
        one.name: PLACE if one.type == "Place" else samples.get(str(one.type).split(" ")[0], 3)
        for one in fields(kind)
    }
    given |= {name: "person:1" for name in given if name == "memory"}
    change = kind(**given)
    settlement = Settlement(
        outcome="answered", memory=MemoryId("m"), person=PersonId(1), changes=(change,)
    )
    answer = DurableAnswer(text="t", buttons=(), locale="en", settlement=settlement)
    assert read_answer(write_answer(answer)) == answer
