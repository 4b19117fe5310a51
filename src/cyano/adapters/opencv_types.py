"""OpenCV's types and Cyano's: keypoints, matches, and what its stitching pipeline takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry import RobustOptions
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, ImageSize, ResizeMap

__all__ = [
    "Keypoints",
    "Matches",
    "dmatches_of",
    "float_rows",
    "frame_of",
    "from_cv",
    "keypoints_of",
    "places_of",
    "to_cv",
    "to_stitching",
]

DEFAULT_RULE = ResizeRule()

DIAMETER = 8
"""Size of a keypoint in pixels of the image that the detector saw: its cell."""

Keypoints: TypeAlias = Sequence[cv2.KeyPoint]
Matches: TypeAlias = tuple[cv2.DMatch, ...]


def to_cv(result: PairResult) -> tuple[tuple[cv2.KeyPoint, ...], tuple[cv2.KeyPoint, ...], Matches]:
    """A result in OpenCV's types: all keypoints of both images, and the matches, whose distance is 1 - probability.

    Example:
        >>> import cv2
        >>> keypoints0, keypoints1, matches = to_cv(cyano.match("a.jpg", "b.jpg"))
        >>> images = cv2.imread("a.jpg"), cv2.imread("b.jpg")
        >>> picture = cv2.drawMatches(images[0], keypoints0, images[1], keypoints1, matches, None)
    """
    sides = (keypoints_of(each.keypoints, each.scores, each.frame) for each in (result.image0, result.image1))
    return (*sides, dmatches_of(result))  # type: ignore[return-value]


def from_cv(
    keypoints: Keypoints, descriptors: NDArray[Any], size: tuple[int, int], resize: ResizeRule = DEFAULT_RULE
) -> Features:
    """Features for `Matcher.match_features` from OpenCV's types; such matches are not aligned.

    Args:
        keypoints: as `CyanoFeatures` gave them.
        descriptors: (N, D) likewise.
        size: width and height of the image.
        resize: the rule that they were found by.

    Raises:
        InputError: the shapes do not fit each other.

    Example:
        >>> import cv2
        >>> keypoints, descriptors = CyanoFeatures.create(100).detectAndCompute(cv2.imread("a.jpg"), None)
        >>> features = from_cv(keypoints, descriptors, size=(320, 240))
        >>> (result,) = matcher.match_features([(features, features)])
    """
    places = torch.from_numpy(places_of(keypoints))
    return Features(places[:, :2], places[:, 2], torch.from_numpy(float_rows(descriptors)), frame_of(size, resize))


def to_stitching(
    features: Sequence[Features], results: Mapping[tuple[int, int], PairResult], options: RobustOptions | None = None
) -> tuple[list[Any], list[Any]]:
    """Features and matches for OpenCV's stitching, such as `cv2.detail_HomographyBasedEstimator`.

    Args:
        features: of each image.
        results: of pairs (i, j) of these images; of those that are left out nothing is known.
        options: of the homographies.

    Returns:
        `cv2.detail.ImageFeatures` of each image, and `cv2.detail.MatchesInfo` of each pair in both directions, row by
        row: B * B of them for B images. Homographies are between pixels that are counted from the middle of each image,
        as that pipeline has them.

    Raises:
        InputError: a pair names an image that is not there, or its result is of other keypoints.

    Example:
        >>> features = matcher.extract(["a.jpg", "b.jpg"])
        >>> (result,) = matcher.match_features([tuple(features)])
        >>> images, pairs = to_stitching(features, {(0, 1): result})
        >>> len(images), len(pairs)
        (2, 4)
    """
    sides, count = [_image_features(i, each) for i, each in enumerate(features)], len(features)
    infos = [cv2.detail.MatchesInfo() for _ in range(count * count)]
    for (i, j), result in results.items():
        if not (0 <= i < count and 0 <= j < count and i != j):
            raise InputError(f"({i}, {j}) is not a pair of {count} images; they are counted from 0")
        if (len(result.image0.keypoints), len(result.image1.keypoints)) != (len(features[i]), len(features[j])):
            raise InputError(
                f"the matches of ({i}, {j}) are not of these features; give the features that were matched"
            )
        found = result.homography(options or RobustOptions())
        matrix = _centred(found.matrix, result) if found.ok and found.matrix is not None else None
        back = None if matrix is None else np.linalg.inv(matrix)
        there, inliers = dmatches_of(result), found.inliers
        turned = tuple(cv2.DMatch(each.trainIdx, each.queryIdx, each.distance) for each in there)
        _tell(infos[i * count + j], (i, j), there, inliers, matrix)
        _tell(infos[j * count + i], (j, i), turned, inliers, None if back is None else back / back[2, 2])
    return sides, infos


def _image_features(number: int, features: Features) -> Any:
    found = cv2.detail.ImageFeatures()
    found.img_idx = number
    found.img_size = (features.frame.original.width, features.frame.original.height)
    found.keypoints = keypoints_of(features.keypoints.cpu().numpy(), features.scores.cpu().numpy(), features.frame)
    words: Any = features.descriptors.cpu().numpy()  # cv2's stubs know no arrays here
    found.descriptors = cv2.UMat(words)
    return found


def _centred(matrix: NDArray[np.float64], result: PairResult) -> NDArray[np.float64]:
    """The homography between pixels that are counted from the middle of each image."""
    first, second = np.eye(3), np.eye(3)
    first[:2, 2] = result.image0.size.width / 2, result.image0.size.height / 2
    second[:2, 2] = -result.image1.size.width / 2, -result.image1.size.height / 2
    centred = second @ matrix @ first
    return np.asarray(centred / centred[2, 2])


def _tell(
    info: Any, pair: tuple[int, int], matches: Matches, inliers: NDArray[np.bool_], matrix: NDArray[np.float64] | None
) -> None:
    """Fill one direction of a pair; the confidence is Brown and Lowe's (IJCV 2007), above 1 for images that overlap."""
    info.src_img_idx, info.dst_img_idx = pair
    info.matches = matches
    if matrix is None:
        info.num_inliers, info.confidence = 0, 0.0
        return
    info.inliers_mask = inliers.astype(np.uint8)
    info.num_inliers, info.H = int(inliers.sum()), matrix
    info.confidence = float(inliers.sum() / (8 + 0.3 * len(matches)))


