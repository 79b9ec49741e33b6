"""Text to search terms, one way for indexing and asking.

CJK runs become single characters and pairs; other words their English Snowball stem; codes such
as AB-1234 stay whole beside their parts; traditional characters read as simplified. No dictionary:
measured better than word segmentation on Chinese FAQs. Every term is letters and digits only, so
SQLite's plainest tokenizer keeps it in one piece.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import chain
from operator import add
from zlib import crc32

import Stemmer

from bot.knowledge.script import simplified

TERMS_VERSION = 4
"""Stored with the index; another number means the index is built anew."""

_CJK = (
    "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\ufa0e-\ufa29"
)
"""Han with its extensions, kana and Hangul: scripts whose words no space parts."""
_RARE = "\U00020000-\U000323af"
"""Han extensions beyond the first plane; not every place in them is given to a character."""
_RUNS = re.compile(
    r"[a-z0-9]+(?![\w\-./])"  # most words; the rest of the pattern says the same, slower
    rf"|(?:[{_CJK}]+|(?=\w)[{_RARE}])+|[^\W_{_CJK}{_RARE}]+(?:[-_./][^\W_{_CJK}{_RARE}]+)*"
)
_ASCII_RUNS = re.compile(r"[a-z0-9]+(?:[-_./][a-z0-9]+)*")
"""What _RUNS finds in folded ASCII, at two thirds of the time."""
_CJK_ANY = re.compile(rf"[{_CJK}{_RARE}]")
_PARTS = re.compile(r"[\d]+|[^\W\d_]+")
_MARKS = re.compile(r"[\u0300-\u036f]")
_POSSESSIVE = re.compile(r"'s\b")
_TERM_MAX = 40
_NUMBER_MIN = 3
"""Digits from which a number may name something: an error, a product."""
_STEMMER = Stemmer.Stemmer("english", 0)

_LIGHT_EN = """a about all also am an and any anyone are as at be because been but by can cannot
cant could did didnt do does doesnt dont for from get give go going good had has hasnt have havent
he hello help her here hers hey hi his how i id if ill im in into is isnt it its ive just kindly
know let like long lot made make many may me more much my need no not now of off ok okay on one
only or our ours out over please possible put say see she should so some something take tell than
thank thanks that the their them then there these they thing this those to too try two up us use
very want was we well were what whats when where wheres which who why will with wont would you
your youre yours write show explain"""
_LIGHT_ZH = """的 了 吗 呢 吧 啊 呀 我 你 您 他 她 它 们 我们 你们 是 在 有 和 与 及 就 都 也 还
不 没 没有 要 会 能 可 以 可以 能不 不能 可不 怎 么 怎么 怎样 样 如 何 如何 什 什么 为什 为 多 少
多少 几 哪 哪里 哪些 里 些 这 那 这个 那个 个 请 问 请问 想 一 下 一下 么样 么办 办 到 得 地 着
过 给 把 被 让 从 对 好 很 太 最 用 说 上 来 去 又 再 帮 帮我 是否 否 或 但 时 候
时候 么时 一个 有没 不会 不是 我的 你的 我想 的吗 了吗 是什 我要 写 讲 告 诉 告诉"""


def _stem(word: str) -> str:
    if not (word.isascii() and word.isalpha()):
        return word
    stem: str = _STEMMER.stemWord(word)
    return stem


LIGHT = frozenset(_stem(word) for word in _LIGHT_EN.split()) | frozenset(_LIGHT_ZH.split())
"""Terms that say how something is asked rather than what; in a small base their rarity lies."""

LIGHT_WEIGHT = 0.35
"""What a term of LIGHT counts of its rarity; chosen over 0.25, 0.5 and 1 on four FAQ sets."""


def fold(text: str) -> str:
    """One form for what reads the same: widths, cases, accents, scripts, apostrophes folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        bare = _MARKS.sub("", unicodedata.normalize("NFD", folded))
        folded = simplified(unicodedata.normalize("NFC", bare)).replace("\u2019", "'")
    return _POSSESSIVE.sub("", folded).replace("'", "") if "'" in folded else folded


@lru_cache(maxsize=64)
def _runs(text: str) -> tuple[str, ...]:
    """The words and CJK runs of a text. A text that is stored is asked for several readings."""
    folded = fold(text)
    return tuple((_ASCII_RUNS if folded.isascii() else _RUNS).findall(folded))


