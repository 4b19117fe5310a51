"""The report: Markdown tables for people, JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyano.atomic import write_atomically
from cyano.concise import json_text
from cyano.evaluation.run import EvaluationReport
from cyano.evaluation.scores.estimators import EstimatorName
from cyano.evaluation.scores.judging import ENOUGH, SCORING_PX
from cyano.evaluation.scores.plots import draw_plots
from cyano.evaluation.scores.results import ERROR_THRESHOLDS, SetResult
from cyano.evaluation.sets.pair_sets import Kind

__all__ = ["to_dict", "to_markdown", "write_report"]

ESTIMATOR_TITLES: Mapping[EstimatorName, str] = {
    "poselib": "PoseLib LO-RANSAC",
    "opencv": "OpenCV MAGSAC++",
    "opencv-ransac": "OpenCV RANSAC",
}

_TITLES: Mapping[Kind, str] = {
    "pose": "Relative pose",
    "depth": "Scenes with depth and pose",
    "homography": "Homography",
    "change": "Controlled changes",
    "stereo": "Stereo pair",
    "correspondences": "True correspondences",
}

_NOTES: Mapping[Kind, str] = {
    "pose": "AUC of the pose error in degrees; a match is right below a symmetric squared epipolar distance of 5e-4. "
    "All numbers but counts are percent.",
    "depth": "AUC of the pose error in degrees; matches and repeatability within 3 px by the true depth.",
    "homography": "AUC of the mean corner error, right matches a pair (within 3 px), MMA (mean over pairs), precision "
    "(over all matches), repeatability and recall (right matches as a share of the keypoints that could have one) at "
    "3 px, and the median error of matches within 5 px: all in pixels of the resized images.",
    "change": f"A match is right within 3 px of the resized image in which the place is larger. Score: the mean over "
    f"changes and photographs of min(right matches, {ENOUGH}) / {ENOUGH}, in percent; precision: the mean over pairs.",
    "stereo": "Share of the matches with known disparity that are right to so many pixels of the original image, and "
    "the median error of those within 5 px.",
    "correspondences": "Distances of the true correspondences from the epipolar lines of the estimated fundamental "
    f"matrix, the larger of the two images', in pixels of images with at most {SCORING_PX} px a side. mAA@10: their "
    "share below 1, 2, ... 10 px, the mean of the ten; AUC: of their median.",
}

_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "pose": ("matches", "precision", "matching score"),
    "depth": ("matches", "precision", "matching score", "match precision@1", "match precision@3", "recall"),
    "homography": (
        "matches",
        "right matches",
        "MMA@1",
        "MMA@3",
        "MMA@5",
        "match precision@1",
        "match precision@3",
        "median error",
        "repeatability",
        "recall",
    ),
    "stereo": ("matches", "match precision@3", "match precision@1", "median error"),
    "change": ("matches", "right matches", "precision", "score"),
    "correspondences": ("matches",),
}

_HEADINGS = {"right matches": "right matches a pair (3 px)"}


def write_report(report: EvaluationReport, folder: Path) -> list[Path]:
    """Write report.md, report.json and the plots.

    Returns:
        The files.

    Raises:
        OutputError: they cannot be written.
    """
    plots = draw_plots(report)
    files = {
        "report.md": to_markdown(report, list(plots)).encode("utf-8", "replace"),
        "report.json": json_text(to_dict(report)).encode(),
        **plots,
    }
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def to_markdown(report: EvaluationReport, plots: Sequence[str] = ()) -> str:
    """The report as Markdown; `plots` are names of pictures beside it."""
    parts = ["# Evaluation", _protocol(report), *_pose_means(report)]
    for kind, title in _TITLES.items():
        results = [result for result in report.results if result.kind == kind]
        if results:
            parts += [f"## {title}", _NOTES[kind], _table(_header(results[0]), [_row(result) for result in results])]
        if kind == "change":
            parts += _by_change(results)
    parts += [f"![{name}]({name})" for name in plots]
    parts += _omissions(report)
    return "\n\n".join(parts) + "\n"


def _protocol(report: EvaluationReport) -> str:
    estimators = report.estimators
    lines = [
        f"- estimators: {', '.join(ESTIMATOR_TITLES[name] for name in estimators.names)}; inliers within "
        f"{estimators.pose_px:g} px (pose) and {estimators.homography_px:g} px (homography) of the resized images, "
        f"{estimators.fundamental_px:g} px (fundamental matrix) of those of at most {SCORING_PX} px; "
        f"confidence {estimators.confidence:g}, seed {estimators.seed}",
        *(f"- {name}: {_described(record)}" for name, record in report.methods.items()),
        f"- versions: {', '.join(f'{name} {number}' for name, number in report.versions.items())}",
    ]
    return "\n".join(lines)


def _described(record: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {str(value)[:12] if name.endswith('sha256') else value}" for name, value in record.items()
    )


def _pose_means(report: EvaluationReport) -> Iterator[str]:
    """The table that one number is usually taken from."""
    posed = [result for result in report.results if result.kind == "pose" and result.num_pairs]
    if not posed:
        return
    names = list(dict.fromkeys(result.set_name for result in posed))
    yield f"## Mean over the pose sets ({', '.join(names)})"
    header = ["method", *(f"AUC@10 {ESTIMATOR_TITLES[name]}" for name in report.estimators.names), "precision"]
    rows = []
    for method in dict.fromkeys(result.method for result in posed):
        precision = [result.values["precision"] for result in posed if result.method == method]
        means = [report.mean_pose_auc(method, name) for name in report.estimators.names]
        rows.append([method, *(f"{mean:.1f}" for mean in means), f"{sum(precision) / len(precision):.1f}"])
    yield _table(header, rows)


def _by_change(results: Sequence[SetResult]) -> Iterator[str]:
    """For each set a table of its changes, one column a method."""
    for name in dict.fromkeys(result.set_name for result in results):
        methods = [result for result in results if result.set_name == name]
        yield f"### {name}: right matches a pair (3 px), and precision in percent"
        rows = [
            [change, *(_right_and_precision(result.changes.get(change)) for result in methods)]
            for change in dict.fromkeys(change for result in methods for change in result.changes)
        ]
        yield _table(["change", *(result.method for result in methods)], rows)


def _right_and_precision(values: Mapping[str, float] | None) -> str:
    return "-" if values is None else f"{values['right matches']:.0f} ({values['precision']:.0f})"


def _columns(result: SetResult) -> list[str]:
    """The names of the values that a table shows of this result, before the AUCs."""
    by_estimator = [name for name in result.values if name.startswith("mAA@")]
    return [*_COLUMNS[result.kind], *by_estimator]


def _header(result: SetResult) -> list[str]:
    thresholds = "/".join(f"{threshold:g}" for threshold in ERROR_THRESHOLDS[result.kind])
    columns = [_heading(name) for name in _columns(result)]
    aucs = [f"AUC@{thresholds} {_estimator_title(name)}" for name in result.auc]
    return ["set", "pairs", "method", *columns, *aucs]


def _heading(name: str) -> str:
    measure, _, estimator = name.partition(" ")
    if measure.startswith("mAA@"):
        return f"{measure} {_estimator_title(estimator)}"
    return _HEADINGS.get(name, name.replace("match precision", "precision"))


def _estimator_title(name: str) -> str:
    return next((title for known, title in ESTIMATOR_TITLES.items() if known == name), name.replace("dlt", "DLT"))


def _row(result: SetResult) -> list[str]:
    cells = [_cell(name, result.values.get(name, math.nan)) for name in _columns(result)]
    aucs = [" / ".join(f"{share:.1f}" for share in shares) for shares in result.auc.values()]
    return [result.set_name, str(result.num_pairs), result.method, *cells, *aucs]


def _cell(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    if name == "matches":
        return f"{value:.0f}"
    return f"{value:.2f} px" if name == "median error" else f"{value:.1f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _omissions(report: EvaluationReport) -> Iterator[str]:
    if report.skipped:
        yield "## Skipped"
        yield "\n".join(f"- {name}: {reason}" for name, reason in report.skipped.items())
    if report.num_failures:
        yield "## Failed pairs"
        yield "\n".join(
            f"- {result.set_name}, {result.method}: {failure.name0} {failure.name1}: {failure.reason}"
            for result in report.results
            for failure in result.failures
        )


def to_dict(report: EvaluationReport) -> dict[str, Any]:
    """The report in plain Python values; what is infinite or undefined is None."""
    return {
        "format": "cyano-evaluation-1",
        "estimators": {**asdict(report.estimators), "names": list(report.estimators.names)},
        "methods": {name: dict(record) for name, record in report.methods.items()},
        "versions": dict(report.versions),
        "results": [_result_dict(result) for result in report.results],
        "skipped": dict(report.skipped),
    }


def _result_dict(result: SetResult) -> dict[str, Any]:
    return {
        "set": result.set_name,
        "kind": result.kind,
        "method": result.method,
        "pairs": result.num_pairs,
        "values": {name: _finite(value) for name, value in result.values.items()},
        "changes": {
            change: {name: _finite(value) for name, value in values.items()}
            for change, values in result.changes.items()
        },
        "auc_thresholds": list(ERROR_THRESHOLDS[result.kind]),
        "auc": {name: list(shares) for name, shares in result.auc.items()},
        "judged": [_pair_dict(result, index) for index in range(result.num_pairs)],
        "failures": [asdict(failure) for failure in result.failures],
    }


def _pair_dict(result: SetResult, index: int) -> dict[str, Any]:
    name0, name1 = result.names[index]
    return {
        "name0": name0,
        "name1": name1,
        "errors": {name: _finite(float(errors[index])) for name, errors in result.errors.items()},
        "values": {name: _finite(value) for name, value in result.pair_values[index].items()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
