"""A desk that is spoken to without any platform: real stores, real engine, events as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.clock import Clock
from bot.config import AccessConfig, Config, DeskConfig, ModelConfig, PrivacyConfig, Secret
from bot.desk import Desk, build_engine
from bot.engine.commands import Commands
from bot.engine.engine import Engine
from bot.engine.reports import Reports
from bot.engine.summary import Summariser
from bot.i18n import say
from bot.knowledge.base import KnowledgeBase
from bot.model.tokens import tokens
from bot.ports import Intake, Model
from bot.reply.record import Cost, Counts, Record
from bot.types import (
    Begin,
    Done,
    File,
    Forward,
    Grounds,
    IncomingMessage,
    Lease,
    Notice,
    Place,
    Replace,
    ReplyEvent,
    Say,
    Sender,
    Settlement,
    Text,
)
from storage import MEMORY, Stores, open_stores, stores
from tests.contract.stores import HandClock
from tests.fakes.inline_database import InlineDatabase, laid
from tests.fakes.scripted import ScriptedModel

ADMIN, STAFF, ANN, BOB = "9001", "8001", "7001", "7002"
GROUP = "-500"
STAFF_ROOM = "-900"


@dataclass
class Reply:
    """What one message led to."""

    events: list[ReplyEvent]
    done: Done
    settlement: Settlement

    @property
    def notices(self) -> list[str]:
        """The catalogue keys that were said."""
        return [event.key for event in self.events if isinstance(event, Notice)]

    @property
    def text(self) -> str:
        """All that was said, in the order it was."""
        said = ""
        for event in self.events:
            match event:
                case Notice(key=key, values=values):
                    said += say("en", key, **values) + "\n"
                case Say(text=text):
                    said += text + "\n"
                case Text(delta=delta):
                    said += delta
                case Replace(text=text):
                    said = text
                case _:
                    pass
        return said

    @property
    def file(self) -> File:
        """The one document."""
        [file] = [event for event in self.events if isinstance(event, File)]
        return file


@dataclass
class Spoken:
    """A desk one speaks to."""

    desk: Desk
    stores: Stores
    engine: Engine
    commands: Commands
    clock: HandClock
    model: Model
    _said: int = field(default=0)

    async def say(
        self,
        text: str,
        user: str = ANN,
        *,
        name: str = "",
        platform: str = "telegram",
        channel: str | None = None,
        thread: str | None = None,
        quoted_user: str | None = None,
    ) -> Reply:
        """One message from intake to settlement. Without a channel it is said in private."""
        self._said += 1
        place = Place(
            platform=platform,
            account="1",
            channel=channel or user,
            private=channel is None,
            thread=thread,
        )
        message = IncomingMessage(
            key=f"m{self._said}",
            place=place,
            sender=Sender(user=user, name=name or f"User {user}"),
            text=text,
            said_at=self.clock.now(),
            position=self._said,
            alone=text.startswith("/"),
            quoted_user=quoted_user,
        )
        raw = f'{{"text": "{text[:200]}"}}'
        await self.stores.inbox.put([Intake(raw=raw, delivery=f"d{self._said}", message=message)])
        [lease] = [one for one in await self.stores.inbox.lease("me", 50) if one.place == place]
        events = [event async for event in self.engine.handle(lease)]
        settlement = _settlement(events, lease, now=self.clock.now())
        await self.stores.inbox.settle(lease, settlement)
        done = events[-1]
        assert isinstance(done, Done)
        return Reply(events=events, done=done, settlement=settlement)


def _settlement(events: list[ReplyEvent], lease: Lease, *, now: int) -> Settlement:
    """What delivery would settle, had it shown all of it."""
    assert isinstance(events[0], Begin)
    record, text = Record(events[0]), ""
    for event in events[1:]:
        match event:
            case Text(delta=delta):
                text += delta
            case Replace(text=new):
                text = new
            case Grounds():
                record.grounds = event
            case Forward():
                record.forwards.append(event)
            case Done():
                record.done = event
            case _:
                pass
    cost = Cost(amount=record.usage.total / 1000, currency="USD")
    return record.settlement(lease, text, now=now, counts=Counts(total_ms=5), cost=cost)


@asynccontextmanager
async def spoken(
    database: str = MEMORY,
    *,
    access: AccessConfig | None = None,
    privacy: PrivacyConfig | None = None,
    desk: DeskConfig | None = None,
    model: Model | None = None,
    clock: HandClock | None = None,
) -> AsyncIterator[Spoken]:
    """A desk with a staff room and one administrator on each platform."""
    clock = clock or HandClock()
    config = Config(
        desk=desk or DeskConfig(name="Lumen", answers="strict"),
        access=access or AccessConfig(),
        privacy=privacy or PrivacyConfig(),
        models=() if model is None else (ModelConfig(api_key=Secret("key")),),
        admins=frozenset({f"telegram:{ADMIN}", f"slack:1/{ADMIN}"}),
        staff=Place(platform="telegram", account="1", channel=STAFF_ROOM),
    )
    model = model or ScriptedModel()
    if database == MEMORY:
        kept = stores(InlineDatabase.open(), clock)
    else:
        kept = await open_stores(str(laid(Path(database))), clock)
    try:
        made = desk_over(kept, config, model, clock)
        engine, commands = await build_engine(made)
        yield Spoken(made, kept, engine, commands, clock, model)
    finally:
        await kept.close()


def desk_over(kept: Stores, config: Config, model: Model, clock: Clock) -> Desk:
    """The desk that the app would open, over stores and a model of the test's own."""
    return Desk(
        config=config,
        clock=clock,
        stores=kept,
        knowledge=KnowledgeBase(kept.passages, clock),
        model=model,
        reports=Reports(config.desk, clock, kept.ledger, kept.inbox, _no_probe),
        summariser=Summariser(kept.summaries, model, clock, estimate=tokens, history_turns=20),
    )


async def _no_probe() -> None:
    return None
