"""The interface of the package `lightglue`: `SuperPoint(...).extract`, `LightGlue(...)`, `match_pair`, `rbd`.

Behind it are Cyano's SuperPoint and SuperGlue. Positions are (x, y) in pixels of the image that is given, (0, 0) being
the middle of the first one, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from cyano.adapters.common import DeviceMatchers, without_pixels
from cyano.errors import InputError
from cyano.options import MatcherOptions
from cyano.processing.images import ImageSource, read
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["LightGlue", "SuperPoint", "load_image", "match_pair", "rbd"]

DEFAULT_RULE = ResizeRule()

Resize = ResizeRule | int | tuple[int, int] | None


class SuperPoint(nn.Module):
    """Images to keypoints and descriptors.

    Example:
        >>> extractor = SuperPoint(max_num_keypoints=100).eval()
        >>> extractor.extract(load_image("a.jpg"))["keypoints"].shape
        torch.Size([1, 100, 2])
        >>> len(extractor.features(load_image("a.jpg")))  # as cyano.Features
        100
    """

    def __init__(
        self,
        max_num_keypoints: int | None = None,
        detection_threshold: float | None = None,
        nms_radius: int | None = None,
        remove_borders: int | None = None,
        *,
        weights: str | Path | None = None,
    ) -> None:
        """Load the weights. What is None is as they say; Cyano's own have at most 1,024 keypoints.

        Args:
            max_num_keypoints: -1 for all.
            detection_threshold: least score of a keypoint.
            nms_radius: least distance of two keypoints, in pixels of the resized image.
            remove_borders: least distance from the border, likewise.
            weights: see `cyano.Matcher.from_pretrained`.

        Raises:
            InputError: a value cannot be.
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        options = MatcherOptions(
            max_keypoints=max_num_keypoints, keypoint_threshold=detection_threshold, nms_radius=nms_radius
        )
        self._by_rule = {options.resize: DeviceMatchers(weights, options, border=remove_borders)}

    def forward(self, data: Mapping[str, Any]) -> dict[str, Tensor]:
        """As `extract`, of an image that is not resized: data["image"]."""
        return self.extract(data["image"], resize=None)

    def extract(self, img: Tensor, *, resize: Resize = DEFAULT_RULE) -> dict[str, Tensor]:
        """Detect and describe.

        Args:
            img: (3, H, W) or (1, H, W) in [0, 1], or one more axis of length 1 before these.
            resize: pixels of the longer side for the networks, or (height, width), or None for those of the image; by
                default a longer side shrinks to 640.

        Returns:
            keypoints (1, N, 2), keypoint_scores (1, N), descriptors (1, N, D), image_size (1, 2) of width and height;
            and network_size (1, 2), which the networks saw.

        Raises:
            InputError: this is no such image.
        """
        return _table(self.features(img, resize))

    def features(self, img: Tensor, resize: Resize = DEFAULT_RULE) -> Features:
        """What `extract` gives as `cyano.Features`, with what matches are aligned by."""
        if not isinstance(img, Tensor) or img.ndim not in (3, 4) or (img.ndim == 4 and len(img) != 1):
            what = tuple(img.shape) if isinstance(img, Tensor) else type(img).__name__
            raise InputError(f"extract takes one image, a tensor (3, H, W) or (1, H, W) in [0, 1], not {what}")
        rule = _rule(resize)
        if rule not in self._by_rule:
            first = self._by_rule[DEFAULT_RULE]
            self._by_rule[rule] = DeviceMatchers(first.networks, replace(first.options, resize=rule))
        image = img[0] if img.ndim == 4 else img
        return self._by_rule[rule].on(img.device).extract([image])[0]


