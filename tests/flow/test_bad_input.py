"""What people and models should not send, on both platforms: one clear honest reply to each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.i18n import LOCALES, say
from tests.fakes.glm import says
from tests.flow.running import until
from tests.flow.test_stop_alike import MARK, STOP, Front, on, platforms

TELEGRAM_MOST = 4096
"""Units of one message; a client sends a longer text in pieces."""
DONE = "Understood."
EMPTY = {say(locale, "decline.empty") for locale in LOCALES}
WAITING = {"", *(say(lang, f"answer.{key}") for lang in LOCALES for key in ("placeholder", "more"))}
"""What stands before there is text; a stream of Slack's begins with nothing."""


async def only_reply(front: Front) -> str:
    """The one message of ours, once it is finished; and nothing follows it."""
    await until(lambda: front.screen() and not WAITING & set(front.screen()), 20)
    await until(lambda: STOP not in front.labels(), 20)
    await asyncio.sleep(0.3)
    (reply,) = front.screen()
    return reply


SEEN = (
    *("x" * (TELEGRAM_MOST - 1), "x" * TELEGRAM_MOST, "字" * (TELEGRAM_MOST + 1), "👍" * 2048),
    *("👨\u200d👩\u200d👧🇨🇳", "\u202eמתי תגיע החבילה שלי?\u202c", "a\u200bb\u200dc", "?!…"),
)
UNSEEN = ("\u200b\u200d\ufeff", "\u2800")


async def replied(front: Front, said: str, most: int) -> str:
    """What is said to this, by a client that sends so much at once."""
    for start in range(0, len(said), most):
        front.say(said[start : start + most])
    return await only_reply(front)


@platforms
async def test_odd_messages_get_one_reply_each(platform: str, tmp_path: Path) -> None:
    """At the platform's limit and over it, signs alone, right to left, or nothing to be seen."""
    async with on(platform, tmp_path) as front:
        front.glm.default = says(DONE)
        most = TELEGRAM_MOST if platform == "telegram" else 1 << 20
        fronts = [front.another(number) for number in range(len(SEEN + UNSEEN))]
        replies = await asyncio.gather(
            *(replied(one, said, most) for one, said in zip(fronts, SEEN + UNSEEN, strict=True))
        )
    for said, reply in zip(SEEN + UNSEEN, replies, strict=True):
        assert DONE in reply if said in SEEN else reply in EMPTY, ascii(said[:20])
        assert MARK not in reply


@platforms
@pytest.mark.parametrize("chunk", ["", " \n ", "\u200b\ufeff"])
async def test_an_empty_model_is_owned_up_to(platform: str, chunk: str, tmp_path: Path) -> None:
    """However often it is asked: one sentence, and no placeholder left."""
    async with on(platform, tmp_path) as front:
        front.glm.default = says(chunk)
        front.say("What is the lamp made of?")
        reply = await only_reply(front)
        stems = ("answer.empty", "error.retrying")
        honest = [say(locale, key) for locale in LOCALES for key in stems]
        told = say("en", "error.model_empty", reference="").split("(")[0]
        assert reply in honest or reply.startswith(told)
