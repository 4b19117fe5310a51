"""What the picture itself says of a keypoint's place: the determinant of its Hessian.

A detector that reads each 8x8 cell off a code of an eighth of the resolution knows which regions are worth a
keypoint, and is two pixels wrong about where. Blobs and corners have their place in the grey values, to a third of a
pixel from any view. So the two share the work (docs/decisions/0007-localisation.md).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.models.superpoint import CELL
from cyano.models.transfers import upload
from cyano.native import keypoints, library
from cyano.processing.keypoints import refine_summits, window_max

__all__ = ["find_structure", "hessian_filters", "hessian_response", "response_and_scores", "structured_scores"]

SIGMA = 1.2
"""Blur of the derivatives, in pixels: the finest that is not noise."""

STRONG = 8e-3
"""Ten times the response of the 800th strongest maximum of a photograph of 640 pixels, in the median."""

LEAST = 8e-5
"""Weaker maxima are noise: the strongest in white noise of 3 grey values of 255 reaches this."""

REACH = 5
"""A maximum gathers the detector's probabilities up to so many pixels to each side: about a cell around it."""


def response_and_scores(images: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """The response where the detector has seen the images, and the scores of its maxima.

    Args:
        images: (B, 1, H, W) in [0, 1].
        probabilities: (B, h, w) of the detector, which drops a last strip of fewer than 8 rows or columns.

    Returns:
        (B, h, w) as `hessian_response` has it, and (B, h, w) as `structured_scores`.
    """
    if library.serves(images, probabilities) and len(images):
        along_x, along_y = _taps()
        filters = torch.from_numpy(along_x), torch.from_numpy(along_y)
        maps = [
            keypoints.structured_scores(*each, filters, strong=STRONG, reach=REACH, expected=CELL**2)
            for each in zip(images[:, 0], probabilities, strict=True)
        ]
        response, scores = (torch.stack(each) for each in zip(*maps, strict=True))
        return response, scores
    response = hessian_response(images)[:, : probabilities.shape[1], : probabilities.shape[2]]
    return response, structured_scores(probabilities, response)


@full_precision
def hessian_response(images: Tensor) -> Tensor:
    """Strength of blobs, and of corners just inside them; 0 along edges.

    Source: Beaudet, Rotationally invariant image operators, 1978.

    Args:
        images: (B, 1, H, W) in [0, 1].

    Returns:
        (B, H, W) float32, at least 0: the determinant of the second derivatives by Gaussian filters, in units of the
        blur.
    """
    along_x, along_y = (upload(torch.from_numpy(kernels), images.device) for kernels in _kernels())
    radius = along_x.shape[-1] // 2
    # Repeating the border's pixels makes no edge there; padding that is wider than a tiny image is not possible.
    padded = F.pad(images.float(), (radius, radius, radius, radius), mode="replicate")
    xx, yy, xy = F.conv2d(F.conv2d(padded, along_x), along_y).unbind(1)
    return (xx * yy - xy * xy).clamp(min=0)


@cache
def _kernels() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The filters of `_taps` for convolutions, as (3, 1, 1, 9) along x and then (3, 3, 9, 1) along y.

    The latter is zero but from each channel to itself: so it is faster than three filters each by itself.
    """
    along_x, along_y = _taps()
    return along_x[:, None, None], (np.eye(3, dtype=np.float32)[..., None] * along_y[:, None])[..., None]


def hessian_filters() -> NDArray[np.float32]:
    """The filters of `hessian_response` whole: (3, 1, 9, 9) for one convolution, not separated."""
    along_x, along_y = _taps()
    return (along_y[:, None, :, None] * along_x[:, None, None, :]).astype(np.float32)


@cache
def _taps() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Second derivatives of a Gaussian along x, along y, and along both: (3, 9) along x and (3, 9) along y.

    No tensors, since one that was made under inference mode or while a model is exported serves nothing else.
    """
    t = np.arange(-4, 5, dtype=np.float64)
    g = np.exp(-(t**2) / (2 * SIGMA**2))
    g = g / g.sum()
    g = g * SIGMA  # twice in each filter: derivatives in units of the blur
    first, second = -t / SIGMA**2 * g, (t**2 / SIGMA**4 - 1 / SIGMA**2) * g
    second = second - second.mean()  # a plane of any height has no curvature
    along_x, along_y = (np.array(each, np.float32) for each in ((second, g, first), (g, second, first)))
    return along_x, along_y


def structured_scores(probabilities: Tensor, response: Tensor) -> Tensor:
    """Scores of the picture's own maxima: how sure the detector is of the surroundings, times how clear the place is.

    Args:
        probabilities: (B, H, W) of the detector.
        response: (B, H, W) from `hessian_response`.

    Returns:
        (B, H, W) in [0, 1], 0 but at maxima.
    """
    near = _surroundings(probabilities) * CELL**2  # keypoints that the detector expects in a cell
    clear = response / (response + STRONG)
    return torch.where(_maxima(response, 1), near.clamp(max=1) * clear, 0)


def _surroundings(probabilities: Tensor) -> Tensor:
    """(B, H, W): the mean over the pixels of the image that lie within `REACH` to each side."""
    rows, columns = (probabilities.new_ones(side) for side in probabilities.shape[1:])
    counts = _window_sums(rows, 0)[:, None] * _window_sums(columns, 0)
    return _window_sums(_window_sums(probabilities, 1), 2) / counts


def _window_sums(values: Tensor, axis: int) -> Tensor:
    """Sums over all that lie within `REACH` along one axis; faster by far than pooling's loops over windows."""
    behind = values.ndim - 1 - axis
    padded = F.pad(values, [0, 0] * behind + [REACH, REACH])
    total = padded.narrow(axis, 0, values.shape[axis]).clone()
    for step in range(1, 2 * REACH + 1):
        total += padded.narrow(axis, step, values.shape[axis])
    return total


def find_structure(images: Tensor) -> list[Tensor]:
    """The maxima of each picture's response that are more than noise, none nearer than 3 pixels to a stronger one.

    Args:
        images: (B, 1, H, W) in [0, 1].

    Returns:
        For each image (N, 2) float32 (x, y) between the pixels, in no order.
    """
    response = hessian_response(images)
    found = _maxima(response, 2) & (response > LEAST)
    places = (torch.nonzero(each).flip(1).float() for each in found)
    return [refine_summits(heat, each) for heat, each in zip(response, places, strict=True)]


def _maxima(response: Tensor, radius: int) -> Tensor:
    """(B, H, W) bool: the highest within `radius` pixels."""
    return (response == window_max(response, radius)) & (response > 0)
