"""The laws of past exchanges: found by their number, in their own memory and place only."""

from __future__ import annotations

from bot.ports import Exchange
from bot.types import AnswerId, MemoryId
from storage import Stores
from tests.contract.stores import lease_one, message, place, put, settlement


async def test_an_exchange_is_found_by_number_memory_and_place(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await desk.inbox.settle(lease, settlement("why?", "because", memory="ann"))
    ann, here = MemoryId("ann"), place()
    found = await desk.history.exchange(lease.id, here, ann)
    assert found == Exchange(question="why?", text="because")
    assert await desk.history.exchange(lease.id, here, MemoryId("bo")) is None
    assert await desk.history.exchange(lease.id, place("2"), ann) is None
    assert await desk.history.exchange(AnswerId(lease.id + 1), here, ann) is None


async def test_what_was_not_remembered_is_not_found(desk: Stores) -> None:
    await put(desk, message(1))
    lease = await lease_one(desk)
    await desk.inbox.settle(lease, settlement(memory="ann"))
    assert await desk.history.exchange(lease.id, place(), MemoryId("ann")) is None
