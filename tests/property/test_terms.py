"""Laws of the tokeniser, for any text."""

from __future__ import annotations

import sqlite3

import hypothesis.strategies as st
from hypothesis import example, given

from bot.knowledge.chunk import PIECE_MAX, Section, pieces
from bot.knowledge.script import simplified
from bot.knowledge.terms import cjk_share, fingerprint, fold, normal, terms

TEXT = st.text(max_size=200) | st.text(alphabet="退貨货運ＡＢ9 a-'é", max_size=40)


@given(TEXT)
def test_terms_are_letters_and_digits_only_so_the_index_keeps_each_in_one_piece(text: str) -> None:
    assert all(term and term.isalnum() for term in terms(text))


@given(TEXT)
@example("AB-1234 退货 Café ９折 İstanbul don't")
def test_a_row_is_found_in_fts5_by_every_one_of_its_terms(text: str) -> None:
    """In any script: the index parts at spaces only."""
    words = terms(text)
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE t USING fts5 (x, content = '', tokenize = 'ascii')")
    base.execute("INSERT INTO t (rowid, x) VALUES (1, ?)", (" ".join(words),))
    for word in words:
        found = base.execute("SELECT rowid FROM t WHERE t MATCH ?", (f'"{word}"',)).fetchall()
        assert found == [(1,)], word
    base.close()


@given(TEXT)
def test_case_and_width_do_not_change_what_is_searched(text: str) -> None:
    assert terms(text) == terms(fold(text))


@given(TEXT)
def test_a_script_is_changed_sign_by_sign_and_once(text: str) -> None:
    assert len(simplified(text)) == len(text)
    assert simplified(simplified(text)) == simplified(text)


@given(TEXT)
def test_normal_form_is_stable(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert bool(fingerprint(text)) == bool(normal(text))


@given(TEXT)
def test_a_share_is_a_share(text: str) -> None:
    assert 0.0 <= cjk_share(text) <= 1.0


@given(st.lists(st.text(max_size=3000), max_size=4))
def test_no_piece_exceeds_the_cap_and_no_letter_is_lost(blocks: list[str]) -> None:
    cut = pieces(Section(path=("Title",), blocks=tuple(blocks)))
    assert all(len(piece) <= PIECE_MAX for piece in cut)
    assert "".join("".join(cut).split()) == "".join("".join(blocks).split())
