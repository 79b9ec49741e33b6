"""Telegram by webhook, over the desk's real listener: stored, then 200; in no other order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random

import pytest

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.normalise import draft_id
from adapters.telegram.webhook import PATH, webhook_url
from bot.clock import SystemClock
from bot.config import Secret, TelegramConfig
from bot.errors import StorageBusy, StorageCorrupt, StorageError
from bot.ports import HasRoutes, Intake
from bot.types import AnswerId, ConversationId, Signal
from tests.fakes.telegram import FakeTelegram
from tests.flow.hooked import PUBLIC, SECRET, site


class Store:
    """A sink that dedupes as the database does, and fails as often as told."""

    def __init__(self, *failures: StorageError) -> None:
        self.kept: dict[str, Intake] = {}
        self.failures = list(failures)
        self.tried = 0

    async def __call__(self, intakes: Sequence[Intake]) -> None:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        for found in intakes:
            self.kept.setdefault(found.delivery, found)

    @property
    def texts(self) -> list[str]:
        return [found.message.text for found in self.kept.values() if found.message]

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(10):
            while len(self.kept) < count:
                await asyncio.sleep(0.005)
        return self.texts


async def set_up(fake: FakeTelegram) -> None:
    async with asyncio.timeout(5):
        while not fake.webhook:
            await asyncio.sleep(0.005)


def update(number: int, text: str = "hi") -> bytes:
    person = {"id": 5, "is_bot": False, "first_name": "Eve"}
    chat = {"id": 5, "type": "private", "first_name": "Eve"}
    said = {"message_id": number, "date": 1_790_000_000, "chat": chat, "from": person, "text": text}
    return json.dumps({"update_id": number, "message": said}).encode()


async def test_each_chats_messages_come_in_order_and_once() -> None:
    """The webhook is set at the start with the secret, and the kinds of update wanted."""
    fake, store = FakeTelegram(), Store()
    ada, bob = fake.private(1), fake.private(2)
    async with site(fake, store):
        for number in range(10):
            fake.say(ada, f"a{number}")
            fake.say(bob, f"b{number}")
        texts = await store.until(20)
    assert [text for text in texts if text[0] == "a"] == [f"a{n}" for n in range(10)]
    assert [text for text in texts if text[0] == "b"] == [f"b{n}" for n in range(10)]
    assert fake.webhook == webhook_url(PUBLIC) == PUBLIC + PATH
    assert (fake.hook_secret, fake.hook_connections) == (SECRET, 40)
    assert "callback_query" in fake.hook_allowed
    assert set(fake.hook_statuses) == {200}


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", "ключ"])
async def test_a_wrong_secret_is_refused_and_nothing_is_stored(secret: str | None) -> None:
    fake, store = FakeTelegram(), Store()
    async with site(fake, store) as here:
        await set_up(fake)
        assert await here.post(update(1), secret) == 401
    assert store.tried == 0


async def test_an_oversized_body_is_refused_unread() -> None:
    """One mebibyte is the most; a stranger does not even get that far."""
    fake, store = FakeTelegram(), Store()
    async with site(fake, store) as here:
        await set_up(fake)
        assert await here.post(b"x" * ((1 << 20) + 1)) == 413
        assert await here.post(b"x" * (1 << 20)) == 200
    assert len(store.kept) == 1


async def test_a_replayed_delivery_has_the_same_key() -> None:
    fake, store = FakeTelegram(), Store()
    async with site(fake, store) as here:
        await set_up(fake)
        assert [await here.post(update(7)) for _ in range(3)] == [200, 200, 200]
    assert (store.tried, len(store.kept)) == (3, 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"update_id": "x"}', b'{"update_id": 3, "message": 5}'],
)
async def test_what_cannot_be_read_is_kept_dead_and_confirmed(body: bytes) -> None:
    """Else Telegram would send it again for a day, and block that chat's lane with it."""
    fake, store = FakeTelegram(), Store()
    async with site(fake, store) as here:
        await set_up(fake)
        assert await here.post(body) == 200
    (kept,) = store.kept.values()
    assert kept.error
    assert kept.message is None


