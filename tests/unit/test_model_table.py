"""What becomes of each refusal of a provider, through the whole chain on virtual time.

A row: the codes, how often the model is asked for one question, in how many seconds at most, who
answers, how long it is left alone afterwards, and whether staff hear of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from bot.model.failures import BEIJING, Failed, error_of
from bot.model.fallback import Fallback
from bot.model.paced import Paced
from bot.model.retrying import Retrying
from bot.types import value
from tests.fakes.loop import EPOCH_MS, run_virtual
from tests.fakes.model import ASK, CLOCK, HELLO, Scripted, play

MIDNIGHT = 86_400 - (EPOCH_MS // 1000 + 8 * 3600) % 86_400
"""Seconds from the virtual clock's beginning to midnight in Beijing."""
NOBODY = ""


@value
class Row:
    """What is promised of some codes. `rest` 0: it is asked again at the next question."""

    asked: int
    within: float
    by: str = "b"
    rest: float = 0.0
    alert: bool = False


TABLE = {
    "1000 1001 1002 1003 1004": Row(asked=1, within=0, rest=300, alert=True),
    "1100 1110 1111 1112 1121": Row(asked=1, within=0, rest=300, alert=True),
    "1120": Row(asked=3, within=1.5),
    "1113": Row(asked=1, within=0, rest=300, alert=True),
    "1200 1230 1234": Row(asked=3, within=1.5),
    "1210 1213 1214 1215": Row(asked=1, within=0, alert=True),
    "1211 1212 1220 1221 1222": Row(asked=1, within=0, rest=300, alert=True),
    "1231": Row(asked=3, within=1.5),
    "1261": Row(asked=1, within=0, by=NOBODY),
    "1300 1301": Row(asked=1, within=0, by=NOBODY),
    "1302 1303": Row(asked=3, within=8.0),
    "1304": Row(asked=1, within=0, rest=MIDNIGHT, alert=True),
    "1305 1312": Row(asked=2, within=0.5, rest=30),
    "1308 1310": Row(asked=1, within=0, rest=3600, alert=True),
    "1309 1311 1313": Row(asked=1, within=0, rest=300, alert=True),
    "500": Row(asked=3, within=1.5),
}
ROWS = [(code, row) for codes, row in TABLE.items() for code in codes.split()]


def chain_of(*models: Scripted) -> Fallback:
    """The layers as `build_model` stacks them; waits are as long as they can be."""
    links = [Retrying(Paced(one, CLOCK, most=4), CLOCK, random=lambda: 1.0) for one in models]
    return Fallback(links, CLOCK, report=lambda name, error: None)


@pytest.mark.parametrize(("code", "row"), ROWS, ids=[code for code, _ in ROWS])
@pytest.mark.parametrize("status", [200, 429])
def test_a_refusal_is_dealt_with_as_its_row_says(code: str, row: Row, status: int) -> None:
    error = error_of(Failed(code=code, status=status), now=EPOCH_MS)
    assert error.alert == row.alert
    first, second = Scripted([error]), Scripted(HELLO, name="b")
    chain = chain_of(first, second)

    async def story() -> None:
        begun = CLOCK.monotonic()
        text, _, failure = await play(chain)
        assert CLOCK.monotonic() - begun <= row.within + 0.001
        assert len(first.asked) == row.asked
        assert (text, failure) == (("Hello", None) if row.by else ("", error))
        assert len(second.asked) == bool(row.by)
        if row.rest:
            await asyncio.sleep(row.rest - 1.5)
            await play(chain)
            assert len(first.asked) == row.asked
            await asyncio.sleep(1.5)
        await play(chain)
        assert len(first.asked) > row.asked

    run_virtual(story())


@pytest.mark.parametrize("code", ["1308", "1310"])
def test_a_spent_window_is_believed_until_the_hour_that_it_names(code: str) -> None:
    """The message tells it in Beijing's time."""
    reset = datetime.fromtimestamp(EPOCH_MS / 1000 + 7200, BEIJING)
    error = error_of(Failed(code=code, message=f"resets at {reset:%F %T}"), now=EPOCH_MS)
    assert error.retry_after == pytest.approx(7200, abs=1)


def test_one_deadline_bounds_all_of_it() -> None:
    """Retries, waits and the next models live in what is left of it."""
    busy = error_of(Failed(code="1302", status=429), now=EPOCH_MS)
    models = [Scripted([4.0, busy]) for _ in range(3)]
    chain = chain_of(*models)

    async def story() -> float:
        begun = CLOCK.monotonic()
        await play(chain, replace(ASK, deadline=begun + 10))
        return CLOCK.monotonic() - begun

    assert run_virtual(story()) <= 14
    assert sum(len(model.asked) for model in models) <= 3
