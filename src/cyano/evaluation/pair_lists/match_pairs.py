"""The program match_pairs: a list of pairs in, files of matches and the published table out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cyano.checkpoints.loading import Networks
from cyano.errors import InputError
from cyano.evaluation.metrics import EvaluationSummary, PairEvaluation, evaluate_pair, summarise
from cyano.evaluation.pair_lists import files as pair_files
from cyano.evaluation.pair_lists import pictures as pair_pictures
from cyano.evaluation.pair_lists.features import ImageFeatures
from cyano.evaluation.pair_lists.pictures import PictureOptions
from cyano.evaluation.pair_lists.run_folder import Configuration, open_run
from cyano.evaluation.provenance import Record, matching_record
from cyano.geometry import Camera, RobustEstimate, RobustOptions, estimate_relative_pose
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.pairs import Pair, unique_stems
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import ResizeMap
from cyano.view_search import are_few

__all__ = ["MatchPairsOptions", "MatchPairsReport", "PairOutcome", "match_pairs"]

DEFAULT_MATCHING = MatcherOptions()


@dataclass(frozen=True)
class MatchPairsOptions:
    """Where the images are, what to make of them and where to put it.

    Attributes:
        input_dir: the folder that the names in the list are relative to.
        output_dir: where the files go.
        matching: how to match; with an exact size to resize to, images that the list turns by 90 or 270
            degrees get it before the turn, as in the original program.
        device: where to run.
        evaluation: how to estimate poses for the evaluation, threshold in pixels of the RESIZED images as in
            the original program; None to evaluate nothing.
        pictures: what to draw; None for nothing.
        cache: keep files of an earlier run with this configuration and these images.
        overwrite: replace the files of an earlier run with another configuration.
        pair_list: the file with the pairs, where there is one; no result may replace it.
    """

    input_dir: Path
    output_dir: Path
    matching: MatcherOptions = DEFAULT_MATCHING
    device: str = "cpu"
    evaluation: RobustOptions | None = None
    pictures: PictureOptions | None = None
    cache: bool = False
    overwrite: bool = False
    pair_list: Path | None = None

    def __post_init__(self) -> None:
        if self.cache and self.overwrite:
            raise InputError("--cache keeps earlier results and --overwrite replaces them; give one of the two")


@dataclass(frozen=True, eq=False)
class PairOutcome:
    """What became of one pair.

    Attributes:
        pair: the images.
        stem: what its files are called, without the endings.
        status: "matched" now, "cached" from an earlier run, or "failed".
        counts: keypoints and matches; None if failed.
        evaluation: the numbers, if it was evaluated.
        error: why it failed, else empty.
    """

    pair: Pair
    stem: str
    status: Literal["matched", "cached", "failed"]
    counts: pair_files.StoredMatches | None = None
    evaluation: PairEvaluation | None = None
    error: str = ""


@dataclass(frozen=True, eq=False)
class MatchPairsReport:
    """What became of all pairs.

    Attributes:
        outcomes: one for each pair, in the order of the list.
        configuration: how they were made, as run.json holds it.
        summary: the row of the published tables over the pairs that did not fail; None without evaluation.
    """

    outcomes: tuple[PairOutcome, ...]
    configuration: Configuration
    summary: EvaluationSummary | None

    @property
    def failures(self) -> tuple[PairOutcome, ...]:
        """The pairs that could not be matched."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")


