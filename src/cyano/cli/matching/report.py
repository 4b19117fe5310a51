"""One matched pair, and what is told about it on the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cyano.cli.output import UNKNOWN_LICENCE, busy, print_facts, result_console
from cyano.evaluation.pair_lists.matched_pair import CORRECT_PX, MatchedPair, truth_dict

if TYPE_CHECKING:
    from cyano.geometry import RobustEstimate
    from cyano.options import MatcherOptions
    from cyano.processing.images import ImageSource
    from cyano.result import ImageKeypoints

__all__ = ["match_images", "print_report"]


def match_images(
    images: tuple[ImageSource, ImageSource],
    weights: str | None,
    options: MatcherOptions,
    device: str,
    masks: tuple[ImageSource | None, ImageSource | None] = (None, None),
) -> MatchedPair:
    """Load the networks and match two images.

    Raises:
        ImageError: an image or a mask cannot be read or used.
        WeightsError: the weights cannot be loaded.
    """
    with busy("loading the networks"):
        from cyano.checkpoints import load
        from cyano.evaluation.provenance import matching_record
        from cyano.matcher import Matcher

        start = time.perf_counter()
        networks = load(weights)
        matcher = Matcher(networks, options, device=device)
        loaded = time.perf_counter()
    with busy("matching"):
        result = matcher.match(*images, mask0=masks[0], mask1=masks[1])
        matched = time.perf_counter()
    record = matching_record(matcher, networks, options.resize)
    return MatchedPair(result, record, loaded - start, matched - loaded)


def print_report(
    pair: MatchedPair, written: Sequence[tuple[str, Path]], as_json: bool, models: Sequence[RobustEstimate] = ()
) -> None:
    """The summary for people; to stderr where stdout is reserved for JSON."""
    rows = [*_facts(pair, models), *((what, str(path)) for what, path in written)]
    title = f"{pair.result.image0.name} : {pair.result.image1.name}"
    print_facts(result_console(as_json), title, rows)


def _facts(pair: MatchedPair, models: Sequence[RobustEstimate]) -> list[tuple[str, str]]:
    result, record = pair.result, pair.record
    rows = [
        ("keypoints", f"{len(result.image0.keypoints)} and {len(result.image1.keypoints)}"),
        ("matches", str(len(result))),
    ]
    if len(result):
        rows.append(("median score", f"{float(np.median(result.scores)):.2f}"))
    empty = [image.name for image in (result.image0, result.image1) if not len(image.keypoints)]
    if empty:
        rows.append(("no keypoints", f"in {' and '.join(empty)}: textureless, dark, or too small"))
    elif searches := _not_searched(pair):
        rows.append(("few matches", f"{searches} may find more"))
    if pair.errors is not None:
        rows.append(("ground truth", _truth_text(pair.errors)))
    rows += [("stretched", _stretched_text(image)) for image in (result.image0, result.image1) if image.stretched]
    for model in models:
        rows += [("model", _model_text(model)), *model.facts()]
    return [
        *rows,
        ("time", f"{pair.match_seconds:.2f} s on {record['device']}, and {pair.load_seconds:.2f} s to load"),
        ("weights", str(record["weights"])),
        ("licence", str(record["licence"] or UNKNOWN_LICENCE)),
    ]


def _not_searched(pair: MatchedPair) -> str:
    """The options that also try other views where matches are few, if they were not given."""
    from cyano.view_search import FEW, are_few

    matches, few = len(pair.result), int(pair.record["few_matches"] or 0)
    count0, count1 = (len(image.keypoints) for image in (pair.result.image0, pair.result.image1))
    asked = {"rotations": matches < few, "views": are_few(matches, count0, count1, few, FEW)}
    return " and ".join(f"--{name} auto" for name, is_few in asked.items() if is_few and pair.record[name] == "off")


def _stretched_text(image: ImageKeypoints) -> str:
    low, high = image.stretched or (0, 0)
    return f"{image.name} uses {low} to {high} of 65535; these values were spread from black to white (--no-stretch)"


def _truth_text(errors: NDArray[np.float64]) -> str:
    truth = truth_dict(errors)
    shares = " and ".join(f"{100 * truth[f'within_{px}px']:.1f} % within {px} px" for px in CORRECT_PX)
    return f"{shares} of it, for {truth['known']} of {len(errors)} matches"


def _model_text(model: RobustEstimate) -> str:
    return f"{model.message} ({model.options.estimator}, seed {model.options.seed})"