@pytest.mark.parametrize(("failure", "status"), [(StorageBusy(), 503), (StorageCorrupt(), 500)])
async def test_what_was_not_stored_is_not_confirmed(failure: StorageError, status: int) -> None:
    """Telegram delivers it again until it is stored, and then once."""
    fake, store = FakeTelegram(), Store(failure, failure)
    async with site(fake, store):
        fake.say(fake.private(), "precious")
        assert await store.until(1) == ["precious"]
        await asyncio.sleep(0.1)
    assert fake.hook_statuses == [status, status, 200]
    assert store.tried == 3


async def test_a_chat_that_cannot_be_stored_delays_no_other() -> None:
    """Lanes: while one chat's update is refused, the others are delivered."""
    fake, store = FakeTelegram(), Store(*[StorageBusy() for _ in range(3)])
    fake.hook_pause = 0.5
    async with site(fake, store):
        await set_up(fake)
        fake.say(fake.private(1), "stuck")
        await asyncio.sleep(0.05)
        store.failures.clear()
        fake.say(fake.private(2), "free")
        assert await store.until(1) == ["free"]
        assert await store.until(2) == ["free", "stuck"]


async def test_before_the_desk_takes_messages_they_are_put_off() -> None:
    """The listener is up before the desk knows its own name: nothing is stored half understood."""
    async with site(FakeTelegram(), None) as here:
        assert await here.post(update(1)) == 503


async def test_lost_answers_and_duplicates_store_each_message_once() -> None:
    fake, store = FakeTelegram(lose=0.3, duplicate=0.3, seed=3), Store()
    ada = fake.private()
    async with site(fake, store):
        for number in range(30):
            fake.say(ada, f"{number}")
        texts = await store.until(30)
    assert texts == [f"{number}" for number in range(30)]
    assert store.tried > 30


async def test_the_webhook_is_set_in_spite_of_a_bad_network() -> None:
    fake, store = FakeTelegram(), Store()
    fake.method_faults["getMe"] = ["502"]
    fake.method_faults["setWebhook"] = ["refuse", "502", "html"]
    fake.say(fake.private(), "through")
    async with site(fake, store):
        assert await store.until(1) == ["through"]


async def test_the_stop_button_of_a_draft_comes_over_the_webhook() -> None:
    """Its kind is asked for by name, and it names the answer."""
    fake, store = FakeTelegram(), Store()
    ada = fake.private()
    async with site(fake, store):
        await set_up(fake)
        assert "stopped_message_generation" in fake.hook_allowed
        pressed = {"chat": ada.json(), "draft_id": str(draft_id(AnswerId(7), 0, None))}
        fake.push("stopped_message_generation", pressed)
        await store.until(1)
    (found,) = store.kept.values()
    conversation = ConversationId("telegram:4242:1001:")
    assert found.signal == Signal(kind="stop", conversation=conversation, answer=AnswerId(7))
    assert fake.hook_statuses == [200]


async def test_polling_has_no_routes_and_no_secret_lets_nobody_in() -> None:
    """An empty secret is one that everybody knows."""
    clock = SystemClock()
    polling = TelegramAdapter(TelegramConfig(token=Secret("4242:t")), clock, random=Random())
    assert isinstance(polling, HasRoutes)
    assert polling.routes() == ()
    config = TelegramConfig(token=Secret("4242:t"), mode="webhook")
    open_door = TelegramAdapter(config, clock, random=Random(), public_url=PUBLIC)
    (route,) = open_door.routes()
    for headers in ({}, {"x-telegram-bot-api-secret-token": ""}):
        assert (await route.handler(b"{}", headers)).status == 401
    for adapter in (polling, open_door):
        await adapter.close()
