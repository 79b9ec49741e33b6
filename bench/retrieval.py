"""Retrieval in numbers: `python -m bench.retrieval [FOLDER]`.

Quality on public sets that are not part of this project: they are read from FOLDER, from
FRONTDESK_BENCH_DATA, or from ../shared/data/retrieval beside the checkout, and skipped where
absent. Cost on made-up rows. CPU milliseconds, not wall time: the machine may be busy.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bot.clock import SystemClock
from bot.knowledge import drafts
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.calibrate import Sample, calibrate
from bot.knowledge.cases import Case
from bot.knowledge.chunk import Section
from bot.knowledge.evaluate import Outcome, auroc, calibration_error, count, outcomes
from bot.knowledge.port import EntryDraft, Switch
from storage.passages import PassageStore
from storage.sqlite import SqliteDatabase

HERE = Path(__file__).resolve().parent.parent
SETS = ("afqmc", "lcqmc", "banking77", "clinc150", "cmrc2018", "xquad-zh", "xquad-en")
FLOORS = {
    "afqmc": (0.30, 0.79, 0.90),
    "lcqmc": (0.95, None, 0.90),
    "banking77": (0.45, 0.84, 0.90),
    "cmrc2018": (0.96, None, None),
    "xquad-zh": (0.93, None, None),
}
"""Recall at 1 and 10 and far AUROC, within .02."""
NOISE = 0.02
LONG = 150
"""Characters from which a text of a set is a document, not a question."""
COST_ROWS = (1_000, 10_000, 100_000)
COST_FLOORS = {1_000: 6.0, 10_000: 12.0, 100_000: 30.0}


@asynccontextmanager
async def base_of(
    entries: Sequence[EntryDraft],
) -> AsyncIterator[KnowledgeBase]:
    clock = SystemClock()
    database = await SqliteDatabase.open(":memory:", clock=clock)
    try:
        store = PassageStore(database)
        generation = await store.next_generation()
        for start in range(0, len(entries), 100):
            await store.stage(generation, entries[start : start + 100])
        await store.switch(Switch(generation=generation, at=0, by="", note=""))
        yield KnowledgeBase(store, clock)
    finally:
        await database.close()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def entries_of(folder: Path, name: str) -> list[EntryDraft]:
    texts: dict[str, list[str]] = {}
    for row in lines(folder / f"{name}.corpus.jsonl"):
        texts.setdefault(str(row["doc"]), []).append(str(row["text"]))
    return [entry_of(name, uid, rows) for uid, rows in texts.items()]


def entry_of(name: str, uid: str, rows: Sequence[str]) -> EntryDraft:
    """A question set has no answers; "…" holds no term, so nothing but questions is indexed."""
    if max(map(len, rows)) <= LONG:
        return drafts.faq(source=name, question=rows[0], aliases=rows[1:], answer="…", uid=uid)
    made = drafts.section(name, Section(path=(), blocks=tuple(rows)), uid=uid)
    assert made is not None
    return made


def cases_of(folder: Path, name: str) -> list[Case]:
    return [
        Case(text=str(row["text"]), kind=row["kind"], rel=tuple(row["rel"]))  # type: ignore[arg-type]
        for row in lines(folder / f"{name}.queries.jsonl")
    ]


def samples_of(seen: Sequence[Outcome]) -> list[Sample]:
    return [
        Sample(vector=one.vector, kind=one.case.kind, right=one.right)
        for one in seen
        if not one.exact
    ]


def halves(seen: Sequence[Outcome]) -> tuple[list[Sample], list[Sample]]:
    """Fit on one, report on the other; shuffled, since sets come sorted by kind."""
    made = samples_of(seen)
    random.Random(7).shuffle(made)
    return made[::2], made[1::2]


def shown(number: float | None, floor: float | None = None) -> str:
    if number is None:
        return "   –  "
    return f" {number:.3f}{'' if floor is None or number >= floor - NOISE else '!'}".ljust(7)


async def quality(folder: Path) -> None:
    print(
        "Lexical, default install. ! = under the floor by more than .02. `fit`: calibrated on one"
    )
    print("half of the set's queries, reported on the other; `dir` the share of answerable")
    print("questions answered directly at its 95 % threshold, `prec` what was right of that.")
    print("set        R@1    R@3    R@10   MRR    far    near   | ", end="")
    print("ECE    fit:ECE far    dir    prec  CPU ms")
    pooled: list[tuple[float, bool, bool]] = []
    for name in SETS:
        async with base_of(entries_of(folder, name)) as kb:
            asked = cases_of(folder, name)
            begun = time.process_time()
            seen = await outcomes(kb, asked, SystemClock())
            spent = (time.process_time() - begun) / len(seen) * 1000
        result = count(seen, scope_from=0, direct_from=0)
        floors = FLOORS.get(name, (None, None, None))
        train, test = halves(seen)
        fitted = calibrate(train)
        clear = [s for s in test if s.vector[1] >= fitted.gap_from]
        given = [s for s in clear if fitted.top(s.vector) >= fitted.direct_from]
        inside = [s for s in test if s.kind == "in"]
        scope_in = [fitted.scope(s.vector) for s in inside]
        scope_far = [fitted.scope(s.vector) for s in test if s.kind == "far"]
        stated = [(fitted.top(s.vector), s.right) for s in test]
        pooled += [(fitted.top(s.vector), s.right, s.kind == "in") for s in test]
        right = sum(s.right for s in given) / len(given) if given else None
        print(
            f"{name:10s}"
            + shown(result.recall_1, floors[0])
            + shown(result.recall_3)
            + shown(result.recall_10, floors[1])
            + shown(result.mrr)
            + shown(result.far_auroc, floors[2])
            + shown(result.near_auroc)
            + "|"
            + shown(result.ece)
            + f" {calibration_error(stated):.3f}  "
            + shown(auroc(scope_in, scope_far))
            + shown(sum(s.kind == "in" for s in given) / len(inside))
            + shown(right)
            + f" {spent:.1f}",
            flush=True,
        )
    print_pooled(pooled)


def print_pooled(pooled: list[tuple[float, bool, bool]]) -> None:
    """All sets in one, by their own calibrations, one threshold."""
    pooled.sort(key=lambda row: -row[0])
    inside = sum(is_in for _, _, is_in in pooled)
    right = ours = best = of_all = 0
    for place, (_, is_right, is_in) in enumerate(pooled, 1):
        right += is_right
        ours += is_in
        if right >= 0.95 * place:
            best, of_all = ours, place
    print(
        f"pooled     direct answers at 95 % precision: {best / inside:.1%} of answerable ones, "
        f"{of_all / len(pooled):.1%} of all (stretch 20 %); ECE "
        f"{calibration_error([(p, r) for p, r, _ in pooled]):.3f}"
    )


def words_of(chance: random.Random) -> tuple[list[str], list[str]]:
    """English and Chinese words that are drawn by rank, as language draws them."""
    letters = "etaoinshrdlucmfwypvbgk"
    english = ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(20_000)]
    signs = [chr(0x4E00 + place * 7) for place in range(2500)]
    falling = [1 / (rank + 20) for rank in range(len(signs))]
    chinese = ["".join(chance.choices(signs, falling, k=2)) for _ in range(20_000)]
    return english, chinese


def made_up(rows: int) -> list[str]:
    """Half English, half Chinese texts of 60 to 200 characters."""
    chance = random.Random(rows)
    english, chinese = words_of(chance)
    falling = [1 / (rank + 3) for rank in range(20_000)]
    return [
        " ".join(chance.choices(english, falling, k=chance.randint(9, 28)))
        if number % 2
        else "".join(chance.choices(chinese, falling, k=chance.randint(30, 100)))
        for number in range(rows)
    ]


def question_from(text: str, chance: random.Random) -> str:
    """A part of a row, as long as people ask: up to 9 words or 24 characters."""
    if " " not in text:
        begin = chance.randrange(len(text) - 24)
        return text[begin : begin + chance.randint(8, 24)]
    words = text.split()
    return " ".join(words[: chance.randint(3, 9)])


async def cost() -> None:
    print("\nCost on made-up rows of 60 to 200 characters, half Chinese.")
    print("rows       import rows/s   query CPU ms p50    p95  (floors 5,000/s; 6 / 12 / 30 ms)")
    for rows in COST_ROWS:
        texts = made_up(rows)
        begun = time.process_time()
        entries = [
            drafts.faq(source="m", question=text, answer="…", uid=str(number))
            for number, text in enumerate(texts)
        ]
        async with base_of(entries) as kb:
            rate = rows / (time.process_time() - begun)
            p50, p95 = await asked_of(kb, texts)
        late = "!" if p95 > COST_FLOORS[rows] else ""
        print(f"{rows:<10d} {rate:10.0f}      {p50:10.1f} {p95:10.1f}{late}", flush=True)


async def asked_of(kb: KnowledgeBase, texts: Sequence[str]) -> tuple[float, float]:
    """CPU ms of a search, median and 95th percentile of 300 after 50 to warm up."""
    chance = random.Random(1)
    spent = []
    for _ in range(350):
        question = question_from(chance.choice(texts), chance)
        begun = time.process_time()
        await kb.search(question, locale="zh")
        spent.append((time.process_time() - begun) * 1000)
    spent = sorted(spent[50:])
    return spent[len(spent) // 2], spent[int(len(spent) * 0.95)]


def folder_of(arguments: Sequence[str]) -> Path:
    given = arguments[0] if arguments else os.environ.get("FRONTDESK_BENCH_DATA", "")
    return Path(given) if given else HERE.parent / "shared" / "data" / "retrieval"


async def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    folder = folder_of([a for a in sys.argv[1:] if not a.startswith("-")])
    if "--cost" not in sys.argv:
        if folder.is_dir():
            await quality(folder)
        else:
            print(f"no data at {folder}: quality is not measured (set FRONTDESK_BENCH_DATA)")
    if "--quality" not in sys.argv:
        await cost()


if __name__ == "__main__":
    asyncio.run(main())
