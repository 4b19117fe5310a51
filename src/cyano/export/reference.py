"""The networks as the product runs them on a processor: what graphs are compared with."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cyano.errors import WeightsError
from cyano.export.engines import Arrays
from cyano.export.parity import Detected
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.portable_superglue import PortableSuperGlue
from cyano.models.superglue import KeypointSet, SuperGlue, normalize_keypoints
from cyano.models.superpoint import SuperPoint, SuperPointConfig
from cyano.processing.assignment import mutual_matches
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoint_maps import KeypointMaps
from cyano.processing.keypoints import pick_keypoints, suppress_non_maxima
from cyano.processing.structure import response_and_scores

__all__ = ["Reference", "matcher_inputs", "rounded"]


_Module = TypeVar("_Module", bound=nn.Module)
_SIDE = ("positions", "scores", "descriptors", "valid")


class Reference:
    """A detector and a matcher in their fast forms.

    The matcher is `PortableSuperGlue` where weights are rounded, since that is what has been rounded.
    """

    def __init__(
        self, network: SuperPoint, rules: SuperPointConfig, matcher: SuperGlue | PortableSuperGlue | None
    ) -> None:
        self._rules = rules
        self._detector = FastSuperPoint(network)
        self._matcher: FastSuperGlue | PortableSuperGlue | None
        self._matcher = FastSuperGlue(matcher) if isinstance(matcher, SuperGlue) else deepcopy(matcher)

    @torch.inference_mode()
    def detect(self, grey: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Detected:
        """Keypoints (N, 2), scores (N,), descriptors (N, D) of an (H, W) picture; constant frames count as picture.

        Args:
            grey: the picture.
            mask: (H, W), False where there are to be no keypoints; None for anywhere.
        """
        image = torch.from_numpy(grey)[None, None]
        dense = self._detector(image)
        response, scores = None, dense.scores
        if self._rules.keypoint_localisation == "structure":
            response, scores = response_and_scores(image, dense.scores)
        if mask is not None:
            height, width = scores.shape[1:]
            scores = scores * torch.from_numpy(mask[:height, :width])
        maps = KeypointMaps(suppress_non_maxima(scores, self._rules.nms_radius), dense.scores, response)
        rules = self._rules
        picked, values = pick_keypoints(
            maps.scores[0], rules.keypoint_threshold, rules.max_keypoints, rules.border_removal_distance
        )
        places = maps.refine(picked)
        return places.numpy(), values.numpy(), sample_descriptors(dense.descriptors[0], places).numpy()

    @torch.inference_mode()
    def match(self, inputs: Arrays, threshold: float) -> Arrays:
        """What a matcher's graph gives for these inputs, without padding in the computation."""
        sides = [{name: torch.from_numpy(inputs[f"{name}{side}"]) for name in _SIDE} for side in "01"]
        if self._matcher is None:
            raise WeightsError("these weights have no matcher; give a matcher's weights as well")
        if isinstance(self._matcher, PortableSuperGlue):
            self._matcher.match_threshold.fill_(threshold)
            found = self._matcher(*(side[name] for side in sides for name in _SIDE))
            return {name: each.numpy() for name, each in found._asdict().items()}
        sets = [KeypointSet(s["positions"], s["scores"], s["descriptors"], s["valid"]) for s in sides]
        matches0, matches1, scores0, scores1 = mutual_matches(self._matcher(*sets), threshold)
        names = ("matches0", "matches1", "matching_scores0", "matching_scores1")
        return dict(zip(names, (each.numpy() for each in (matches0, matches1, scores0, scores1)), strict=True))


def matcher_inputs(
    sides: tuple[Detected, Detected], shapes: tuple[tuple[int, int], tuple[int, int]], counts: tuple[int, int]
) -> dict[str, NDArray[np.generic]]:
    """What a matcher's graph reads of two images.

    Args:
        sides: keypoints with scores and descriptors.
        shapes: (H, W) of each image.
        counts: keypoints to give: more are cut off, and missing ones are padding.
    """
    inputs: dict[str, NDArray[np.generic]] = {}
    for side, detected, shape, count in zip("01", sides, shapes, counts, strict=True):
        keypoints, scores, descriptors = (each[:count] for each in detected)
        missing = count - len(keypoints)
        positions = normalize_keypoints(torch.from_numpy(keypoints), shape).numpy()
        inputs[f"positions{side}"] = np.pad(positions, ((0, missing), (0, 0)))[None]
        inputs[f"scores{side}"] = np.pad(scores, (0, missing))[None]
        inputs[f"descriptors{side}"] = np.pad(descriptors, ((0, missing), (0, 0)))[None]
        inputs[f"valid{side}"] = (np.arange(count) < len(keypoints))[None]
    return inputs


def rounded(module: _Module) -> _Module:
    """The module, its matrices and filters rounded to what float16 can hold."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.half().float()
    return module
