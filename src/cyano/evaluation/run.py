"""The evaluation: sets and methods in, files and a report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyano.errors import InputError
from cyano.evaluation.methods.method import Method
from cyano.evaluation.methods.predict import predict_set
from cyano.evaluation.provenance import Record, library_versions
from cyano.evaluation.scores.estimators import Estimators
from cyano.evaluation.scores.results import SetResult, judge_set
from cyano.evaluation.sets.pair_sets import PairSet

__all__ = ["EvaluateOptions", "EvaluationReport", "evaluate"]

DEFAULT_ESTIMATORS = Estimators()

_AT_10 = 1
"""Place of 10 degrees among the thresholds of an AUC of poses."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Where to put the files and how to judge.

    Attributes:
        folder: for the predictions; they are used again by a later run with equal methods and images.
        estimators: of poses, homographies and fundamental matrices.
        overwrite: replace predictions that were made otherwise.
    """

    folder: Path
    estimators: Estimators = DEFAULT_ESTIMATORS
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """All numbers and what they were made with.

    Attributes:
        results: by set, then by method, in the order given.
        methods: the record of each method by its name.
        estimators: how models were estimated.
        versions: of the program and of the libraries that decide numbers.
        skipped: why a method or a set is not there, by its name.
    """

    results: tuple[SetResult, ...]
    methods: Mapping[str, Record]
    estimators: Estimators
    versions: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_failures(self) -> int:
        """Pairs that failed, counted once for each method."""
        return sum(len(result.failures) for result in self.results)

    def mean_pose_auc(self, method: str, estimator: str) -> float:
        """The mean over the pose sets of a method's AUC up to 10 degrees, in percent.

        Raises:
            InputError: there is no pose set for this method.
        """
        found = [
            result.auc[estimator][_AT_10]
            for result in self.results
            if result.kind == "pose" and result.method == method and result.num_pairs
        ]
        if not found:
            raise InputError(f"{method} was evaluated on no set with poses")
        return sum(found) / len(found)


def evaluate(
    sets: Sequence[PairSet],
    methods: Sequence[Method],
    options: EvaluateOptions,
    *,
    skipped: Mapping[str, str] | None = None,
    on_pair: Callable[[str], None] = lambda _: None,
) -> EvaluationReport:
    """Match and judge: first all predictions of a set go to files, then the numbers are made from them alone.

    A pair whose images cannot be used is reported, and the rest goes on.

    Args:
        sets: what to match, each name once.
        methods: how, each name once.
        options: see there.
        skipped: why something that was asked for is not among the sets and methods, for the report.
        on_pair: called with what is going on, once for each pair of each set in the first loop, and once for each pair
            and method in the second.

    Returns:
        The report; `cyano.evaluation.scores.report.write_report` writes it.

    Raises:
        InputError: nothing to do, or a name occurs twice.
        OutputError: predictions of another configuration are in the folder, or it cannot be written.
    """
    _distinct("sets", [pair_set.name for pair_set in sets])
    _distinct("methods", [method.name for method in methods])
    results = []
    for pair_set in sets:
        made = predict_set(
            pair_set,
            methods,
            options.folder,
            overwrite=options.overwrite,
            on_pair=lambda name=pair_set.name: on_pair(f"{name}: matching"),  # type: ignore[misc]
        )
        for method in methods:
            text = f"{pair_set.name}: judging {method.name}"
            content = made[method.name]
            results.append(
                judge_set(pair_set, method.name, content, options.estimators, lambda text=text: on_pair(text))  # type: ignore[misc]
            )
    records = {method.name: method.record for method in methods}
    return EvaluationReport(tuple(results), records, options.estimators, library_versions(), dict(skipped or {}))


def _distinct(what: str, names: Sequence[str]) -> None:
    if not names:
        raise InputError(f"there are no {what} to evaluate")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{what} with the same name would write the same files: {', '.join(repeated)}")
