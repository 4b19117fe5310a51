"""The detector with its rules: images to features, on a GPU several of a size at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.models.as_built import for_inference, is_as_built
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superpoint import DenseFeatures, SuperPoint, SuperPointConfig
from cyano.models.transfers import upload
from cyano.options import MatcherOptions
from cyano.processing import resize
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.images import LoadedImage
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_in_each
from cyano.processing.masks import mask_scores
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["Detector", "NetworkImage"]

_WAITING = 4
"""So many batches of images of several sizes wait in memory for others of their size."""


class NetworkImage(NamedTuple):
    """An image as the network sees it.

    Attributes:
        grey: (h, w) float32 in [0, 1].
        frame: the way back to the original image.
        keep: (H, W) bool of the original image, where keypoints are wanted; None for everywhere.
    """

    grey: NDArray[np.float32]
    frame: ResizeMap
    keep: NDArray[np.bool_] | None


class Detector:
    """SuperPoint on a device, with the rules for keypoints.

    On a CPU it runs the fast form, or the module where a user has changed the network, image by image; on a GPU the
    module on batches of images of one size. An image's features are those that it has by itself; on a GPU up to
    rounding, since its libraries choose their algorithms by the size of the batch.
    """

    def __init__(
        self,
        network: SuperPoint,
        options: MatcherOptions,
        rules: SuperPointConfig,
        device: torch.device,
        batch_size: int,
    ) -> None:
        """Bring a network to a device.

        Args:
            network: is copied.
            options: how to resize, where keypoints lie, and in what precision to compute.
            rules: for picking keypoints.
            device: where to run.
            batch_size: images per batch on a GPU.
        """
        self._options, self._rules, self._device = options, rules, device
        self._dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
        on_cpu = device.type == "cpu"
        self._batch_size = 1 if on_cpu else batch_size  # a processor is busy with one image
        copied = for_inference(network, device)
        if device.type == "cuda":  # the layout that tensor cores read; elsewhere results are to stay as they are
            copied = copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        fast = on_cpu and is_as_built(copied)
        self._network: SuperPoint | FastSuperPoint = FastSuperPoint(copied) if fast else copied

    def prepare(self, image: LoadedImage, keep: NDArray[np.bool_] | None, quarter_turns: int = 0) -> NetworkImage:
        """Turn and resize an image.

        Args:
            image: as it was read.
            keep: see `NetworkImage`.
            quarter_turns: counter-clockwise, as in `numpy.rot90`.

        Raises:
            ImageError: see `resize.apply`.
        """
        return NetworkImage(*resize.apply(image, self._options.resize, quarter_turns), keep)

    def __call__(self, images: Iterable[NetworkImage]) -> list[Features]:
        """Features of each image, in order; images are taken one at a time and kept only until their batch is full."""
        found: dict[int, Features] = {}
        waiting: dict[ImageSize, dict[int, NetworkImage]] = {}
        for number, image in enumerate(images):
            size = image.frame.network
            waiting.setdefault(size, {})[number] = image
            full = [size] if len(waiting[size]) == self._batch_size else []
            if number + 1 - len(found) == _WAITING * self._batch_size:
                full = list(waiting)
            for each in full:
                group = waiting.pop(each)
                found |= zip(group, self._features(list(group.values())), strict=True)
        for group in waiting.values():
            found |= zip(group, self._features(list(group.values())), strict=True)
        return [found[number] for number in range(len(found))]

    @torch.inference_mode()
    def _features(self, batch: Sequence[NetworkImage]) -> list[Features]:
        """Run the network on images of one size, pick keypoints, read their descriptors."""
        images = upload(torch.stack([torch.from_numpy(each.grey) for each in batch])[:, None], self._device)
        dense, rules, options = self._dense(images), self._rules, self._options
        maps = keypoint_maps(dense.scores, images, rules, [each.grey for each in batch])
        scores = list(maps.scores)
        for i, each in enumerate(batch):
            if each.keep is not None:
                scores[i] = mask_scores(scores[i], each.keep, each.frame)
        picked = pick_in_each(scores, rules.keypoint_threshold, rules.max_keypoints, rules.border_removal_distance)
        features = []
        for i, (each, (keypoints, values)) in enumerate(zip(batch, picked, strict=True)):
            places = maps.refine(keypoints, i) if options.subpixel else keypoints
            descriptors = sample_descriptors(dense.descriptors[i], places)
            seen = images[i, 0].half() if options.align else None
            features.append(Features(each.frame.to_original(places), values, descriptors, each.frame, image=seen))
        return features

    @torch.inference_mode()
    def describe(self, image: NetworkImage, keypoints: Tensor, scores: Tensor) -> Features:
        """Features at places that are given, which stay where they are.

        Args:
            image: from `prepare`.
            keypoints: (N, 2) float32 in original pixels.
            scores: (N,) float32.
        """
        images = upload(torch.from_numpy(image.grey)[None, None], self._device)
        keypoints, scores = keypoints.to(self._device), scores.to(self._device)
        places = image.frame.to_network(keypoints)
        descriptors = sample_descriptors(self._dense(images).descriptors[0], places)
        seen = images[0, 0].half() if self._options.align else None
        return Features(keypoints, scores, descriptors, image.frame, image=seen)

    def _dense(self, images: Tensor) -> DenseFeatures:
        """The network's maps, float32."""
        if isinstance(self._network, FastSuperPoint):
            return self._network(images)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            dense: DenseFeatures = self._network(images)
        return DenseFeatures(dense.scores, dense.descriptors.float())
