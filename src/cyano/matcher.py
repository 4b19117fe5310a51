"""The matcher: images to features to correspondences. Start reading here."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cyano.checkpoints.hub import HubOptions
from cyano.checkpoints.loading import Networks, load
from cyano.errors import InputError, WeightsError
from cyano.image_keypoints import ImageKeypoints
from cyano.models.as_built import is_as_built
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superglue import SuperGlue
from cyano.models.superpoint import DenseFeatures, SuperPoint
from cyano.models.transport import log_transport
from cyano.options import MatcherOptions
from cyano.parallel import in_order
from cyano.processing import resize
from cyano.processing.alignment import align_matches
from cyano.processing.assignment import mutual_matches
from cyano.processing.batching import check_channels, pad
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.devices import usable_device
from cyano.processing.images import ImageSource, LoadedImage, read
from cyano.processing.keypoints import pick_keypoints
from cyano.processing.localisation import keypoint_maps
from cyano.processing.masks import mask_scores, read_mask
from cyano.result import PairResult
from cyano.types import Features, Matches

__all__ = ["Matcher", "match"]

DEFAULT_OPTIONS = MatcherOptions()


class Matcher:
    """A detector and a matcher with their options: build it once, match many.

    On a CPU it runs the fast forms of the networks on all cores; on a GPU, or where a user has changed the networks,
    the modules themselves in padded batches. Either way a pair's result does not depend on what it is batched with.
    """

    def __init__(
        self,
        networks: Networks,
        options: MatcherOptions = DEFAULT_OPTIONS,
        *,
        device: torch.device | str = "cpu",
        batch_size: int = 8,
    ) -> None:
        """Build a matcher.

        Args:
            networks: from `cyano.checkpoints.load`.
            options: how to match.
            device: where to run.
            batch_size: pairs per batch on a GPU.

        Raises:
            WeightsError: the weights are a detector's alone.
            InputError: the device is unknown, or the batch size is not positive.
        """
        if networks.superglue is None:
            raise WeightsError(f"{networks.source} holds a detector alone; matching needs a SuperGlue as well")
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, not {batch_size}")
        self.options = options
        self.device = usable_device(device)
        self.source = networks.source
        self._batch_size = batch_size
        self._detector_dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
        self._matcher_dtype = torch.float32 if options.precision == "float32" else torch.bfloat16
        self.detection, self.assignment = options.over(networks.superpoint.config, networks.superglue.config)
        self._usual = self.assignment.matching_threshold
        self.confirmed_threshold = options.confirmed_threshold(self.assignment)
        on_cpu = self.device.type == "cpu"
        self._superpoint: SuperPoint | FastSuperPoint = deepcopy(networks.superpoint).to(self.device)
        if on_cpu and is_as_built(networks.superpoint):
            self._superpoint = FastSuperPoint(networks.superpoint)
        self._superglue: SuperGlue | FastSuperGlue = deepcopy(networks.superglue).to(self.device)
        if on_cpu and is_as_built(networks.superglue):
            self._superglue = FastSuperGlue(networks.superglue, self._matcher_dtype)

    def __repr__(self) -> str:
        keypoints, threshold = self.detection.max_keypoints, self.assignment.matching_threshold
        limits = f"max_keypoints={keypoints}, match_threshold={threshold:g}, precision={self.options.precision}"
        return f"Matcher({self.source}, device={self.device}, {limits})"

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        options: MatcherOptions = DEFAULT_OPTIONS,
        device: torch.device | str | None = None,
        hub: HubOptions | None = None,
    ) -> Matcher:
        """Load weights and build a matcher.

        Args:
            name_or_path: None for the weights that come with Cyano; a folder; "owner/name" on the Hugging Face
                hub; or the original's superglue_*.pth with superpoint_v1.pth beside it.
            options: how to match.
            device: where to run; None is the GPU if there is one.
            hub: revision, cache and token for the hub.

        Raises:
            WeightsError: the weights are missing or damaged, or cannot be fetched.
        """
        usual = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(load(name_or_path, hub), options, device=usual if device is None else device)

    def match(
        self,
        image0: ImageSource,
        image1: ImageSource,
        *,
        mask0: ImageSource | None = None,
        mask1: ImageSource | None = None,
    ) -> PairResult:
        """Match two images.

        Args:
            image0: a path, bytes, PIL image, numpy array or tensor; see `cyano.processing.images`.
            image1: likewise; its size may differ.
            mask0: image of the same size as image0, zero where keypoints are not wanted.
            mask1: likewise for image1.

        Returns:
            The correspondences, in pixels of the original images.

        Raises:
            ImageError: an image or a mask cannot be read or used.
        """
        limits, stretch = self.options.limits, self.options.stretch
        loaded0, loaded1 = (read(image, limits, stretch=stretch) for image in (image0, image1))
        keep0, keep1 = _mask(mask0, loaded0), _mask(mask1, loaded1)
        features0, features1 = self._detect(loaded0, keep0), self._detect(loaded1, keep1)
        matches = self._assign([(features0, features1)])[0]
        if self.options.rotations == "auto" and matches.above(self._usual).count < self.options.few_matches:
            for turns in (1, 2, 3):
                turned = self._detect(loaded1, keep1, turns)
                candidate = self._assign([(features0, turned)])[0]
                if candidate.above(self._usual).count > matches.above(self._usual).count:
                    features1, matches = turned, candidate
        moved, kept = align_matches(features0, features1, matches, self._usual)
        sides = ImageKeypoints.of(features0, loaded0), ImageKeypoints.of(moved, loaded1)
        return PairResult(*sides, kept, matches.beyond(kept))

    def extract(
        self, images: Iterable[ImageSource], *, masks: Sequence[ImageSource | None] | None = None
    ) -> list[Features]:
        """Detect and describe keypoints, once per image, to match many times.

        Args:
            images: any number of images, read one at a time.
            masks: one for each image, None where there is none; zero where keypoints are not wanted.

        Returns:
            Features in original pixels, in the order of the images.

        Raises:
            ImageError: an image or a mask cannot be read or used.
            InputError: the masks are fewer or more than the images, or the images are not a list.
        """
        if isinstance(images, str | os.PathLike | bytes | Image.Image):
            raise InputError("extract takes a list of images; put the one image into a list")
        sources = list(images)
        if masks is not None and len(masks) != len(sources):
            raise InputError(f"{len(sources)} images need as many masks (None for no mask), not {len(masks)}")
        loaded = (read(source, self.options.limits, stretch=self.options.stretch) for source in sources)
        asked = masks or [None] * len(sources)
        return [self._detect(image, _mask(mask, image)) for image, mask in zip(loaded, asked, strict=True)]

    def match_features(self, pairs: Iterable[tuple[Features, Features]]) -> list[PairResult]:
        """Match pairs of images whose features were extracted before; counts may be unequal.

        Rotations are not searched: features do not turn with their image.

        Args:
            pairs: (features of image 0, features of image 1).

        Returns:
            One result for each pair, without the images' pixels.

        Raises:
            InputError: descriptors have another number of channels than the matcher takes.
        """
        return list(self.iter_matches(pairs))

    def iter_matches(self, pairs: Iterable[tuple[Features, Features]]) -> Generator[PairResult, None, None]:
        """As `match_features`, one result after the other: memory does not grow with the number of pairs.

        Pairs are taken a few ahead of their results. On a CPU, where they are many, each core matches one of its own,
        in threads that end with the iterator (`cyano.parallel.in_order`).

        Raises:
            InputError: as `match_features`, in the place of the result of that pair, or of its batch on a GPU.
        """
        source, size = iter(pairs), 1 if isinstance(self._superglue, FastSuperGlue) else self._batch_size
        batches = iter(lambda: list(islice(source, size)), [])
        for results in in_order(self._match_batch, batches, self.pairs_at_once):
            yield from results

    @property
    def pairs_at_once(self) -> int:
        """How many threads match pairs where there are many: those of torch, with the fast form of a CPU; else 1."""
        return torch.get_num_threads() if isinstance(self._superglue, FastSuperGlue) else 1

    def _match_batch(self, pairs: Sequence[tuple[Features, Features]]) -> list[PairResult]:
        moved = [(a.to(self.device), b.to(self.device)) for a, b in pairs]
        check_channels((side for pair in moved for side in pair), self.assignment.hidden_size)
        results = []
        for (features0, features1), assigned in zip(moved, self._assign(moved), strict=True):
            aligned, kept = align_matches(features0, features1, assigned, self._usual)
            sides = ImageKeypoints.of(features0), ImageKeypoints.of(aligned)
            results.append(PairResult(*sides, kept, assigned.beyond(kept)))
        return results

    @torch.inference_mode()
    def _detect(self, image: LoadedImage, keep: NDArray[np.bool_] | None, quarter_turns: int = 0) -> Features:
        """Resize, run the detector, pick keypoints, read their descriptors."""
        grey, frame = resize.apply(image, self.options.resize, quarter_turns)
        images = torch.from_numpy(grey)[None, None].to(self.device)
        dense = self._dense(images)
        rules = self.detection
        maps = keypoint_maps(dense.scores, images, rules)
        scores = maps.scores[0] if keep is None else mask_scores(maps.scores[0], keep, frame)
        keypoints, values = pick_keypoints(
            scores, rules.keypoint_threshold, rules.max_keypoints, rules.border_removal_distance
        )
        if self.options.subpixel:
            keypoints = maps.refine(keypoints)
        descriptors = sample_descriptors(dense.descriptors[0], keypoints)
        seen = images[0, 0].half() if self.options.align else None
        return Features(frame.to_original(keypoints), values, descriptors, frame, image=seen)

    def _dense(self, images: Tensor) -> DenseFeatures:
        """The detector's maps, float32."""
        if isinstance(self._superpoint, FastSuperPoint):
            return self._superpoint(images)
        with self._autocast(self._detector_dtype):
            dense: DenseFeatures = self._superpoint(images)
        return DenseFeatures(dense.scores, dense.descriptors.float())

    @torch.inference_mode()
    def _assign(self, pairs: Sequence[tuple[Features, Features]]) -> list[Matches]:
        """Run the matcher on some pairs: their matches, and doubtful ones that alignment or geometry may confirm."""
        set0, set1 = pad([pair[0] for pair in pairs]), pad([pair[1] for pair in pairs])
        iterations = self.assignment.sinkhorn_iterations
        if isinstance(self._superglue, FastSuperGlue):
            log_assignment = self._superglue(set0, set1, iterations=iterations)
        else:
            with self._autocast(self._matcher_dtype):
                scores = self._superglue.similarity(*self._superglue.propagate(set0, set1)).float()
            log_assignment = log_transport(scores, self._superglue.bin_score, iterations, set0.mask, set1.mask)
        found = mutual_matches(log_assignment, self.confirmed_threshold)
        return [found.pair(i, len(a), len(b)) for i, (a, b) in enumerate(pairs)]

    def _autocast(self, dtype: torch.dtype) -> torch.autocast:
        return torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32)


def match(
    image0: ImageSource,
    image1: ImageSource,
    *,
    weights: str | Path | None = None,
    options: MatcherOptions = DEFAULT_OPTIONS,
    device: torch.device | str | None = None,
) -> PairResult:
    """Match two images: a `Matcher` used once.

    Args:
        image0: a path, bytes, PIL image, numpy array or tensor.
        image1: likewise.
        weights: None for the weights that come with Cyano; see `Matcher.from_pretrained`.
        options: how to match.
        device: where to run; None is the GPU if there is one.

    Raises:
        ImageError: an image cannot be read or used.
        WeightsError: the weights are missing or damaged, or cannot be fetched.
    """
    return Matcher.from_pretrained(weights, options=options, device=device).match(image0, image1)


def _mask(source: ImageSource | None, image: LoadedImage) -> NDArray[np.bool_] | None:
    return None if source is None else read_mask(source, image.size)
