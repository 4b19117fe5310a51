"""OpenCV's interfaces: a `Feature2D`, a `DescriptorMatcher` with both images' keypoints, `KeyPoint` and `DMatch`.

Images are BGR, BGRA or grey as `cv2.imread` gives them; positions are in their pixels, whatever the networks see.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cyano.adapters.common import DeviceMatchers
from cyano.adapters.opencv_types import (
    Keypoints,
    Matches,
    dmatches_of,
    float_rows,
    frame_of,
    from_cv,
    keypoints_of,
    places_of,
    to_cv,
    to_stitching,
)
from cyano.errors import ImageError, InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.types import Features, ResizeMap

__all__ = ["CyanoDescriptorMatcher", "CyanoFeatures", "from_cv", "to_cv", "to_stitching"]

DEFAULT_OPTIONS = MatcherOptions()


class CyanoFeatures:
    """Keypoints and descriptors as `cv2.SIFT` and other `cv2.Feature2D` give them.

    Example:
        >>> import cv2
        >>> features = CyanoFeatures.create(100)
        >>> keypoints, descriptors = features.detectAndCompute(cv2.imread("a.jpg"), None)
        >>> len(keypoints), descriptors.shape, features.descriptorSize()
        (100, (100, 128), 128)
        >>> len(features.detect(cv2.imread("b.jpg"))), features.defaultNorm() == cv2.NORM_L2
        (100, True)
        >>> features.descriptorType() == cv2.CV_32F, features.empty(), "Cyano" in features.getDefaultName()
        (True, False, True)
    """

    def __init__(self, matcher: Matcher) -> None:
        """Take the detector of a matcher."""
        self._matcher = matcher

    @classmethod
    def create(
        cls,
        nfeatures: int | None = None,
        *,
        weights: str | Path | None = None,
        options: MatcherOptions = DEFAULT_OPTIONS,
        device: torch.device | str = "cpu",
    ) -> CyanoFeatures:
        """Load the weights.

        Args:
            nfeatures: at most so many keypoints; None for those of the options.
            weights: see `Matcher.from_pretrained`.
            options: see `Matcher`.
            device: where to run.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        return cls(_matcher(weights, options, device, nfeatures))

    def detect(self, image: NDArray[Any], mask: NDArray[Any] | None = None) -> tuple[cv2.KeyPoint, ...]:
        """Keypoints, where the mask of the image's size is not zero."""
        return self.detectAndCompute(image, mask)[0]

    def compute(
        self, image: NDArray[Any], keypoints: Keypoints
    ) -> tuple[tuple[cv2.KeyPoint, ...], NDArray[np.float32]]:
        """Descriptors (N, D) of keypoints that are given, which stay as they are.

        Example:
            >>> import cv2
            >>> features, image = CyanoFeatures.create(), cv2.imread("a.jpg")
            >>> keypoints, descriptors = features.compute(image, [cv2.KeyPoint(100.0, 80.0, 8.0)])
            >>> descriptors.shape
            (1, 128)
        """
        places = torch.from_numpy(places_of(keypoints))
        found = self._matcher.describe(_rgb(image), places[:, :2], places[:, 2])
        return tuple(keypoints), _numpy(found.descriptors)

    def detectAndCompute(  # noqa: N802
        self,
        image: NDArray[Any],
        mask: NDArray[Any] | None = None,
        descriptors: object = None,
        useProvidedKeypoints: bool = False,
    ) -> tuple[tuple[cv2.KeyPoint, ...], NDArray[np.float32]]:
        """Keypoints, `class_id` being their row, and descriptors.

        Args:
            image: (H, W) or (H, W, 3|4).
            mask: (H, W), zero where no keypoint is wanted.
            descriptors: is there for OpenCV's signature, and has to be None.
            useProvidedKeypoints: likewise False; see `compute`.

        Returns:
            N keypoints, and descriptors (N, D) float32 rows of unit length; N may be 0.

        Raises:
            ImageError: the image or the mask is none.
            InputError: keypoints are to be provided.
        """
        if useProvidedKeypoints or descriptors is not None:
            raise InputError("detectAndCompute finds its own keypoints; use compute(image, keypoints) for given ones")
        (found,) = self._matcher.extract([_rgb(image)], masks=[mask])
        keypoints = keypoints_of(_numpy(found.keypoints), _numpy(found.scores), found.frame)
        return keypoints, _numpy(found.descriptors)

    def descriptorSize(self) -> int:  # noqa: N802
        """D, numbers of a descriptor."""
        return self._matcher.detection.descriptor_decoder_dim

    def descriptorType(self) -> int:  # noqa: N802
        """`cv2.CV_32F`."""
        return int(cv2.CV_32F)

    def defaultNorm(self) -> int:  # noqa: N802
        """`cv2.NORM_L2`, for matchers of OpenCV."""
        return int(cv2.NORM_L2)

    def getDefaultName(self) -> str:  # noqa: N802
        """The name of the algorithm."""
        return "Feature2D.Cyano"

    def empty(self) -> bool:
        """Whether there is no network: never."""
        return False


