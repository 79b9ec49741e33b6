"""The law of the sieve: it finds what taking both texts apart finds."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import example, given

from bot.knowledge.sieve import Sieve
from bot.knowledge.terms import terms

MIXED = st.text(max_size=60) | st.text(
    alphabet="退货貨的\U00020000\u30c6スト한ab9 -'éＡ", max_size=40
)


@given(MIXED, MIXED, MIXED)
@example("退货", "退一货货退", "")
@example("谢谢", "谢", "谢谢")
@example("art", "the party starts", "state of the art")
@example("退货 refund", "refunds for 货退", "a refund 退货")
def test_a_row_shares_just_the_terms_that_both_texts_have(
    question: str, before: str, row: str
) -> None:
    wanted = {*terms(question), *terms(before)}
    stored = dict.fromkeys(terms(row))
    assert Sieve(wanted)(" ".join(stored)) == wanted & stored.keys()
