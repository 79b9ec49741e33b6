"""How what arrives becomes rows: messages into the lines of their conversations, signals beside."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bot.ports import Intake, Move
from bot.types import ConversationId, IncomingMessage, Place, Signal, value
from storage.albums import gather
from storage.codec import read_message, write_message, write_place
from storage.database import Cell, Row, Tx
from storage.rows import number, number_or_none, string
from storage.threads import hear, note_addressed, shared

SETTLE_MOST = 5_000
"""Ms that pieces of one message may be awaited; what is due later is no piece, but a timer."""


@value
class Arrival:
    """An intake made ready to be stored; `dead` and `message` are never both set."""

    moved: Move | None = None
    message: dict[str, Cell] | None = None
    said: IncomingMessage | None = None
    signal: Signal | None = None
    signal_delivery: str | None = None
    dead: dict[str, Cell] | None = None


@value
class Stored:
    """What one arrival changed: was it new, is there work, which conversation has a signal."""

    new: bool = False
    work: bool = False
    signalled: ConversationId | None = None


def arrival(intake: Intake, *, now: int) -> Arrival:
    """Decide what will be stored. Text that no UTF-8 can hold makes a dead row, not an error."""
    raw = _storable(intake.raw)
    if intake.error:
        return Arrival(dead=_dead(raw, intake.delivery, _storable(intake.error), now))
    message = None
    try:
        if intake.message is not None:
            due_at = now + intake.settle_ms
            message = message_row(intake.message, intake.delivery, raw=raw, now=now, due_at=due_at)
    except UnicodeEncodeError as error:
        return Arrival(dead=_dead(raw, intake.delivery, f"unusable text: {error.reason}", now))
    return Arrival(
        moved=intake.moved,
        message=message,
        said=intake.message,
        signal=_signed(intake),
        signal_delivery=_delivery(intake.signal.conversation, intake.delivery)
        if intake.signal
        else None,
    )


def _signed(intake: Intake) -> Signal | None:
    """The signal, with the key of the message that said it, so that both end together."""
    if intake.signal is None or intake.message is None or intake.signal.key is not None:
        return intake.signal
    return replace(intake.signal, key=intake.message.key)


def message_row(
    message: IncomingMessage, delivery: str | None, *, raw: str, now: int, due_at: int
) -> dict[str, Cell]:
    """The columns of a message. Both keys are its conversation's own. May raise UnicodeError."""
    conversation = message.place.conversation
    return {
        "dedupe": dedupe_key(conversation, message.key),
        "delivery": _delivery(conversation, delivery or message.delivery),
        "sender": message.sender.user,
        "origin": message.origin,
        "alone": int(message.alone),
        "position": message.position,
        "due_at": due_at,
        "body": write_message(message),
        "raw": raw,
        "now": now,
    }


def dedupe_key(conversation: ConversationId, key: str) -> str:
    """The semantic key as stored."""
    return f"{conversation}|{key}"


async def add_arrival(tx: Tx, arrived: Arrival, *, now: int) -> Stored:
    """Store one arrival; a known key changes nothing."""
    if arrived.dead is not None:
        return Stored(new=bool(await tx.run("add_dead", **arrived.dead)))
    if arrived.moved is not None:
        return Stored(new=await _move(tx, arrived.moved), work=True)
    stored = Stored()
    if arrived.message is not None and arrived.said is not None:
        stored = await _add_said(tx, arrived.said, arrived.message, now=now)
        if not stored.new:
            return stored
    if arrived.signal is not None:
        signalled = await _add_signal(tx, arrived.signal, arrived.signal_delivery, now=now)
        stored = replace(signalled, new=stored.new or signalled.new, work=True)
    return stored


async def _add_said(tx: Tx, said: IncomingMessage, columns: dict[str, Cell], *, now: int) -> Stored:
    """A message to the desk goes into its line; one among others is only remembered."""
    if not said.directed:
        return Stored(new=await hear(tx, said, columns, now=now))
    if await add_message(tx, columns, said.place) is None:
        return Stored()
    if said.album is not None:
        [row] = await tx.run("find_conversation", key=said.place.conversation)
        await gather(tx, said, number(row, "id"), now=now)
    if shared(said.place):
        await note_addressed(tx, said, now=now)
    return Stored(new=True, work=True)


