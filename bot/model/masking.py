"""Finds personal numbers in text, puts placeholders in their place, and puts them back; pure.

What has a checksum must pass it: payment cards (Luhn, ISO/IEC 7812) and Chinese resident ids
(GB 11643). Phones have none, so only forms that people write phones in are taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from bot.types import value

KINDS = ("id", "card", "email", "phone")
"""In the order in which they claim the same digits: the surer first."""


@value
class Found:
    """A personal number at `text[start:end]`."""

    kind: str
    start: int
    end: int


# Full-width digits and signs mean the same and are as long.
_NARROW = str.maketrans("０１２３４５６７８９＠．－＋（）　", "0123456789@.-+() ")

_FREE = r"(?<![0-9A-Za-z])(?<![0-9][.,\-/:])"
"""What begins here is no part of a longer number or word."""
_END = r"(?![0-9])(?![.\-/,:][0-9])(?![A-Za-z])"
"""Nor what ends here."""

_SPOKEN = r"(?<![0-9])(?<![0-9][.,\-/:])(?:(?<![A-Za-z])|(?<=[Tt][Ee][Ll])|(?<=[Pp]hone))"
"""The same, but right behind the word for a phone."""

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9_][A-Za-z0-9._%+\-]{0,63}"
    r"@(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9\-])"
)
_ID = re.compile(
    rf"{_FREE}[1-9]\d{{5}}[ \-]?(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    r"[ \-]?\d{3}[\dXx](?![0-9A-Za-z])",
    re.ASCII,
)
_CARD = re.compile(
    rf"{_FREE}(?:[2-6]\d{{3}}[ \-]?\d{{4}}[ \-]?\d{{4}}[ \-]?\d{{1,4}}(?:[ \-]?\d{{1,3}})?"
    rf"|3\d{{3}}[ \-]\d{{6}}[ \-]\d{{4,5}}){_END}",
    re.ASCII,
)
_ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]|2[2-7])\d{14}"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}"  # American Express, Diners, JCB
    r"|6[0-57]\d{14,17}|5[06-8]\d{12,17}",  # UnionPay, Discover, Maestro
    re.ASCII,
)
"""Who issues a card, by its first digits, and how long that issuer's numbers are."""
_PHONES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # E.164 as people write it: a plus, then groups
        (
            r"(?<![0-9A-Za-z])\+[1-9]\d{0,14}"
            r"(?:[ \-.]?\(\d{1,5}\)\d{0,8}|[ \-.]\d{1,14}){0,6}(?![0-9])"
        ),
        # Chinese mobile, with or without the country
        rf"{_SPOKEN}(?:\(?(?:\+|00)?86\)?[ \-]?)?1[3-9]\d[ \-.]?\d{{4}}[ \-.]?\d{{4}}{_END}",
        # Chinese landline with its area, perhaps an extension
        (
            rf"{_FREE}(?:\(0\d{{2,3}}\)|0(?:10|2\d|[3-9]\d\d))[ \-]?[2-9]\d{{2,3}}[ \-]?\d{{4}}"
            r"(?:[\-转]\d{1,5})?(?![0-9])(?![A-Za-z])"
        ),
        # service numbers: 400 and 800
        rf"{_FREE}[48]00(?:[ \-]?\d{{3}}[ \-]?\d{{4}}|\d[ \-]\d{{3}}[ \-]\d{{3}}){_END}",
        # North America
        rf"{_FREE}(?:1[ \-.])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ \-.])[2-9]\d\d[ \-.]\d{{4}}{_END}",
        # elsewhere, with the leading zero of the area, in groups
        rf"{_FREE}0\d{{1,4}}(?:[ \-]\d{{2,8}}){{1,5}}{_END}",
        # bare digits right behind a word for it
        (
            r"(?i:(?<![A-Za-z])(?:tel\.?|phone|mobile|fax|call|ring|dial)|电话|手机号?|座机|传真|拨打?)"
            r"(?i: me)?(?i: at| on)?[ :：]{0,3}(\d{7,8}|\d{10,11})(?![0-9A-Za-z])"
        ),
    )
)
_DIGITS = range(7, 16)
"""Of a phone number; ITU-T E.164 allows 15 with the country."""
_GROUPED = range(9, 12)
"""Of one that only its grouping tells: a date has eight, three groups of four are no phone."""


