"""The curves behind the tables, as PNG files' contents."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cyano.evaluation.run import EvaluationReport
from cyano.evaluation.scores.judging import ENOUGH
from cyano.evaluation.scores.results import ERROR_THRESHOLDS, SetResult
from cyano.evaluation.sets.pair_sets import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_plots"]

_COLUMNS = 3
_PANEL_INCHES = (4.2, 3.2)
_MATCH_RANGE_PX = 10.0

_UNITS: dict[Kind, str] = {"pose": "degrees", "depth": "degrees", "homography": "px", "correspondences": "px"}

Draw = Callable[["Axes", SetResult, str], None]


def draw_plots(report: EvaluationReport) -> dict[str, bytes]:
    """The pictures by their file names: one panel a set, one line a method.

    `recall_pose.png` and so on show the share of pairs whose model has at most so large an error, by the first of the
    report's estimators; `match_accuracy.png` the share of matches with at most so large an error; `changes.png` the
    right matches a pair for each controlled change.
    """
    methods = list(report.methods)
    colours = {name: f"C{index}" for index, name in enumerate(methods)}
    estimator = report.estimators.names[0]
    plots = {}

    def recall(axes: Axes, result: SetResult, colour: str) -> None:
        end = ERROR_THRESHOLDS[result.kind][-1]
        _cumulative(axes, result.errors[estimator], end, colour, result.method)

    def accuracy(axes: Axes, result: SetResult, colour: str) -> None:
        _cumulative(axes, result.residuals, _MATCH_RANGE_PX, colour, result.method)

    for kind, unit in _UNITS.items():
        chosen = [result for result in report.results if result.kind == kind and estimator in result.errors]
        if chosen:
            label = f"error of the model, {unit} ({estimator})"
            plots[f"recall_{kind}.png"] = _panels(chosen, colours, recall, label, "share of pairs")
    matched = [result for result in report.results if len(result.residuals)]
    if matched:
        plots["match_accuracy.png"] = _panels(matched, colours, accuracy, "error of the match, px", "share of matches")
    changed = [result for result in report.results if result.changes]
    if changed:
        plots["changes.png"] = _bars(changed, colours)
    return plots


def _bars(results: Sequence[SetResult], colours: dict[str, str]) -> bytes:
    """One panel for each set of changes, one bar for each change and method, as PNG."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(result.set_name for result in results))
    rows = max(len(result.changes) for result in results)
    figure = Figure(figsize=(6.5 * len(names), 1 + 0.1 * rows * (1 + len(colours))), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        found = [result for result in results if result.set_name == name]
        changes = list(dict.fromkeys(change for result in found for change in result.changes))
        height = 0.8 / len(found)
        for place, result in enumerate(found):
            right = [result.changes.get(change, {}).get("right matches", 0.0) for change in changes]
            at = np.arange(len(changes)) + (place - (len(found) - 1) / 2) * height
            label = f"{result.method}: {result.values['score']:.1f}"
            axes.barh(at, right, height, color=colours[result.method], label=label)
        axes.axvline(ENOUGH, color="0.4", linestyle=":")  # more do not raise the score
        axes.set_yticks(np.arange(len(changes)), changes)
        axes.set_ylim(len(changes) - 0.5, -0.5)
        axes.set(title=name, xlabel="right matches a pair (3 px)")
        axes.grid(axis="x", alpha=0.3)
        axes.legend(title="score", fontsize="small")
    return _png(figure)


def _panels(results: Sequence[SetResult], colours: dict[str, str], draw: Draw, x_label: str, y_label: str) -> bytes:
    """One panel for each set, as PNG."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(result.set_name for result in results))
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        for result in results:
            if result.set_name == name:
                draw(axes, result, colours[result.method])
        axes.set(title=name, xlabel=x_label, ylabel=y_label, ylim=(0, 1))
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
    panels[0].legend(loc="lower right", fontsize="small")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _cumulative(axes: Axes, errors: NDArray[np.float64], end: float, colour: str, label: str) -> None:
    """The share of errors up to x, in straight lines from (0, 0) as the AUC integrates it."""
    ordered = np.sort(errors)
    inside = ordered[ordered < end]
    shares = np.arange(len(inside) + 1) / max(len(ordered), 1)
    x = np.concatenate([[0.0], inside, [end]])
    axes.plot(x, np.append(shares, shares[-1]), color=colour, label=label)
