"""The matcher: images to features to correspondences. Start reading here."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cyano.assigner import Assigner
from cyano.checkpoints.hub import HubOptions
from cyano.checkpoints.loading import Networks, load
from cyano.detector import Detector, NetworkImage
from cyano.devices import usable_device
from cyano.errors import InputError, WeightsError
from cyano.options import MatcherOptions
from cyano.parallel import in_order
from cyano.processing.aligned_matches import align_matches
from cyano.processing.batching import feature_pairs
from cyano.processing.images import ImageSource, LoadedImage, read
from cyano.processing.masks import read_mask
from cyano.result import PairResult
from cyano.types import Features, Matches
from cyano.view_search import Side, Trial, ViewSearch, finished

__all__ = ["Matcher", "match"]

DEFAULT_OPTIONS = MatcherOptions()


class Matcher:
    """A detector and a matcher with their options: build it once, match many.

    On a CPU it runs the fast forms of the networks on all cores; on a GPU, or where a user has changed the networks,
    the modules themselves in padded batches. Either way a pair's result does not depend on what it is batched with.

    Example:
        >>> matcher = cyano.Matcher.from_pretrained(device="cpu")
        >>> result = matcher.match("a.jpg", "b.jpg")
        >>> first, second = matcher.extract(["a.jpg", "b.jpg"])  # once an image
        >>> (result,) = matcher.match_features([(first, second)])  # any pairs of them
        >>> counts = [len(result) for result in matcher.iter_matches([(first, second), (second, first)])]
        >>> matcher.probabilities(first, second).shape == (len(first) + 1, len(second) + 1)
        True
        >>> len(matcher.describe("a.jpg", first.keypoints[:5], first.scores[:5]))
        5
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
            batch_size: pairs, and images, per batch on a GPU.

        Raises:
            WeightsError: the weights are a detector's alone.
            InputError: the device is unknown, or the batch size is not positive.
        """
        if networks.superglue is None:
            raise WeightsError(f"{networks.source} has no matcher; matching needs a SuperGlue as well")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size must be a whole number of at least 1, not {batch_size!r}")
        self.options = options
        self.device = usable_device(device)
        self.source = networks.source
        self._batch_size = batch_size
        self.detection, self.assignment = options.over(networks.superpoint.config, networks.superglue.config)
        self.usual_threshold = self.assignment.matching_threshold
        self.confirmed_threshold = options.confirmed_threshold(self.assignment)
        self._detector = Detector(networks.superpoint, options, self.detection, self.device, batch_size)
        self._assigner = Assigner(networks.superglue, options, self.assignment, self.device)

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
        prepare = self._detector.prepare
        features0, features1 = self._detector([prepare(loaded0, keep0), prepare(loaded1, keep1)])
        matches = self._assign([(features0, features1)])[0]
        if self.options.rotations == "auto" and matches.above(self.usual_threshold).count < self.options.few_matches:
            for turns in (1, 2, 3):
                turned = self._detector([prepare(loaded1, keep1, turns)])[0]
                candidate = self._assign([(features0, turned)])[0]
                if candidate.above(self.usual_threshold).count > matches.above(self.usual_threshold).count:
                    features1, matches = turned, candidate
        sides = Side(loaded0, keep0, features0), Side(loaded1, keep1, features1)
        return self._result(sides, self._trial(features0, features1, matches))

    def match_sides(self, side0: Side, side1: Side) -> PairResult:
        """Match two images that were read and whose features are at hand; views are searched as the options say.

        Args:
            side0: image 0 with its mask and features.
            side1: image 1 likewise.

        Example:
            >>> from cyano.processing.images import read
            >>> from cyano.view_search import Side
            >>> sides = [Side(read(name), None, matcher.extract([name])[0]) for name in ("a.jpg", "b.jpg")]
            >>> len(matcher.match_sides(*sides)) == len(matcher.match("a.jpg", "b.jpg"))
            True
        """
        return self._result((side0, side1), self._trial(side0.features, side1.features))

    def _result(self, sides: tuple[Side, Side], plain: Trial) -> PairResult:
        """What images give as they are, or in other views where those are searched and are far better."""
        search = ViewSearch(self._detector, self._trial, self.options.few_matches)
        best = search.better(plain, sides) if self.options.views == "auto" else plain
        return finished([best], [side.image for side in sides])[0]

    def _trial(self, features0: Features, features1: Features, found: Matches | None = None) -> Trial:
        """The matches of two images, aligned: those that were found already, or are found now."""
        found = self._assign([(features0, features1)])[0] if found is None else found
        moved, kept = align_matches(features0, features1, found, self.usual_threshold)
        return Trial(features0, moved, kept, found)

    def extract(
        self, images: Iterable[ImageSource], *, masks: Sequence[ImageSource | None] | None = None
    ) -> list[Features]:
        """Detect and describe keypoints, once per image, to match many times.

        Args:
            images: any number of images, read one at a time; on a GPU those of one size share batches.
            masks: one for each image, None where there is none; zero where keypoints are not wanted.

        Returns:
            Features in original pixels, in the order of the images.

        Raises:
            ImageError: an image or a mask cannot be read or used.
            InputError: the masks are fewer or more than the images, or the images are not a list.
        """
        if isinstance(images, str | os.PathLike | bytes | Image.Image) or not isinstance(images, Iterable):
            raise InputError("extract takes a list of images; put the one image into a list")
        sources = list(images)
        if masks is not None and (not isinstance(masks, Sequence) or len(masks) != len(sources)):
            raise InputError(f"{len(sources)} images need as many masks in a list (None for no mask)")
        return self._detector(self._prepared(sources, masks or [None] * len(sources)))

    def describe(self, image: ImageSource, keypoints: torch.Tensor, scores: torch.Tensor) -> Features:
        """Describe keypoints that another program found; they stay where they are.

        Args:
            image: as for `match`.
            keypoints: (N, 2) in pixels of the original image.
            scores: (N,) confidence of each.

        Raises:
            ImageError: the image cannot be read or used.
        """
        loaded = read(image, self.options.limits, stretch=self.options.stretch)
        return self._detector.describe(self._detector.prepare(loaded, None), keypoints.float(), scores.float())

    def _prepared(self, sources: Sequence[ImageSource], masks: Sequence[ImageSource | None]) -> Iterator[NetworkImage]:
        """Read and resize, one image at a time."""
        for source, mask in zip(sources, masks, strict=True):
            loaded = read(source, self.options.limits, stretch=self.options.stretch)
            yield self._detector.prepare(loaded, _mask(mask, loaded))

    def match_features(self, pairs: Iterable[tuple[Features, Features]]) -> list[PairResult]:
        """Match pairs of images whose features were extracted before; counts may be unequal.

        Rotations are not searched: features do not turn with their image.

        Args:
            pairs: (features of image 0, features of image 1).

        Returns:
            One result for each pair, without the images' pixels.

        Raises:
            InputError: these are not pairs of features, or not features that the matcher takes.
        """
        return list(self.iter_matches(pairs))

    def iter_matches(self, pairs: Iterable[tuple[Features, Features]]) -> Generator[PairResult, None, None]:
        """As `match_features`, one result after the other: memory does not grow with the number of pairs.

        Pairs are taken a few ahead of their results. On a CPU, where they are many, each core matches one of its own,
        in threads that end with the iterator (`cyano.parallel.in_order`).

        Raises:
            InputError: as `match_features`, in the place of the result of that pair, or of its batch on a GPU.
        """
        source = iter(pairs if isinstance(pairs, Iterable) else feature_pairs(pairs, self.device, self.assignment))
        size = 1 if self._assigner.is_fast else self._batch_size
        batches = iter(lambda: list(islice(source, size)), [])
        for results in in_order(self._matched, batches, self.pairs_at_once):
            yield from results

    @property
    def pairs_at_once(self) -> int:
        """How many threads match pairs where there are many: those of torch, with the fast form of a CPU; else 1."""
        return torch.get_num_threads() if self._assigner.is_fast else 1

    def _matched(self, pairs: Sequence[tuple[Features, Features]]) -> list[PairResult]:
        """The results of one batch."""
        return self._finished(batch := feature_pairs(pairs, self.device, self.assignment), self._assign(batch))

    def _finished(self, batch: Sequence[tuple[Features, Features]], found: Sequence[Matches]) -> list[PairResult]:
        """Those of matches that were found, aligned where features came with what the detector saw."""
        return finished([self._trial(*pair, each) for pair, each in zip(batch, found, strict=True)])

    def probabilities(self, features0: Features, features1: Features) -> NDArray[np.float32]:
        """(M + 1, N + 1) how probable each assignment is; the last column and row are of keypoints without a partner.

        Args:
            features0: of image 0, M keypoints.
            features1: of image 1, N keypoints.

        Raises:
            InputError: these are not features that the matcher takes.
        """
        ((one, two),) = feature_pairs([(features0, features1)], self.device, self.assignment)
        return np.asarray(self._assigner.log_assignment([(one, two)])[0].exp().cpu().numpy(), np.float32)

    def _assign(self, pairs: Sequence[tuple[Features, Features]]) -> list[Matches]:
        """Matches of some pairs, and doubtful ones that alignment or geometry may confirm."""
        return self._assigner(pairs, self.confirmed_threshold)


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

    Example:
        >>> result = cyano.match("a.jpg", "b.jpg", device="cpu")
        >>> result.keypoints0.shape == result.keypoints1.shape == (len(result), 2)
        True
    """
    return Matcher.from_pretrained(weights, options=options, device=device).match(image0, image1)


def _mask(source: ImageSource | None, image: LoadedImage) -> NDArray[np.bool_] | None:
    return None if source is None else read_mask(source, image.size)
