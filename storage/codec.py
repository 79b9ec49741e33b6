"""How values are written into text columns: JSON by msgspec, unions tagged by an explicit field."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from bot.types import (
    AdmitAdmin,
    Audit,
    Await,
    ButtonRows,
    Change,
    DraftBroadcast,
    DurableAnswer,
    Erase,
    Feedback,
    Forget,
    Forward,
    Gap,
    GoOn,
    IncomingMessage,
    LedgerRow,
    MemoryId,
    OpenTicket,
    Outcome,
    PersonId,
    Place,
    SetLocale,
    SetQuota,
    SetRole,
    Settlement,
    StartBroadcast,
    Turn,
    UseSkill,
)

T = TypeVar("T")


class Undecodable(ValueError):
    """A stored text is not what this program writes."""


class _Change(msgspec.Struct, omit_defaults=True):
    """Exactly one field is set; its name is the tag."""

    ticket: OpenTicket | None = None
    forget: Forget | None = None
    locale: SetLocale | None = None
    gap: Gap | None = None
    feedback: Feedback | None = None
    asked: Await | None = None
    skill: UseSkill | None = None
    audit: Audit | None = None
    role: SetRole | None = None
    quota: SetQuota | None = None
    erase: Erase | None = None
    draft: DraftBroadcast | None = None
    start: StartBroadcast | None = None
    admit: AdmitAdmin | None = None
    goes_on: GoOn | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    """A DurableAnswer as it is stored, its settlement flattened and its changes tagged."""

    text: str
    buttons: ButtonRows
    locale: str
    outcome: Outcome
    memory: MemoryId
    person: PersonId
    turns: tuple[Turn, ...] = ()
    changes: tuple[_Change, ...] = ()
    forwards: tuple[Forward, ...] = ()
    ledger: LedgerRow | None = None
    covers: tuple[str, ...] = ()


_TAGS: dict[type, str] = {
    OpenTicket: "ticket",
    Forget: "forget",
    SetLocale: "locale",
    Gap: "gap",
    Feedback: "feedback",
    Await: "asked",
    UseSkill: "skill",
    Audit: "audit",
    SetRole: "role",
    SetQuota: "quota",
    Erase: "erase",
    DraftBroadcast: "draft",
    StartBroadcast: "start",
    AdmitAdmin: "admit",
    GoOn: "goes_on",
}

_message = msgspec.json.Decoder(IncomingMessage)
_place = msgspec.json.Decoder(Place)
_answer = msgspec.json.Decoder(_Written)


def write_message(message: IncomingMessage) -> str:
    """Raises UnicodeEncodeError for text that no UTF-8 can hold (a lone surrogate)."""
    return msgspec.json.encode(message).decode()


def read_message(text: str) -> IncomingMessage:
    """Raises Undecodable."""
    return _read(_message, text)


def write_place(place: Place) -> str:
    """A place as JSON."""
    return msgspec.json.encode(place).decode()


def read_place(text: str) -> Place:
    """Raises Undecodable."""
    return _read(_place, text)


def write_answer(answer: DurableAnswer) -> str:
    """A whole answer with the settlement that goes with it."""
    settlement = answer.settlement
    written = _Written(
        text=answer.text,
        buttons=answer.buttons,
        locale=answer.locale,
        outcome=settlement.outcome,
        memory=settlement.memory,
        person=settlement.person,
        turns=settlement.turns,
        changes=tuple(_tag(change) for change in settlement.changes),
        forwards=settlement.forwards,
        ledger=settlement.ledger,
        covers=settlement.covers,
    )
    return msgspec.json.encode(written).decode()


def read_answer(text: str) -> DurableAnswer:
    """Raises Undecodable."""
    written = _read(_answer, text)
    settlement = Settlement(
        outcome=written.outcome,
        memory=written.memory,
        person=written.person,
        turns=written.turns,
        changes=tuple(_untag(change) for change in written.changes),
        forwards=written.forwards,
        ledger=written.ledger,
        covers=written.covers,
    )
    return DurableAnswer(
        text=written.text, buttons=written.buttons, locale=written.locale, settlement=settlement
    )


def _read(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.DecodeError as error:
        raise Undecodable(str(error)) from error


def _tag(change: Change) -> _Change:
    return msgspec.structs.replace(_Change(), **{_TAGS[type(change)]: change})


def _untag(tagged: _Change) -> Change:
    fields = (getattr(tagged, name) for name in tagged.__struct_fields__)
    change: Change | None = next((one for one in fields if one is not None), None)
    if change is None:
        raise Undecodable("a change without a kind this program knows")
    return change