def match_pairs(
    pairs: Sequence[Pair],
    networks: Networks,
    options: MatchPairsOptions,
    on_pair: Callable[[PairOutcome], None] | None = None,
) -> MatchPairsReport:
    """Match every pair of a list and write its files; features are extracted once per image and turn.

    A pair whose images cannot be used is reported and the rest goes on.

    Args:
        pairs: what to match, each pair once.
        networks: a detector and a matcher.
        options: see there.
        on_pair: called after each pair, for progress.

    Returns:
        The outcomes in the order of the list.

    Raises:
        InputError: a pair has no ground truth and an evaluation is asked for, or occurs twice.
        OutputError: a file cannot be written or would replace an input, or the folder holds results of another
            configuration or, by the same names, of other pairs.
        WeightsError: the networks have no matcher.
    """
    if not pairs:
        raise InputError("there is no pair to match; give a list with at least one")
    stems = unique_stems(pairs)
    if options.evaluation is not None:
        _need_ground_truth(pairs)
    run = _Run(networks, options)
    named = {stem: (pair.name0, pair.name1) for pair, stem in zip(pairs, stems, strict=True)}
    inputs = [options.pair_list, *(options.input_dir / name for names in named.values() for name in names)]
    open_run(options.output_dir, run.configuration, named, inputs=inputs, overwrite=options.overwrite)
    outcomes = []
    for pair, stem in zip(pairs, stems, strict=True):
        outcome = run.outcome(pair, stem)
        outcomes.append(outcome)
        if on_pair is not None:
            on_pair(outcome)
    evaluations = [outcome.evaluation for outcome in outcomes if outcome.evaluation is not None]
    return MatchPairsReport(tuple(outcomes), run.configuration, summarise(evaluations) if evaluations else None)


