"""One protocol for all numbers: predictions to files, metrics from those files, a report.

Sets of pairs come from folders (`find_sets`), from scikit-image (`stereo_set`) or from a program (`PairSet`), methods
from their names (`build_methods`) or from anything with the interface of `Method`; `evaluate` runs both loops and
`write_report` writes what came out.
"""

from cyano.evaluation.methods.choice import METHODS, OF_NETWORKS, build_methods, method_names
from cyano.evaluation.run import EvaluateOptions, EvaluationReport, evaluate
from cyano.evaluation.scores.estimators import ESTIMATORS, Estimators, estimator_names
from cyano.evaluation.scores.report import to_dict, to_markdown, write_report
from cyano.evaluation.scores.results import SetResult
from cyano.evaluation.sets.folders import STEREO_SET, find_sets, stereo_set
from cyano.evaluation.sets.generated import GENERATED_SET, generated_set
from cyano.evaluation.sets.pair_sets import (
    EvaluationPair,
    KnownChange,
    KnownCorrespondences,
    KnownDisparity,
    KnownHomography,
    KnownPose,
    PairSet,
)
from cyano.evaluation.sets.stress import (
    NUM_PHOTOGRAPHS,
    STRESS_SET,
    chosen_photographs,
    pictures_of_skimage,
    stress_set,
)

__all__ = [
    "ESTIMATORS",
    "GENERATED_SET",
    "METHODS",
    "NUM_PHOTOGRAPHS",
    "OF_NETWORKS",
    "STEREO_SET",
    "STRESS_SET",
    "Estimators",
    "EvaluateOptions",
    "EvaluationPair",
    "EvaluationReport",
    "KnownChange",
    "KnownCorrespondences",
    "KnownDisparity",
    "KnownHomography",
    "KnownPose",
    "PairSet",
    "SetResult",
    "build_methods",
    "chosen_photographs",
    "estimator_names",
    "evaluate",
    "find_sets",
    "generated_set",
    "method_names",
    "pictures_of_skimage",
    "stereo_set",
    "stress_set",
    "to_dict",
    "to_markdown",
    "write_report",
]
