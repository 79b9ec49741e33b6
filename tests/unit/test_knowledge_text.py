"""What the tokeniser, the chunker and the loaders make of text people really have."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bot.errors import KnowledgeError
from bot.knowledge.chunk import PIECE_MAX, Section, Table, pieces
from bot.knowledge.loaders import decode, load
from bot.knowledge.terms import fingerprint, fold, kin, language, parted, size, terms


def test_codes_stay_whole_beside_their_parts() -> None:
    assert terms("AB-1234")[0] == "ab1234"
    assert {"ab", "1234"} < set(terms("AB-1234"))
    assert set(terms("AB1234")) == set(terms("ab-1234"))


def test_chinese_becomes_characters_and_pairs() -> None:
    assert terms("怎么退货") == ["怎", "么", "退", "货", "怎么", "么退", "退货"]


def test_english_words_meet_in_their_stem() -> None:
    assert terms("returning returns returned") == ["return"] * 3


def test_accents_widths_and_possessives_fold() -> None:
    assert terms("Café’s ＬＥＤ") == ["cafe", "led"]


def test_both_chinese_scripts_and_all_widths_are_the_same_terms() -> None:
    assert terms("退貨運費多少錢？") == terms("退货运费多少钱")
    assert terms("訂單編號ＡＢ－１２３４") == terms("订单编号AB-1234")
    assert fingerprint("請問怎麼開發票？") == fingerprint("请问怎么开发票")
    assert terms("乾隆") == ["乾", "隆", "乾隆"]  # 乾 has two simplified forms, and is left alone


def kin_of(text: str, locale: str) -> int:
    return kin(parted(text)[1], locale)


def test_questions_of_the_same_telling_words_are_kin_in_one_language() -> None:
    one, two = "How tall is the lamp?", "how tall is a lamp"
    assert kin_of(one, "en") == kin_of(two, "en") != kin_of(one, "zh")
    assert kin_of(one, "en") != kin_of("How tall is the shelf?", "en")
    assert kin_of("what is it", "en") != kin_of("how is he", "en")


def test_a_chinese_particle_more_or_less_makes_questions_no_strangers() -> None:
    assert kin_of("运费多少钱", "zh") == kin_of("请问运费是多少钱呢？", "zh")
    assert kin_of("运费多少钱", "zh") != kin_of("运费多少天", "zh")
    assert kin_of("有没有", "zh") != kin_of("是不是", "zh")


def test_terms_without_pairs_are_words_and_signs_in_any_mixture() -> None:
    assert parted("AB-1234 灯泡，灯")[1] == ["ab1234", "ab", "1234", "灯", "泡", "灯"]


@given(st.text(max_size=300))
def test_ascii_is_parted_as_any_other_text(text: str) -> None:
    """The shorter pattern for ASCII finds what the one for every script finds."""
    plain = fold(text.encode("ascii", "ignore").decode())
    assert parted(plain)[0] == parted(f"{plain} é")[0][:-1]


def test_questions_that_read_the_same_share_a_fingerprint() -> None:
    assert fingerprint("How do I return?") == fingerprint("how do i  RETURN")
    assert fingerprint("怎么退货？") == fingerprint("怎么退货")
    assert fingerprint("？！") == ""


def test_language_follows_the_writing_not_the_product_name() -> None:
    assert language("LM-200 台灯用什么灯泡") == "zh"
    assert language("What does 你好 mean in English") == "en"


def test_long_text_is_cut_into_even_pieces_at_sentences() -> None:
    text = "这是一个用来测试切分的句子，长度大约三十个字左右吧。" * 60
    cut = pieces(Section(path=(), blocks=(text,)))
    assert len(cut) > 1
    assert all(piece.endswith("。") for piece in cut)
    assert max(map(size, cut)) < 1.4 * min(map(size, cut))


def test_a_table_repeats_its_header_over_each_group_of_rows() -> None:
    rows = tuple(f"| item {n} | {'word ' * 12}|" for n in range(60))
    cut = pieces(Section(path=(), blocks=(Table(header="| a | b |\n|---|---|", rows=rows),)))
    assert len(cut) > 1
    assert all(piece.startswith("| a | b |") and len(piece) <= PIECE_MAX for piece in cut)
    assert all(sum(row in piece.split("\n") for piece in cut) == 1 for row in rows)


def test_csv_takes_chinese_headings_aliases_and_gb18030() -> None:
    content = "编号,问题,相似问,答案\nr1,怎么退货？,可以退吗|退货政策,三十天内可退。\n".encode(
        "gb18030"
    )
    (entry,) = load("faq.csv", content).drafts
    assert (entry.uid, entry.title, entry.answer) == ("r1", "怎么退货？", "三十天内可退。")
    assert [text.text for text in entry.texts if text.role == "alias"] == ["可以退吗", "退货政策"]


def test_a_byte_order_mark_is_no_part_of_the_first_heading() -> None:
    (entry,) = load("faq.csv", "\ufeffquestion,answer\nA b?,C\n".encode()).drafts
    assert entry.title == "A b?"
    assert (
        load("faq.csv", "question;answer\nA b?;C, d\n".encode("utf-16")).drafts[0].answer == "C, d"
    )


def test_empty_lines_above_the_headings_are_none() -> None:
    (entry,) = load("faq.csv", b"\n\nquestion;answer\nA b?;C, d\n").drafts
    assert (entry.title, entry.answer) == ("A b?", "C, d")


def test_an_alias_that_reads_like_the_question_is_no_second_row() -> None:
    (entry,) = load("faq.csv", b"question,alias,answer\nA b?,a B|c d,E\n").drafts
    assert [text.text for text in entry.texts] == ["A b?", "c d", "E"]


def test_jsonl_keeps_a_given_id() -> None:
    (entry,) = load(
        "x.jsonl", b'{"id": 7, "question": "Q one", "answer": "A", "aliases": ["Q two"]}'
    ).drafts
    assert entry.uid == "7"
    assert [text.text for text in entry.texts] == ["Q one", "Q two", "A"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "f.csv",
            b"question,question,answer\n1,2,3\n",
            "line 1: more than one column is the question",
        ),
        ("f.csv", b"question,text\n1,2\n", "line 1: no column is the answer"),
        ("f.csv", b"question,answer\nA,B\nC,\n", "line 3: the answer is empty"),
        ("f.csv", b"question,answer\nA,B,C\n", "line 2: 3 cells under 2 headings"),
        ("f.csv", b'question,answer\nA,"B\n', "f.csv, line 2: "),
        ("f.jsonl", b'{"question": "A", "answer": "B"}\n{oops\n', "line 2: "),
        (
            "f.jsonl",
            b'{"question": "A", "title": "B", "answer": "C"}\n',
            "line 1: the question is given twice",
        ),
        ("f.csv", b"\n\nquestion,text\n1,2\n", "line 3: no column is the answer"),
        ("f.csv", b"", "holds no text"),
        ("f.csv", b" \n\n", "holds no text"),
        ("f.csv", b"question,answer\n", "below the headings"),
        ("f.md", b"\x00\x01\x02", "binary"),
        ("f.md", b"\x00\xff\xfe\xff\x81", "binary"),
        ("f.md", b"", "holds no text"),
        ("f.exe", b"x", "not read; known are"),
    ],
)
def test_a_bad_file_is_refused_by_name_place_and_cause(
    name: str, content: bytes, says: str
) -> None:
    with pytest.raises(KnowledgeError, match=f"{name}") as caught:
        load(name, content)
    assert says in str(caught.value)


def test_markdown_gives_one_entry_per_heading_with_its_path() -> None:
    text = (
        "---\ntitle: Guide\nurl: https://a.example\nlocale: en\n---\n"
        "# Guide\n\nHello.\n\n## Returns\n\nSend it.\n\n"
        "<script>alert(1)</script>\n"
    )
    first, second = load("guide.md", text.encode()).drafts
    assert first.title == "Guide"
    assert (second.title, second.url, second.locale) == (
        "Guide › Returns",
        "https://a.example",
        "en",
    )
    assert second.uid == "guide.md#guide/returns"
    assert [piece.text for piece in second.texts] == ["Send it."]
    assert "guid" in second.texts[0].terms.split()


def test_link_targets_are_not_searched_but_kept() -> None:
    (entry,) = load("a.md", b"See [the form](https://x.example/secretword).").drafts
    assert "https://x.example/secretword" in entry.texts[0].text
    assert "secretword" not in entry.texts[0].terms.split()


def test_text_in_no_known_encoding_is_decoded_or_refused_never_guessed_silently_as_utf8() -> None:
    assert decode(
        "a.txt", "退货需要三十天内提交申请，请联系客服办理。".encode("gb18030")
    ).startswith("退货")