def frame_of(size: tuple[int, int], rule: ResizeRule) -> ResizeMap:
    """The map of an image of that width and height by a rule of resizing."""
    width, height = size
    original = ImageSize(height, width)
    return ResizeMap(original, rule.network_size(original))


def places_of(keypoints: Keypoints | NDArray[Any]) -> NDArray[np.float32]:
    """(N, 3) float32 of x, y and response.

    Raises:
        InputError: these are no keypoints, or an array without responses.
    """
    if isinstance(keypoints, np.ndarray):
        rows = keypoints
    elif all(isinstance(each, cv2.KeyPoint) for each in keypoints):
        rows = np.array([(*each.pt, each.response) for each in keypoints], np.float32).reshape(-1, 3)
    else:
        raise InputError("keypoints are cv2.KeyPoint objects, or an array (N, 3) of x, y and response")
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise InputError(
            f"an array of keypoints is (N, 3) of x, y and response, not {rows.shape}; give the KeyPoint objects instead"
        )
    return np.ascontiguousarray(rows, np.float32)


def float_rows(descriptors: NDArray[Any]) -> NDArray[np.float32]:
    """Descriptors (N, D) in float32.

    Raises:
        InputError: these are no array.
    """
    if not isinstance(descriptors, np.ndarray):
        raise InputError(f"descriptors are an array (N, D), not {type(descriptors).__name__}")
    return np.ascontiguousarray(descriptors, np.float32)


def keypoints_of(
    places: NDArray[np.float32], scores: NDArray[np.float32], frame: ResizeMap
) -> tuple[cv2.KeyPoint, ...]:
    """OpenCV's keypoints of (N, 2) places and (N,) scores."""
    size = DIAMETER / min(frame.scale)
    return tuple(
        cv2.KeyPoint(x, y, size, -1, score, 0, row)
        for row, ((x, y), score) in enumerate(zip(places.tolist(), scores.tolist(), strict=True))
    )


def dmatches_of(result: PairResult) -> Matches:
    """OpenCV's matches of a result."""
    rows = zip(result.indices.tolist(), result.scores.tolist(), strict=True)
    return tuple(cv2.DMatch(index0, index1, 1 - score) for (index0, index1), score in rows)
