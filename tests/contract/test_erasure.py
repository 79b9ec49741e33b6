"""Erasure: what a person said and was told is in the file no more, nor in the log beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ports import Intake
from bot.types import (
    Audit,
    Await,
    DraftBroadcast,
    DurableAnswer,
    Erase,
    Feedback,
    Forward,
    Gap,
    LedgerRow,
    MemoryId,
    OpenTicket,
    PersonId,
    Place,
    Role,
    Sender,
    SetRole,
    Settlement,
    Signal,
    StartBroadcast,
    Turn,
    UseSkill,
)
from storage import Stores, open_stores
from storage.driver import sqlite, target
from storage.erasure import fold_if_owed
from storage.retention import Retention, prune
from storage.sqlite import SqliteDatabase
from tests.contract.stores import HandClock, clock, intake, lease_one, message, place

__all__ = ["clock"]

SECRET = "zebra-crossing-4711"
"""Words that must be gone afterwards, wherever they stood."""
OTHERS = "walrus-moustache-0815"
STAFF = place("staff")


def in_the_files(path: Path, words: str) -> list[str]:
    """The files of this database that hold these words."""
    return [
        file.name
        for file in sorted(path.parent.glob(f"{path.name}*"))
        if file.is_file() and words.encode() in file.read_bytes()
    ]


async def _converse(desk: Stores, user: str, words: str, *, channel: str, rounds: int) -> PersonId:
    """Questions and answers with these words everywhere that words can stand."""
    person = await desk.people.person(place(channel, private=True), Sender(user=user, name=words))
    memory = MemoryId(f"person:{person.id}")
    for at in range(rounds):
        home = place(channel, private=True)
        said = message(at + 1, f"{words} {at} " * 30, channel=channel, user=user)
        said = replace(said, key=f"{user}{at}", place=home, quoted=words)
        await desk.inbox.put([replace(intake(said), raw=f'{{"text": "{words}"}}')])
        lease = await lease_one(desk)
        edit = Signal(kind="edit", conversation=home.conversation, key="other", text=words)
        await desk.inbox.put([intake(signal=edit, delivery=f"s{user}{at}")])
        await desk.inbox.renew(lease)
        settlement = Settlement(
            outcome="answered",
            memory=memory,
            person=person.id,
            turns=(
                Turn(role="user", text=f"{words} asked", said_at=1, name=words),
                Turn(role="assistant", text=f"{words} answered", said_at=2),
            ),
            changes=(
                OpenTicket(reason="r", staff=STAFF, summary=words),
                Gap(question=words, locale="en"),
                Feedback(answer=lease.id, good=True),
                Await(word="w", given=words, locale="en", until=10**15),
                UseSkill(skill="blog"),
                Audit(action="broadcast refused", detail=f"access.broadcast_long: {words}"),
                DraftBroadcast(code=f"{user}{at}", text=f"{words} to all"),
                DraftBroadcast(code=f"never{user}{at}", text=f"{words} to nobody"),
            ),
            forwards=(
                Forward(place=STAFF, text=f"notice: {words}"),
                Forward(place=STAFF, text=f"digest: {words}", key=f"digest:{user}{at}"),
                Forward(place=STAFF, text=f"given up: {words}", key=f"alert:{lease.id}"),
            ),
            ledger=LedgerRow(at=5, route="open", outcome="answered", total_ms=1),
        )
        answer = DurableAnswer(text=words, buttons=(), locale="en", settlement=settlement)
        await desk.inbox.answer(lease, answer)
        await desk.inbox.settle(lease, settlement)
        for _ in ("notice", "digest"):
            await desk.inbox.settle(await lease_one(desk), _nothing())
        await desk.inbox.bury(await lease_one(desk), _nothing(), error=f"no way: {words}")
        odd = Intake(
            raw=f'{{"from": "{user}", "odd": "{words}"}}', delivery=f"o{user}{at}", error="?"
        )
        await desk.inbox.put([odd])
    await desk.summaries.put(memory, f"{words} in short", through=0)
    return person.id


async def _send_to_all(desk: Stores, user: str, person: PersonId, *, channel: str) -> None:
    """The broadcast that this person drafted first goes out, to everybody there is."""
    said = message(998, "/broadcast send", channel=channel, user=user)
    await desk.inbox.put([intake(replace(said, place=place(channel, private=True)))])
    settlement = Settlement(
        outcome="answered",
        memory=MemoryId("m"),
        person=person,
        changes=(StartBroadcast(code=f"{user}0"),),
    )
    await desk.inbox.settle(await lease_one(desk), settlement)


async def _named_by_another(desk: Stores, words: str) -> None:
    """Somebody else typed this name in vain."""
    attempt = Audit(action="ban refused", detail=f"access.unknown_person: @{words}")
    await desk.inbox.put([intake(message(997, "/ban", channel="roots", user="root"))])
    settlement = Settlement(
        outcome="answered", memory=MemoryId("r"), person=PersonId(0), changes=(attempt,)
    )
    await desk.inbox.settle(await lease_one(desk), settlement)


async def _banned_by_another(desk: Stores, person: PersonId, words: str) -> None:
    """Somebody else kept them out, and quoted them."""
    ban = message(996, f"/ban #{person} {words}", channel="roots", user="root", alone=True)
    await desk.inbox.put([intake(ban)])
    settlement = Settlement(
        outcome="answered",
        memory=MemoryId("r"),
        person=PersonId(0),
        changes=(
            SetRole(person=person, role=Role.BLOCKED, allowed=False, reason=words),
            Audit(action="ban", detail=f"#{person}: {words}"),
            Audit(action="ban refused", detail=f"access.unknown_person: 77 {words}"),
        ),
    )
    for lease in await desk.inbox.lease("me", 9):
        if lease.sender.user == "root":
            await desk.inbox.settle(lease, settlement)
        else:
            await desk.inbox.rest(lease, until=0, error="", counts=False)


def _nothing() -> Settlement:
    return Settlement(outcome="answered", memory=MemoryId(""), person=PersonId(0))


async def _forget(desk: Stores, user: str, person: PersonId, *, channel: str) -> None:
    home = place(channel, private=True)
    said = message(999, "/forget yes", channel=channel, user=user)
    await desk.inbox.put([intake(replace(said, place=home))])
    settlement = Settlement(
        outcome="answered", memory=MemoryId("m"), person=person, changes=(Erase(),)
    )
    await desk.inbox.settle(await lease_one(desk), settlement)


@pytest.mark.parametrize("rounds", [1, 120])
async def test_after_erasure_the_words_are_in_no_file_and_everybody_else_s_are(
    tmp_path: Path, clock: HandClock, rounds: int
) -> None:
    """Few rows share a page with others' and many fill pages of their own; both must be zeroed."""
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), clock)
    try:
        other = await _converse(desk, "bob", OTHERS, channel="bobs", rounds=3)
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=rounds)
        assert in_the_files(path, SECRET)
        await _forget(desk, "ann", person, channel="anns")
        assert in_the_files(path, SECRET) == []
        assert in_the_files(path, OTHERS)
        assert len(await desk.history.last(MemoryId(f"person:{other}"), 99)) == 6
        assert await desk.history.last(MemoryId(f"person:{person}"), 99) == []
        assert len(await desk.ledger.rows(0, 10**15)) == rounds + 3
    finally:
        await desk.close()
    assert in_the_files(path, SECRET) == []


