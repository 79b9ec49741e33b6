"""The one way out, on virtual time: waiting, retrying, giving up; through the real library."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.request import retry_seconds
from bot.config import Secret, TelegramConfig
from bot.errors import ConfigError, PlatformBusy
from bot.types import Frame, MessageRef, Place, RichText
from tests.fakes.loop import VirtualClock, run_virtual
from tests.fakes.telegram import Chat, DirectRequest, FakeTelegram


def allow() -> None:
    """A guard that always lets go."""


def place(chat: Chat) -> Place:
    return Place(platform="telegram", account="4242", channel=str(chat.id), private=chat.private)


def frame(text: str, *, final: bool = True) -> Frame:
    return Frame(content=RichText(text=text), final=final)


def stage(*, pace: str = "official") -> tuple[FakeTelegram, TelegramAdapter]:
    clock = VirtualClock()
    fake = FakeTelegram(clock=clock)
    config = TelegramConfig(token=Secret(fake.token), pace=pace)
    request = DirectRequest(fake)
    return fake, TelegramAdapter(config, clock, random=Random(1), request=request)


def test_an_hour_of_eager_editing_provokes_no_refusal() -> None:
    """Private chat, group and its topics at once, as fast as the adapter lets go: no 429."""

    async def main() -> FakeTelegram:
        fake, adapter = stage()

        async def hammer(chat: Chat) -> None:
            ref = await adapter.send(place(chat), frame("…"), guard=allow)
            count = 0
            while fake.clock.monotonic() < 3600:
                count += 1
                await adapter.edit(ref, frame(str(count), final=count % 3 == 0), guard=allow)

        chats = [fake.private(1), fake.group(-1), fake.group(-1), fake.group(-2)]
        await asyncio.gather(*(hammer(chat) for chat in chats))
        return fake

    fake = run_virtual(main())
    assert fake.flood is not None
    assert fake.flood.refusals == 0
    assert len(fake.calls) > 3 * 3600 / 4.3


def test_without_pace_the_fake_does_refuse() -> None:
    """The fake's flood control is real, so the test above can fail."""

    async def main() -> FakeTelegram:
        fake, adapter = stage(pace="off")
        there = place(fake.group())
        for _ in range(20):
            await adapter.send(there, frame("x"), guard=allow)
        with pytest.raises(PlatformBusy):
            await adapter.send(there, frame("x"), guard=allow)
        return fake

    assert len(run_virtual(main()).calls) == 21


def test_a_banned_chat_delays_no_other() -> None:
    """300 s of ban in one chat; another chat's message stands after one round trip."""

    async def main() -> float:
        fake, adapter = stage()
        banned, free = fake.group(-1), fake.group(-2)
        assert fake.flood is not None
        fake.flood.ban(banned.id, 0.0, 300)
        ref = MessageRef(place=place(banned), id="1")

        async def stubborn() -> None:
            for _ in range(20):
                with pytest.raises(PlatformBusy):
                    await adapter.edit(ref, frame("x"), guard=allow)
                await fake.clock.sleep(0.01)

        task = asyncio.create_task(stubborn())
        await adapter.send(place(free), frame("free"), guard=allow)
        took = fake.clock.monotonic()
        await task
        assert fake.flood.refusals == 1
        return took

    assert run_virtual(main()) < 0.5


def test_a_short_ban_is_waited_out_for_a_final() -> None:
    """The caller need not know of three seconds."""

    async def main() -> tuple[list[str], float]:
        fake, adapter = stage()
        ada = fake.private()
        fake.method_faults["sendMessage"] = ["429"]
        await adapter.send(place(ada), frame("x"), guard=allow)
        return fake.screen(ada), fake.clock.monotonic()

    screen, took = run_virtual(main())
    assert screen == ["x"]
    assert 3.0 <= took < 4.0


def test_a_frame_is_never_held_up_by_a_ban() -> None:
    """It is told at once, with the wait, and costs no call."""

    async def main() -> int:
        fake, adapter = stage()
        ada = fake.private()
        ref = await adapter.send(place(ada), frame("…"), guard=allow)
        fake.method_faults["editMessageText"] = ["429"]
        for _ in range(3):
            with pytest.raises(PlatformBusy) as caught:
                await adapter.edit(ref, frame("x", final=False), guard=allow)
            assert caught.value.retry_after is not None
        return sum(1 for method, _ in fake.calls if method == "editMessageText")

    assert run_virtual(main()) == 1


def test_ready_tells_when_and_keeps_a_place_for_the_final() -> None:
    """After a run of frames a frame must wait while a final need not."""

    async def main() -> None:
        fake, adapter = stage()
        group = fake.group()
        there = place(group)
        ref = await adapter.send(there, frame("…"), guard=allow)
        for count in range(3):
            await adapter.edit(ref, frame(str(count), final=False), guard=allow)
        now = fake.clock.monotonic()
        assert adapter.ready(there, final=True) <= now
        assert adapter.ready(there, final=False) > now

    run_virtual(main())


def test_waiting_for_the_pace_ends_with_the_caller() -> None:
    """A cancelled call leaves nothing behind and uses nothing up."""

    async def main() -> None:
        fake, adapter = stage()
        there = place(fake.group())
        for count in range(6):
            await adapter.send(there, frame(str(count)), guard=allow)
        before = adapter.ready(there, final=True)
        task = asyncio.create_task(adapter.send(there, frame("no"), guard=allow))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert adapter.ready(there, final=True) == before
        assert "no" not in fake.screen(fake.group())

    run_virtual(main())


@pytest.mark.parametrize(
    ("body", "hint", "seconds"),
    [
        (b'{"parameters":{"retry_after":17}}', "", 17.0),
        (b'{"parameters":{"retry_after":-1}}', "", 0.0),
        (b'{"parameters":{}}', "9", 9.0),
        (b"<html>", "", 5.0),
        (b"[]", "soon", 5.0),
    ],
)
def test_a_429_names_its_wait_in_one_of_several_ways(
    body: bytes, hint: str, seconds: float
) -> None:
    """The Bot API's field, a proxy's header, or nothing at all."""
    assert retry_seconds(body, hint) == seconds


@pytest.mark.parametrize("token", ["", "nonsense", ":x"])
def test_a_token_that_cannot_be_one_is_refused_by_name(token: str) -> None:
    """The setting is named; the value is not shown."""
    with pytest.raises(ConfigError) as caught:
        TelegramAdapter(TelegramConfig(token=Secret(token)), VirtualClock(), random=Random())
    assert "TELEGRAM_BOT_TOKEN" in str(caught.value)
    assert not token or token not in str(caught.value)


def test_bytes_that_are_no_update_are_kept_with_their_error() -> None:
    """The same path serves a webhook: it never raises, and equal bytes have equal keys."""

    async def main() -> None:
        _, adapter = stage()
        for raw in (b"", b"\xff\xfe", b"[]", b"{}", b'{"update_id":"7"}', b"[" * 100_000):
            first, again = adapter.intake(raw), adapter.intake(raw)
            assert first.error
            assert first.delivery == again.delivery
        good = adapter.intake(b'{"update_id":7,"poll":null}')
        assert (good.error, good.message, good.delivery) == ("", None, "telegram:4242:7")

    run_virtual(main())
