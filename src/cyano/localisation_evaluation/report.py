"""The report: Markdown tables for people, JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyano.atomic import write_atomically
from cyano.concise import json_text
from cyano.localisation_evaluation.judging import RECALL_AT, RIGHT, Judged, Score, auc, score
from cyano.localisation_evaluation.run import ESTIMATED, LocalisationReport, SetTrials

__all__ = ["num_failures", "to_dict", "to_markdown", "write_report"]


def write_report(report: LocalisationReport, folder: Path) -> list[Path]:
    """Write report.md and report.json.

    Returns:
        The files.

    Raises:
        OutputError: they cannot be written.

    Example:
        >>> trials = SetTrials("table", 10, {"map A": (Judged("new.png", None),)})
        >>> report = LocalisationReport((trials,), ProtocolOptions(Path("results")), matching={}, versions={})
        >>> [path.name for path in write_report(report, Path("."))]
        ['report.md', 'report.json']
    """
    files = {"report.md": to_markdown(report), "report.json": json_text(to_dict(report))}
    for name, content in files.items():
        write_atomically(folder / name, content.encode("utf-8", "replace"))
    return [folder / name for name in files]


def num_failures(report: LocalisationReport) -> int:
    """Photographs that could not be used, and maps that could not be made.

    Example:
        >>> trials = SetTrials("table", 10, {}, notes=("map B could not be made",))
        >>> num_failures(LocalisationReport((trials,), ProtocolOptions(Path("results")), {}, {}))
        1
    """
    unusable = sum(
        each.record is not None and each.record.status == "not usable"
        for trials in report.sets
        for judged in trials.judged.values()
        for each in judged
    )
    return unusable + sum(len(trials.notes) for trials in report.sets)


def to_markdown(report: LocalisationReport) -> str:
    """The report as Markdown.

    Example:
        >>> trials = SetTrials("table", 10, {"map A": (Judged("new.png", None),)})
        >>> report = LocalisationReport((trials,), ProtocolOptions(Path("results")), matching={}, versions={})
        >>> to_markdown(report).splitlines()[0]
        '# Localisation'
    """
    parts = ["# Localisation", _protocol(report), *_own(report), *_focal(report), *_elsewhere(report)]
    return "\n\n".join([*parts, *_omissions(report)]) + "\n"


def _protocol(report: LocalisationReport) -> str:
    options = report.options
    matching = ", ".join(f"{name} {str(value)[:12]}" for name, value in report.matching.items())
    return "\n".join(
        [
            f"- every {options.folds}th photograph is a query in maps of the others, and each is one once"
            + ("" if options.only is None else f"; {options.only} of {options.folds} such maps"),
            "- map A: points triangulated with the set's own poses; map B: `cyano reconstruct`, aligned to them",
            "- the camera is given, but where it is estimated; errors in degrees, and of the centre in percent of the "
            "median distance between two cameras of the set; a photograph without a pose counts as infinitely wrong",
            f"- right: within {RIGHT[0]:g} degrees and {RIGHT[1]:g} %",
            f"- options: {', '.join(f'{name} {value}' for name, value in asdict(options.localise).items())}",
            f"- features and matches: {matching}",
            f"- versions: {', '.join(f'{name} {number}' for name, number in report.versions.items())}",
        ]
    )


def _own(report: LocalisationReport) -> Iterator[str]:
    yield "## The sets' own photographs"
    recall = [f"within {degrees:g}°, {percent:g} %" for degrees, percent in RECALL_AT]
    header = ["set", "map", "queries", "ok", "wrong and ok", "median °", "median %", *recall, "inliers %"]
    yield _table(header, [_row(trials.name, name, score(judged)) for trials, name, judged in _own_trials(report)])


def _row(name: str, trial: str, scored: Score) -> list[str]:
    errors = [_number(scored.degrees, 3), _number(scored.percent, 3)]
    recall = [f"{share:.0f}" for share in scored.recall]
    counts = [str(each) for each in (scored.queries, scored.ok, scored.wrong_but_ok)]
    return [name, trial, *counts, *errors, *recall, _number(scored.inlier_share, 0)]


def _focal(report: LocalisationReport) -> Iterator[str]:
    rows = []
    for trials, name, judged in _own_trials(report):
        if name == ESTIMATED:
            scored = score(judged)
            rows.append([trials.name, _number(scored.focal_percent, 2), f"{scored.focal_recall:.0f}"])
    if rows:
        yield "## Focal lengths from the matches alone"
        yield _table(["set", "median error %", "% of the queries within 3 %"], rows)


def _elsewhere(report: LocalisationReport) -> Iterator[str]:
    rows: list[list[str]] = []
    right: list[float] = []
    wrong: list[float] = []
    for trials in report.sets:
        own, others = _confidences(trials)
        if others:
            certain = sum(each.ok for each in trials.judged["other places"])
            rows.append(
                [trials.name, str(len(others)), str(certain), f"{max(others):.2f}", _number(auc(own, others), 3)]
            )
        right, wrong = right + own, wrong + others
    if rows:
        certain = sum(int(row[2]) for row in rows)
        rows.append(["all", str(len(wrong)), str(certain), f"{max(wrong):.2f}", _number(auc(right, wrong), 3)])
        yield "## Photographs of other places"
        yield "None of them may be ok. AUC: how often the confidence of a right pose in map A is above theirs."
        yield _table(["set", "photographs", "ok", "highest confidence", "AUC"], rows)


def _confidences(trials: SetTrials) -> tuple[list[float], list[float]]:
    """Of right localisations in map A, and of photographs of other places."""
    own, others = trials.judged.get("map A", ()), trials.judged.get("other places", ())
    return [each.confidence for each in own if each.right], [each.confidence for each in others]


def _own_trials(report: LocalisationReport) -> Iterator[tuple[SetTrials, str, Sequence[Judged]]]:
    for trials in report.sets:
        for name, judged in trials.judged.items():
            if name != "other places":
                yield trials, name, judged


def _omissions(report: LocalisationReport) -> Iterator[str]:
    notes = [f"- {trials.name}, {note}" for trials in report.sets for note in trials.notes]
    if notes:
        yield "## Maps that could not be made"
        yield "\n".join(notes)
    if report.skipped:
        yield "## Skipped"
        yield "\n".join(f"- {name}: {reason}" for name, reason in report.skipped.items())


def to_dict(report: LocalisationReport) -> dict[str, Any]:
    """The report in plain values; what is infinite or undefined is None.

    Example:
        >>> trials = SetTrials("table", 10, {"map A": (Judged("new.png", None),)})
        >>> report = LocalisationReport((trials,), ProtocolOptions(Path("results")), matching={}, versions={})
        >>> to_dict(report)["sets"][0]["set"]
        'table'
    """
    options = report.options
    return {
        "format": "cyano-localisation-evaluation-1",
        "protocol": {"folds": options.folds, "only": options.only, "seed": options.seed},
        "options": asdict(options.localise),
        "matching": dict(report.matching),
        "versions": dict(report.versions),
        "recall_at": [list(each) for each in RECALL_AT],
        "sets": [_set_dict(trials) for trials in report.sets],
        "skipped": dict(report.skipped),
    }


def _set_dict(trials: SetTrials) -> dict[str, Any]:
    own, others = _confidences(trials)
    return {
        "set": trials.name,
        "photographs": trials.photographs,
        "auc_of_confidence": _finite(auc(own, others)),
        "trials": {
            name: {"score": _plain(asdict(score(judged))), "photographs": [_judged_dict(each) for each in judged]}
            for name, judged in trials.judged.items()
        },
        "notes": list(trials.notes),
    }


def _judged_dict(judged: Judged) -> dict[str, Any]:
    record = judged.record
    return {
        "name": judged.name,
        "status": None if record is None else record.status,
        "confidence": judged.confidence,
        "degrees": _finite(judged.degrees),
        "percent": _finite(judged.percent),
        "focal_percent": _finite(judged.focal_percent),
        "evidence": None if record is None or record.evidence is None else asdict(record.evidence),
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _finite(value) if isinstance(value, float) else value for name, value in values.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