async def test_what_remains_of_a_person_are_numbers(tmp_path: Path, clock: HandClock) -> None:
    """The export after an erasure holds counts and identities, and not one word."""
    desk = await open_stores(str(tmp_path / "desk.db"), clock)
    try:
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=2)
        before = await desk.exports.of(person)
        assert len(before["conversation"]) == 4
        for part in ("messages", "tickets", "summaries", "not_known"):
            assert SECRET in str(before[part]), part
        assert [one["skill"] for one in before["skills"]] == ["blog"] * 2
        await _forget(desk, "ann", person, channel="anns")
        after = await desk.exports.of(person)
        assert SECRET not in str(after)
        for part in ("conversation", "messages", "summaries", "not_known"):
            assert after[part] == []
        assert len(after["answers"]) == 2
        assert after["person"][0]["name"] == ""
    finally:
        await desk.close()


async def test_an_erasure_that_a_crash_broke_off_is_finished_at_the_next_start(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit and the folding of the log the process dies: the log is folded later."""
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), clock)
    try:
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=2)

        async def broken(self: SqliteDatabase) -> bool:
            return False

        with monkeypatch.context() as patch:
            patch.setattr(SqliteDatabase, "fold", broken)
            await _forget(desk, "ann", person, channel="anns")
        assert in_the_files(path, SECRET)
        await prune(desk.database, Retention(), now=clock.now())
        assert in_the_files(path, SECRET) == []
        assert await fold_if_owed(desk.database, now=clock.now())
    finally:
        await desk.close()


async def test_what_is_on_its_way_then_is_sent_and_forgotten_too(
    tmp_path: Path, clock: HandClock
) -> None:
    """A notice to staff that rests while its platform is down; and the log is folded once more."""
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), clock)
    try:
        home = place("anns", private=True)
        person = (await desk.people.person(home, Sender(user="ann"))).id
        said = replace(message(1, "/person", channel="anns", user="ann"), place=home)
        await desk.inbox.put([intake(said)])
        notice = Forward(place=STAFF, text=f"Ann needs somebody: {SECRET}")
        settlement = Settlement(
            outcome="answered", memory=MemoryId("m"), person=person, forwards=(notice,)
        )
        await desk.inbox.settle(await lease_one(desk), settlement)
        waiting = await lease_one(desk)
        await desk.inbox.rest(waiting, until=clock.now() + 60_000, error="down")
        await _forget(desk, "ann", person, channel="anns")
        clock.pass_(61)
        await desk.inbox.settle(await lease_one(desk), _nothing())
        await prune(desk.database, Retention(), now=clock.now())
        assert in_the_files(path, SECRET) == []
    finally:
        await desk.close()


async def test_an_operator_can_have_somebody_erased(tmp_path: Path, clock: HandClock) -> None:
    """Asked for by letter: the same, and the act is in the audit."""
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), clock)
    try:
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=2)
        await desk.exports.erase(person)
        assert in_the_files(path, SECRET) == []
        [newest] = await desk.audits.last(1)
        assert (newest.actor, newest.action, newest.detail) == ("cli", "forget", f"#{person}")
    finally:
        await desk.close()


# --- every column ------------------------------------------------------------------------------

GOES = {
    "answer": {"body"},
    "audit": {"detail"},
    "broadcast": {"text"},
    "form": {"memory", "word", "given", "locale"},
    "gap": {"question"},
    "inbox": {"body", "raw", "error"},
    "memory": {"summary"},
    "person": {"name", "locale", "home", "ban_reason"},
    "signal": {"text"},
    "ticket": {"summary"},
    "turn": {"role", "text", "name"},
}
"""What holds a person's words, or words about them: emptied, or the whole row goes."""
STAYS = {
    "admin_link": {"token", "actor"},  # hashes, and the id of an administrator; gone in a day
    "admin_session": {"token", "actor"},
    "audit": {"actor", "action"},  # what was done to the desk, by which account
    "broadcast": {"code"},
    "conversation": {"key", "place", "owner"},  # ids of chats
    "gap": {"locale"},
    # so that a block holds, and its refusal
    "identity": {"platform", "account", "user_id", "user_groups"},
    "inbox": {"dedupe", "delivery", "sender", "origin", "outcome", "reference"},  # ids
    "ledger": {
        *("platform", "account", "route", "outcome", "model", "currency", "finish", "error"),
        "chat",
    },  # numbers, and the names of our own errors
    "memory": {"key"},
    "migration": {"name", "checksum"},
    "party": {"sender"},
    "person": {"role"},
    "reply": {"place", "anchor", "kind", "shown"},  # ids, and a hash of what was shown
    "setting": {"key", "value"},
    "signal": {"delivery", "kind", "key"},
    "skill_use": {"skill"},  # counts
    "ticket": {"conversation", "place", "staff", "reason"},
}
"""Ids, hashes and words of ours."""
TOLD = {
    "gap": {"question"},
    "inbox": {"body"},
    "memory": {"summary"},
    "person": {"name", "locale", "ban_reason"},  # the reason as the audit has it, also afterwards
    "ticket": {"summary"},
    "turn": {"role", "text", "name"},
}
"""Of what goes, what an export gives to the person: their words, and words about them."""
UNTOLD = {
    "answer": {"body"},  # is on its way to them
    "audit": {"detail"},  # whom they named in vain; of the acts upon them the bans are told
    "broadcast": {"text"},  # said for the desk; the message it was typed in is told
    "form": {"memory", "word", "given", "locale"},  # of messages that are told
    "inbox": {"raw", "error"},  # the same message as its platform put it, and our own words
    "person": {"home"},  # the chat they ask from; identities are told
    "signal": {"text"},  # an edit that becomes the message itself
}
"""Of what goes, what an export leaves out, and why."""
COUNTED = {
    "broadcast", "broadcast_line", "erasure", "feedback", "form", "identity", "ledger", "skill_use",
    "ticket", "turn",
}  # fmt: skip
"""Tables that name a person by number."""


@contextmanager
def looking(path: Path) -> Iterator[sqlite.Connection]:
    """With the desk's own library: two in one process would break each other's locks."""
    connection = sqlite.connect(target(str(path), read_only=True), uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _columns(path: Path) -> dict[str, dict[str, str]]:
    """Types by table and column, without the knowledge, which is the team's, and SQLite's own."""
    with looking(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM pragma_table_list")]
        return {
            table: {
                row[1]: row[2]
                for row in connection.execute(f"SELECT * FROM pragma_table_info('{table}')")
            }
            for table in tables
            if not table.startswith(("kb_", "sqlite_"))
        }


async def test_every_column_is_decided_on(tmp_path: Path, clock: HandClock) -> None:
    """A new table that names a person, or a new column that can hold words, fails here until it is
    said what an erasure does with it, and of what it takes away whether an export gives it out.
    """
    path = tmp_path / "desk.db"
    await (await open_stores(str(path), clock)).close()
    for table, columns in _columns(path).items():
        worded = {name for name, kind in columns.items() if kind not in ("INTEGER", "REAL")}
        decided = GOES.get(table, set()) | STAYS.get(table, set())
        assert worded == decided, table
        assert ("person" in columns) == (table in COUNTED), table
        told, untold = TOLD.get(table, set()), UNTOLD.get(table, set())
        assert (told | untold, told & untold) == (GOES.get(table, set()), set()), table


async def test_why_somebody_was_kept_out_is_theirs_to_know(
    tmp_path: Path, clock: HandClock
) -> None:
    """Words about a person, which an erasure takes away: their export has them, and nobody else's;
    that an administrator looked for a wrong name is none of it.
    """
    desk = await open_stores(str(tmp_path / "desk.db"), clock)
    try:
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=1)
        other = await _converse(desk, "bob", OTHERS, channel="bobs", rounds=1)
        await _banned_by_another(desk, person, "rude: twice")
        exported = await desk.exports.of(person)
        assert [one["reason"] for one in exported["bans"]] == ["rude: twice"]
        assert "root" not in str(exported)
        assert (await desk.exports.of(other))["bans"] == []
        await desk.exports.erase(person)
        assert [one["reason"] for one in (await desk.exports.of(person))["bans"]] == [""]
    finally:
        await desk.close()


async def test_no_cell_of_any_table_holds_a_word_of_theirs(
    tmp_path: Path, clock: HandClock
) -> None:
    """Each column that loses its words had some before, or this test would prove nothing; how many
    answers, verdicts, uses, tickets and gaps there were is known all the same.
    """
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), clock)
    try:
        person = await _converse(desk, "ann", SECRET, channel="anns", rounds=2)
        await _named_by_another(desk, SECRET)
        await _send_to_all(desk, "ann", person, channel="anns")
        await _banned_by_another(desk, person, SECRET)
        before = _holding(path)
        counts = _counts(path)
        assert before >= {
            (table, column)
            for table, columns in GOES.items()
            for column in columns - {"role", "memory", "word", "locale", "home"}
            if table != "answer"  # dropped with each settlement
        }
        await _forget(desk, "ann", person, channel="anns")
        # What was on its way to everybody when its author asked to be forgotten has been sent.
        while leases := await desk.inbox.lease("me", 9):
            for lease in leases:
                await desk.inbox.settle(lease, _nothing())
        assert _holding(path) == set()
        assert _counts(path) == counts
        with looking(path) as connection:
            assert connection.execute(
                "SELECT home FROM person WHERE id = ?", (person,)
            ).fetchall() == [(None,)]
        await prune(desk.database, Retention(), now=clock.now())
        assert in_the_files(path, SECRET) == []
    finally:
        await desk.close()


def _holding(path: Path) -> set[tuple[str, str]]:
    """The columns in which the secret stands somewhere."""
    with looking(path) as connection:
        return {
            (table, column)
            for table, columns in _columns(path).items()
            for column in columns
            if connection.execute(
                f"SELECT 1 FROM {table} WHERE instr(CAST({column} AS TEXT), ?)", (SECRET,)
            ).fetchone()
        }


def _counts(path: Path) -> dict[str, int]:
    with looking(path) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("ledger", "feedback", "skill_use", "ticket", "gap", "identity", "audit")
        }


async def test_the_groups_that_are_kept_of_somebody_are_in_their_export(
    tmp_path: Path, clock: HandClock
) -> None:
    desk = await open_stores(str(tmp_path / "desk.db"), clock)
    try:
        home = Place(platform="slack", account="T1", channel="D1", private=True)
        ann = await desk.people.person(home, Sender(user="U1", groups=("S1", "S2")))
        [known] = (await desk.exports.of(ann.id))["identities"]
        assert known["user_groups"] == "S1,S2"
    finally:
        await desk.close()
