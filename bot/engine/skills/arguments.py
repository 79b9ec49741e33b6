"""What a person wrote after the command, as the values of a skill's parameters; pure.

Both ways can be mixed: `name=value` in any order (values may be quoted), and plain language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import msgspec

from bot.engine.skills.recipe import OWN_WORDS, Parameter, Skill
from bot.errors import UserError
from bot.types import value

TEMPERATURE_MAX = 2.0
TOKENS_MIN = 16

_CLOSING = {'"': '"', "'": "'", "“": "”", "「": "」"}
_LEAD_MAX = 40
"""Characters that may stand between a leading word and its colon."""
_NUMBER = r"[0-9０-９][0-9０-９,，]*"


class Given(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known so far. Texts are as the person wrote them."""

    values: dict[str, str | int] = {}
    temperature: float | None = None
    max_tokens: int | None = None

    def lacks(self, skill: Skill) -> Parameter | None:
        """The first parameter that still must be asked for."""
        return next(
            (one for one in skill.parameters if one.required and one.name not in self.values), None
        )


@value
class _Words:
    """What was written: raw values by parameter name, and the plain rest."""

    pairs: Mapping[str, str]
    plain: str


def understood(skill: Skill, text: str, *, quoted: str = "") -> Given:
    """The values that a text gives; `quoted` is the message that was replied to, or a file.

    Raises UserError for a value out of bounds; a missing one is no error.
    """
    material = skill.takes_quoted
    if material is None:
        words = _split(skill, text)
    else:
        words = _split_before_material(skill, text, material, quoted=bool(quoted.strip()))
    given = _with_pairs(skill, Given(), words.pairs)
    found = dict(given.values)
    if quoted.strip() and material and material.name not in found:
        found[material.name] = checked(material, quoted)
    _take_plain(skill, words.plain, found)
    return msgspec.structs.replace(given, values=found)


def answered(skill: Skill, given: Given, text: str) -> Given:
    """The same with the answer to what was missing. Raises UserError.

    The whole text is the answer, unless it begins with a name of ours; pasted material never does.
    """
    asked = given.lacks(skill)
    if asked is None:
        return given
    words = _Words(pairs={}, plain=text)
    if not asked.quoted and re.match(_heads(skill, blanks=True), text.lstrip(), re.IGNORECASE):
        words = _split(skill, text)
    given = _with_pairs(skill, given, words.pairs)
    if asked.name in given.values or not words.plain.strip():
        return given
    found = dict(given.values) | {asked.name: checked(asked, words.plain)}
    return msgspec.structs.replace(given, values=found)


def checked(parameter: Parameter, raw: str) -> str | int:
    """The value that was meant. Raises UserError, naming the parameter and its bounds."""
    raw = raw.strip()
    match parameter.kind:
        case "text":
            if not raw:
                raise UserError("skill.empty", name=parameter.name)
            if len(raw) > parameter.most:
                raise UserError("skill.too_long", name=parameter.name, most=parameter.most)
            return raw
        case "number":
            return _number(parameter.name, raw, parameter.least, parameter.most)
        case "choice":
            wanted = raw.casefold()
            for word, shown in parameter.choices.items():
                if wanted in (word.casefold(), shown.casefold()):
                    return word
            choices = ", ".join(f"{word} ({shown})" for word, shown in parameter.choices.items())
            raise UserError("skill.not_a_choice", name=parameter.name, choices=choices)


def _number(name: str, raw: str, least: int, most: int) -> int:
    digits = re.sub(r"[,，\s]", "", unicodedata.normalize("NFKC", raw))
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", digits):
        raise UserError("skill.not_a_number", name=name, least=least, most=most)
    if not least <= int(digits) <= most:
        raise UserError("skill.out_of_range", name=name, least=least, most=most)
    return int(digits)


def _temperature(raw: str) -> float:
    try:
        found = float(unicodedata.normalize("NFKC", raw))
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= TEMPERATURE_MAX:
        raise UserError("skill.out_of_range", name="temperature", least=0, most=TEMPERATURE_MAX)
    return found


def _with_pairs(skill: Skill, given: Given, pairs: Mapping[str, str]) -> Given:
    """The same with what stood as name=value. A call may ask for fewer tokens, never for more."""
    values = {
        one.name: checked(one, pairs[one.name]) for one in skill.parameters if one.name in pairs
    }
    given = msgspec.structs.replace(given, values=given.values | values)
    if raw := pairs.get("temperature"):
        given = msgspec.structs.replace(given, temperature=_temperature(raw))
    if raw := pairs.get("max_tokens"):
        wanted = _number("max_tokens", raw, TOKENS_MIN, skill.max_tokens)
        given = msgspec.structs.replace(given, max_tokens=wanted)
    return given


# --- pairs -------------------------------------------------------------------------------------


def _meant(skill: Skill) -> dict[str, str]:
    """Every name that may stand before `=`, and whose it is."""
    meant = {name: name for name in OWN_WORDS}
    for parameter in skill.parameters:
        meant |= {name.casefold(): parameter.name for name in parameter.names}
    return meant


def _heads(skill: Skill, *, blanks: bool) -> str:
    """A pattern for `name=`; with `blanks` there may be some around the sign."""
    names = "|".join(sorted(map(re.escape, _meant(skill)), key=len, reverse=True))
    gap = "[ \\t]*" if blanks else ""
    return rf"(?<!\S)(?:--)?({names}){gap}[=＝]{gap}"


def opening(skill: Skill) -> re.Pattern[str]:
    """How the words behind a skill's own begin where only the skill can be meant: with one of its
    names and "=", or, where it works on a text, with that on a line or in a fence of its own.
    """
    kinds = [rf"\s+{_heads(skill, blanks=False)}"]
    if skill.takes_quoted:
        kinds.append(r"[ \t]*[:：]?[ \t]*(?:\n|```)")
    return re.compile(rf"(?:{'|'.join(kinds)}).*\S.*", re.IGNORECASE | re.DOTALL)


