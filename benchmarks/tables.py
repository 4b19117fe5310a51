"""Write the table of a report of `cyano evaluate` into documents, in place of the one that they have.

usage: python benchmarks/tables.py report.json README.md runs/small/README.md ...

The table is the one whose header names the weights first and the baselines behind them; all else in a document stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METHODS = ("cyano", "cyano-unaligned", "mutual-nn", "sift", "aliked-lightglue")
HEADER = "| | cyano-small | not aligned | its mutual neighbours | SIFT 2048, ratio, mutual | ALIKED + LightGlue 1024 |"
SETS = {
    "fox": "fox",
    "tum_fr2desk": "TUM fr2/desk",
    "kitti00": "KITTI 00",
    "mobilebrick": "MobileBrick",
    "lund_door": "Lund door",
    "barn": "barn",
}
ESTIMATORS = {"poselib": "PoseLib", "opencv-ransac": "OpenCV RANSAC"}

Results = dict[tuple[str, str], dict[str, Any]]


def slashed(values: Sequence[float]) -> str:
    """Numbers in one cell."""
    return " / ".join(f"{value:.1f}" for value in values)


def row(title: str, cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"| {title} | {' | '.join(cells)} |"


def mean(results: Results, method: str, estimator: str | None) -> str:
    """Over the pose sets, AUC at 10 degrees or, without an estimator, precision."""
    found = [results[name, method] for name in SETS]
    values = [each["auc"][estimator][1] if estimator else each["values"]["precision"] for each in found]
    return f"{sum(values) / len(values):.1f}"


def table(results: Results) -> list[str]:
    """The whole of it."""
    lines = [HEADER, "|---|---|---|---|---|---|"]
    titles = (
        "pose AUC@10, mean of six sets, PoseLib",
        "the same, OpenCV RANSAC",
        "precision of matches, mean of six sets",
    )
    for title, estimator in zip(titles, (*ESTIMATORS, None), strict=True):
        lines.append(row(title, [mean(results, method, estimator) for method in METHODS]))
    for name, title in SETS.items():
        for estimator, words in ESTIMATORS.items():
            cells = [slashed(results[name, method]["auc"][estimator]) for method in METHODS]
            lines.append(row(f"{title}, AUC@5/10/20, {words}", cells))
    oxford = [results["oxford", method] for method in METHODS]
    titles = "Oxford homographies, AUC@1/3/5 px, OpenCV RANSAC", "the same, PoseLib"
    for title, estimator in zip(titles, ("opencv-ransac", "poselib"), strict=True):
        lines.append(row(title, [slashed(each["auc"][estimator]) for each in oxford]))
    exact = [(each["values"]["match precision@1"], each["values"]["median error"]) for each in oxford]
    lines.append(row("Oxford, matches within 1 px, median error", [f"{p:.1f} %, {e:.2f} px" for p, e in exact]))
    stereo = [results["motorcycle", method]["values"] for method in METHODS]
    cells = [
        f"{each['matches']:.0f}, {each['match precision@3']:.1f} / {each['match precision@1']:.1f}" for each in stereo
    ]
    return [*lines, row("motorcycle stereo pair: matches, % within 3 / 1 px", cells)]


def main() -> None:
    """Replace the table of each document."""
    report, *documents = map(Path, sys.argv[1:])
    results = {(each["set"], each["method"]): each for each in json.loads(report.read_text("utf-8"))["results"]}
    new = table(results)
    for document in documents:
        lines = document.read_text("utf-8").splitlines()
        start = lines.index(HEADER)
        end = next(n for n in range(start, len(lines) + 1) if n == len(lines) or not lines[n].startswith("|"))
        document.write_text("\n".join([*lines[:start], *new, *lines[end:]]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