def _need_ground_truth(pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        if not pair.has_ground_truth:
            raise InputError(
                f"--eval needs the ground-truth pose of every pair, and {pair.name0} {pair.name1} has none: its line "
                "needs 38 fields (names, rotations, K0, K1, T_0to1); leave --eval out or complete the list"
            )


class _Run:
    """One run over a list: the matcher, and what it remembers from pair to pair."""

    def __init__(self, networks: Networks, options: MatchPairsOptions) -> None:
        self._options = options
        # The images come to the matcher turned and resized, since only this program turns them.
        own = replace(options.matching, resize=ResizeRule.none())
        self._matcher = Matcher(networks, own, device=options.device)
        self._images = ImageFeatures(options.input_dir, self._matcher, options.matching.resize)
        self.configuration = self._configuration(networks)

    def _configuration(self, networks: Networks) -> dict[str, Record]:
        sections = {"matching": matching_record(self._matcher, networks, self._options.matching.resize)}
        robust, pictures = self._options.evaluation, self._options.pictures
        if robust is not None:
            sections["evaluation"] = {
                "estimator": robust.estimator,
                "threshold_px": robust.threshold_for("pose"),
                "confidence": robust.confidence,
                "max_iterations": robust.max_iterations,
                "seed": robust.seed,
            }
        if pictures is not None:
            sections["pictures"] = {
                "fast_viz": pictures.fast,
                "show_keypoints": pictures.show_keypoints,
                "viz_extension": pictures.extension,
                "max_lines": pictures.max_lines,
            }
        return sections

    def outcome(self, pair: Pair, stem: str) -> PairOutcome:
        """Match one pair and write its files, or find them written."""
        try:
            origin = self._origin(pair)
            found = self._cached(pair, stem, origin) if self._options.cache else None
            return found or self._matched(pair, stem, origin)
        except InputError as error:
            return PairOutcome(pair, stem, "failed", error=str(error))

    def _origin(self, pair: Pair) -> str:
        """The fingerprint of all that decides a pair's matches."""
        digests = [self._images.digest(pair.name0), self._images.digest(pair.name1)]
        names = [pair.name0, pair.name1, pair.turns0, pair.turns1]
        return pair_files.fingerprint(self.configuration["matching"], names, digests)

    def _evaluation_origin(self, pair: Pair, origin: str) -> str:
        truth = [None if value is None else value.tolist() for value in (pair.K0, pair.K1, pair.T_0to1)]
        return pair_files.fingerprint(self.configuration["evaluation"], truth, origin)

    def _cached(self, pair: Pair, stem: str, origin: str) -> PairOutcome | None:
        """The outcome of an earlier run, if all its files are there and made from the same."""
        folder, evaluation = self._options.output_dir, None
        path = pair_files.matches_path(folder, stem)
        counts = pair_files.read_matches(path, origin)
        if counts is None:
            return None
        if self._options.evaluation is not None:
            stored = pair_files.evaluation_path(folder, stem)
            evaluation = pair_files.read_evaluation(stored, self._evaluation_origin(pair, origin))
            if evaluation is None:
                return None
        if self._options.pictures is not None:
            judged = self._options.evaluation is not None
            if not pair_pictures.up_to_date(path, self._options.pictures, evaluated=judged):
                return None
        return PairOutcome(pair, stem, "cached", counts, evaluation)

    def _matched(self, pair: Pair, stem: str, origin: str) -> PairOutcome:
        folder, robust = self._options.output_dir, self._options.evaluation
        result = self._match(pair)
        evaluation = None if robust is None else _evaluate(pair, result, robust)
        pictures: Mapping[str, bytes] = {}
        if self._options.pictures is not None:
            names = (str(self._options.input_dir / pair.name0), str(self._options.input_dir / pair.name1))
            pictures = pair_pictures.draw(result, names, evaluation, self._options.pictures, self._options.matching)
        # All that can fail because of the images has been done: from here on files are written.
        path = pair_files.matches_path(folder, stem)
        pair_files.write_matches(path, result, origin)
        if evaluation is not None:
            stored = pair_files.evaluation_path(folder, stem)
            record = {**self.configuration["evaluation"], **self._versions()}
            pair_files.write_evaluation(stored, evaluation, record, self._evaluation_origin(pair, origin))
        pair_pictures.write(path, pictures)
        counts = pair_files.StoredMatches(len(result.image0.keypoints), len(result.image1.keypoints), len(result))
        return PairOutcome(pair, stem, "matched", counts, evaluation)

    def _versions(self) -> Record:
        matching = self.configuration["matching"]
        return {name: matching[name] for name in ("version", "weights", "weights_sha256", "resize")}

    def _match(self, pair: Pair) -> PairResult:
        """Match one pair; if matches are few, with image 1 turned further and in other views, as the options say."""
        matching = self._options.matching
        best, turns1 = self._match_turned(pair, pair.turns1), pair.turns1
        if matching.rotations == "auto" and len(best) < matching.few_matches:
            for turned in (pair.turns1 + further for further in (1, 2, 3)):
                candidate = self._match_turned(pair, turned)
                best, turns1 = (candidate, turned) if len(candidate) > len(best) else (best, turns1)
        counts = len(best), len(best.image0.keypoints), len(best.image1.keypoints)
        if matching.views == "off" or not are_few(*counts, matching.few_matches):
            return best
        sides = (self._images.side(pair.name0, pair.turns0), self._images.side(pair.name1, turns1))
        return self._matcher.match_sides(*sides)

    def _match_turned(self, pair: Pair, turns1: int) -> PairResult:
        images = (self._images.features(pair.name0, pair.turns0), self._images.features(pair.name1, turns1))
        return self._matcher.match_features([images])[0]


def _evaluate(pair: Pair, result: PairResult, robust: RobustOptions) -> PairEvaluation:
    """Judge the matches of one pair, and the pose that they have with the doubtful ones at hand.

    All in pixels of the resized images, where the original program's threshold is measured.

    The list's K and pose are those of the images as they lie. Keypoints are taken back to them and then only
    resized, so nothing of the ground truth has to be turned.
    """
    if pair.K0 is None or pair.K1 is None or pair.T_0to1 is None:
        raise InputError(f"{pair.name0} {pair.name1} has no ground truth; complete the list")
    frame0, frame1 = _unturned(result.image0.frame), _unturned(result.image1.frame)
    camera0 = Camera.from_matrix(pair.K0, frame0.original).scaled(frame0)
    camera1 = Camera.from_matrix(pair.K1, frame1.original).scaled(frame1)

    def resized(matched: PairResult) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return frame0.to_network(matched.keypoints0), frame1.to_network(matched.keypoints1)

    def pose(matched: PairResult) -> RobustEstimate:
        return estimate_relative_pose(*resized(matched), camera0, camera1, robust, matched.is_doubtful)

    _, (estimate,) = result.verified(pose)
    count = len(result.image0.keypoints)
    return evaluate_pair(*resized(result), count, camera0, camera1, np.asarray(pair.T_0to1), estimate)


def _unturned(frame: ResizeMap) -> ResizeMap:
    """The same resize without the turn."""
    return ResizeMap(frame.original, frame.network.turned(frame.quarter_turns))
