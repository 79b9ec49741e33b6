"""Erasure: what a person said and was told is in the file no more, nor in the log beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.types import (
    Await,
    DurableAnswer,
    Erase,
    Feedback,
    Forward,
    Gap,
    LedgerRow,
    MemoryId,
    OpenTicket,
    PersonId,
    Sender,
    Settlement,
    Signal,
    Turn,
)
from storage import Stores, open_stores
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
    await desk.summaries.put(memory, f"{words} in short", through=0)
    return person.id


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
        assert SECRET in before["messages"][0]["text"]
        await _forget(desk, "ann", person, channel="anns")
        after = await desk.exports.of(person)
        assert SECRET not in str(after)
        assert (after["conversation"], after["messages"]) == ([], [])
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
