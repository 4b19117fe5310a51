"""Ragged features to padded batches: (N_i, ...) each -> (B, N, ...) and a mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cyano.errors import InputError
from cyano.models.superglue import KeypointSet, normalize_keypoints
from cyano.types import Features

__all__ = ["check_channels", "keypoint_set", "pad"]


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


def check_channels(images: Iterable[Features], size: int) -> None:
    """See that features are of a detector that goes with the matcher.

    Args:
        images: features.
        size: channels of the descriptors that the matcher takes.

    Raises:
        InputError: descriptors of one image have another number of channels.
    """
    for features in images:
        if features.descriptors.shape[1] != size:
            raise InputError(
                f"these weights match descriptors of {size} channels, not of {features.descriptors.shape[1]}; "
                "extract the features with the same weights"
            )
