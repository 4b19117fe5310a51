"""How exactly photographs are localised: sets with known poses, maps of a part of them, and the rest as queries.

How to use it: docs/how-to/evaluate.md.
"""

from cyano.localisation_evaluation.generated import GENERATED, generated_posed_set
from cyano.localisation_evaluation.judging import RECALL_AT, RIGHT, Judged, Score, auc, score
from cyano.localisation_evaluation.report import num_failures, to_dict, to_markdown, write_report
from cyano.localisation_evaluation.run import (
    LocalisationReport,
    ProtocolOptions,
    SetTrials,
    evaluate_localisation,
    steps,
)
from cyano.localisation_evaluation.sets import PosedPhotograph, PosedSet, find_posed_sets

__all__ = [
    "GENERATED",
    "RECALL_AT",
    "RIGHT",
    "Judged",
    "LocalisationReport",
    "PosedPhotograph",
    "PosedSet",
    "ProtocolOptions",
    "Score",
    "SetTrials",
    "auc",
    "evaluate_localisation",
    "find_posed_sets",
    "generated_posed_set",
    "num_failures",
    "score",
    "steps",
    "to_dict",
    "to_markdown",
    "write_report",
]
