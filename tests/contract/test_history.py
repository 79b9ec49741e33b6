"""The laws of history: by memory, in order, oldest first, from the last fresh start."""

from __future__ import annotations

from bot.ports import History
from bot.types import Change, Forget, MemoryId
from storage import Stores
from tests.contract.stores import lease_one, message, put, settlement

MEMORY = MemoryId("memory")


async def _say(
    desk: Stores,
    position: int,
    *said: str,
    memory: str = MEMORY,
    changes: tuple[Change, ...] = (),
) -> None:
    await put(desk, message(position))
    said_so = settlement(*said, memory=memory, changes=changes)
    await desk.inbox.settle(await lease_one(desk), said_so)


async def _texts(desk: Stores, limit: int = 100, memory: MemoryId = MEMORY) -> list[str]:
    history: History = desk.history
    return [turn.text for turn in await history.last(memory, limit)]


async def test_turns_come_oldest_first_in_the_order_they_were_settled(desk: Stores) -> None:
    for number in range(3):
        await _say(desk, number, f"q{number}", f"a{number}")
    assert await _texts(desk) == ["q0", "a0", "q1", "a1", "q2", "a2"]
    roles = [turn.role for turn in await desk.history.last(MEMORY, 2)]
    assert roles == ["user", "assistant"]


async def test_a_window_holds_the_newest(desk: Stores) -> None:
    for number in range(15):
        await _say(desk, number, f"q{number}", f"a{number}")
    assert await _texts(desk, 3) == ["a13", "q14", "a14"]


async def test_memories_do_not_mix(desk: Stores) -> None:
    await _say(desk, 1, "mine", memory="1")
    await _say(desk, 2, "theirs", memory="2")
    assert await _texts(desk, memory=MemoryId("1")) == ["mine"]
    assert await _texts(desk, memory=MemoryId("3")) == []


async def test_after_a_fresh_start_only_what_follows_is_seen(desk: Stores) -> None:
    await _say(desk, 1, "old question", "old answer")
    await _say(desk, 2, changes=(Forget(memory=MEMORY),))
    assert await _texts(desk) == []
    await _say(desk, 3, "new question", "new answer")
    assert await _texts(desk) == ["new question", "new answer"]


async def test_forgetting_a_memory_that_never_was_does_nothing(desk: Stores) -> None:
    await _say(desk, 1, changes=(Forget(memory=MemoryId("nobody")),))
    assert await _texts(desk, memory=MemoryId("nobody")) == []
