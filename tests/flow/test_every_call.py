"""Slack: one fault at every single call position, and texts at the edge; Telegram's are beside
test_deliver. Still exact, and one copy of the answer.
"""

from __future__ import annotations

import asyncio
import html

import pytest

from bot.i18n import say
from tests.fakes.loop import EPOCH_MS, run_virtual
from tests.flow.scenarios import Verdict
from tests.flow.slack_scenarios import FAULTS, fits, slack_desk, standing
from tests.flow.virtual_desk import Written

PARAGRAPHS = "\n\n".join(f"第{i}段：" + "一二三四五六七八九十。" * 12 for i in range(40))
POSITIONS_MAX = 60


async def _struck(fault: str, position: int, streaming: str) -> bool:
    """One answer with this call broken; False when there was no such call."""
    written, verdict = Written({"q": PARAGRAPHS}, rate=24, size=40), Verdict()
    async with slack_desk(written, streaming) as desk:
        desk.adapter.client.faults[position] = fault
        thread = await desk.say("D1", "q")
        await desk.quiet()
        await asyncio.sleep(1.0)
        shown = standing(desk.core, "D1", verdict, thread)
        assert (fits(shown, PARAGRAPHS), verdict.faults) == ("", []), position
        assert verdict.orphans <= (0 if fault == "unsent" else 1), position
        rows = await desk.stores.ledger.rows(0, EPOCH_MS * 2)
        assert [row.outcome for row in rows] == ["answered"], position
        return position not in desk.adapter.client.faults


@pytest.mark.parametrize("streaming", ["native", "edits"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_at_every_call_leaves_one_exact_copy(fault: str, streaming: str) -> None:
    """Network error, 5xx, lost response, until there is no call left to hit."""
    position = 2  # the first is auth.test, before the desk serves
    while run_virtual(_struck(fault, position, streaming)):
        position += 1
        assert position < POSITIONS_MAX
    assert position > 8


def letters(text: str) -> list[str]:
    return [c for c in html.unescape(text) if c.isalnum() or ord(c) > 0x1F000]


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 4095, "x" * 4096, "x" * 4097, "👍" * 2048, "👍" * 2048 + "x"),
        *("👨\u200d👩\u200d👧" * 700, "שלום עולם. " * 500, "\u202eאבג\u202c" * 900, "中" * 4097),
        *("List<String> `a<b>` " * 300, "👍", "🇨🇳" * 5000),
    ],
)
@pytest.mark.parametrize("streaming", ["native", "edits"])
def test_texts_at_the_edge_arrive_whole(text: str, streaming: str) -> None:
    """No letter and no emoji is lost, doubled, or cut in two."""

    async def main() -> None:
        async with slack_desk(Written({"q": text}, rate=100, size=97), streaming) as desk:
            thread = await desk.say("C1", "q")
            await desk.quiet()
            shown = "".join(m.markdown for m in desk.core.shown("C1", thread=thread))
            assert letters(shown) == letters(text)
            assert not desk.core.pings

    run_virtual(main())


def test_a_hundred_kilobytes_are_shown_whole() -> None:
    """In as many messages as it takes."""

    async def main() -> None:
        text = "\n\n".join(f"第{i}段：" + "一二三四五六七八九十。" * 12 for i in range(250))
        assert len(text.encode()) > 100_000
        async with slack_desk(Written({"q": text}, rate=50, size=400)) as desk:
            thread = await desk.say("C1", "q")
            await desk.quiet(1800.0)
            assert fits(standing(desk.core, "C1", Verdict(), thread), text) == ""

    run_virtual(main())


@pytest.mark.parametrize("text", ["", " \n", "\u200b\u200d\ufeff"])
@pytest.mark.parametrize("streaming", ["native", "edits"])
def test_an_empty_reply_is_one_honest_sentence(text: str, streaming: str) -> None:
    """Of a model that says nothing, or nothing that can be seen."""

    async def main() -> None:
        async with slack_desk(Written({"q": text}, rate=50), streaming) as desk:
            thread = await desk.say("D1", "q")
            await desk.quiet()
            shown = [m.markdown for m in desk.core.shown("D1", thread=thread)]
            assert shown == [say("zh", "answer.empty")]

    run_virtual(main())
