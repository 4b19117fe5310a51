"""Whether a graph is its network: both run on the same pictures, of sizes that the graph was not made with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import OutputError
from cyano.export.engines import Arrays
from cyano.types import ImageSize

__all__ = ["SIZES", "Agreement", "Detected", "compare_keypoints", "compare_matches", "pictures", "verdict"]

SIZES: Final = (ImageSize(240, 320), ImageSize(320, 240), ImageSize(251, 333), ImageSize(424, 184), ImageSize(64, 64))
"""Landscape, portrait, odd, narrow and tiny: none of them is the one that graphs are traced with."""

SAME_PX: Final = 0.01
SAME_COSINE: Final = 0.9999
SAME_SCORE: Final = 1e-4
SAME_KEYPOINTS: Final = 0.999
SAME_MATCHES: Final = 0.998
TIES: Final = 2
"""So many keypoints may differ in all: rounding decides between equal scores."""

Detected: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Keypoints (N, 2), scores (N,) and descriptors (N, D) of one image."""


@dataclass
class Agreement:
    """How far a graph and its network agree.

    Attributes:
        keypoints: of the network.
        same_keypoints: those with one of the graph within 0.01 px, whose descriptor has a cosine of at least 0.9999 and
            whose score is within 1e-4.
        worst_px: farthest of these.
        worst_cosine: least of these.
        worst_score: greatest difference of the scores of keypoints or of matches.
        matched: keypoints of image 0 that were matched, or left without a match, by the network.
        same_matched: those for which the graph says the same.
        compared: pictures or pairs.
    """

    keypoints: int = 0
    same_keypoints: int = 0
    worst_px: float = 0.0
    worst_cosine: float = 1.0
    worst_score: float = 0.0
    matched: int = 0
    same_matched: int = 0
    compared: int = 0

    def document(self) -> dict[str, float | int]:
        """As export.json has it, to three digits."""
        return {
            name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in asdict(self).items()
        }


def pictures(size: ImageSize, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two views of one made-up scene, (H, W) float32 in [0, 1]: the second lies 9 pixels to the right and 5 below."""
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0, 1, (size.height + 5, size.width + 9)).astype(np.float32)
    texture = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1.2, 3, 8)) / 12
    scene = np.clip(2.5 * (texture - np.mean(texture)) + 0.5, 0, 1).astype(np.float32)
    return scene[: size.height, : size.width].copy(), scene[5:, 9:].copy()


def compare_keypoints(agreement: Agreement, expected: Detected, found: Detected) -> None:
    """Add one image to an agreement."""
    agreement.compared += 1
    agreement.keypoints += len(expected[0])
    if not len(expected[0]) or not len(found[0]):
        return
    apart = np.linalg.norm(expected[0][:, None] - found[0][None], axis=2)
    nearest = apart.argmin(1)
    distance = apart[np.arange(len(apart)), nearest]
    cosine = (expected[2] * found[2][nearest]).sum(1)
    score = np.abs(expected[1] - found[1][nearest])
    there = distance <= SAME_PX
    agreement.same_keypoints += int((there & (cosine >= SAME_COSINE) & (score <= SAME_SCORE)).sum())
    if there.any():
        agreement.worst_px = max(agreement.worst_px, float(distance[there].max()))
        agreement.worst_cosine = min(agreement.worst_cosine, float(cosine[there].min()))
        agreement.worst_score = max(agreement.worst_score, float(score[there].max()))


def compare_matches(agreement: Agreement, expected: Arrays, found: Arrays) -> None:
    """Add one pair to an agreement, given its (1, M) matches0 and matching_scores0."""
    agreement.compared += 1
    matches, others = expected["matches0"], found["matches0"]
    if matches.shape != others.shape or others.dtype != np.int64:
        raise OutputError(f"matches0 is {others.dtype} {others.shape} instead of {matches.dtype} {matches.shape}")
    same = matches == others
    agreement.matched += matches.size
    agreement.same_matched += int(same.sum())
    scores = np.abs(expected["matching_scores0"].astype(float) - found["matching_scores0"].astype(float))[same]
    agreement.worst_score = max(agreement.worst_score, float(scores.max(initial=0)))


def verdict(part: str, engine: str, agreement: Agreement) -> None:
    """Refuse a graph that is not its network.

    Raises:
        OutputError: too many keypoints or matches differ, or scores do.
    """
    agreed = (
        _enough(agreement.same_keypoints, agreement.keypoints, SAME_KEYPOINTS)
        and _enough(agreement.same_matched, agreement.matched, SAME_MATCHES)
        and agreement.worst_score <= SAME_SCORE
        and agreement.keypoints + agreement.matched > 0
    )
    if not agreed:
        raise OutputError(
            f"the {part}'s graph differs from the network in {engine}: {agreement.same_keypoints} of "
            f"{agreement.keypoints} keypoints and {agreement.same_matched} of {agreement.matched} matches are the "
            f"same, scores to {agreement.worst_score:.2g}; nothing was written. Update onnx, onnxscript and {engine}, "
            "or report this"
        )


def _enough(same: int, of: int, share: float) -> bool:
    return of - same <= max(TIES, (1 - share) * of)
