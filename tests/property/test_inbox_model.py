"""The inbox does what a few dictionaries would do, whatever the order of events and clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.errors import LeaseLost
from bot.types import Anchor, DurableAnswer, Lease, MemoryId, MessageRef
from storage import stores
from tests.contract.stores import HandClock, intake, message, place, settlement
from tests.fakes.inline_database import InlineDatabase

T = TypeVar("T")

CHANNELS = st.sampled_from("ab")
USERS = st.sampled_from(["ann", "bob"])
OWNERS = st.sampled_from(["w1", "w2"])


@dataclass
class ModelMessage:
    position: int
    arrived: int
    user: str
    alone: bool
    attempt: int = 0
    anchored: bool = False
    covers: list[int] = field(default_factory=list)


@dataclass
class ModelConversation:
    open: dict[int, ModelMessage] = field(default_factory=dict)
    wake_at: int | None = None
    rest_until: int = 0
    owner: str | None = None
    epoch: int = 0

    def run(self) -> list[int]:
        """Arrival numbers of the messages that the next lease must carry."""
        line = sorted(self.open.values(), key=lambda one: (one.position, one.arrived))
        if not line:
            return []
        head, run = line[0], [line[0]]
        if head.covers:
            return sorted(head.covers, key=lambda arrived: (self.open[arrived].position, arrived))
        covered = {arrived for one in line for arrived in one.covers}
        for one in line[1:]:
            joins = one.user == head.user and not (head.alone or one.alone)
            if not joins or one.anchored or one.arrived in covered:
                break
            run.append(one)
        return [one.arrived for one in run]


class InboxMachine(RuleBasedStateMachine):
    """Puts, leases, writes and lapses in any order, against the model above."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.loop = asyncio.new_event_loop()
        self.desk = stores(InlineDatabase.open(), self.clock)
        self.model = {channel: ModelConversation() for channel in "ab"}
        self.arrived = 0
        self.known: set[tuple[str, int]] = set()
        self.leases: list[tuple[Lease, list[int]]] = []
        self.settled: list[str] = []

    def teardown(self) -> None:
        self.do(self.desk.close())
        self.loop.close()

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    @rule(channel=CHANNELS, position=st.integers(0, 12), user=USERS, alone=st.booleans())
    def put(self, channel: str, position: int, user: str, alone: bool) -> None:
        said = message(position, channel=channel, user=user, alone=alone)
        [new] = self.do(self.desk.inbox.put([intake(said)]))
        assert new == ((channel, position) not in self.known)
        if new:
            self.known.add((channel, position))
            self.arrived += 1
            conversation = self.model[channel]
            conversation.open[self.arrived] = ModelMessage(position, self.arrived, user, alone)
            if conversation.owner is None:
                wake_at = max(self.clock.now(), conversation.rest_until)
                conversation.wake_at = min(wake_at, conversation.wake_at or wake_at)

    @rule(seconds=st.sampled_from([0.5, 9.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_(seconds)

    @rule(owner=OWNERS)
    def lease(self, owner: str) -> None:
        leases = {one.place.channel: one for one in self.do(self.desk.inbox.lease(owner, 9))}
        for channel, conversation in self.model.items():
            due = conversation.wake_at is not None and conversation.wake_at <= self.clock.now()
            run = conversation.run() if due else []
            assert (channel in leases) == bool(run), channel
            if run:
                self._check_lease(leases[channel], conversation, run, owner)

    def _check_lease(
        self, lease: Lease, conversation: ModelConversation, run: list[int], owner: str
    ) -> None:
        head = conversation.open[run[0]]
        head.attempt += 1
        positions = [conversation.open[arrived].position for arrived in run]
        assert [one.message.position for one in lease.messages] == positions
        assert lease.attempt == head.attempt
        assert lease.taken_over == (conversation.owner not in (None, owner))
        assert bool(lease.anchors) == head.anchored
        assert (lease.answer is not None) == bool(head.covers)
        conversation.owner, conversation.epoch = owner, conversation.epoch + 1
        conversation.wake_at = self.clock.now() + 30_000
        assert lease.epoch == conversation.epoch
        self.leases.append((lease, run))

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["renew", "anchor", "answer", "settle", "bury", "rest", "ban"]),
    )
    def write(self, data: st.DataObject, kind: str) -> None:
        lease, run = data.draw(st.sampled_from(self.leases))
        conversation = self.model[lease.place.channel]
        holds = conversation.owner == lease.owner and conversation.epoch == lease.epoch
        try:
            self.do(self._write(kind, lease))
        except LeaseLost:
            assert not holds
            return
        assert holds
        self._follow(kind, conversation, run, lease)

    async def _write(self, kind: str, lease: Lease) -> None:
        inbox = self.desk.inbox
        said = settlement(*(one.message.text for one in lease.messages))
        match kind:
            case "renew":
                await inbox.renew(lease)
            case "anchor":
                ref = MessageRef(place=place(), id="1")
                await inbox.anchor(lease, Anchor(part=0, ref=ref))
            case "answer":
                answer = DurableAnswer(text="a", buttons=(), locale="en", settlement=said)
                await inbox.answer(lease, answer)
            case "settle":
                await inbox.settle(lease, said)
            case "bury":
                await inbox.bury(lease, said, error="x")
            case _:
                until = self.clock.now() + 5000
                await inbox.rest(lease, until=until, error="x", counts=kind == "rest")

    def _follow(
        self, kind: str, conversation: ModelConversation, run: list[int], lease: Lease
    ) -> None:
        now, head = self.clock.now(), conversation.open[run[0]]
        match kind:
            case "renew":
                conversation.wake_at = now + 30_000
            case "anchor":
                head.anchored = True
            case "answer":
                head.covers = list(run)
            case "settle" | "bury":
                for arrived in run:
                    del conversation.open[arrived]
                self.settled += [one.message.text for one in lease.messages]
                conversation.owner = None
                conversation.wake_at = now if conversation.open else None
            case _:
                head.attempt -= int(kind == "ban")
                conversation.owner = None
                conversation.wake_at = conversation.rest_until = now + 5000

    @rule(owner=OWNERS)
    def take_over(self, owner: str) -> None:
        held = [
            conversation
            for conversation in self.model.values()
            if conversation.owner not in (None, owner)
        ]
        assert self.do(self.desk.inbox.take_over(owner)) == len(held)
        for conversation in held:
            conversation.owner, conversation.wake_at = None, self.clock.now()

    @invariant()
    def every_message_is_open_or_settled_once(self) -> None:
        depth = self.do(self.desk.inbox.depth())
        assert depth.waiting == sum(len(one.open) for one in self.model.values())
        assert depth.waiting + len(self.settled) == len(self.known)
        turns = self.do(self.desk.history.last(MemoryId("memory"), 1000))
        assert [turn.text for turn in turns] == self.settled


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(stateful_step_count=40)
