"""Which Telegram messages are pieces of one, which move a chat, and what interrupts an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import telegram

from adapters.telegram.normalise import ALBUM_MS, PASTE_MS, PASTE_UNITS, Me, normalise
from bot.engine.route import interrupting
from bot.ports import Intake
from tests.fakes.telegram import FakeTelegram

ME = Me(id=4242, username="desk_bot")
PHOTO = [{"file_id": "p", "file_unique_id": "p", "width": 9, "height": 9}]


def read(update: dict[str, Any]) -> Intake:
    return normalise(telegram.Update.de_json(update), raw=json.dumps(update), me=ME, now=7)


def said(text: str | None, **fields: Any) -> Intake:
    fake = FakeTelegram()
    fake.say(fake.private(), text, **fields)
    return read(fake.queue[-1])


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("hi", 0),
        ("x" * (PASTE_UNITS - 1), 0),
        ("x" * PASTE_UNITS, PASTE_MS),
        ("😀" * (PASTE_UNITS // 2), PASTE_MS),
        ("/ask " + "x" * PASTE_UNITS, 0),
    ],
)
def test_only_a_text_that_was_probably_cut_is_waited_for(text: str, wait: int) -> None:
    """Measured in UTF-16 units, as clients cut; a command stands alone."""
    assert said(text).settle_ms == wait


def test_each_item_of_an_album_is_waited_for() -> None:
    assert said(None, photo=PHOTO, media_group_id="g").settle_ms == ALBUM_MS
    assert said(None, photo=PHOTO).settle_ms == 0


def test_what_is_not_for_us_is_waited_for_by_nobody() -> None:
    fake = FakeTelegram()
    fake.say(fake.group(), "x" * 4096)
    intake = read(fake.queue[-1])
    assert (intake.message, intake.settle_ms) == (None, 0)


def test_both_chats_tell_of_the_same_move() -> None:
    fake = FakeTelegram()
    fake.migrate(fake.group(-5), fake.group(-1005))
    first, second = (read(update).moved for update in fake.queue)
    assert first is not None
    assert first == second
    assert (first.old.channel, first.new.channel) == ("-5", "-1005")
    assert all(read(update).message is None for update in fake.queue)


def test_what_interrupts_is_itself_still_to_be_answered() -> None:
    """Its stop is for what stands before it, and carries no key that would settle it too."""
    intake = interrupting(said("no, wait"))
    assert intake.message is not None
    assert intake.signal is not None
    assert intake.signal.position == intake.message.position
    assert intake.signal.key == ""


@pytest.mark.parametrize("text", ["/help", "/stop"])
def test_commands_interrupt_nothing_by_this_setting(text: str) -> None:
    intake = said(text)
    assert interrupting(intake) is intake
