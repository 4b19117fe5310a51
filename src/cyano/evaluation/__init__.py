"""How good matches and poses are, where the truth is known."""

from cyano.evaluation.metrics import (
    AUC_THRESHOLDS,
    CORRECT_BELOW,
    EvaluationSummary,
    PairEvaluation,
    evaluate_pair,
    pose_auc,
    summarise,
)

__all__ = [
    "AUC_THRESHOLDS",
    "CORRECT_BELOW",
    "EvaluationSummary",
    "PairEvaluation",
    "evaluate_pair",
    "pose_auc",
    "summarise",
]