async def add_message(tx: Tx, columns: dict[str, Cell], place: Place) -> int | None:
    """Put a message into its line; the time its conversation wakes, or None: known already."""
    conversation = await _conversation(tx, place)
    now, due_at = columns["now"], columns["due_at"]
    assert isinstance(now, int)
    assert isinstance(due_at, int)
    if columns["origin"] == "user":
        due_at = max(due_at, conversation.settling(now))
    if not await tx.run(
        "add_message", conversation=conversation.id, **{**columns, "due_at": due_at}
    ):
        return None
    if now < due_at <= now + SETTLE_MOST:
        await tx.run("settle_together", conversation=conversation.id, now=now, due_at=due_at)
    wake_at = max(due_at, conversation.rest_until)
    if conversation.free and (conversation.wake_at is None or conversation.wake_at > wake_at):
        await tx.run("schedule", id=conversation.id, wake_at=wake_at)
    return wake_at


@value
class _Conversation:
    id: int
    wake_at: int | None = None
    rest_until: int = 0
    free: bool = True
    newest_due_at: int = 0

    def settling(self, now: int) -> int:
        """Until when pieces of one message are awaited; 0 when none are."""
        return self.newest_due_at if now < self.newest_due_at <= now + SETTLE_MOST else 0


async def _conversation(tx: Tx, place: Place) -> _Conversation:
    rows = await tx.run("find_conversation", key=place.conversation)
    if not rows:
        params = {"key": place.conversation, "place": write_place(place)}
        return _Conversation(id=number((await tx.run("add_conversation", **params))[0], "id"))
    row = rows[0]
    return _Conversation(
        id=number(row, "id"),
        wake_at=number_or_none(row, "wake_at"),
        rest_until=number(row, "rest_until"),
        free=row["owner"] is None,
        newest_due_at=number_or_none(row, "newest_due_at") or 0,
    )


async def _move(tx: Tx, move: Move) -> bool:
    """Rename a conversation with its memory, tickets and open messages; once, and only into a name
    that is free: what has begun under the new name stays there.
    """
    names = {"old": move.old.conversation, "new": move.new.conversation}
    moved = await tx.run("move_conversation", place=write_place(move.new), **names)
    if not moved:
        return False
    await tx.run("move_memory", **names)
    await tx.run("move_tickets", place=write_place(move.new), **names)
    for row in await tx.run("open_line", conversation=number(moved[0], "id")):
        message = replace(read_message(string(row, "body")), place=move.new)
        await tx.run("reword", id=row["id"], body=write_message(message))
    return True


async def _add_signal(tx: Tx, signal: Signal, delivery: str | None, *, now: int) -> Stored:
    """Obey it where the message waits, store it for the answer that may be running, or both."""
    rows = await tx.run("find_conversation", key=signal.conversation)
    if not rows:
        return Stored()  # nothing was ever said there, so nothing runs and nothing waits
    if signal.key is not None and signal.kind in ("edit", "delete"):
        dedupe = dedupe_key(signal.conversation, signal.key)
        waiting = await tx.run("open_message", dedupe=dedupe)
        if waiting and await _obey(tx, signal, waiting[0], now=now):
            return Stored(new=True)
    added = await tx.run(
        "add_signal",
        delivery=delivery,
        conversation=number(rows[0], "id"),
        kind=signal.kind,
        answer=signal.answer,
        position=signal.position,
        key=signal.key,
        text=None if signal.text is None else _storable(signal.text),
        now=now,
    )
    return Stored(new=bool(added), signalled=signal.conversation if added else None)


async def _obey(tx: Tx, signal: Signal, row: Row, *, now: int) -> bool:
    """Change an open message where it stands; False when an answer must hear of it as well.

    A leased message is reworded too: the answer that runs is begun again, with the new words.
    """
    if signal.kind == "edit":
        if row["answer"] is None:
            await _reword(tx, row, signal.text or "")
        return row["answer"] is None and not row["leased"]
    if row["leased"] or row["begun"] or row["answer"] is not None:
        return False  # something of it is on screen, which only a lease may take away
    finished = {"answer": None, "state": 2, "outcome": "superseded", "error": "", "now": now}
    await tx.run("finish_message", id=row["id"], **finished)
    return True


async def _reword(tx: Tx, row: Row, text: str) -> None:
    message = replace(read_message(string(row, "body")), text=_storable(text))
    await tx.run("reword", id=row["id"], body=write_message(message))


def _delivery(conversation: ConversationId, delivery: str | None) -> str | None:
    return f"{conversation}|{delivery}" if delivery else None


def _dead(raw: str, delivery: str, error: str, now: int) -> dict[str, Cell]:
    name = delivery or hashlib.sha256(raw.encode()).hexdigest()
    return {"dedupe": f"dead|{name}", "delivery": None, "raw": raw, "error": error, "now": now}


def _storable(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8; everything else stays."""
    return text.encode("utf-8", "replace").decode()
