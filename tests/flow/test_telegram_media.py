"""What is no text, on Telegram: each kind is answered politely, once, and no model is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.i18n import say
from tests.fakes.glm import computed
from tests.flow.running import running, until

FILE = {"file_id": "f", "file_unique_id": "u", "file_size": 9}
KINDS: dict[str, Any] = {
    "voice": FILE | {"duration": 3},
    "audio": FILE | {"duration": 3},
    "video": FILE | {"duration": 3, "width": 9, "height": 9},
    "video_note": FILE | {"duration": 3, "length": 9},
    "photo": [FILE | {"width": 9, "height": 9}],
    "document": FILE | {"file_name": "a.pdf"},
    "sticker": FILE
    | {"type": "regular", "width": 9, "height": 9, "is_animated": False, "is_video": False},
    "location": {"latitude": 1.0, "longitude": 2.0},
    "contact": {"phone_number": "1", "first_name": "Bob"},
}
DECLINED = say("en", "decline.attachment")
UNSEEN = say("en", "answer.unseen")


@pytest.mark.parametrize("streaming", ["edits", "drafts"])
async def test_each_kind_alone_is_declined_in_a_sentence(tmp_path: Path, streaming: str) -> None:
    """One message for each, no draft, nothing asked of the model."""
    async with running(
        tmp_path / "desk.db", answers="open", knowledge=False, pace="off", streaming=streaming
    ) as run:
        for number, (kind, content) in enumerate(KINDS.items()):
            chat = run.telegram.private(3000 + number)
            run.telegram.say(chat, None, **{kind: content})
        chats = list(run.telegram.chats.values())
        await until(lambda: all(run.telegram.screen(chat) == [DECLINED] for chat in chats))
        await until(lambda: run.service.idle)
        assert run.glm.calls == []
        assert run.telegram.drafts == {}


async def test_words_beside_a_file_are_answered_and_the_file_is_said_to_be_unseen(
    tmp_path: Path,
) -> None:
    """Nobody must think that we looked at the picture."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        chat = run.telegram.private()
        run.glm.default = computed(lambda _: "Seven days.")
        run.telegram.say(chat, None, photo=KINDS["photo"], caption="How long may I keep it?")
        await until(lambda: run.telegram.screen(chat) == [f"Seven days.\n\n{UNSEEN}"])
        run.telegram.say(chat, "And the lamp?")
        await until(lambda: run.telegram.screen(chat)[1:] == ["Seven days."])


async def test_in_a_group_only_what_is_for_us_is_declined(tmp_path: Path) -> None:
    """People send each other voices all day; one in reply to us is for us, and quoted."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        group, ada = run.telegram.group(), run.telegram.person(1)
        run.glm.default = computed(lambda _: "Seven days.")
        run.telegram.say(group, "@desk_bot how long?", user=ada)
        await until(lambda: run.telegram.screen(group) == ["Seven days."] and run.service.idle)
        ours = run.telegram.standing(group)[0].id
        run.telegram.say(group, None, user=ada, voice=KINDS["voice"])
        asked = run.telegram.say(group, None, user=ada, voice=KINDS["voice"], reply_to=ours)
        await until(lambda: run.telegram.screen(group)[1:] == [DECLINED])
        await until(lambda: run.service.idle)
        assert run.telegram.standing(group)[1].reply_to == asked
        assert len(run.telegram.standing(group)) == 2


async def test_thrown_out_of_a_group_it_calls_no_more_and_answers_when_it_is_back(
    tmp_path: Path,
) -> None:
    """The answer that was under way has its outcome."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        group, ada = run.telegram.group(), run.telegram.person(1)
        run.glm.default = computed(lambda _: "word " * 400)
        run.telegram.say(group, "@desk_bot how long?", user=ada)
        await until(lambda: run.telegram.screen(group))
        run.telegram.membership(group, "kicked")
        await until(lambda: run.service.idle)
        calls = len(run.telegram.calls)
        run.telegram.membership(group, "member")
        run.glm.default = computed(lambda _: "Back.")
        run.telegram.say(group, "@desk_bot and now?", user=ada)
        await until(lambda: run.telegram.screen(group)[-1:] == ["Back."])
        assert calls < 20
