"""Leasing: the longest-due conversations, each with the first run of its line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import get_args

from bot.types import (
    Anchor,
    AnswerId,
    ConversationId,
    DurableAnswer,
    Lease,
    MessageRef,
    Received,
    Signal,
    SignalKind,
    value,
)
from storage.codec import Undecodable, read_answer, read_message, read_place
from storage.database import Row, Tx
from storage.rows import number, number_or_none, string, string_or_none, word

RUN_MAX = 20
"""Messages answered together at most."""


@value
class Grant:
    """Under which name, until when (ms), and how the holder's own clock says that (seconds)."""

    owner: str
    now: int
    until: int
    deadline: float


async def lease_due(tx: Tx, grant: Grant, limit: int) -> list[Lease]:
    """Lease up to `limit` conversations; one whose line turns out empty is put to sleep."""
    leases = []
    for row in await tx.run("due_conversations", now=grant.now, limit=limit):
        if (lease := await _lease(tx, row, grant)) is not None:
            leases.append(lease)
        else:
            await put_to_sleep(tx, number(row, "id"), now=grant.now)
    return leases


async def put_to_sleep(tx: Tx, conversation: int, *, now: int) -> bool:
    """Nobody holds it; it wakes when the next of its messages is due. Whether there is one."""
    wake = (await tx.run("next_wake", conversation=conversation, now=now))[0]["wake_at"]
    await tx.run("release", id=conversation, wake_at=wake)
    return wake is not None


async def _lease(tx: Tx, row: Row, grant: Grant) -> Lease | None:
    conversation, epoch = number(row, "id"), number(row, "epoch") + 1
    run = await _run(tx, conversation, grant)
    if not run:
        return None
    head, messages = run[0][0], tuple(received for _, received in run)
    answer = AnswerId(number(head, "id"))
    await tx.run("hold_conversation", id=conversation, owner=grant.owner, until=grant.until)
    await tx.run_many(
        "hold_message",
        [{"id": m.id, "epoch": epoch, "counted": int(m.id == answer)} for m in messages],
    )
    before = string_or_none(row, "owner")
    key = ConversationId(string(row, "key"))
    # Those that wait are taken along, so that the holder need not look for them at once.
    await tx.run("take_signals", now=grant.now, key=key, epoch=epoch, owner=grant.owner)
    return Lease(
        conversation=key,
        epoch=epoch,
        owner=grant.owner,
        until=grant.deadline,
        messages=messages,
        attempt=number(head, "attempt") + 1,
        anchors=await _anchors(tx, answer) if head["begun"] else (),
        answer=await _answer(tx, answer) if head["answer"] == answer else None,
        taken_over=before is not None and before != grant.owner,
        signals=await _signals(tx, conversation, key),
    )


async def _run(tx: Tx, conversation: int, grant: Grant) -> list[tuple[Row, Received]]:
    """The first run that can be read; what cannot be is buried and the line moves on."""
    while True:
        line = await tx.run("due_line", conversation=conversation, now=grant.now, limit=RUN_MAX)
        if line and line[0]["answer"] == line[0]["id"]:
            run = await tx.run("covered_line", conversation=conversation, answer=line[0]["id"])
        else:
            run = await _unstopped(tx, conversation, first_run(line))
        try:
            return [(row, _received(row)) for row in run]
        except _Unreadable as error:
            await tx.run("bury_message", id=error.id, error=str(error), now=grant.now)


def first_run(line: Sequence[Row]) -> Sequence[Row]:
    """The head and those who follow it: one sender, nothing alone, no answer begun of their own."""
    if not line or not _sociable(line[0]):
        return line[:1]
    head = line[0]
    following = takewhile(
        lambda row: (
            row["sender"] == head["sender"]
            and _sociable(row)
            and not row["begun"]
            and row["answer"] is None
        ),
        line[1:],
    )
    return [head, *following]


async def _unstopped(tx: Tx, conversation: int, run: Sequence[Row]) -> Sequence[Row]:
    """The run without what came when its answer was stopped already: that is answered next.

    An answer rests, or its desk was away; who pressed Stop on it meant what it was an answer to.
    """
    if len(run) < 2 or not (head := run[0])["begun"]:
        return run
    if not await tx.run("stopped_answer", conversation=conversation, answer=head["id"]):
        return run
    return [row for row in run if row["held"] == head["held"]]


def _sociable(row: Row) -> bool:
    return row["origin"] == "user" and not row["alone"]


class _Unreadable(Exception):
    """A row whose body this program cannot read."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.id = row


def _received(row: Row) -> Received:
    try:
        message = read_message(string(row, "body"))
    except Undecodable as error:
        raise _Unreadable(number(row, "id"), f"cannot be read back: {error}") from error
    return Received(id=number(row, "id"), message=message, received_at=number(row, "received_at"))


async def _signals(tx: Tx, conversation: int, key: ConversationId) -> tuple[Signal, ...]:
    rows = await tx.run("held_signals", conversation=conversation)
    return tuple(signal_of(key, row) for row in rows)


def signal_of(conversation: ConversationId, row: Row) -> Signal:
    """A row of the table signal."""
    answer = number_or_none(row, "answer")
    return Signal(
        kind=word(row, "kind", get_args(SignalKind)),
        conversation=conversation,
        answer=None if answer is None else AnswerId(answer),
        position=number_or_none(row, "position"),
        key=string_or_none(row, "key"),
        text=string_or_none(row, "text"),
    )


async def _anchors(tx: Tx, answer: AnswerId) -> tuple[Anchor, ...]:
    return tuple(_anchor(row) for row in await tx.run("anchors_of", answer=answer))


def _anchor(row: Row) -> Anchor:
    return Anchor(
        part=number(row, "part"),
        ref=MessageRef(place=read_place(string(row, "place")), id=string(row, "anchor")),
        kind=word(row, "kind", ("text", "file", "notice")),
        frozen=bool(number(row, "frozen")),
        shown=string(row, "shown"),
        size=number_or_none(row, "size"),
    )


async def _answer(tx: Tx, answer: AnswerId) -> DurableAnswer | None:
    """None when a release of ours changed the format: then the model is asked once more."""
    rows = await tx.run("answer_of", answer=answer)
    try:
        return read_answer(string(rows[0], "body")) if rows else None
    except Undecodable:
        return None