def _split(skill: Skill, text: str) -> _Words:
    """Take the pairs out of a text; one of text goes on to the next name."""
    return _taken(skill, text, list(re.finditer(_heads(skill, blanks=True), text, re.IGNORECASE)))


def _split_before_material(skill: Skill, text: str, material: Parameter, *, quoted: bool) -> _Words:
    """The same where text or code may follow, which has signs like ours of its own.

    Only the first line is looked at, and only at names that touch their sign; from the material's
    own name on, all is material.
    """
    first, newline, rest = text.partition("\n")
    heads = list(re.finditer(_heads(skill, blanks=False), first, re.IGNORECASE))
    meant = _meant(skill)
    for number, head in enumerate(heads):
        if meant[head.group(1).casefold()] == material.name:
            words = _taken(skill, first[: head.start()], heads[:number])
            raw, at = _value(text, head.end(), len(text))
            pairs = {material.name: raw, **words.pairs}
            return _Words(pairs=pairs, plain=f"{words.plain} {text[at:]}".strip())
    # In a single line nothing else ends a value where the material begins.
    words = _taken(skill, first, heads, word=not (newline or quoted))
    return _Words(pairs=words.pairs, plain=f"{words.plain}{newline}{rest}".strip())


def _taken(
    skill: Skill, text: str, heads: Sequence[re.Match[str]], *, word: bool = False
) -> _Words:
    """The pairs that begin at `heads`. `word`: every value is one word.

    The same name twice: the first one counts, so that pasted text overrules nothing before it.
    """
    kinds = dict.fromkeys(OWN_WORDS, "number")
    kinds |= {one.name: one.kind for one in skill.parameters}
    meant = _meant(skill)
    plain, pairs, at = "", dict[str, str](), 0
    for number, head in enumerate(heads):
        if head.start() < at:
            continue  # within a quoted value
        plain += text[at : head.start()]
        end = heads[number + 1].start() if number + 1 < len(heads) else len(text)
        name = meant[head.group(1).casefold()]
        raw, at = _value(text, head.end(), end, word=word or kinds[name] != "text")
        pairs.setdefault(name, raw)
    return _Words(pairs=pairs, plain=(plain + " " + text[at:]).strip())


def _value(text: str, start: int, end: int, *, word: bool = False) -> tuple[str, int]:
    """A value and where it ends: quoted, one word, or all up to `end`."""
    closing = _CLOSING.get(text[start : start + 1])
    if closing and (close := text.find(closing, start + 1)) > 0:
        return text[start + 1 : close], close + 1
    if word and (found := re.compile(r"\S+").match(text, start, end)):
        return found.group().rstrip(",，;；"), found.end()
    return text[start:end].strip().rstrip(",，;；"), end


# --- plain language ----------------------------------------------------------------------------


def _take_plain(skill: Skill, plain: str, found: dict[str, str | int]) -> None:
    """Read plain language into the parameters that have no value yet."""
    material = skill.takes_quoted
    pasted = material is not None and material.name not in found
    for parameter in skill.parameters:
        if parameter.name not in found:
            if parameter.after:
                plain = _take_number(parameter, plain, found, pasted=pasted)
            if parameter.before:
                plain = _take_led(parameter, plain, found)
    open_texts = [p for p in skill.parameters if p.kind == "text" and p.name not in found]
    if not plain or not open_texts:
        return
    parts = [plain]
    if sum(one.required for one in skill.parameters) > 1:
        parts = [part for part in re.split(r"\s*[|｜\n]\s*", plain) if part]
    last = len(open_texts) - 1
    for number, parameter in enumerate(open_texts[: len(parts)]):
        part = " ".join(parts[number:]) if number == last else parts[number]
        found[parameter.name] = checked(parameter, part)


def _take_number(
    parameter: Parameter, plain: str, found: dict[str, str | int], *, pasted: bool
) -> str:
    """Take a number from before its word ("300 words"); the plain text that is left.

    It must end a clause: "10 words to avoid" is a topic, which keeps its number also where that is
    meant for us. In front of pasted text it must come first, and is taken off it.
    """
    words = "|".join(map(re.escape, parameter.after))
    pattern = rf"({_NUMBER})\s*(?:{words})\s*"
    if pasted:
        cue = re.match(pattern + r"[:：\n]\s*", plain, re.IGNORECASE)
    else:
        cue = re.search(pattern + r"(?=$|[,，;；.。:：\n])", plain, re.IGNORECASE)
    if cue is None:
        return plain
    try:
        found[parameter.name] = checked(parameter, cue.group(1))
    except UserError:
        return plain  # a number of the matter itself; whoever means ours can name it
    if pasted:
        return plain[cue.end() :]
    alone = not _clause(plain[: cue.start()] + plain[cue.end() :])
    return "" if alone else plain


def _clause(text: str) -> str:
    """What a text says, without the signs around it."""
    return text.strip(" \t\n,，;；.。:：")


def _take_led(parameter: Parameter, plain: str, found: dict[str, str | int]) -> str:
    """Take what stands between a leading word and a colon ("to French: …"); what is left."""
    words = "|".join(map(re.escape, parameter.before))
    cue = re.match(
        rf"(?:{words})\s*([^\n:：]{{1,{_LEAD_MAX}}}?)\s*[:：\n]\s*", plain, re.IGNORECASE
    )
    if cue is None:
        return plain
    found[parameter.name] = checked(parameter, cue.group(1))
    return plain[cue.end() :]
