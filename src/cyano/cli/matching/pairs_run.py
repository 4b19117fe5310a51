"""What lies between the options of `cyano pairs` and the library's function, and how its report looks."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import typer

from cyano.checkpoints import load
from cyano.cli.arguments import EstimatorName, usage_errors
from cyano.cli.output import (
    UNKNOWN_LICENCE,
    busy,
    counted,
    error_console,
    plain_line,
    print_json,
    result_console,
)
from cyano.concise import finite
from cyano.errors import InputError
from cyano.evaluation.pair_lists.match_pairs import MatchPairsOptions, MatchPairsReport, PairOutcome, match_pairs
from cyano.evaluation.pair_lists.pictures import Extension, PictureOptions
from cyano.geometry import RobustOptions
from cyano.pairs import Pair, plain_stem, read_pairs

__all__ = [
    "MatchPairsOptions",
    "device_name",
    "picture_options",
    "robust_options",
    "run",
    "selected",
    "tell",
    "to_dict",
    "weights_name",
]

ORIGINAL_THRESHOLD = 0.2
"""Least probability of a match in the original program; its weights say none."""

SOME_FAILED = 3
"""The exit code when some pairs of many failed and the rest is done."""


def picture_options(
    viz: bool, fast: bool, show_keypoints: bool, extension: Extension, max_lines: int | None
) -> PictureOptions | None:
    """What to draw; None for nothing.

    Raises:
        typer.BadParameter: options that contradict each other.
    """
    for flag, given in (("--fast-viz", fast), ("--show-keypoints", show_keypoints)):
        if given and not viz:
            raise typer.BadParameter(f"{flag} says how --viz draws; add --viz")
    with usage_errors():
        return PictureOptions(fast, show_keypoints, extension, max_lines) if viz else None


def robust_options(evaluate: bool, estimator: EstimatorName, threshold: float, seed: int) -> RobustOptions | None:
    """How to estimate poses; None without --eval."""
    with usage_errors():
        options = RobustOptions(estimator, threshold, seed=seed)
    return options if evaluate else None


def device_name(device: str, force_cpu: bool) -> str:
    """The device that is asked for.

    Raises:
        typer.BadParameter: --force-cpu and another device.
    """
    if force_cpu and device not in ("auto", "cpu"):
        raise typer.BadParameter(f"--force-cpu and --device {device} contradict each other; leave one of them out")
    return "cpu" if force_cpu else device


def weights_name(superglue: Literal["indoor", "outdoor"] | None, weights: str | None) -> str | None:
    """The weights that are asked for; None for Cyano's own.

    Raises:
        typer.BadParameter: two of them.
    """
    if superglue is None:
        return weights
    if weights is not None:
        raise typer.BadParameter("--superglue and --weights both choose the weights; give one of them")
    return f"magic-leap-community/superglue_{superglue}"


def selected(path: Path, max_length: int, shuffle_seed: int | None) -> list[Pair]:
    """The pairs of a list, shuffled by the seed if there is one, at most so many of them (-1: all).

    Raises:
        InputError: the list cannot be read or understood.
        typer.BadParameter: a length that is none.
    """
    if max_length < -1:
        raise typer.BadParameter(f"--max-length is -1 for all pairs, or a number from 0 up, not {max_length}")
    pairs = read_pairs(path)
    if not pairs or max_length == 0:
        raise InputError(f"there is no pair to match in {path}; give a list with at least one")
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(pairs)
    return pairs if max_length == -1 else pairs[:max_length]


def run(pairs: list[Pair], weights: str | None, options: MatchPairsOptions) -> MatchPairsReport:
    """Run the list with a progress bar; the original program's threshold where the weights have none."""
    with busy("loading the networks"):
        networks = load(weights)
    if networks.superglue is not None and not networks.superglue.config.matching_threshold:
        threshold = ORIGINAL_THRESHOLD if options.matching.match_threshold is None else options.matching.match_threshold
        options = replace(options, matching=replace(options.matching, match_threshold=threshold))
    with counted("matching", len(pairs)) as step:
        return match_pairs(pairs, networks, options, on_pair=lambda _: step())


