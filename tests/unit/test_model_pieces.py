"""The small pure pieces of the model room: tokens and prices, signing, marks, loops, vitals."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.config import ModelConfig, Secret
from bot.errors import ModelRefused, ModelUnavailable
from bot.model.auth import Bearer, SignedToken
from bot.model.extractive import pieces
from bot.model.loops import PERIOD_MAX, REPEATS, SPAN, WINDOW, LoopGuard, period
from bot.model.marks import MarkFilter
from bot.model.tokens import Calibration, cost, prompt_tokens, tokens
from bot.model.vitals import Vitals
from bot.types import ChatTurn, Usage

ENGLISH = (
    "You can return any item within thirty days of delivery, as long as it is unused and in its "
    "original packaging. Once we receive the parcel, the refund is made to the card that was used "
    "for the order, usually within five working days. Shipping costs are not refunded."
)
CHINESE = (
    "商品自签收之日起三十天内可以申请退货，要求商品未经使用且包装完好。我们收到包裹后，会在五个工作日内"
    "将款项退回原支付账户，运费不予退还。如有疑问请联系客服。"
)


def test_the_estimate_is_near_for_english_and_chinese() -> None:
    """Against what tokenizers of 100 K and 262 K entries count: about 0.21 and 0.65 to 1.0."""
    assert 0.18 <= tokens(ENGLISH) / len(ENGLISH) <= 0.32
    assert 0.6 <= tokens(CHINESE) / len(CHINESE) <= 1.1


@given(st.text(), st.text())
def test_more_text_never_weighs_less(one: str, more: str) -> None:
    assert tokens(one + " " + more) >= tokens(one) - 1
    assert (tokens(one) > 0) == bool(one)


def test_messages_have_borders() -> None:
    turns = (ChatTurn(role="system", content="a"), ChatTurn(role="user", content="b"))
    assert prompt_tokens(turns) == tokens("a") + tokens("b") + 8


def test_calibration_finds_the_models_own_rate_and_bounds_odd_reports() -> None:
    calibration = Calibration()
    for _ in range(40):
        calibration.learn(estimated=100, reported=140)
    assert calibration.apply(100) == 140
    assert calibration.bound(100) == 154
    calibration.learn(estimated=100, reported=100_000)
    assert calibration.apply(100) <= 160
    calibration.learn(estimated=0, reported=5)
    before = calibration.factor
    calibration.exceeded()
    assert calibration.factor > before


def test_a_price_is_known_or_unknown_never_guessed() -> None:
    usage = Usage(prompt=1_000_000, cached=400_000, completion=100_000)
    priced = ModelConfig(price_input=1.0, price_cached=0.1, price_output=10.0)
    assert cost(usage, priced) == pytest.approx(0.6 + 0.04 + 1.0)
    assert cost(usage, ModelConfig(price_input=1.0, price_output=0.0)) == pytest.approx(1.0)
    assert cost(usage, ModelConfig(price_input=1.0)) is None
    assert cost(usage, ModelConfig()) is None


def test_a_signed_token_holds_what_the_provider_checks() -> None:
    header = SignedToken(Secret("id.secret")).header(now=1_700_000_000_123, monotonic=0.0)
    head, payload, signature = header.removeprefix("Bearer ").split(".")
    digest = hmac.new(b"secret", f"{head}.{payload}".encode(), hashlib.sha256).digest()

    def plain(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    assert plain(signature) == digest
    assert json.loads(plain(head)) == {"alg": "HS256", "sign_type": "SIGN"}
    assert json.loads(plain(payload)) == {
        "api_key": "id", "exp": 1_700_000_210_123, "timestamp": 1_700_000_000_123,
    }  # fmt: skip


def test_a_token_is_renewed_at_80_percent_of_its_life_by_monotonic_time() -> None:
    auth = SignedToken(Secret("id.secret"))
    first = auth.header(now=0, monotonic=1000.0)
    assert auth.header(now=10**12, monotonic=1167.9) == first
    second = auth.header(now=168_000, monotonic=1168.0)
    assert second != first
    assert auth.renew()
    assert auth.header(now=168_001, monotonic=1168.1) != second


def test_a_raw_key_goes_as_it_is_and_none_sends_nothing() -> None:
    assert Bearer(Secret("k.s")).header(now=0, monotonic=0) == "Bearer k.s"
    assert Bearer(Secret("")).header(now=0, monotonic=0) == ""
    assert not Bearer(Secret("k")).renew()


MARKED = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<|begin_of_box|>", "<|end_of_box|>", "a", "<", "b > c"]
    )
    | st.text(max_size=5)
).map("".join)


@example("<think><think><think></think><|begin_of_box|>", [7, 31])
@given(MARKED, st.lists(st.integers(0, 200), max_size=20))
def test_marks_are_found_wherever_the_stream_is_cut(text: str, places: list[int]) -> None:
    def filtered(parts: list[str]) -> tuple[str, int]:
        marks = MarkFilter()
        return "".join([*map(marks.feed, parts), marks.close()]), marks.hidden

    at = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    cut = [text[a:b] for a, b in itertools.pairwise(at)]
    assert filtered(cut) == filtered([text])


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("好的。" * 400, True),
        ("The same sentence again. " * 60, True),
        ("-" * 80 + ENGLISH * 3, False),
        ("\n".join(f"| row {n} | value {n * 7} |" for n in range(100)), False),
        (ENGLISH + CHINESE, False),
        ("a" * 470, False),
    ],
)
def test_a_loop_is_told_from_a_table_and_a_ruler(text: str, looping: bool) -> None:
    guard = LoopGuard()
    found = any(guard.feed(text[at : at + 7]) for at in range(0, len(text), 7))
    assert found is looping


def test_the_period_is_that_of_the_tail() -> None:
    assert period("x" * 100 + "abc" * 300) == 3
    assert period("abc") is None
    assert period("") is None


@given(
    st.text("ab", max_size=40),
    st.text("ab", min_size=1, max_size=PERIOD_MAX + 5),
    st.integers(1, 600),
    st.integers(0, PERIOD_MAX),
)
def test_a_loop_is_found_wherever_trying_every_length_would_find_it(
    before: str, unit: str, times: int, cut: int
) -> None:
    tail = (before + unit * times + unit[:cut])[-WINDOW:]

    def repeats(length: int) -> bool:
        span = max((REPEATS + 1) * length, SPAN)
        return span <= len(tail) and tail[-span:-length] == tail[length - span :]

    assert period(tail) == next((n for n in range(1, PERIOD_MAX + 1) if repeats(n)), None)


def test_health_goes_up_and_down_with_traffic() -> None:
    vitals = Vitals("m")
    states = [vitals.health().state]
    vitals.succeeded(at=1, latency=0.25)
    states.append(vitals.health().state)
    for at in range(2, 7):
        vitals.failed(ModelUnavailable("x"), at=at)
        states.append(vitals.health().state)
    vitals.succeeded(at=8, latency=0.5)
    vitals.failed(ModelRefused("key"), at=9)
    states.append(vitals.health().state)
    vitals.alive(at=10)
    states.append(vitals.health().state)
    assert states == ["unknown", "up", *["degraded"] * 4, "down", "down", "up"]
    health = vitals.health()
    assert (health.latency_ms, health.last_success, health.last_error_at) == (500, 10, 9)
    assert health.last_error == "ModelRefused: key"


@given(st.text(st.sampled_from("ab 。！.?!\n")))
def test_pieces_put_together_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text
