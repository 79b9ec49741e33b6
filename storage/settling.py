"""What a settlement makes true: outcome, turns, changes, forwards and numbers, as one."""

from __future__ import annotations

from typing import assert_never

from bot.errors import LeaseLost
from bot.types import (
    AdmitAdmin,
    Audit,
    Await,
    Change,
    DraftBroadcast,
    Erase,
    Feedback,
    Forget,
    Forward,
    Gap,
    GoOn,
    IncomingMessage,
    Lease,
    LedgerRow,
    OpenTicket,
    Sender,
    SetLocale,
    SetQuota,
    SetRole,
    Settlement,
    StartBroadcast,
    UseSkill,
)
from storage.access import apply_access, chat_key
from storage.arrivals import add_message, dedupe_key, message_row
from storage.broadcasts import apply_broadcast
from storage.codec import write_place
from storage.database import Tx
from storage.erasure import erase
from storage.lines import put_to_sleep
from storage.office import admit
from storage.rows import number
from storage.skills import apply_skill, close_forms
from storage.threads import shared

DONE = 2
DEAD = 3

DESK = Sender(user="frontdesk")
"""Who speaks in the messages we send ourselves."""


async def fence(tx: Tx, lease: Lease) -> int:
    """The conversation's row. Raises LeaseLost unless this lease still holds it."""
    rows = await tx.run("fence", key=lease.conversation, epoch=lease.epoch, owner=lease.owner)
    if not rows:
        raise LeaseLost(f"epoch {lease.epoch} of {lease.conversation} is over")
    return number(rows[0], "id")


async def finish(
    tx: Tx, lease: Lease, settlement: Settlement, *, state: int, error: str, now: int
) -> bool:
    """End the lease with everything its settlement says; whether more waits in its line.

    Raises LeaseLost.
    """
    conversation = await fence(tx, lease)
    common = {
        "answer": lease.id,
        "state": state,
        "outcome": settlement.outcome,
        "error": error,
        "now": now,
    }
    await tx.run_many("finish_message", [{"id": m.id, **common} for m in lease.messages])
    for key in settlement.covers:
        await tx.run("cover_message", dedupe=dedupe_key(lease.conversation, key), now=now)
    await _add_turns(tx, settlement, lease)
    await close_forms(tx, settlement)
    for change in settlement.changes:
        await _apply(tx, change, lease, settlement, now=now)
    for number_, forward in enumerate(settlement.forwards):
        await _add_forward(tx, forward, f"forward:{lease.id}:{number_}", now=now)
    if settlement.ledger is not None:
        await _add_ledger(tx, settlement.ledger, lease, settlement)
    await tx.run("drop_answer", id=lease.id)
    await tx.run("drop_signals", conversation=conversation)
    if settlement.outcome == "declined" and shared(lease.place):
        await tx.run("leave_party", conversation=conversation, sender=lease.sender.user)
    return await put_to_sleep(tx, conversation, now=now)


async def _add_turns(tx: Tx, settlement: Settlement, lease: Lease) -> None:
    if not settlement.turns:
        return
    count = len(settlement.turns)
    row = (await tx.run("reserve_turns", key=settlement.memory, count=count))[0]
    first = number(row, "next_seq") - count
    await tx.run_many(
        "add_turn",
        [
            {
                "memory": number(row, "id"),
                "seq": seq,
                "role": turn.role,
                "text": turn.text,
                "said_at": turn.said_at,
                "name": turn.name,
                "tokens": turn.tokens,
                "person": settlement.person,
                "answer": lease.id,
            }
            for seq, turn in enumerate(settlement.turns, start=first)
        ],
    )


async def _apply(tx: Tx, change: Change, lease: Lease, settlement: Settlement, *, now: int) -> None:
    match change:
        case OpenTicket():
            await tx.run(
                "open_ticket",
                person=settlement.person,
                conversation=lease.place.conversation,
                place=write_place(lease.place),
                staff=write_place(change.staff),
                reason=change.reason,
                summary=change.summary,
                answer=lease.id,
                now=now,
            )
        case Forget():
            await tx.run("forget", key=change.memory)
            await tx.run("drop_summary", key=change.memory)
        case SetLocale():
            await tx.run("set_locale", id=settlement.person, locale=change.locale)
        case Gap():
            await tx.run(
                "add_gap",
                answer=lease.id,
                question=change.question,
                locale=change.locale,
                confidence=change.confidence,
                now=now,
            )
        case Feedback():
            await tx.run(
                "put_feedback",
                answer=change.answer,
                person=settlement.person,
                good=int(change.good),
                conversation=lease.conversation,
                now=now,
            )
        case Await() | UseSkill():
            await apply_skill(tx, change, lease, settlement, now=now)
        case Audit() | SetRole() | SetQuota():
            await apply_access(tx, change, lease, settlement, now=now)
        case DraftBroadcast() | StartBroadcast():
            await apply_broadcast(tx, change, settlement, now=now)
        case AdmitAdmin():
            await admit(tx, change, lease, now=now)
        case GoOn():
            await tx.run("go_on", answer=lease.id, continues=change.answer)
        case Erase():
            await erase(tx, settlement.person, now=now)
        case _:
            assert_never(change)


async def _add_forward(tx: Tx, forward: Forward, key: str, *, now: int) -> None:
    """A message of ours enters the line of the place it goes to, behind what stands there."""
    message = IncomingMessage(
        key=forward.key or key,
        place=forward.place,
        sender=DESK,
        text=forward.text,
        said_at=now,
        position=now * 1_000_000,
        origin="relay",
    )
    await add_message(tx, message_row(message, None, raw="", now=now, due_at=now), forward.place)


async def _add_ledger(tx: Tx, row: LedgerRow, lease: Lease, settlement: Settlement) -> None:
    await tx.run(
        "add_ledger",
        at=row.at,
        answer=lease.id,
        platform=lease.place.platform,
        account=lease.place.account,
        chat=chat_key(lease.place),
        person=settlement.person,
        route=row.route,
        outcome=row.outcome,
        total_ms=row.total_ms,
        first_text_ms=row.first_text_ms,
        model=row.model,
        prompt_tokens=row.usage.prompt,
        completion_tokens=row.usage.completion,
        cached_tokens=row.usage.cached,
        reasoning_tokens=row.usage.reasoning,
        tokens_estimated=int(row.usage.estimated),
        cost=row.cost,
        currency=row.currency,
        edits=row.edits,
        throttled=row.throttled,
        attempts=row.attempts,
        finish=row.finish,
        error=row.error,
        confidence=row.confidence,
        cached=int(row.cached),
    )
