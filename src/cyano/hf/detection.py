"""The detector's side of the face: dense maps to padded keypoints, for both models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cyano.errors import InputError
from cyano.hf.configuration import SuperPointConfig as MutableConfig
from cyano.models.recording import is_exported, is_recorded
from cyano.models.superglue import KeypointSet, SuperGlueConfig, normalize_keypoints
from cyano.models.superpoint import CELL, DenseFeatures, SuperPointConfig
from cyano.processing.batching import feature_pairs, pad
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import Border, pick_fixed, pick_keypoints
from cyano.types import Features

__all__ = ["Detections", "checked_pixels", "detections", "first_channel", "given_features"]


@dataclass(frozen=True, eq=False)
class Detections:
    """The keypoints of I images, padded with zeros to the largest count N.

    Attributes:
        keypoints: (I, N, 2) float32 (x, y) relative to the network's image.
        scores: (I, N) float32.
        descriptors: (I, N, D).
        real: (I, N) bool, False for padding.
        sizes: (I, 2) int64 height and width of the network's images.
    """

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    real: Tensor
    sizes: Tensor

    def side(self, side: int, dtype: torch.dtype) -> KeypointSet:
        """Every second image, as the matcher takes them; images alternate between side 0 and side 1."""
        part = slice(side, None, 2)
        # In float32 whatever the network's dtype: half precision would move keypoints by up to a pixel.
        pixels = self.keypoints[part] * self.sizes[part, None].flip(-1)
        positions = normalize_keypoints(pixels, self.sizes[part])
        mask = None if not is_recorded() and bool(self.real.all()) else self.real[part]
        return KeypointSet(positions.to(dtype), self.scores[part].to(dtype), self.descriptors[part].to(dtype), mask)


def checked_pixels(pixel_values: Tensor, shape: str, device: torch.device) -> Tensor:
    """The pixels, if they are floats of that rank and with values.

    Raises:
        InputError: they are not, or the model itself has no values on its device.
    """
    if device.type == "meta":
        raise InputError("the model lies on the device meta and holds no values; load its weights first")
    wanted = f"pixel_values must be a tensor {shape} of floats in [0, 1]"
    if not isinstance(pixel_values, Tensor):
        raise InputError(f"{wanted}, not {type(pixel_values).__name__}")
    if pixel_values.ndim != shape.count(",") + 1:
        raise InputError(f"{wanted}, not {tuple(pixel_values.shape)}")
    if not pixel_values.is_floating_point():
        raise InputError(f"{wanted}, not {pixel_values.dtype}")
    if pixel_values.is_meta:
        raise InputError(f"{wanted}, not one on the device meta, which holds no values")
    return pixel_values


def first_channel(images: Tensor) -> Tensor:
    """(I, C, H, W) -> (I, 1, H, W): all that the detector reads.

    Raises:
        InputError: there are none, or they have no channel or are too small for one cell.
    """
    if 0 in images.shape[:2]:
        raise InputError(f"pixel_values must hold at least one image with one channel, not {tuple(images.shape)}")
    if min(images.shape[-2:]) < CELL:
        raise InputError(f"images must have at least {CELL}x{CELL} pixels, not {tuple(images.shape[-2:])}")
    return images[:, :1]


def detections(dense: DenseFeatures, images: Tensor, config: MutableConfig, transformers_exact: bool) -> Detections:
    """Pick keypoints and read their descriptors.

    Args:
        dense: the network's maps of I images.
        images: (I, 1, H, W) what the network saw.
        config: the rules.
        transformers_exact: keep keypoints at the right and the lower border and pass over `keypoint_localisation`, as
            transformers does.
    """
    rules = config.native()
    if transformers_exact:
        rules = replace(rules, keypoint_localisation="probability")
    maps = keypoint_maps(dense.scores, images, rules)
    sides: Border = "top-left" if transformers_exact else "all"
    size = (images.shape[-2], images.shape[-1])
    positions, scores, descriptors, reals = [], [], [], []
    for i, (image, descriptor_map) in enumerate(zip(maps.scores, dense.descriptors, strict=True)):
        pixels, values, real = _picked(image, rules, sides)
        if maps.response is not None:  # keypoints of the probabilities stay on whole pixels, as in transformers
            pixels = maps.refine(pixels, i) * real[:, None]
        positions.append(pixels / pixels.new_tensor([size[1], size[0]]))
        scores.append(values)
        descriptors.append(sample_descriptors(descriptor_map, pixels).float() * real[:, None])
        reals.append(real)
    return Detections(
        pad_sequence(positions, batch_first=True),
        pad_sequence(scores, batch_first=True),
        pad_sequence(descriptors, batch_first=True),
        pad_sequence(reals, batch_first=True),
        torch.tensor([size] * len(scores), dtype=torch.int64, device=dense.scores.device),
    )


def _picked(scores: Tensor, rules: SuperPointConfig, sides: Border) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints (N, 2), scores (N,) and which are real (N,) of one image; for exported models N is fixed."""
    threshold, border, most = rules.keypoint_threshold, rules.border_removal_distance, rules.max_keypoints
    if is_exported() or (is_recorded() and most >= 0):
        # Without a limit, as many as non-maximum suppression may leave: one in a square.
        squares = math.prod(math.ceil(side / (rules.nms_radius + 1)) for side in scores.shape)
        return pick_fixed(scores, threshold, most if most >= 0 else squares, border, sides)
    keypoints, values = pick_keypoints(scores, threshold, most if most >= 0 else -1, border, sides)
    return keypoints, values, torch.ones_like(values, dtype=torch.bool)


def given_features(
    pairs: Sequence[tuple[Features, Features]], device: torch.device, config: SuperGlueConfig
) -> Detections:
    """Features that were extracted before, as if they had just been detected.

    Args:
        pairs: features of image 0 and of image 1.
        device: where they are wanted.
        config: of the matcher.

    Raises:
        InputError: there are none, an image was turned before the detection, another detector found them, or these are
            not pairs of features.
    """
    images = [image for pair in feature_pairs(pairs, device, config) for image in pair]
    if not images:
        raise InputError("features must hold at least one pair")
    if any(image.frame.quarter_turns % 4 for image in images):
        raise InputError("features of rotated images have no relative keypoints; match them with cyano.Matcher")
    sizes = [(image.frame.network.height, image.frame.network.width) for image in images]
    positions = [
        image.network_keypoints / image.keypoints.new_tensor([width, height])
        for image, (height, width) in zip(images, sizes, strict=True)
    ]
    padded = pad(images)
    real = padded.mask if padded.mask is not None else torch.ones_like(padded.scores, dtype=torch.bool)
    return Detections(
        pad_sequence(positions, batch_first=True),
        padded.scores,
        padded.descriptors,
        real,
        torch.tensor(sizes, dtype=torch.int64, device=device),
    )
