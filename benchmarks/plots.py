"""The plots: one panel a work, the best on top."""

from pathlib import Path
from textwrap import wrap

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter, StrMethodFormatter
from PIL import Image

from benchmarks.lineup import CEILING, OURS

Values = dict[str, float]
COLOURS = {CEILING.name: "#9aa5b1", OURS.name: "#d9480f"}
OTHERS = "#4c6f94"
INK = "#243b53"
SHADES = ["#4c6f94", "#2b8a72", "#d9480f", "#8d6e9e", "#b58b00", "#9aa5b1"]
LINES = ["#4c6f94", "#2b8a72", "#8d6e9e"]
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


def curves(
    file: Path, title: str, axis: str, series: dict[str, dict[int, tuple[float, float, float]]]
) -> None:
    """Answers a second, and beside them how long one takes, over what grows (`axis`).

    A point is answers a second, and p50 and p99 in ms.
    """
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):  # a small file
        figure, (rates, times) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        figure.suptitle("\n".join(wrap(title, 95)), fontsize=11.5, fontweight="bold")
        for number, (name, points) in enumerate(series.items()):
            colour = COLOURS.get(name, LINES[number])
            sizes, (per_second, p50, p99) = list(points), zip(*points.values(), strict=True)
            rates.plot(sizes, per_second, "o-", label=name, color=colour)
            times.plot(sizes, p50, "o-", color=colour)
            times.plot(sizes, p99, "o--", color=colour, alpha=0.55)
        rates.set(ylabel="answers a second", ylim=(0, None))
        times.set(ylabel="ms until half have their answer\n(dashed: 99 of 100)", yscale="log")
        for axes in (rates, times):
            _size_axis(axes, axis, list(next(iter(series.values()))))
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        figure.savefig(file, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def panels(file: Path, title: str, found: dict[str, dict[str, list[tuple[float, str]]]]) -> None:
    """Two columns of lines over the seconds; the points are those that Prometheus answers."""
    rows = (len(found) + 1) // 2
    figure, grid = plt.subplots(rows, 2, figsize=(13, 2.5 * rows), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    times = [point[0] for lines in found.values() for values in lines.values() for point in values]
    first = min(times)
    for axes, (panel, lines) in zip(grid.flat, found.items(), strict=False):
        told = {name: values for name, values in lines.items() if _tells(values)}
        for number, (name, values) in enumerate(sorted((told or lines).items())):
            points = [(at - first, float(value)) for at, value in values]
            colour, dash = SHADES[number % len(SHADES)], ("-", "--", ":")[number // len(SHADES) % 3]
            axes.plot(*zip(*points, strict=True), dash, color=colour, label=name, linewidth=1.2)
        axes.set_title(panel, loc="left", fontsize=9)
        axes.set_xlim(0, max(times) - first)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
    for axes in grid.flat[len(found) :]:
        axes.set_visible(False)
    figure.savefig(file, dpi=110, facecolor="white")
    plt.close(figure)
    with Image.open(file) as drawn:  # a quarter of the bytes
        drawn.convert("RGB").quantize(64).save(file, optimize=True)


def _tells(values: list[tuple[float, str]]) -> bool:
    """Whether it is ever something else than 0 and NaN."""
    return any(float(value) > 0 for _, value in values)


def _size_axis(axes: Axes, title: str, sizes: list[int]) -> None:
    axes.set(xlabel=title, xscale="log")
    axes.set_xticks(sizes, [f"{each:,}" for each in sizes], minor=False)
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    if axes.get_yscale() == "log":
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)


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
