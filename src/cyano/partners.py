"""Results of one pair for many match thresholds."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import torch

from cyano.matcher import Matcher
from cyano.processing.batching import feature_pairs
from cyano.result import PairResult
from cyano.types import Features, Matches

__all__ = ["partners", "result_of", "with_threshold"]


@torch.inference_mode()
def partners(matcher: Matcher, features0: Features, features1: Features) -> Matches:
    """All keypoints that are each other's likeliest partner, however probable: what every threshold chooses from.

        known = partners(matcher, features0, features1)
        strict = result_of(with_threshold(matcher, 0.5), features0, features1, known)

    Args:
        matcher: whose networks run.
        features0: of image 0.
        features1: of image 1.

    Raises:
        InputError: these are not features that the matcher takes.
    """
    return matcher._assigner(feature_pairs([(features0, features1)], matcher.device, matcher.assignment), 0.0)[0]


def with_threshold(matcher: Matcher, match_threshold: float) -> Matcher:
    """A matcher of the same networks and options but for `MatcherOptions.match_threshold`; nothing is built anew.

        strict = with_threshold(matcher, 0.5)

    Raises:
        InputError: it is not in [0, 1].
    """
    other = copy(matcher)
    other.options = replace(matcher.options, match_threshold=match_threshold)
    other.assignment = replace(matcher.assignment, matching_threshold=match_threshold)
    other.usual_threshold = match_threshold
    other.confirmed_threshold = other.options.confirmed_threshold(other.assignment)
    return other


def result_of(matcher: Matcher, features0: Features, features1: Features, known: Matches) -> PairResult:
    """What `Matcher.match_features` gives for the pair, bit for bit; no network runs.

    Args:
        matcher: of the networks that found the partners, with any threshold.
        features0: of image 0.
        features1: of image 1.
        known: see `partners`.

    Raises:
        InputError: these are not features that the matcher takes.
    """
    batch = feature_pairs([(features0, features1)], matcher.device, matcher.assignment)
    return matcher._finished(batch, [known.above(matcher.confirmed_threshold)])[0]
