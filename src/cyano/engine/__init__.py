"""Whole collections: images to features, matches and exact keypoints, resumable, in this process or on many machines.

Design and reasons: docs/decisions/0010-engine.md.
"""

from cyano.engine.alignment import AlignImages
from cyano.engine.extraction import ExtractImages
from cyano.engine.finding import find_images, passed_over, readable_suffixes
from cyano.engine.local import LocalEngine
from cyano.engine.matching import MatchPairs
from cyano.engine.plan import Share, Unit, plan_images, plan_pairs
from cyano.engine.ray import RayEngine
from cyano.engine.recipe import Recipe
from cyano.engine.references import digest_of, pairs_among
from cyano.engine.run import SOME_FAILED, Summary, run_stage
from cyano.engine.verification import VerifyPairs
from cyano.engine.work import Engine, Failure, Receipt, Stage, Worker

__all__ = [
    "SOME_FAILED",
    "AlignImages",
    "Engine",
    "ExtractImages",
    "Failure",
    "LocalEngine",
    "MatchPairs",
    "RayEngine",
    "Receipt",
    "Recipe",
    "Share",
    "Stage",
    "Summary",
    "Unit",
    "VerifyPairs",
    "Worker",
    "digest_of",
    "find_images",
    "pairs_among",
    "passed_over",
    "plan_images",
    "plan_pairs",
    "readable_suffixes",
    "run_stage",
]
