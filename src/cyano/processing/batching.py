"""Ragged features to padded batches: (N_i, ...) each -> (B, N, ...) and a mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cyano.errors import InputError
from cyano.models.superglue import KeypointSet, SuperGlueConfig, normalize_keypoints
from cyano.types import Features

__all__ = ["feature_pairs", "keypoint_set", "pad"]

_PAIRS: Final = "features to match are a list of pairs of Features"


def feature_pairs(
    pairs: Iterable[tuple[Features, Features]], device: torch.device, config: SuperGlueConfig
) -> list[tuple[Features, Features]]:
    """Pairs of features as a matcher takes them, on its device.

    Args:
        pairs: what a program gives.
        device: of the matcher.
        config: of the matcher.

    Raises:
        InputError: these are not pairs of features, or not features of the detector that the matcher goes with.
    """
    try:
        listed = [tuple(pair) for pair in pairs]
    except TypeError as error:
        raise InputError(f"{_PAIRS}, not {type(pairs).__name__}") from error
    there: dict[int, Features] = {}  # an image is in many pairs, and goes to the device once
    found = []
    for pair in listed:
        if len(pair) != 2 or not all(isinstance(side, Features) for side in pair):
            raise InputError(f"{_PAIRS}, not of {len(pair)} times {type(pair[0] if pair else pair).__name__}")
        for side in pair:
            if id(side) not in there:
                _check(side, config)
                there[id(side)] = side.to(device)
        found.append((there[id(pair[0])], there[id(pair[1])]))
    return found


def _check(features: Features, config: SuperGlueConfig) -> None:
    channels, wanted = features.descriptors.shape[1], config.input_size or config.hidden_size
    if channels != wanted:
        raise InputError(
            f"these weights match descriptors of {wanted} channels, not of {channels}; extract the features with the "
            "same weights"
        )
    extras = 0 if features.extras is None else features.extras.shape[1]
    if extras != config.keypoint_extras:
        raise InputError(
            f"these weights read {config.keypoint_extras} extras of each keypoint, not {extras}; extract the features "
            "with the detector that they go with"
        )


def keypoint_set(features: Features) -> KeypointSet:
    """One image's features as a batch of one, nothing padded, positions normalised in the detector's frame."""
    size = features.frame.network
    positions = normalize_keypoints(features.network_keypoints, (size.height, size.width))
    extras = None if features.extras is None else features.extras[None]
    return KeypointSet(positions[None], features.scores[None], features.descriptors[None], extras=extras)


def pad(images: Sequence[Features]) -> KeypointSet:
    """The features of B images as one batch, padded with zeros to the largest count.

    The mask is None when nothing is padded. Positions are normalised in each detector's own frame, so images of
    unequal size share a batch.
    """
    sets = [keypoint_set(image) for image in images]
    counts = [len(image) for image in images]

    def padded(parts: list[Tensor]) -> Tensor:
        return pad_sequence(parts, batch_first=True)

    positions = padded([part.positions[0] for part in sets])
    mask = None
    if min(counts) < max(counts):
        mask = padded([part.scores[0].new_ones(part.scores.shape[1]) for part in sets]).bool()
    return KeypointSet(
        positions,
        padded([part.scores[0] for part in sets]),
        padded([part.descriptors[0] for part in sets]),
        mask,
        None if sets[0].extras is None else padded([part.extras[0] for part in sets if part.extras is not None]),
    )
