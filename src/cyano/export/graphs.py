"""The networks as they are exported: images to keypoints with descriptors, and keypoints to matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from cyano.export.tracing import Example, traced
from cyano.models.portable_superglue import PortableSuperGlue
from cyano.models.superpoint import SuperPoint, SuperPointConfig
from cyano.processing.portable_keypoints import PortableKeypoints, portable_descriptors, sides

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = [
    "DetectedKeypoints",
    "DetectorGraph",
    "Normalisation",
    "detector_model",
    "matcher_model",
    "normalising_model",
]

TRACED_SIZE = (104, 136)
"""Rows and columns of the image that a detector is traced with; no image of a parity check has it."""

TRACED_COUNTS = (70, 90)
"""Keypoints that a matcher is traced with."""

ON_CPU: Final[dict[str, Any]] = {"dtype": torch.float32, "device": "cpu"}


class DetectedKeypoints(NamedTuple):
    """What a detector's graph gives.

    Attributes:
        keypoints: (K, 2) float32 (x, y) in pixels of its image; (0, 0) where there is none.
        scores: (K,) float32, sorted by falling score; 0 where there is none.
        descriptors: (K, D) float32, unit length.
        valid: (K,) bool, False where there is no keypoint.
    """

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    valid: Tensor


class DetectorGraph(nn.Module):
    """SuperPoint with its rules, for one image of any size.

    Example:
        >>> graph = DetectorGraph(SuperPoint().eval(), SuperPointConfig(max_keypoints=100))
        >>> tuple(graph(torch.rand(1, 1, 48, 64)).descriptors.shape)
        (100, 256)
    """

    def __init__(self, network: SuperPoint, rules: SuperPointConfig) -> None:
        """Join a network and its rules.

        Args:
            network: in evaluation mode.
            rules: `max_keypoints` is K.
        """
        super().__init__()
        self.network = network
        self.keypoints = PortableKeypoints(rules, rules.max_keypoints)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> DetectedKeypoints:
        """Detect the keypoints of one image.

        Args:
            image: (1, 1, H, W) grey values in [0, 1]; H and W at least 8.
            mask: (1, 1, H, W) bool, False where there are to be no keypoints; None for anywhere.
        """
        dense = self.network(image)
        keypoints, scores, valid = self.keypoints(image, dense.scores, mask)
        return DetectedKeypoints(keypoints, scores, portable_descriptors(dense.descriptors, keypoints), valid)


class Normalisation(nn.Module):
    """Positions as a matcher reads them: `normalize_keypoints` by the size of an image."""

    def forward(self, image: Tensor, keypoints: Tensor) -> Tensor:
        """(1, 1, H, W) and its (K, 2) keypoints -> (1, K, 2)."""
        height, width = sides(image[0, 0])
        size = torch.cat([width, height]).float()
        return ((keypoints - size / 2) / (size.amax(0, keepdim=True) * 7 / 10))[None]


def detector_model(module: DetectorGraph, opset: int, *, mask: bool = False) -> ModelProto:
    """The detector's graph for images of any size, with a second input `mask` if that is asked for."""
    count, channels = module.keypoints.count, module.network.config.descriptor_decoder_dim
    outputs = {"keypoints": (count, 2), "scores": (count,), "descriptors": (count, channels), "valid": (count,)}
    image, free = _image()
    inputs: dict[str, Example] = {"image": (image, free)}
    if mask:
        inputs["mask"] = (torch.ones_like(image, dtype=torch.bool), free)
    return traced(module.eval(), inputs, outputs, opset)


def matcher_model(module: PortableSuperGlue, opset: int) -> ModelProto:
    """The matcher's graph for any numbers of keypoints."""
    channels = module.projection.in_features
    inputs: dict[str, Example] = {}
    for side, count, axis in zip("01", TRACED_COUNTS, "MN", strict=True):
        free = {1: axis}
        inputs |= {
            f"positions{side}": (torch.rand(1, count, 2, **ON_CPU) - 0.5, free),
            f"scores{side}": (torch.rand(1, count, **ON_CPU), free),
            f"descriptors{side}": (torch.rand(1, count, channels, **ON_CPU), free),
            f"valid{side}": (torch.ones(1, count, dtype=torch.bool, device="cpu"), free),
        }
    axes = {"matches0": "M", "matches1": "N", "matching_scores0": "M", "matching_scores1": "N"}
    return traced(module.eval(), inputs, {name: (1, axis) for name, axis in axes.items()}, opset)


def normalising_model(count: int, opset: int) -> ModelProto:
    """What lies between a detector of `count` keypoints and a matcher."""
    inputs = {"image": _image(), "keypoints": (torch.rand(count, 2, **ON_CPU), {})}
    return traced(Normalisation().eval(), inputs, {"positions": (1, count, 2)}, opset)


def _image() -> tuple[Tensor, dict[int, str]]:
    return torch.rand(1, 1, *TRACED_SIZE, **ON_CPU), {2: "height", 3: "width"}
