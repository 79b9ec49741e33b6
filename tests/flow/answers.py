"""Random answers in Markdown with the plain text a reader must see, made together.

The plain text never comes from our renderer, so it can judge it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from random import Random

ZH = (
    "您的订单会在付款之后尽快发出请放心等待如果包装破损可以拒收"
    "我们负责来回运费退款三天内到账会员积分"
)
EN = (
    *("your", "order", "ships", "after", "payment", "please", "keep", "the", "box"),
    *("refunds", "take", "three", "days", "points", "never", "expire"),
)
EMOJI = ("📦", "👨‍👩‍👧", "🇨🇳", "✅", "👍🏽", "❤️")
CODE = (
    "def refund(order):",
    "    if order.paid:",
    "        return order.total",
    "x = a ** b",
    "List<String> s;",
)


Block = Callable[[Random], tuple[str, str]]


def answer(random: Random, size: int) -> tuple[str, str]:
    """(what the model writes, what the reader sees), the former at least `size` characters."""
    sources: list[str] = []
    plains: list[str] = []
    block: Block = heading
    while len("".join(sources)) < size:
        # Two lists in a row would be one.
        kinds = (paragraph, paragraph, paragraph, fence, table, heading)
        block = random.choice(kinds if block is bullets else (*kinds, bullets))
        source, plain = block(random)
        sources.append(source)
        plains.append(plain)
    return "\n\n".join(sources), "\n\n".join(plains)


def fits(parts: list[str], expected: str) -> str:
    """Empty if the parts are the expected text but for white space at seams; else what is wrong."""
    rest = expected.strip()
    for number, part in enumerate(parts):
        if not part.strip():
            return f"part {number} is blank"
        body = part.strip()
        if not rest.startswith(body):
            at = next(i for i in range(len(body)) if rest[i : i + 1] != body[i])
            return f"part {number} differs at {at}: {body[at:][:40]!r} for {rest[at:][:40]!r}"
        after = rest[len(body) :]
        if after and _letter(body[-1]) and _letter(after[0]):
            return f"a word is cut: {body[-20:]!r} | {after[:20]!r}"
        rest = after.lstrip()
    return f"missing at the end: {rest[:60]!r}" if rest else ""


def _letter(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _zh(random: Random) -> tuple[str, str]:
    words = "".join(random.choices(ZH, k=random.randint(4, 24)))
    return words, words


def _en(random: Random) -> tuple[str, str]:
    words = " ".join(random.choices(EN, k=random.randint(3, 12)))
    return words, words


def _marked(random: Random) -> tuple[str, str]:
    text = (_zh if random.random() < 0.6 else _en)(random)[0]
    kind = random.randrange(5)
    if kind == 0:
        inner = text + random.choice(("", "。", "！"))
        return f"**{inner}**", inner
    if kind == 1:
        return f"*{text}*", text
    if kind == 2:
        return f"`{text} <T>`", f"{text} <T>"
    if kind == 3:
        return f"[{text}](https://shop.example/{random.randrange(999)}?a=b_c)", text
    return f"~~{text}~~", text


def sentence(random: Random) -> tuple[str, str]:
    """Some fragments and a full stop."""
    source = plain = ""
    marked = False
    for _ in range(random.randint(1, 4)):
        # Two marked fragments side by side would be ambiguous in Markdown.
        kinds = (_zh, _en) if marked else (_zh, _en, _marked)
        kind = random.choice(kinds)
        marked = kind is _marked
        one, other = kind(random)
        space = " " if (one[0].isascii() and plain[-1:].isascii() and plain) else ""
        source, plain = source + space + one, plain + space + other
        if random.random() < 0.1:
            sign = random.choice(EMOJI)
            source, plain = source + sign, plain + sign
    stop = "。" if not plain[-1].isascii() else ". "
    return source + stop, plain + stop


def paragraph(random: Random) -> tuple[str, str]:
    made = [sentence(random) for _ in range(random.randint(1, 5))]
    return "".join(s for s, _ in made).strip(), "".join(p for _, p in made).strip()


def heading(random: Random) -> tuple[str, str]:
    text = _zh(random)[0]
    return "#" * random.randint(1, 4) + " " + text, text


def bullets(random: Random) -> tuple[str, str]:
    made = [sentence(random) for _ in range(random.randint(2, 6))]
    numbered = random.random() < 0.4
    source = [
        f"{i}. {s.strip()}" if numbered else f"- {s.strip()}" for i, (s, _) in enumerate(made, 1)
    ]
    plain = [
        f"{i}. {p.strip()}" if numbered else f"• {p.strip()}" for i, (_, p) in enumerate(made, 1)
    ]
    return "\n".join(source), "\n".join(plain)


def fence(random: Random) -> tuple[str, str]:
    lines = [CODE[0], *random.choices(CODE, k=random.randint(1, 14))]
    body = "\n".join(lines)
    return f"```{random.choice(('', 'python', 'java'))}\n{body}\n```", body


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cell(random: Random) -> str:
    return _zh(random)[0][:6] if random.random() < 0.5 else random.choice(EN)


def table(random: Random) -> tuple[str, str]:
    rows = [[_cell(random) for _ in range(3)] for _ in range(random.randint(2, 6))]
    source = ["| " + " | ".join(row) + " |" for row in rows]
    source.insert(1, "|---|---|---|")
    widths = [max(_columns(row[i]) for row in rows) for i in range(3)]
    plain = [
        " | ".join(
            text + " " * (width - _columns(text)) for text, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    plain.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(source), "\n".join(plain)
