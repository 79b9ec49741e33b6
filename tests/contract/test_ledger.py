"""The laws of the ledger and the settings: every number comes back as it was given."""

from __future__ import annotations

from bot.ports import Ledger
from bot.types import LedgerRow, Usage
from storage import Stores
from tests.contract.stores import clock, desk, lease_one, message, put, settlement

__all__ = ["clock", "desk"]

FULL = LedgerRow(
    at=200,
    route="grounded",
    outcome="declined",
    total_ms=1234,
    first_text_ms=56,
    model="glm",
    usage=Usage(prompt=1, completion=2, cached=3, reasoning=4, estimated=True),
    cost=0.25,
    currency="CNY",
    edits=5,
    throttled=6,
    attempts=7,
    finish="cut",
    error="ModelBusy",
    confidence=0.5,
)


async def _add(desk: Stores, position: int, row: LedgerRow) -> None:
    await put(desk, message(position))
    await desk.inbox.settle(await lease_one(desk), settlement(ledger=row))


async def test_a_row_comes_back_as_it_was_given(desk: Stores) -> None:
    ledger: Ledger = desk.ledger
    await _add(desk, 1, FULL)
    assert await ledger.rows(0, 1000) == [FULL]


async def test_a_range_includes_its_start_and_not_its_end(desk: Stores) -> None:
    for position, at in enumerate((300, 100, 200)):
        row = LedgerRow(at=at, route="open", outcome="answered", total_ms=0)
        await _add(desk, position, row)
    assert [row.at for row in await desk.ledger.rows(100, 300)] == [100, 200]
    assert [row.at for row in await desk.ledger.rows(0, 1000)] == [100, 200, 300]


async def test_a_setting_is_made_once_and_can_be_changed(desk: Stores) -> None:
    assert await desk.settings.get("salt") is None
    assert await desk.settings.get_or_set("salt", "first") == "first"
    assert await desk.settings.get_or_set("salt", "second") == "first"
    await desk.settings.put("salt", "third")
    assert await desk.settings.get("salt") == "third"