class CyanoDescriptorMatcher:
    """SuperGlue with the methods of `cv2.DescriptorMatcher`; it needs the keypoints, as `cv2.LightGlueMatcher` does.

    Example:
        >>> import cv2
        >>> features, matcher = CyanoFeatures.create(100), CyanoDescriptorMatcher.create()
        >>> keypoints, descriptors = features.detectAndCompute(cv2.imread("a.jpg"), None)
        >>> matcher.setPairInfo(keypoints, keypoints, (320, 240), (320, 240))
        >>> matches = matcher.match(descriptors, descriptors)
        >>> len(matcher.knnMatch(descriptors, descriptors, k=2)), matches[0].distance < 0.5
        (100, True)
        >>> sure = matcher.radiusMatch(descriptors, descriptors, maxDistance=0.1)
        >>> matcher.isMaskSupported()
        True
        >>> matcher.clearPairInfo()
    """

    def __init__(self, matcher: Matcher) -> None:
        """Take a matcher; its rule of resizing has to be that of the features."""
        self._matcher = matcher
        self._pair: tuple[tuple[NDArray[np.float32], ResizeMap], ...] | None = None

    @classmethod
    def create(
        cls,
        *,
        weights: str | Path | None = None,
        options: MatcherOptions = DEFAULT_OPTIONS,
        device: torch.device | str = "cpu",
    ) -> CyanoDescriptorMatcher:
        """Load the weights; arguments and errors are those of `CyanoFeatures.create`."""
        return cls(_matcher(weights, options, device))

    def setPairInfo(  # noqa: N802
        self,
        queryKpts: Keypoints | NDArray[Any],
        trainKpts: Keypoints | NDArray[Any],
        queryImageSize: tuple[int, int],
        trainImageSize: tuple[int, int],
    ) -> None:
        """Tell where the descriptors of the next calls were taken.

        Args:
            queryKpts: keypoints of image 0; or (N, 3) of x, y and response.
            trainKpts: likewise of image 1.
            queryImageSize: width and height of image 0.
            trainImageSize: likewise of image 1.

        Raises:
            InputError: these are no keypoints, or have no responses, which the network reads.
        """
        given = ((queryKpts, queryImageSize), (trainKpts, trainImageSize))
        rule = self._matcher.options.resize
        self._pair = tuple((places_of(keypoints), frame_of(size, rule)) for keypoints, size in given)

    def clearPairInfo(self) -> None:  # noqa: N802
        """Forget the keypoints."""
        self._pair = None

    def isMaskSupported(self) -> bool:  # noqa: N802
        """Whether matches can be ruled out by a mask: they can."""
        return True

    def match(
        self, queryDescriptors: NDArray[Any], trainDescriptors: NDArray[Any], mask: NDArray[Any] | None = None
    ) -> Matches:
        """The matches; `distance` is 1 - probability.

        Args:
            queryDescriptors: (M, D) of image 0.
            trainDescriptors: (N, D) of image 1.
            mask: (M, N), zero where two keypoints cannot be a match; such matches are left out.

        Raises:
            InputError: `setPairInfo` was not called, or not for as many keypoints.
        """
        if self._pair is None:
            raise InputError(
                "call setPairInfo(keypoints0, keypoints1, size0, size1) before match: SuperGlue needs positions"
            )
        sides = []
        for (places, frame), given in zip(self._pair, (queryDescriptors, trainDescriptors), strict=True):
            rows, words = torch.from_numpy(places), torch.from_numpy(float_rows(given))
            sides.append(Features(rows[:, :2], rows[:, 2], words, frame))
        found = dmatches_of(self._matcher.match_features([(sides[0], sides[1])])[0])
        return found if mask is None else tuple(each for each in found if mask[each.queryIdx, each.trainIdx])

    def knnMatch(  # noqa: N802
        self,
        queryDescriptors: NDArray[Any],
        trainDescriptors: NDArray[Any],
        k: int,
        mask: NDArray[Any] | None = None,
        compactResult: bool = False,
    ) -> tuple[Matches, ...]:
        """For each row of image 0 its match or nothing, whatever `k` is: there is no second best for a ratio test."""
        if k < 1:
            raise InputError(f"k is at least 1, not {k}")
        found = {each.queryIdx: (each,) for each in self.match(queryDescriptors, trainDescriptors, mask)}
        rows = tuple(found.get(row, ()) for row in range(len(queryDescriptors)))
        return tuple(row for row in rows if row) if compactResult else rows

    def radiusMatch(  # noqa: N802
        self,
        queryDescriptors: NDArray[Any],
        trainDescriptors: NDArray[Any],
        maxDistance: float,
        mask: NDArray[Any] | None = None,
        compactResult: bool = False,
    ) -> tuple[Matches, ...]:
        """As `knnMatch`, those with a probability of at least 1 - `maxDistance`.

        Example:
            >>> import cv2
            >>> features, matcher = CyanoFeatures.create(100), CyanoDescriptorMatcher.create()
            >>> keypoints, descriptors = features.detectAndCompute(cv2.imread("a.jpg"), None)
            >>> matcher.setPairInfo(keypoints, keypoints, (320, 240), (320, 240))
            >>> sure = matcher.radiusMatch(descriptors, descriptors, maxDistance=0.1)
            >>> len(sure), all(match.distance <= 0.1 for row in sure for match in row)
            (100, True)
        """
        every = self.knnMatch(queryDescriptors, trainDescriptors, 1, mask)
        rows = tuple(tuple(each for each in row if each.distance <= maxDistance) for row in every)
        return tuple(row for row in rows if row) if compactResult else rows


def _matcher(
    weights: str | Path | None, options: MatcherOptions, device: torch.device | str, count: int | None = None
) -> Matcher:
    if count is not None:
        options = replace(options, max_keypoints=count)
    return DeviceMatchers(weights, options).on(device)


def _rgb(image: NDArray[Any]) -> NDArray[Any]:
    """OpenCV's order of channels turned round."""
    if not isinstance(image, np.ndarray):
        hint = "; cv2.imread gives None for a file that it cannot read" if image is None else ""
        raise ImageError(f"OpenCV's images are numpy arrays, not {type(image).__name__}{hint}")
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        return image
    return image[..., [2, 1, 0, 3][: image.shape[2]]]


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.cpu().numpy()