class LightGlue(nn.Module):
    """Features of two images to matches, by SuperGlue.

    Example:
        >>> extractor, matcher = SuperPoint(max_num_keypoints=100).eval(), LightGlue().eval()
        >>> features0, features1 = (extractor.extract(load_image(name)) for name in ("a.jpg", "b.jpg"))
        >>> found = matcher({"image0": features0, "image1": features1})
        >>> found["matches0"].shape, found["matches"][0].shape[1]
        (torch.Size([1, 100]), 2)
    """

    def __init__(
        self,
        features: str = "cyano",
        filter_threshold: float | None = None,
        *,
        weights: str | Path | None = None,
        n_layers: int | None = None,
        depth_confidence: float = -1,
        width_confidence: float = -1,
        flash: bool = True,
        mp: bool = False,
    ) -> None:
        """Load the weights.

        Args:
            features: "cyano" or "superpoint": those of `SuperPoint` here.
            filter_threshold: least probability of a match; None for that of the weights.
            weights: see `cyano.Matcher.from_pretrained`.
            n_layers: of the graph network that are run; None for all.
            depth_confidence: is taken and changes nothing: SuperGlue always runs all layers.
            width_confidence: likewise: it keeps all keypoints.
            flash: likewise: attention is as fast as it can be.
            mp: products in bfloat16, see `cyano.MatcherOptions.precision`.

        Raises:
            InputError: a value cannot be.
            WeightsError: the weights are missing or damaged.
        """
        super().__init__()
        if features not in ("cyano", "superpoint"):
            raise InputError(f"features are those of Cyano's SuperPoint ('cyano' or 'superpoint'), not {features!r}")
        options = MatcherOptions(
            match_threshold=filter_threshold, layers=n_layers, precision="mixed" if mp else "float32"
        )
        self._matchers = DeviceMatchers(weights, options)

    def compile(self, *args: object, **kwargs: object) -> None:
        """Is there for programs that call it, and changes nothing."""

    def forward(self, data: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Match a batch.

        Args:
            data: "image0" and "image1", each what `extract` gave; or B of them, stacked.

        Returns:
            matches0 (B, M) and matches1 (B, N) int64, -1 for none; matching_scores0 and 1; matches, a list of B times
            (K, 2) indices, and scores, of B times (K,); stop, the number of layers, and prune0 and prune1, the
            same for each keypoint.

        Raises:
            InputError: something is missing, or of another shape.
        """
        missing = [key for key in ("image0", "image1") if key not in data]
        if missing:
            raise InputError(
                f"{missing[0]!r} is missing in the dictionary: give what extract returned, for both images"
            )
        side0, side1 = (_features(data[key], key) for key in ("image0", "image1"))
        if len(side0) != len(side1) or not side0:
            raise InputError(f"{len(side0)} images 0 cannot be matched with {len(side1)} images 1; give equal numbers")
        return self._matched(self.results(list(zip(side0, side1, strict=True))), side0[0].keypoints.device)

    def results(self, pairs: list[tuple[Features, Features]]) -> list[PairResult]:
        """The matches of pairs of features, aligned where these have what that takes.

        Example:
            >>> features = matcher.extract(["a.jpg", "b.jpg"])
            >>> (result,) = LightGlue().results([tuple(features)])
            >>> type(result).__name__
            'PairResult'
        """
        return self._matchers.on(pairs[0][0].keypoints.device).match_features(pairs)

    def _matched(self, results: list[PairResult], device: torch.device) -> dict[str, Any]:
        """The dictionary of a batch."""
        names = {
            "matches0": "matches0",
            "matches1": "matches1",
            "matching_scores0": "scores0",
            "matching_scores1": "scores1",
        }
        found: dict[str, Any] = {
            key: torch.stack([torch.from_numpy(getattr(each.matches, name)) for each in results]).to(device)
            for key, name in names.items()
        }
        found["matches"] = [torch.from_numpy(each.indices).to(device) for each in results]
        found["scores"] = [torch.from_numpy(each.scores).to(device) for each in results]
        found["stop"] = layers = len(self._matchers.on(device).assignment.gnn_layers_types)
        for side in "01":
            found[f"prune{side}"] = torch.full_like(found[f"matching_scores{side}"], layers)
        return found


def match_pair(
    extractor: SuperPoint, matcher: LightGlue, image0: Tensor, image1: Tensor, device: str = "cpu", **preprocess: Any
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Match two images: what `cyano.Matcher.match` gives, with the keypoints of image 1 aligned.

    Args:
        extractor: of the features.
        matcher: of these features.
        image0: see `SuperPoint.extract`.
        image1: likewise.
        device: where the result shall lie.
        preprocess: `resize` of `SuperPoint.extract`.

    Returns:
        Features of both images and their matches, without the axis of batches.

    Example:
        >>> extractor, matcher = SuperPoint(max_num_keypoints=100).eval(), LightGlue().eval()
        >>> features0, features1, found = match_pair(extractor, matcher, load_image("a.jpg"), load_image("b.jpg"))
        >>> points0 = features0["keypoints"][found["matches"][:, 0]]
        >>> points0.shape[1]
        2
    """
    side0, side1 = (extractor.features(image, **preprocess) for image in (image0, image1))
    (result,) = matcher.results([(side0, side1)])
    moved = replace(
        without_pixels(side1), keypoints=torch.from_numpy(result.image1.keypoints).to(side1.keypoints.device)
    )
    tables = (_table(side0), _table(moved), matcher._matched([result], side0.keypoints.device))
    first, second, third = (
        {key: value.to(device) if isinstance(value, Tensor) else value for key, value in rbd(each).items()}
        for each in tables
    )
    return first, second, third


def rbd(data: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary without the axis of batches: the first of each tensor, array or list.

    Example:
        >>> rbd({"keypoints": torch.zeros(1, 100, 2, dtype=torch.float32)})["keypoints"].shape
        torch.Size([100, 2])
    """
    return {key: value[0] if hasattr(value, "__getitem__") else value for key, value in data.items()}


def load_image(path: ImageSource, resize: int | None = None) -> Tensor:
    """An image as (3, H, W) float32 RGB in [0, 1], as viewers show it.

    Args:
        path: or another source, see `cyano.processing.images`.
        resize: pixels of the longer side; None leaves it as it is.

    Raises:
        ImageError: it cannot be read or used.

    Example:
        >>> load_image("a.jpg").shape, load_image("a.jpg", resize=160).shape
        (torch.Size([3, 240, 320]), torch.Size([3, 120, 160]))
    """
    rgb = read(path).rgb
    if resize is not None:
        size = ResizeRule.longest(resize, allow_upscale=True).network_size(ImageSize(*rgb.shape[:2]))
        rgb = cv2.resize(rgb, (size.width, size.height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


def _rule(resize: Resize) -> ResizeRule:
    """The rule that a value of `resize` means."""
    if isinstance(resize, ResizeRule):
        return resize
    if resize is None:
        return ResizeRule.none()
    if isinstance(resize, int):
        return ResizeRule.longest(resize, allow_upscale=True)
    height, width = resize
    return ResizeRule.exact(height, width)


def _table(features: Features) -> dict[str, Tensor]:
    """Features as the dictionary of a batch of one."""
    sizes = [[size.width, size.height] for size in (features.frame.original, features.frame.network)]
    image_size, network_size = torch.tensor(sizes, dtype=torch.float32, device=features.keypoints.device)
    return {
        "keypoints": features.keypoints[None],
        "keypoint_scores": features.scores[None],
        "descriptors": features.descriptors[None],
        "image_size": image_size[None],
        "network_size": network_size[None],
    }


def _features(table: Mapping[str, Any], name: str) -> list[Features]:
    """The features of a batch.

    Raises:
        InputError: something is missing.
    """
    wanted = ("keypoints", "keypoint_scores", "descriptors", "image_size")
    missing = [key for key in wanted if key not in table]
    if missing:
        raise InputError(f"{name} has no {missing[0]!r}: give what extract returned, with its batch dimension")
    keypoints, scores, descriptors, sizes = (table[key] for key in wanted)
    seen = table.get("network_size", sizes)
    if not all(isinstance(each, Tensor) and len(each) == len(keypoints) for each in (scores, descriptors, sizes, seen)):
        raise InputError(f"{name} has entries of unequal numbers of images; give what extract returned")
    return [
        Features(places, values, words, ResizeMap(_size(size), _size(network)))
        for places, values, words, size, network in zip(keypoints, scores, descriptors, sizes, seen, strict=True)
    ]


def _size(width_and_height: Tensor) -> ImageSize:
    width, height = (round(float(each)) for each in width_and_height)
    return ImageSize(height, width)
