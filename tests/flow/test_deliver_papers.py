"""Code too long for a chat comes as a document, once, and is never missing, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import say
from tests.fakes.glm import FakeGlm, says
from tests.fakes.inline_database import InlineDatabase
from tests.fakes.loop import run_virtual
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.core import Refusal
from tests.fakes.telegram.core import FakeTelegram, Fault, Refused
from tests.flow.answers import fits
from tests.flow.slack_desk import until
from tests.flow.slack_service import served
from tests.flow.test_deliver import PLACEHOLDERS, rows, turns
from tests.flow.virtual_desk import Killer, Written, fake, virtual_desk

CODE = "\n".join(f"print({number})" for number in range(500))
TEXT = f"这样写：\n\n```python\n{CODE}\n```\n\n运行即可。"
LINE = say("zh", "answer.as_file", name="code.py")
SHORT = f"这样写：\n\n{LINE}\n\n运行即可。"
WHOLE = f"这样写：\n\n{CODE}\n\n运行即可。"


def virtual(main: Coroutine[Any, Any, None]) -> None:
    run_virtual(main)


def documents(telegram: FakeTelegram) -> int:
    """How many were sent, as far as anybody can tell."""
    return sum(method == "sendDocument" for method, _ in telegram.calls)


def screen(telegram: FakeTelegram) -> list[str]:
    """The texts, without placeholders; documents have none."""
    standing = telegram.standing(telegram.private())
    return [m.text for m in standing if m.file is None and m.text not in PLACEHOLDERS]


def test_long_code_is_a_document_and_a_line() -> None:
    """While it grows it is shown; parts that become surplus go. History keeps all of it."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        async with virtual_desk(Written({"问": TEXT}, rate=50, size=8), telegram) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
            assert [turn.text for turn in await turns(desk, chat)] == ["问", TEXT]
            assert [row.outcome for row in await rows(desk)] == ["answered"]
        assert screen(telegram) == [SHORT]
        assert telegram.files == {"code.py": CODE.encode() + b"\n"}
        assert documents(telegram) == 1
        seen = [v.text for message in telegram.standing(chat) for v in message.history]
        assert any("print(7)" in text for text in seen)
        assert telegram.violations == []

    virtual(main())


@pytest.mark.parametrize(
    ("fault", "sent", "text"),
    [
        *(("unsent", 2, SHORT), ("429", 2, SHORT)),
        *(("refuse", 1, WHOLE), ("lose", 1, WHOLE), ("502", 1, WHOLE), ("late 502", 1, WHOLE)),
    ],
)
def test_only_a_document_that_is_there_for_certain_stands_for_its_code(
    fault: Fault, sent: int, text: str
) -> None:
    """It is sent again where it never left; where nobody knows, the code stands in the text."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()
        telegram.method_faults["sendDocument"] = [fault]
        async with virtual_desk(Written({"问": TEXT}, rate=0), telegram) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
        assert documents(telegram) == sent
        assert fits(screen(telegram), text) == ""

    virtual(main())


def test_where_documents_are_refused_the_code_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group may allow texts only."""

    async def main() -> None:
        telegram = fake()
        chat = telegram.private()

        def refused(params: Any) -> None:
            raise Refused(400, "Bad Request: not enough rights to send documents to the chat")

        monkeypatch.setattr(telegram, "_send_document", refused)
        async with virtual_desk(Written({"问": TEXT}, rate=0), telegram) as desk:
            telegram.say(chat, "问")
            await desk.quiet()
            assert [row.outcome for row in await rows(desk)] == ["answered"]
        assert fits(screen(telegram), WHOLE) == ""

    virtual(main())


@pytest.mark.parametrize("refused", [False, True])
async def test_on_slack_too(tmp_path: Path, *, refused: bool) -> None:
    """In the same thread; an app that lacks the scope for files shows the code."""
    slack = FakeSlack(tiers=False)
    await slack.start()
    slack.core.users = {"U1": {"real_name": "Ann", "locale": "zh-CN"}}
    if refused:

        def lacks(args: Any) -> None:
            raise Refusal("missing_scope")

        slack.core._files_getUploadURLExternal = lacks  # type: ignore[assignment]
    async with FakeGlm() as glm, served(slack, "socket", tmp_path, glm=glm):
        glm.default = says(*(TEXT[at : at + 400] for at in range(0, len(TEXT), 400)))
        root = slack.say("U1", "D1", "打印五百行怎么写？")
        end = "print(499)" if refused else LINE
        await until(lambda: any(end in m.markdown for m in slack.core.shown("D1")))
        await until(lambda: any("👍" in m.buttons() for m in slack.core.shown("D1")))
        shown = slack.core.shown("D1", thread=root)
    await slack.close()
    texts = "".join(message.markdown for message in shown if not message.files)
    assert ("print(250)" in texts, LINE in texts) == (refused, not refused)
    files = [name for message in shown for name in message.files]
    assert [slack.core.uploads[name] for name in files] == (
        [] if refused else [CODE.encode() + b"\n"]
    )


async def _killed(at: int) -> tuple[FakeTelegram, bool]:
    """The process dies at the n-th point; another goes on."""
    telegram, database, killer = fake(), InlineDatabase.open(), Killer(at)
    chat = telegram.private()
    written = Written({"问": TEXT}, rate=0)
    async with virtual_desk(written, telegram, database=database, killer=killer) as desk:
        telegram.say(chat, "问")
        ends = [asyncio.create_task(desk.quiet()), asyncio.create_task(killer.dead.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
    async with virtual_desk(
        written, telegram, database=database, owner="two", takes_over=True
    ) as desk:
        await desk.quiet()
        assert [turn.text for turn in await turns(desk, chat)] == ["问", TEXT]
    await database.close()
    return telegram, killer.dead.is_set()


def test_killed_at_any_point_the_code_is_there_and_the_document_at_most_once() -> None:
    """Between the durable answer and the document, too: the text alone tells what to send."""

    async def main() -> None:
        at, killed, short = 1, True, 0
        while killed:
            telegram, killed = await _killed(at)
            shown = screen(telegram)
            assert documents(telegram) <= 1, at
            if fits(shown, SHORT) == "":
                short += 1
                assert telegram.files["code.py"], at
            else:
                assert fits(shown, WHOLE) == "", at
            at += 1
        assert at > 12
        assert at - 1 - short <= 4, "only where nobody knows whether the document came"

    virtual(main())