def tell(report: MatchPairsReport, options: MatchPairsOptions, as_json: bool) -> None:
    """Print what was done.

    Raises:
        typer.Exit: with code 3, if some pairs failed.
    """
    if as_json:
        print_json(to_dict(report))
    _print_report(report, options, as_json)
    if report.failures:
        raise typer.Exit(SOME_FAILED)


def _print_report(report: MatchPairsReport, options: MatchPairsOptions, as_json: bool) -> None:
    """What was done, for people: the table on stdout (or stderr beside JSON), failures on stderr."""
    console = result_console(as_json)
    done = [outcome for outcome in report.outcomes if outcome.status != "failed"]
    cached = sum(outcome.status == "cached" for outcome in done)
    matches = sum(outcome.counts.num_matches for outcome in done if outcome.counts is not None)
    kept = f", {cached} of them reused" if cached else ""
    plain_line(
        console,
        f"{len(done)} of {len(report.outcomes)} pairs matched{kept}; {matches} matches, in {options.output_dir}",
    )
    if any(outcome.stem != plain_stem(outcome.pair) for outcome in report.outcomes):
        console.print("pairs with equal stems are named by their whole paths")
    plain_line(console, f"weights: {_weights_text(report)}")
    if report.summary is not None:
        _print_table(report, as_json)
    for outcome in report.failures:
        names = f"{outcome.pair.name0} {outcome.pair.name1}"
        plain_line(error_console(), f"failed: {names}: {outcome.error}", style="red")


def _weights_text(report: MatchPairsReport) -> str:
    record = report.configuration["matching"]
    return f"{record['weights']} (licence {record['licence'] or UNKNOWN_LICENCE})"


def _print_table(report: MatchPairsReport, as_json: bool) -> None:
    from rich.table import Table

    summary = report.summary
    if summary is None:
        return
    matching, robust = report.configuration["matching"], report.configuration["evaluation"]
    caption = (
        f"poses by {robust['estimator']}, {robust['threshold_px']:g} px in the resized images, seed "
        f"{robust['seed']}; resize {matching['resize']}; {matching['max_keypoints']} keypoints at most. "
        "Results are comparable only for the same estimator, threshold, size and seed."
    )
    table = Table(title=f"Evaluation Results (mean over {summary.num_pairs} pairs)", title_justify="left")
    values = {
        "AUC@5": summary.auc_5,
        "AUC@10": summary.auc_10,
        "AUC@20": summary.auc_20,
        "Prec": summary.precision,
        "MScore": summary.matching_score,
    }
    for name in values:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.2f}" for value in values.values()))
    console = result_console(as_json)
    console.print(table)
    console.print(caption, highlight=False)  # not the table's own caption, which would wrap at its few columns


def to_dict(report: MatchPairsReport) -> dict[str, Any]:
    """The document of `--json`; angles in degrees, null where there is no estimate."""
    return {
        "format": "cyano-pairs-1",
        "configuration": dict(report.configuration),
        "summary": None if report.summary is None else dict(vars(report.summary)),
        "pairs": [_outcome_dict(outcome) for outcome in report.outcomes],
    }


def _outcome_dict(outcome: PairOutcome) -> dict[str, Any]:
    evaluation = outcome.evaluation
    judged = None
    if evaluation is not None:
        judged = {
            "error_t": finite(evaluation.error_t),
            "error_R": finite(evaluation.error_R),
            "precision": evaluation.precision,
            "matching_score": evaluation.matching_score,
            "num_correct": evaluation.num_correct,
        }
    return {
        "name0": outcome.pair.name0,
        "name1": outcome.pair.name1,
        "stem": outcome.stem,
        "status": outcome.status,
        "counts": None if outcome.counts is None else dict(vars(outcome.counts)),
        "evaluation": judged,
        "error": outcome.error or None,
    }