def find(text: str, kinds: Collection[str]) -> list[Found]:
    """The personal numbers of these kinds, in order; none overlaps another."""
    narrow = text.translate(_NARROW)
    found: list[Found] = []
    for kind in KINDS:
        for start, end in _FINDERS[kind](narrow):
            if all(end <= one.start or one.end <= start for one in found):
                found.append(Found(kind=kind, start=start, end=end))
    kept = [one for one in found if one.kind in kinds]
    return sorted(kept, key=lambda one: one.start)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        yield match.span()


def _ids(text: str) -> Iterator[tuple[int, int]]:
    for match in _ID.finditer(text):
        if resident_id(re.sub(r"[ \-]", "", match[0])):
            yield match.span()


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ \-]", "", match[0])
        if _ISSUER.fullmatch(digits) and luhn(digits):
            yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            span = match.span(1) if pattern is _PHONES[-1] else match.span()
            if _is_phone(text[span[0] : span[1]], grouped=pattern is _PHONES[-2]):
                yield span


def _is_phone(written: str, *, grouped: bool) -> bool:
    count = sum(sign.isdigit() for sign in written)
    return count in (_GROUPED if grouped else _DIGITS)


_FINDERS: dict[str, Callable[[str], Iterable[tuple[int, int]]]] = {
    "id": _ids,
    "card": _cards,
    "email": _emails,
    "phone": _phones,
}


def luhn(digits: str) -> bool:
    """The check of payment cards."""
    doubled = (int(sign) * (1 + at % 2) for at, sign in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def resident_id(number: str) -> bool:
    """The check of Chinese resident ids, 18 signs: ISO 7064 MOD 11-2."""
    total = sum(int(sign) * (1 << (17 - at)) for at, sign in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


class Vault:
    """What was put away in one request. The same number has the same placeholder throughout."""

    def __init__(self, kinds: Collection[str], texts: Iterable[str] = ()) -> None:
        self._kinds = kinds
        self._taken = "\n".join(texts)
        self._placeholders: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, str] = {}

    def mask(self, text: str) -> str:
        """The text with placeholders."""
        parts, end = [], 0
        for found in find(text, self._kinds):
            number = text[found.start : found.end]
            parts += [text[end : found.start], self._placeholder(found.kind, number)]
            end = found.end
        return "".join((*parts, text[end:]))

    @property
    def numbers(self) -> dict[str, str]:
        """Placeholder to number."""
        return dict(self._numbers)

    def _placeholder(self, kind: str, number: str) -> str:
        known = self._placeholders.get((kind, number))
        if known is not None:
            return known
        at = 1
        while (name := f"[{kind.upper()}_{at}]") in self._numbers or name in self._taken:
            at += 1
        self._placeholders[kind, number] = name
        self._numbers[name] = number
        return name


class Restorer:
    """Puts numbers back into a stream, also where a placeholder is split over deltas."""

    def __init__(self, numbers: dict[str, str]) -> None:
        self._numbers = numbers
        self._longest = max(map(len, numbers), default=0)
        self._any = re.compile("|".join(map(re.escape, numbers)) or r"(?!)")
        self._held = ""

    def feed(self, delta: str) -> str:
        """The text that is decided now."""
        text = self._held + delta
        at = text.rfind("[", max(0, len(text) - self._longest + 1))
        tail = text[at:] if at >= 0 else ""
        undecided = tail and any(n.startswith(tail) and n != tail for n in self._numbers)
        self._held = tail if undecided else ""
        return self.whole(text[:at] if undecided else text)

    def flush(self) -> str:
        """What was held back, at the end or before a new beginning."""
        held, self._held = self._held, ""
        return held

    def whole(self, text: str) -> str:
        """A text that comes in one piece."""
        return self._any.sub(lambda match: self._numbers[match[0]], text)
