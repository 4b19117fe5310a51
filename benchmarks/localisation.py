"""How exactly keypoints are found again: the localisation rules of Cyano's weights, SIFT, and the structure alone.

usage: scripts/bench localisation SETS [--weights W] [--count N] [--save NAME]

For every homography set in the folder SETS and scikit-image's stereo pair, images at 640 pixels: of the keypoints of
image 0 that image 1 shows, the share with a keypoint of image 1 within 1 and 3 pixels of their true place, and the
median distance of those within 3 (pixels of the resized image 1). Any N random keypoints would find some as well:
the row "random" says how many.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

import measuring
from cyano.checkpoints import load
from cyano.evaluation.methods.networks import NetworkFeatures
from cyano.evaluation.methods.sift import SiftFeatures
from cyano.evaluation.sets.folders import find_sets, stereo_set
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownDisparity, KnownHomography
from cyano.geometry.transforms import warp_points
from cyano.options import MatcherOptions
from cyano.processing import resize
from cyano.processing.images import LoadedImage, read
from cyano.processing.keypoints import pick_keypoints, refine_summits, suppress_non_maxima
from cyano.processing.resize import ResizeRule
from cyano.processing.structure import hessian_response
from cyano.types import Features

SEED = 0
RULE = ResizeRule.longest(640)


class Extractor(Protocol):
    """Whatever finds keypoints."""

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image after so many turns."""
        ...


class Alone:
    """The strongest of the picture's own maxima, or random places, with no detector."""

    def __init__(self, count: int, rng: np.random.Generator | None = None) -> None:
        self._count = count
        self._rng = rng

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """Keypoints without descriptors."""
        grey, frame = resize.apply(image, RULE, turns)
        response = hessian_response(torch.from_numpy(grey)[None, None])
        if self._rng is None:
            whole, scores = pick_keypoints(suppress_non_maxima(response, 4)[0], 0, self._count)
            keypoints = refine_summits(response[0], whole)
        else:
            sides = (grey.shape[1] - 5, grey.shape[0] - 5)
            keypoints = torch.from_numpy(self._rng.uniform(4, sides, (self._count, 2)).astype(np.float32))
            scores = torch.ones(self._count)
        return Features(frame.to_original(keypoints), scores, torch.zeros(len(scores), 0), frame)


def true_places(pair: EvaluationPair, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where (N, 2) points of the original image 0 lie in image 1; NaN where it is not known."""
    if isinstance(pair.truth, KnownHomography):
        return warp_points(pair.truth.H, points)
    if not isinstance(pair.truth, KnownDisparity):
        raise TypeError(f"places are known of homographies and disparities, not of {type(pair.truth).__name__}")
    disparity = pair.truth.disparity
    x, y = np.rint(points).astype(int).T
    x, y = x.clip(0, disparity.shape[1] - 1), y.clip(0, disparity.shape[0] - 1)
    shift = disparity[y, x].astype(np.float64)
    return points - np.stack([np.where(np.isfinite(shift) & (shift > 0), shift, np.nan), np.zeros(len(shift))], axis=1)


def measured(pair: EvaluationPair, extractor: Extractor) -> list[float]:
    """Percent within 1 and 3 pixels, and the median distance of the latter."""
    features0, features1 = (extractor.extract(read(image), 0) for image in (pair.image0, pair.image1))
    places = true_places(pair, features0.keypoints.double().numpy())
    seen = torch.from_numpy(places[np.isfinite(places).all(axis=1)]).float()
    there, found = features1.frame.to_network(seen), features1.network_keypoints
    size = features1.frame.network
    there = there[((there >= 4) & (there <= torch.tensor([size.width - 5, size.height - 5]))).all(1)]
    nearest = torch.cdist(there.double(), found.double()).amin(1)
    near = nearest[nearest < 3]
    return [100 * float((nearest < 1).double().mean()), 100 * len(near) / len(nearest), float(near.median())]


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    networks = load(arguments.weights)
    extractors: Mapping[str, Extractor] = {
        **{
            rule: NetworkFeatures(networks, MatcherOptions(RULE, arguments.count, localisation=rule))  # type: ignore[arg-type]
            for rule in ("probability", "structure")
        },
        "structure, no detector": Alone(arguments.count),
        "SIFT": SiftFeatures(RULE, arguments.count),
        "random": Alone(arguments.count, np.random.default_rng(SEED)),
    }
    pair_sets = [each for each in find_sets(arguments.sets) if each.kind == "homography"] + [stereo_set()]
    results: dict[str, Any] = {"weights": networks.source, "keypoints": arguments.count}
    for pair_set in pair_sets:
        for name, extractor in extractors.items():
            means = np.mean([measured(pair, extractor) for pair in pair_set.pairs], axis=0)
            results[f"{pair_set.name}, {name}"] = [round(float(value), 2) for value in means]
            print(f"{pair_set.name:12} {name:24} within 1 px {means[0]:5.1f} %, 3 px {means[1]:5.1f} %, "
                  f"median {means[2]:.2f} px", flush=True)  # fmt: skip
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
