"""The plots: one panel a work, the best on top."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.lineup import CEILING, OURS

Values = dict[str, float]
COLOURS = {CEILING.name: "#9aa5b1", OURS.name: "#d9480f"}
OTHERS = "#4c6f94"
INK = "#243b53"
SHADES = ["#4c6f94", "#2b8a72", "#d9480f", "#8d6e9e", "#b58b00", "#9aa5b1"]
MIN_SHOWN = 15  # microseconds: a narrower part has no room for its number

mpl.use("svg")
mpl.rcParams |= {
    "svg.hashsalt": "the same file for the same numbers",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(
    file: Path, title: str, panels: dict[str, Values], form: str, *, one_scale: bool = False
) -> None:
    """Bars that start with the smallest; `form` writes the number beside each."""
    figure, rows = plt.subplots(
        len(panels),
        figsize=(8.4, 0.6 + 2.45 * len(panels)),
        layout="constrained",
        squeeze=False,
        sharex=one_scale,
    )
    figure.suptitle(title, fontsize=12, fontweight="bold")
    for axes, (name, values) in zip(rows[:, 0], panels.items(), strict=True):
        _bars(axes, name, values, form)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def stack(file: Path, title: str, panels: dict[str, Values]) -> None:
    """One bar a work, of its layers from the innermost to the outermost, in microseconds."""
    figure, axes = plt.subplots(figsize=(8.4, 3.6), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    names, ends = list(panels), [0.0] * len(panels)
    for number, layer in enumerate(next(iter(panels.values()))):
        widths = [panels[name][layer] for name in names]
        colour = SHADES[number % len(SHADES)]
        bars = axes.barh(names, widths, left=ends, label=layer, color=colour, height=0.62)
        shown = [f"{width:.0f}" if width >= MIN_SHOWN else "" for width in widths]
        axes.bar_label(bars, shown, label_type="center", fontsize=8, color="white")
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("µs of CPU time a request, 8 at once")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def curves(file: Path, title: str, panels: dict[str, dict[str, dict[int, float]]]) -> None:
    """A panel a title, in it a line a name, over what it grows with; both axes are logarithmic."""
    figure, rows = plt.subplots(len(panels), figsize=(8.4, 3.0 * len(panels)), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    for axes, (panel, series) in zip(rows, panels.items(), strict=True):
        for number, (name, values) in enumerate(series.items()):
            axes.plot(*zip(*values.items(), strict=True), "o-", label=name, color=SHADES[number])
        axes.set_xscale("log")
        axes.set_yscale("log")
        points = list(next(iter(series.values())))
        axes.set_xticks(points, [f"{point:,}" for point in points], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_title(panel, loc="left", fontsize=10.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def model(
    file: Path,
    title: str,
    grows: str,
    lines: dict[str, dict[int, float]],
    points: dict[str, dict[int, float]],
) -> None:
    """What a model says, as lines, and what was measured, as points."""
    figure, axes = plt.subplots(figsize=(8.4, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    for number, (name, values) in enumerate(lines.items()):
        colour = SHADES[number]
        axes.plot(*zip(*values.items(), strict=True), "-", color=colour, label=f"{name}: model")
        axes.plot(*zip(*points[name].items(), strict=True), "o", color=colour, label="measured")
    axes.set_xlabel(grows)
    axes.set_xticks(sorted({each for values in points.values() for each in values}))
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(lines), frameon=False, fontsize=9)
    figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _bars(axes: Axes, title: str, values: Values, form: str) -> None:
    names = sorted(values, key=values.__getitem__, reverse="/s" in form)
    colours = [COLOURS.get(name, OTHERS) for name in names]
    bars = axes.barh(names, [values[name] for name in names], color=colours, height=0.68)
    axes.bar_label(bars, [form.format(values[name]) for name in names], padding=4)
    axes.set_title(title, loc="left", fontsize=10.5)
    axes.invert_yaxis()
    axes.margins(x=0.16)
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    for label in axes.get_yticklabels():
        if label.get_text() == OURS.name:
            label.set_fontweight("bold")
