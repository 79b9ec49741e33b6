"""Messages beside the answer, when the platform leaves us in the dark about them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from bot.types import Done, Say
from tests.fakes.loop import run_virtual
from tests.fakes.telegram.core import Fault
from tests.flow.test_deliver import rows, script
from tests.flow.virtual_desk import fake, virtual_desk

WORDS = "这是一份清单。"
PLAY = script(Say(text=WORDS), Done(route="command", remember=False))


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


@pytest.mark.parametrize(
    ("faults", "copies", "empty"),
    [
        ([], 1, 0),
        *((["unsent"], 1, 0), (["unsent", "429", "unsent"], 1, 0)),
        *((["refuse"], 1, 0), (["502"], 1, 0), (["refuse", "refuse"], 1, 0)),
        *((["lose"], 2, 0), (["late 502"], 2, 0)),
        (["lose", "lose"], 2, 1),
        (["lose"] * 30, 2, 29),
    ],
)
def test_a_notice_is_never_missing_and_its_words_come_twice_at_most(
    faults: list[Fault], copies: int, empty: int
) -> None:
    """Only the first send carries them; what is repeated after it is empty until it is known."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        telegram.method_faults["sendMessage"] = list(faults)
        async with virtual_desk(PLAY, telegram) as desk:
            telegram.say(chat, "/list")
            await desk.quiet(3600.0)
            assert [row.outcome for row in await rows(desk)] == ["answered"]
        screen = telegram.screen(chat)
        assert screen.count(WORDS) == copies
        assert screen.count("…") == empty == len(screen) - copies

    virtual(main())


@pytest.mark.parametrize("fault", ["refuse", "lose", "502", "unsent"])
def test_an_edit_that_fails_is_made_again_in_the_same_message(fault: Fault) -> None:
    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        telegram.method_faults["sendMessage"] = ["refuse"]
        telegram.method_faults["editMessageText"] = [fault] * 12
        async with virtual_desk(PLAY, telegram) as desk:
            telegram.say(chat, "/list")
            await desk.quiet(3600.0)
        assert telegram.screen(chat) == [WORDS]

    virtual(main())