def worded(text: str) -> bool:
    """The text has a letter or digit: something to be found by."""
    return bool(_runs(text))


def terms(text: str) -> list[str]:
    """The search terms of a text, in order, repeats kept. Empty for text without any letter."""
    return parted(text)[0]


def parted(text: str) -> tuple[list[str], list[str]]:
    """The search terms of a text, and those of them that are no pair of characters."""
    if text.isascii():
        words = list(chain.from_iterable(map(_WORD_TERMS.__getitem__, _runs(text))))
        return words, words
    found: list[str] = []
    single: list[str] = []
    for run in _runs(text):
        if _is_cjk(run):
            signs = list(run)
            single += signs
            found += signs
            found += map(add, signs, signs[1:])
        else:
            single += _WORD_TERMS[run]
            found += _WORD_TERMS[run]
    return found, single


def _is_cjk(run: str) -> bool:
    return not run.isascii() and _CJK_ANY.match(run) is not None


class _WordTerms(dict[str, tuple[str, ...]]):
    """The terms of each word seen of late: nearly every word comes again."""

    def __missing__(self, run: str) -> tuple[str, ...]:
        if len(self) >= _WORDS_MAX:
            self.clear()
        self[run] = made = _made_of(run)
        return made


def _made_of(run: str) -> tuple[str, ...]:
    parts = () if run.isalpha() else _PARTS.findall(run)
    if len(parts) < 2:
        return (_stem(run[:_TERM_MAX]),)
    whole = "".join(parts)
    split = tuple(_stem(part[:_TERM_MAX]) for part in parts)
    return (whole, *split) if len(whole) <= _TERM_MAX else split


_WORDS_MAX = 32768
"""Words of which something is remembered: a few MB at most."""
_WORD_TERMS = _WordTerms()


def telling(found: Iterable[str]) -> set[str]:
    """The terms that name a subject: no light one, no pair of light characters, no short number."""
    return {
        term
        for term in found
        if term not in LIGHT
        and not set(term) <= LIGHT
        and not (term.isdigit() and len(term) < _NUMBER_MIN)
    }


def mass(distinct: Collection[str]) -> float:
    """How much distinct terms say together: 1 each, less for light ones."""
    return len(distinct) - (1 - LIGHT_WEIGHT) * len(LIGHT.intersection(distinct))


@lru_cache(maxsize=1024)
def normal(text: str) -> str:
    """The text with case, width, accents, punctuation and spacing folded away."""
    return " ".join(_runs(text))


def kin(single: Iterable[str], locale: str) -> int:
    """Equal for questions of one language with the same telling terms; never 0.

    `single` as `parted` gives them: a pair of characters does not count, since one more particle
    makes two others of it. Light terms are left out where there are others. Questions that meet
    here by chance are compared in full anyway.
    """
    distinct = set(single)
    told = sum(map(_TELLING.__getitem__, distinct)) or sum(map(_number, distinct))
    return told + _TELLING[f"({locale})"]


class _Telling(dict[str, int]):
    """A number for each term seen of late; none for a light one."""

    def __missing__(self, term: str) -> int:
        if len(self) >= _WORDS_MAX:
            self.clear()
        self[term] = made = 0 if term in LIGHT else _number(term)
        return made


def _number(term: str) -> int:
    """Small enough that the sum of a text's is a signed number of 64 bits."""
    return crc32(term.encode()) or 1


_TELLING = _Telling()


def fingerprint(text: str) -> str:
    """Equal for questions that read the same; 32 hex digits, empty for text without letters."""
    plain = normal(text)
    return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest() if plain else ""


def cjk_share(text: str) -> float:
    """How much of the text's letters are Chinese, Japanese or Korean, 0 to 1.

    A foreign word counts as much as two characters, since it says about as much.
    """
    if text.isascii():
        return 0.0
    cjk = words = 0
    for run in _runs(text):
        if _is_cjk(run):
            cjk += len(run)
        else:
            words += 2
    return cjk / (cjk + words) if cjk else 0.0


def language(text: str) -> str:
    """The catalogue language a text is written in: "zh" or "en"."""
    return "zh" if cjk_share(text) >= 0.4 else "en"


def size(text: str) -> float:
    """Length in the unit chunks are measured in: a CJK character is 1, another word 1.7."""
    cjk = len(_CJK_ANY.findall(text))
    return cjk + 1.7 * len(_CJK_ANY.sub(" ", text).split())
