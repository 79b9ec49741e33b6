"""Personal numbers: found where they stand, hidden from the model, back in what it says."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.masked import Masked
from bot.model.masking import KINDS, Restorer, Vault, find, luhn, resident_id
from bot.types import (
    ChatRequest,
    ChatTurn,
    ModelDone,
    ModelReset,
    ModelText,
    ToolCall,
)
from tests.fakes.scripted import ScriptedModel

CASES = [
    json.loads(line) for line in Path("tests/data/masking.jsonl").read_text("utf-8").splitlines()
]
FLOOR = 0.97
MAIL, PHONE = "amy@example.com", "+1 415 555 2671"


def judged() -> dict[str, Counter[str]]:
    """Right, wrong and missed for each kind over the whole set."""
    counts = {kind: Counter[str]() for kind in KINDS}
    for case in CASES:
        text = case["text"]
        wanted = Counter((kind, span) for kind, span in case["spans"])
        got = Counter((one.kind, text[one.start : one.end]) for one in find(text, KINDS))
        for name, found in (("right", wanted & got), ("wrong", got), ("missed", wanted)):
            rest = found if name == "right" else found - (wanted & got)
            for (kind, _), count in rest.items():
                counts[kind][name] += count
    return counts


def test_precision_and_recall_over_the_whole_set(capsys: pytest.CaptureFixture[str]) -> None:
    """At least 200 cases, half of the kinds of text without any number; no kind below .97."""
    assert len(CASES) >= 200
    assert sum(not case["spans"] for case in CASES) >= 60
    with capsys.disabled():
        print()
        for kind, count in judged().items():
            right = count["right"]
            precision, recall = right / (right + count["wrong"]), right / (right + count["missed"])
            print(f"  {kind}: {right} right, precision {precision:.3f}, recall {recall:.3f}")
            assert precision >= FLOOR, (kind, count)
            assert recall >= FLOOR, (kind, count)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_the_policy_names_is_hidden(kind: str) -> None:
    text = "amy@example.com 4111 1111 1111 1111 13812345678 110101199003077758"
    assert {one.kind for one in find(text, {kind})} == {kind}
    assert find(text, ()) == []


def test_checksums_are_those_of_the_standards() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert resident_id("11010519491231002X")
    assert not resident_id("110105194912310021")


@given(st.text(alphabet="0123456789 -+()@.[]aEX电话_", max_size=80))
def test_masking_and_restoring_gives_the_text_back_whatever_it_is(text: str) -> None:
    vault = Vault(KINDS, [text])
    masked = vault.mask(text)
    assert Restorer(vault.numbers).whole(masked) == text
    assert all(text[one.start : one.end] not in masked for one in find(text, KINDS))


@given(st.text(alphabet="[EMAIL_12]PHON x", max_size=60), st.data())
def test_a_placeholder_may_be_split_anywhere(text: str, data: st.DataObject) -> None:
    """Whatever the cuts, the stream restores to what the whole text would, and ends complete."""
    numbers = {"[EMAIL_1]": MAIL, "[EMAIL_12]": "b@example.com", "[PHONE_1]": PHONE}
    text = data.draw(st.sampled_from(["", "[EMAIL_1]", "x [PHONE_1] "])) + text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    restorer = Restorer(numbers)
    shown = "".join(restorer.feed(piece) for piece in pieces) + restorer.flush()
    assert shown == Restorer(numbers).whole(text)


def test_a_placeholder_that_was_said_by_a_person_is_nobody_s_number() -> None:
    vault = Vault(KINDS, ["[EMAIL_1] and amy@example.com"])
    assert vault.mask("[EMAIL_1] and amy@example.com") == "[EMAIL_1] and [EMAIL_2]"


async def test_the_model_sees_placeholders_and_the_reader_sees_numbers() -> None:
    """In history, question and answer, deltas cut in the middle of a placeholder included."""
    inner = ScriptedModel(["Wri", "te to [EMA", "IL_1] or cal", "l [PHONE", "_1]"])
    turns = (
        ChatTurn(role="user", content=f"I am {MAIL}"),
        ChatTurn(role="assistant", content="Hello!"),
        ChatTurn(role="user", content=f"{MAIL} again, phone {PHONE}"),
    )
    ask = ChatRequest(turns=turns, question=f"{MAIL} again, phone {PHONE}")
    events = [event async for event in Masked(inner, KINDS).stream(ask)]
    [seen] = inner.requests
    assert MAIL not in str(seen)
    assert PHONE not in str(seen)
    assert seen.turns[0].content == "I am [EMAIL_1]"
    assert seen.question == "[EMAIL_1] again, phone [PHONE_1]"
    said = "".join(event.delta for event in events if isinstance(event, ModelText))
    assert said == f"Write to {MAIL} or call {PHONE}"
    assert isinstance(events[-1], ModelDone)


async def test_a_half_said_placeholder_does_not_leak_into_the_stream_asked_anew() -> None:
    """After a reset the text begins again; what was held back of the old one is gone."""
    inner = ScriptedModel(["See [EMAIL", ModelReset(), "Ask [EMAIL_1]", " [EMA"])
    ask = ChatRequest(turns=(ChatTurn(role="user", content=MAIL),))
    events = [event async for event in Masked(inner, {"email"}).stream(ask)]
    reset = next(at for at, event in enumerate(events) if isinstance(event, ModelReset))
    after = "".join(event.delta for event in events[reset:] if isinstance(event, ModelText))
    assert after == f"Ask {MAIL} [EMA"


async def test_a_tool_is_called_with_the_real_numbers() -> None:
    call = ToolCall(id="1", name="find", arguments='{"mail": "[EMAIL_1]"}')
    ask = ChatRequest(turns=(ChatTurn(role="user", content=MAIL),))
    events = [event async for event in Masked(ScriptedModel([call]), KINDS).stream(ask)]
    assert isinstance(events[0], ToolCall)
    assert json.loads(events[0].arguments) == {"mail": MAIL}


@pytest.mark.parametrize(
    "text",
    [
        "+" + "1" * 12_000,
        "+1 " * 4000,
        "+1 (2)" * 2000,
        "a@" * 6000,
        "a@" + "a." * 6000,
        "0 12 " * 2400,
    ],
    ids=lambda text: text[:8],
)
def test_no_text_takes_long(text: str) -> None:
    """The longest question there is, made to send a regular expression into the woods."""
    begun = time.perf_counter()
    find(text[:12_000], KINDS)
    assert time.perf_counter() - begun < 1.0
