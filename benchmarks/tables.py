"""Write the table of a report of `cyano evaluate` into documents, in place of the one that they have.

usage: python benchmarks/tables.py [--larger report.json] report.json README.md runs/small/README.md ...

A table is one whose header names weights first and the baselines behind them; all else in a document stays. Those of
base take its columns from the report behind --larger.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BASELINES = "SIFT 2048, ratio, mutual | ALIKED + LightGlue 1024 |"
LARGER = "larger: "
COLUMNS = {
    f"| | cyano-small | not aligned | its mutual neighbours | {BASELINES}": (
        "cyano",
        "cyano-unaligned",
        "mutual-nn",
        "sift",
        "aliked-lightglue",
    ),
    f"| | base | not aligned | cyano-small | {BASELINES}": (
        f"{LARGER}cyano",
        f"{LARGER}cyano-unaligned",
        "cyano",
        "sift",
        "aliked-lightglue",
    ),
}
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


def table(results: Results, header: str) -> list[str]:
    """The whole of it."""
    methods = COLUMNS[header]
    lines = [header, "|---|---|---|---|---|---|"]
    titles = (
        "pose AUC@10, mean of six sets, PoseLib",
        "the same, OpenCV RANSAC",
        "precision of matches, mean of six sets",
    )
    for title, estimator in zip(titles, (*ESTIMATORS, None), strict=True):
        lines.append(row(title, [mean(results, method, estimator) for method in methods]))
    for name, title in SETS.items():
        for estimator, words in ESTIMATORS.items():
            cells = [slashed(results[name, method]["auc"][estimator]) for method in methods]
            lines.append(row(f"{title}, AUC@5/10/20, {words}", cells))
    oxford = [results["oxford", method] for method in methods]
    titles = "Oxford homographies, AUC@1/3/5 px, OpenCV RANSAC", "the same, PoseLib"
    for title, estimator in zip(titles, ("opencv-ransac", "poselib"), strict=True):
        lines.append(row(title, [slashed(each["auc"][estimator]) for each in oxford]))
    exact = [(each["values"]["match precision@1"], each["values"]["median error"]) for each in oxford]
    lines.append(row("Oxford, matches within 1 px, median error", [f"{p:.1f} %, {e:.2f} px" for p, e in exact]))
    stereo = [results["motorcycle", method]["values"] for method in methods]
    cells = [
        f"{each['matches']:.0f}, {each['match precision@3']:.1f} / {each['match precision@1']:.1f}" for each in stereo
    ]
    return [*lines, row("motorcycle stereo pair: matches, % within 3 / 1 px", cells)]


def read(path: Path, prefix: str = "") -> Results:
    """The results of a report by set and method."""
    return {(each["set"], prefix + each["method"]): each for each in json.loads(path.read_text("utf-8"))["results"]}


def main() -> None:
    """Replace the tables of each document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("documents", type=Path, nargs="+")
    parser.add_argument("--larger", type=Path)
    arguments = parser.parse_args()
    results = read(arguments.report)
    if arguments.larger:
        results |= read(arguments.larger, LARGER)
    for document in arguments.documents:
        lines = document.read_text("utf-8").splitlines()
        headers = COLUMNS.keys() & set(lines)
        if not headers:
            raise SystemExit(f"{document} has no table to replace")
        for header in headers:
            start = lines.index(header)
            end = next(n for n in range(start, len(lines) + 1) if n == len(lines) or not lines[n].startswith("|"))
            lines[start:end] = table(results, header)
        document.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
