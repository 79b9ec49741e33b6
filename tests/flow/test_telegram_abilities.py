"""What the Telegram adapter can do beyond sending and editing, over HTTP."""

from __future__ import annotations

import logging
import struct
from dataclasses import replace
from random import Random

import pytest

from adapters.telegram.adapter import TelegramAdapter
from bot.clock import SystemClock
from bot.config import Secret, TelegramConfig
from bot.errors import (
    PlatformRefused,
    PlatformUnavailable,
)
from bot.ports import (
    Adapter,
    Deletes,
    FetchesFiles,
    HasMenu,
    HasRoutes,
    ShowsPictures,
    ShowsTyping,
    TakesFiles,
)
from bot.types import Attachment
from tests.fakes.telegram import FakeTelegram
from tests.flow.telegram_wire import allow, desk, place, say


async def test_it_can_do_what_it_claims() -> None:
    """The optional protocols are found by isinstance; the type checker agrees on Adapter."""
    adapter = TelegramAdapter(
        TelegramConfig(token=Secret("4242:t")), SystemClock(), random=Random()
    )
    whole: Adapter = adapter
    for ability in (
        Deletes,
        FetchesFiles,
        HasMenu,
        HasRoutes,
        ShowsPictures,
        ShowsTyping,
        TakesFiles,
    ):
        assert isinstance(whole, ability)
    await adapter.close()


async def test_typing_is_shown_and_never_raises() -> None:
    """Once per 4 s at most, in its topic; a blocked chat is silently left alone."""
    fake = FakeTelegram()
    group = fake.group(topics=(5,))
    async with desk(fake, pace="official") as adapter:
        await adapter.typing(place(fake, group.id, "5"))
        await adapter.typing(place(fake, group.id, "5"))
        await adapter.typing(place(fake, 404))
    assert fake.actions == [(group.id, 5)]


async def test_a_file_is_posted_with_its_caption() -> None:
    """Bytes and name arrive as they are, over a real multipart form."""
    fake = FakeTelegram()
    ada = fake.private()
    async with desk(fake) as adapter:
        ref = await adapter.send_file(
            place(fake, ada.id), "数据.csv", b"a,b\n1,2\n", caption="Your export", guard=allow
        )
    assert fake.files == {"数据.csv": b"a,b\n1,2\n"}
    assert fake.standing(ada)[0].id == int(ref.id)


async def test_a_picture_is_a_photo_or_else_a_document() -> None:
    """What Telegram will not have as a photo (too long and thin, no image) still arrives."""
    fake = FakeTelegram()
    ada = fake.private()
    for png, methods in (
        (_png(990, 1155), ["sendPhoto"]),
        (_png(2100, 100), ["sendPhoto", "sendDocument"]),
        (b"no image", ["sendPhoto", "sendDocument"]),
    ):
        async with desk(fake) as adapter:
            fake.calls.clear()
            ref = await adapter.send_picture(
                place(fake, ada.id), "stats.png", png, caption="Numbers", guard=allow
            )
            assert [name for name, _ in fake.calls if name.startswith("send")] == methods
            assert fake.calls[-1][1]["caption"] == "Numbers"
        assert fake.files["stats.png"] == png
        assert fake.standing(ada)[-1].id == int(ref.id)
    assert fake.violations == []


async def test_a_picture_of_unknown_fate_is_not_posted_again() -> None:
    """Not as a document either."""
    fake = FakeTelegram()
    ada = fake.private()
    fake.method_faults["sendPhoto"] = ["lose"]
    async with desk(fake) as adapter:
        with pytest.raises(PlatformUnavailable) as caught:
            await adapter.send_picture(
                place(fake, ada.id), "a.png", _png(9, 9), caption="", guard=allow
            )
    assert caught.value.sent
    assert len(fake.standing(ada)) == 1


def _png(width: int, height: int) -> bytes:
    """As much of a PNG as tells its size."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


async def test_a_file_that_came_is_fetched_up_to_a_size() -> None:
    """What is announced too large is not asked for; what proves too large is not read on."""
    fake = FakeTelegram()
    fake.files = {"a.csv": b"q,a\n" * 1000}
    async with desk(fake) as adapter:
        known = Attachment(kind="document", id="a.csv", size=4000)
        assert await adapter.fetch(known, most=4000) == fake.files["a.csv"]
        calls = len(fake.calls)
        with pytest.raises(PlatformRefused):
            await adapter.fetch(known, most=3999)
        assert len(fake.calls) == calls
        for attachment in (replace(known, size=None), replace(known, id="gone")):
            with pytest.raises(PlatformRefused):
                await adapter.fetch(attachment, most=3999)
        fake.method_faults["getFile"] = ["502", "refuse"]
        assert await adapter.fetch(known, most=4000)


async def test_the_menu_is_published_per_language_and_for_admins_apart() -> None:
    """Everybody's menu by default; the admins' in their own chats, if they have one."""
    fake = FakeTelegram()
    ada = fake.private()
    words = [("help", {"en": "What I can do", "zh": "帮助"})]
    secret = [*words, ("stats", {"en": "Numbers", "zh": "统计"})]
    async with desk(fake) as adapter:
        await adapter.set_menu(words)
        await adapter.set_menu(secret, only=[f"telegram:{ada.id}", "telegram:999", "slack:T1/U1"])
    assert set(fake.menus) == {
        "default/", "default/en", "default/zh",
        f"chat:{ada.id}/", f"chat:{ada.id}/en", f"chat:{ada.id}/zh",
    }  # fmt: skip
    assert fake.menus["default/zh"][0]["description"] == "帮助"
    assert len(fake.menus[f"chat:{ada.id}/"]) == 2


async def test_the_token_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """At the level a desk runs at, whatever fails."""
    fake = FakeTelegram(token="4242:very-secret-token")
    ada = fake.private()
    fake.method_faults["sendMessage"] = ["refuse", "502", "html", "lose"]
    with caplog.at_level(logging.INFO):
        async with desk(fake) as adapter:
            for _ in range(4):
                with pytest.raises(PlatformUnavailable) as caught:
                    await adapter.send(place(fake, ada.id), say("x"), guard=allow)
                assert "very-secret" not in repr(caught.value)
                assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert "very-secret" not in caplog.text
