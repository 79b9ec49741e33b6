"""Draws a picture in a process of its own: charts as JSON on stdin, a PNG on stdout.

Run by its path, so that it loads nothing of the desk; the desk never loads what draws. The first
chart whose letters some font here has is drawn. With the word `letters` it draws nothing and says
which font here has Chinese ones.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CPU_SECONDS = 30
MEMORY_BYTES = 1 << 30
"""Of addresses; the picture itself takes some 100 MB."""
INPUT_MAX = 1 << 20
LETTERS_MAX = 76
"""Under one axis; labels of more run into each other. East Asian letters count twice."""

TONES = {"good": "#2f7d5b", "bad": "#c8402f", "quiet": "#b9bec7", "plain": "#2f5d9b"}
INK, FAINT = "#22262e", "#e4e7ec"
EAST_ASIAN = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "SimHei",
)
"""Fonts with Chinese letters, as systems name them."""


def limit() -> None:
    """What goes wrong in here stays small; where the system knows no limits there are none."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def letters() -> str:
    """The font here that has Chinese letters; "" where none has."""
    from matplotlib import font_manager

    named = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in EAST_ASIAN if name in named), "")


def draw(charts: Sequence[dict[str, Any]]) -> bytes:
    """The PNG of the first chart that can be written here, or else of the last one."""
    import matplotlib as mpl

    mpl.use("agg")
    font = letters()
    chart = next((one for one in charts if font or not _eastern(one)), charts[-1])
    mpl.rcParams.update(
        {
            "font.family": [font, "DejaVu Sans"] if _eastern(chart) and font else ["DejaVu Sans"],
            "text.parse_math": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "xtick.color": INK,
            "ytick.color": INK,
            "font.size": 9,
        }
    )
    return _picture(chart)


def _eastern(chart: dict[str, Any]) -> bool:
    return any(ord(letter) >= 0x2E80 for letter in json.dumps(chart, ensure_ascii=False))


def _picture(chart: dict[str, Any]) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(9, 10.5), dpi=110, layout=ConstrainedLayoutEngine(hspace=0.06))
    figure.suptitle(chart["title"], fontsize=13, fontweight="bold", x=0.01, ha="left")
    axes = figure.subplots(len(chart["panels"]), 1)
    paint = {"bars": _bars, "lines": _lines, "rows": _rows}
    for plot, panel in zip(axes, chart["panels"], strict=True):
        plot.set_title(panel["title"], loc="left", fontsize=10.5, fontweight="bold")
        plot.spines[["top", "right"]].set_visible(False)
        plot.tick_params(length=0)
        plot.set_axisbelow(True)
        paint[panel["kind"]](plot, panel)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _bars(plot: Axes, panel: dict[str, Any]) -> None:
    """Standing on each other, whole numbers only on the scale."""
    from matplotlib.ticker import MaxNLocator

    places = range(len(panel["labels"]))
    floor = [0.0] * len(panel["labels"])
    for series in panel["series"]:
        if any(series["values"]):
            plot.bar(
                places,
                series["values"],
                bottom=floor,
                color=TONES[series["tone"]],
                label=series["name"],
                width=0.75,
            )
        floor = [low + high for low, high in zip(floor, series["values"], strict=True)]
    plot.set_ylim(0, max(1.0, *floor) * 1.15)
    plot.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    plot.grid(axis="y", color=FAINT)
    _label(plot, panel["labels"])
    _legend(plot)


def _lines(plot: Axes, panel: dict[str, Any]) -> None:
    """With points; a time without any answer has no point, and no line across it."""
    for series in panel["series"]:
        values = [number or float("nan") for number in series["values"]]
        plot.plot(
            range(len(values)),
            values,
            color=TONES[series["tone"]],
            label=series["name"],
            marker="o",
            markersize=3.5,
            linewidth=1.8,
        )
    plot.set_ylim(bottom=0)
    plot.set_xlim(-0.7, len(panel["labels"]) - 0.3)
    plot.grid(axis="y", color=FAINT)
    _label(plot, panel["labels"])
    _legend(plot)


def _rows(plot: Axes, panel: dict[str, Any]) -> None:
    """Lying down, the first on top, with number and share beside each."""
    [series] = panel["series"]
    values, whole = series["values"], sum(series["values"]) or 1.0
    places = range(len(values))
    plot.barh(places, values, color=TONES[series["tone"]], height=0.7)
    plot.set_yticks(places, panel["labels"])
    plot.invert_yaxis()
    plot.set_xticks([])
    plot.set_xlim(0, max([1.0, *values]) * 1.15)
    plot.spines["bottom"].set_visible(False)
    for place, number in zip(places, values, strict=True):
        plot.annotate(
            f"{number:,.0f} · {number / whole:.0%}",
            (number, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )


def _label(plot: Axes, labels: Sequence[str]) -> None:
    """As many labels as can be read, evenly, the first one always."""
    widest = max(sum(2 if ord(letter) >= 0x2E80 else 1 for letter in one) for one in labels)
    step = max(1, -(-len(labels) * (widest + 1) // LETTERS_MAX))
    shown = list(range(0, len(labels), step))
    plot.set_xticks(shown, [labels[at] for at in shown])


def _legend(plot: Axes) -> None:
    """Only where there is more than one thing to tell apart, above the panel's right end."""
    handles, names = plot.get_legend_handles_labels()
    if len(names) > 1:
        plot.legend(
            handles,
            names,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(names),
            frameon=False,
            borderaxespad=0.1,
        )


def main() -> None:
    """Read, draw, write; or say which font has Chinese letters."""
    limit()
    if sys.argv[1:] == ["letters"]:
        sys.stdout.write(letters())
        return
    charts = json.loads(sys.stdin.buffer.read(INPUT_MAX))
    sys.stdout.buffer.write(draw(charts))


if __name__ == "__main__":
    main()
