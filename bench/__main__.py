"""What it costs: `python -m bench` runs every part, `python -m bench NAME` one; prints one table.

A part is a module here that prints one figure a line: name, two spaces or more, figure, and where
only the part itself can know it (a schedule that it computes), "target" and the target. Each runs
in a process of its own, one after another. Figures over their target are shown as such and are no
failure: they are read together with the load beside them. A part that breaks is one: status 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from bench import machine

PARTS = ("pipe", "storage", "telegram", "slack", "web", "model", "delivery", "retrieval")
PART_SECONDS = 900
_COLUMNS = re.compile(r"\s{2,}")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Target:
    """What a figure is held against, at most or at `least`, in the unit that it is told in."""

    part: str
    name: str
    limit: float
    unit: str
    least: bool = False

    def __str__(self) -> str:
        gap = "" if self.unit.startswith("/") else " "
        return f"{'≥' if self.least else '≤'} {self.limit:,g}{gap}{self.unit}"

    def met(self, figure: str) -> bool:
        """Whether the first number of the figure keeps to it. Raises ValueError for other units."""
        found = _NUMBER.search(figure)
        if found is None or self.unit not in figure:
            raise ValueError(f"{figure!r} is not told in {self.unit}")
        number = float(found.group().replace(",", ""))
        return number >= self.limit if self.least else number <= self.limit


TARGETS = (
    Target("pipe", "CPU per streamed reply, 10 users", 50, "ms"),
    Target("pipe", "CPU per streamed reply, 200 users", 50, "ms"),
    Target("pipe", "CPU per zero-delay reply, 10 users", 5, "ms"),
    Target("pipe", "CPU per zero-delay reply, 200 users", 5, "ms"),
    # The bar in milliseconds was set where a bare bot took 2.4 of them.
    Target("pipe", "zero-delay reply against a bare bot's, 10 users", 2.08, "x"),
    Target("pipe", "zero-delay reply against a bare bot's, 200 users", 2.08, "x"),
    Target("pipe", "200 users at once, answered whole", 200, "of 200", least=True),
    Target("pipe", "200 users at once, p95", 3, "s"),
    Target("pipe", "frame due to bytes at Telegram, p50, 10 users", 20, "ms"),
    Target("pipe", "frame due to bytes at Telegram, p50, 200 users", 20, "ms"),
    Target("pipe", "last chunk to whole text, p50, 10 users", 50, "ms"),
    Target("pipe", "memory, warm", 70, "MB"),
    Target("pipe", "memory, peak with 200 users", 95, "MB"),
    Target("pipe", "RSS with both platforms, warm", 85, "MB"),
    Target("pipe", "start to first poll", 1, "s"),
    Target("pipe", "idle CPU", 1, "ms/s"),
    Target("storage", "durable ingest, 32 at once", 2000, "/s", least=True),
    Target("storage", "last 20 of 200,000 turns p50, p99", 1, "ms"),
    Target("telegram", "send, 1 at once", 1.7, "ms"),
    Target("telegram", "send, 64 at once", 1.3, "ms"),
    Target("telegram", "edit, 1 at once", 1.7, "ms"),
    Target("telegram", "edit, 64 at once", 1.3, "ms"),
    Target("telegram", "intake of an update", 0.25, "ms"),
    Target("slack", "Slack event, CPU up to the ack", 1.3, "ms"),
    Target("slack", "Slack ack p99 at 50/s", 25, "ms"),
    Target("slack", "Slack answer streamed, 20 frames, CPU", 50, "ms"),
    Target("web", "webhook ack at 50/s, p99 (promised: 25 ms, quiet)", 25, "ms"),
    Target("model", "CPU per chunk, bursts", 5, "us"),
    Target("model", "first token after request, best", 2, "ms"),
    Target("delivery", "last chunk to whole text, private", 0.05, "s"),
    Target("delivery", "last chunk to whole text, group", 0.05, "s"),
    Target("delivery", "CPU of a frame, mean", 5, "ms"),
    Target("delivery", "CPU of a frame, worst", 5, "ms"),
)
"""What was promised. A target whose figure does not come is reported as missing."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    name: str
    figure: str
    target: str = "-"
    verdict: str = ""
    load: str = ""


BROKEN = frozenset({"failed", "missing"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, print the table; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="only this one")
    asked = parser.parse_args(arguments).part
    print(machine.described(), flush=True)
    rows = list(chain.from_iterable(_told(part) for part in ((asked,) if asked else PARTS)))
    print("\n".join(_table(rows)))
    return 1 if any(row.verdict in BROKEN for row in rows) else 0


def _told(part: str) -> list[Row]:
    """Run one part; its rows, with the load that it began under."""
    print(f"  {part} …", file=sys.stderr, flush=True)
    load = machine.load()
    command = (sys.executable, "-m", f"bench.{part}")
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=PART_SECONDS
        )
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        why = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
        return [Row(part, "did not run", why[:60], verdict="failed", load=load)]
    except subprocess.TimeoutExpired:
        return [Row(part, "did not end", f"{PART_SECONDS} s", verdict="failed", load=load)]
    return judged(part, done.stdout.splitlines(), load)


def judged(part: str, lines: Iterable[str], load: str) -> list[Row]:
    """A part's printed lines as rows, each held against its target; missing figures at the end."""
    targets = {target.name: target for target in TARGETS if target.part == part}
    rows = []
    for line in lines:
        name, *rest = _COLUMNS.split(line.strip())
        if not rest or name.startswith("load average"):
            continue
        rows.append(_row(part, name, rest, targets.pop(name, None), load))
    if not rows:
        rows.append(Row(part, "printed nothing", "", verdict="failed", load=load))
    missing = [
        Row(part, target.name, "-", str(target), "missing", load) for target in targets.values()
    ]
    return rows + missing


def _row(part: str, name: str, rest: Sequence[str], target: Target | None, load: str) -> Row:
    figure = rest[0]
    target = target or _own(part, name, rest[1:])
    if target is None:
        return Row(part, name, figure, load=load)
    try:
        verdict = "ok" if target.met(figure) else "over"
    except ValueError as error:
        return Row(part, name, str(error), str(target), "failed", load)
    return Row(part, name, figure, str(target), verdict, load)


def _own(part: str, name: str, rest: Sequence[str]) -> Target | None:
    """The target that a part printed itself, if it did."""
    own = rest[0].removeprefix("target").strip() if rest else ""
    if (found := _NUMBER.search(own)) is None:
        return None
    limit, unit = float(found.group().replace(",", "")), own[found.end() :].strip()
    return Target(part, name, limit, unit, least=own.startswith(("≥", ">=")))


def _table(rows: Sequence[Row]) -> list[str]:
    """Columns as wide as they need to be."""
    cells = [
        ("part", "what", "figure", "target", "", "load"),
        *((row.part, row.name, row.figure, row.target, row.verdict, row.load) for row in rows),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    return [
        "  ".join(
            text.rjust(width) if column == 2 else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


if __name__ == "__main__":
    sys.exit(main())
