"""The pictures of the page: how far each goal is, and each figure beside its floors and peers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.tools.bench.goals import UNITS, Outcome, Verdict
from tests.tools.bench.samples import Samples

# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "idlewatch"
# Text as outlines is ten times as long.
mpl.rcParams["svg.fonttype"] = "none"
COLORS = {Outcome.MET: "#2e7d32", Outcome.MISSED: "#c62828", Outcome.TOO_SMALL: "#9e9e9e"}
BAR_HEIGHT = 0.32
"""Inches."""
COLUMNS = 2


def draw(samples: Samples, verdicts: list[Verdict], directory: Path) -> Mapping[str, Path]:
    """Draw the pictures into a directory; return their paths by their titles."""
    directory.mkdir(parents=True, exist_ok=True)
    pictures = {"How far each goal is": _goals(verdicts), "Each figure beside its floors and peers": _figures(samples)}
    paths = {}
    for (title, picture), name in zip(
        pictures.items(), ("benchmarks-goals.svg", "benchmarks-figures.svg"), strict=True
    ):
        paths[title] = directory / name
        picture.savefig(paths[title], format="svg", metadata={"Date": None})
    return paths


def _goals(verdicts: list[Verdict]) -> Figure:
    bars = [
        (verdict, verdict.measured.median / verdict.goal.bound)
        for verdict in verdicts
        if verdict.measured and verdict.goal.bound
    ]
    picture = Figure(figsize=(9, 1 + BAR_HEIGHT * max(1, len(bars))), layout="constrained")
    axes = picture.subplots()
    labels = [_label(verdict) for verdict, _ in bars]
    places = range(len(bars))
    axes.barh(places, [part for _, part in bars], color=[COLORS[each.outcome] for each, _ in bars])
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xlabel("measured, in parts of the goal; grey: not judged at this size")
    return picture


def _label(verdict: Verdict) -> str:
    goal = verdict.goal
    label = f"{goal.row}: {goal.figure}, {_of(goal.variant, verdict.size)}"
    return f"{label}, over {goal.over}" if goal.over else label


def _figures(samples: Samples) -> Figure:
    figures = samples.figures()
    rows = max(1, -(-len(figures) // COLUMNS))
    picture = Figure(figsize=(10, 2.2 * rows), layout="constrained")
    grid = picture.subplots(rows, COLUMNS, squeeze=False)
    for axes, figure in zip(grid.flat, figures, strict=False):
        _bars(axes, samples, figure)
    for axes in grid.flat[len(figures) :]:
        axes.set_axis_off()
    return picture


def _bars(axes: Axes, samples: Samples, figure: str) -> None:
    found = {key: samples.summary(*key) for key in samples.figures()[figure]}
    shown = {key: each for key, each in found.items() if each is not None}
    places = range(len(shown))
    medians = [each.median for each in shown.values()]
    spread = [
        [each.median - each.low for each in shown.values()],
        [each.high - each.median for each in shown.values()],
    ]
    axes.barh(places, medians, xerr=spread, color="#5c6bc0", ecolor="black", capsize=2)
    axes.set_yticks(places, [_of(key.variant, key.size) for key in shown], fontsize=7)
    axes.invert_yaxis()
    axes.set_title(figure, fontsize=9)
    axes.set_xlabel(UNITS.get(figure, ""), fontsize=8)


def _of(variant: str, size: int) -> str:
    return f"{variant}, {size:,}" if size else variant
