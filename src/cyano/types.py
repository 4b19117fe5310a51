"""The conventions, stated once, and the values that carry them.

- Keypoints are (x, y), float32, in pixels of the ORIGINAL image as it is displayed (EXIF orientation applied);
  the centre of the top-left pixel is (0, 0). COLMAP's centre is (0.5, 0.5): only its exporter adds the half.
- Resizing maps pixel centres: `x_small = (x + 0.5) * s - 0.5`, with s per axis from the rounded sizes.
- Sizes are `ImageSize(height, width)`, never bare tuples.
- Descriptors are (N, D) and of unit length.
- `matches0[i]` is the index in image 1 of keypoint i of image 0, or -1; int64, also when empty.
- Poses are `T_0to1`, 4x4, and map points of camera 0 to camera 1.
- Empty results have the same types and ranks as full ones.
- Dimension names: B pairs or images, M keypoints in image 0, N in image 1 (or in the one image), D descriptor
  channels, H and W pixels, K classes or matches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, TypeVar

from cyano.concise import Concise
from cyano.devices import usable_device
from cyano.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["Features", "ImageSize", "Matches", "ResizeMap"]


@dataclass(frozen=True, order=True)
class ImageSize:
    """Height and width of an image in pixels.

    Example:
        >>> size = cyano.ImageSize(height=480, width=640)
        >>> size.width, size.turned(1), size.has_shape_of(cyano.ImageSize(960, 1280))
        (640, ImageSize(height=640, width=480), True)
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        if not all(isinstance(side, Integral) for side in (self.height, self.width)):
            raise InputError(f"a size is in whole pixels, not {self.height!r}x{self.width!r}")
        if self.height < 1 or self.width < 1:
            raise InputError(f"an image has at least 1x1 pixels, not {self.height}x{self.width}")

    @property
    def longest(self) -> int:
        """The longer of the two sides, in pixels."""
        return max(self.height, self.width)

    def has_shape_of(self, other: ImageSize) -> bool:
        """Whether an image of the other size, enlarged or reduced to this one, would keep its shape to a pixel."""
        small, large = sorted((self, other), key=lambda size: size.height * size.width)
        down, across = small.height / large.height, small.width / large.width
        return min(abs(small.height - large.height * across), abs(small.width - large.width * down)) <= 1

    def turned(self, quarter_turns: int) -> ImageSize:
        """The size after so many quarter turns."""
        return ImageSize(self.width, self.height) if quarter_turns % 2 else self


_Array = TypeVar("_Array")


@dataclass(frozen=True)
class ResizeMap:
    """The way from an original image to the one that the network sees: quarter turns, then a resize.

    Points are (..., 2) arrays (numpy or torch, any floating dtype) of (x, y); pixel centres map to pixel
    centres. The two directions are exact inverses up to rounding.

    Attributes:
        original: size of the image that the user gave, EXIF orientation applied.
        network: size of the turned and resized image.
        quarter_turns: counter-clockwise quarter turns before the resize, as in `numpy.rot90`.

    Example:
        >>> frame = cyano.ResizeMap(cyano.ImageSize(960, 1280), cyano.ImageSize(480, 640))
        >>> frame.to_network(np.array([[0.5, 0.5]])).tolist()  # between the first four pixels: the first small one
        [[0.0, 0.0]]
        >>> frame.to_original(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        >>> cyano.ResizeMap.identity(cyano.ImageSize(480, 640)).scale
        (1.0, 1.0)
    """

    original: ImageSize
    network: ImageSize
    quarter_turns: int = 0

    @classmethod
    def identity(cls, size: ImageSize) -> ResizeMap:
        """The map of an image that goes to the network as it is."""
        return cls(size, size)

    @property
    def scale(self) -> tuple[float, float]:
        """Network pixels per turned original pixel, (along x, along y)."""
        turned = self.original.turned(self.quarter_turns)
        return self.network.width / turned.width, self.network.height / turned.height

    def to_network(self, points: _Array) -> _Array:
        """Map (..., 2) points of the original image into the network's image."""
        x, y = points[..., 0], points[..., 1]  # type: ignore[index]
        last_x, last_y = self.original.width - 1, self.original.height - 1
        turns = self.quarter_turns % 4
        if turns == 1:
            x, y = y, last_x - x
        elif turns == 2:
            x, y = last_x - x, last_y - y
        elif turns == 3:
            x, y = last_y - y, x
        sx, sy = self.scale
        return _stack(points, (x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5)

    def to_original(self, points: _Array) -> _Array:
        """Map (..., 2) points of the network's image back into the original image."""
        sx, sy = self.scale
        x = (points[..., 0] + 0.5) / sx - 0.5  # type: ignore[index]
        y = (points[..., 1] + 0.5) / sy - 0.5  # type: ignore[index]
        last_x, last_y = self.original.width - 1, self.original.height - 1
        turns = self.quarter_turns % 4
        if turns == 1:
            x, y = last_x - y, x
        elif turns == 2:
            x, y = last_x - x, last_y - y
        elif turns == 3:
            x, y = y, last_y - x
        return _stack(points, x, y)


def _stack(like: _Array, x: object, y: object) -> _Array:
    """(x, y) side by side in a new array of the same kind and dtype as `like`."""
    out = like.clone() if hasattr(like, "clone") else like.copy()  # type: ignore[attr-defined]
    out[..., 0], out[..., 1] = x, y
    return out  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False, repr=False)
class Features(Concise):
    """What the detector found in one image; all tensors on one device.

    Numpy arrays and tensors of another dtype are converted.

    Attributes:
        keypoints: (N, 2) float32, (x, y) in pixels of the original image.
        scores: (N,) float32 in (0, 1], the detector's confidence.
        descriptors: (N, D) float32 rows of unit length; float16 after `half`.
        frame: how the original image became the one that the detector saw; the matcher normalises
            positions in that frame.
        extras: (N, E) float32, what else the matcher's keypoint encoder reads of each keypoint; None for nothing.
        image: (H, W) float16 in [0, 1], what the detector saw, by which matches are aligned; None where it was not
            kept, as in a `cyano.store`.

    Raises:
        InputError: the shapes or the devices do not fit each other, or these are not arrays of finite numbers
            (numbers on a GPU are not looked at, for the program would have to wait for it).

    Example:
        >>> frame = cyano.ResizeMap(cyano.ImageSize(480, 640), cyano.ImageSize(480, 640))
        >>> rows = np.eye(2, 128, dtype=np.float32)  # unit length
        >>> features = cyano.Features(np.float32([[10, 20], [30, 40]]), np.float32([0.9, 0.8]), rows, frame)
        >>> len(features), features.half().descriptors.dtype, features.half().to("cpu").descriptors.dtype
        (2, torch.float16, torch.float32)
    """

    keypoints: torch.Tensor
    scores: torch.Tensor
    descriptors: torch.Tensor
    frame: ResizeMap
    extras: torch.Tensor | None = None
    image: torch.Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("keypoints", "scores", "descriptors", "extras", "image"):
            if (given := getattr(self, name)) is not None or name not in ("extras", "image"):
                # The dataclass is frozen: this is the one place where its values are set.
                object.__setattr__(self, name, _floats(name, given))
        if not isinstance(self.frame, ResizeMap):
            raise InputError(f"the frame of features is a ResizeMap, not {type(self.frame).__name__}")
        self._check_shapes()
        tensors = (self.keypoints, self.scores, self.descriptors, self.extras, self.image)
        if len(devices := {tensor.device for tensor in tensors if tensor is not None}) > 1:
            raise InputError(f"features must be on one device, not on {' and '.join(sorted(map(str, devices)))}")

    def _check_shapes(self) -> None:
        count = len(self.keypoints) if self.keypoints.ndim else 0
        fits = self.keypoints.shape == (count, 2) and self.scores.shape == (count,)
        if not fits or self.descriptors.ndim != 2 or self.descriptors.shape[0] != count:
            raise InputError(
                "features need keypoints (N, 2), scores (N,) and descriptors (N, D), not "
                f"{tuple(self.keypoints.shape)}, {tuple(self.scores.shape)} and {tuple(self.descriptors.shape)}"
            )
        if self.extras is not None and (self.extras.ndim != 2 or self.extras.shape[0] != count):
            raise InputError(f"extras of {count} keypoints are ({count}, E), not {tuple(self.extras.shape)}")
        seen = self.frame.network.height, self.frame.network.width
        if self.image is not None and self.image.shape != seen:
            raise InputError(
                f"the image of features must be {seen}, the size in their frame, not {tuple(self.image.shape)}"
            )

    def __len__(self) -> int:
        return int(self.keypoints.shape[0])

    @property
    def network_keypoints(self) -> torch.Tensor:
        """(N, 2) float32 positions in pixels of the image that the detector saw."""
        return self.frame.to_network(self.keypoints)

    def to(self, device: torch.device | str) -> Features:
        """The same features on another device; themselves where they are there, with descriptors in float32.

        Raises:
            InputError: this machine has no such device.
        """
        device = usable_device(device)
        if self.keypoints.device == device and self.descriptors.element_size() == self.keypoints.element_size():
            return self
        extras, image = (None if each is None else each.to(device) for each in (self.extras, self.image))
        moved = (self.keypoints.to(device), self.scores.to(device), self.descriptors.to(device))
        return Features(*moved, self.frame, extras, image)

    def half(self) -> Features:
        """The same features with float16 descriptors, to keep many of them; `to` gives float32 again.

        A `Matcher` takes them as they are and computes in float32. docs/performance.md says which matches change.
        """
        kept = replace(self)
        object.__setattr__(kept, "descriptors", kept.descriptors.half())  # which the constructor makes float32
        return kept


def _floats(name: str, values: object) -> torch.Tensor:
    """A tensor or an array of numbers as the tensor that `Features` holds."""
    import numpy as np  # the package has to import without either
    import torch

    wanted = "floats in [0, 1]" if name == "image" else "a tensor or an array of numbers"
    if isinstance(values, torch.Tensor):
        floats, numbers = values.is_floating_point(), not values.is_complex() and values.dtype != torch.bool
    else:
        try:
            values = np.asarray(values)
        except ValueError as error:  # rows of several lengths
            raise InputError(f"{name} of features must be {wanted}: {error}") from error
        floats, numbers = values.dtype.kind == "f", values.dtype.kind in "fiu"
    if not (floats if name == "image" else numbers):
        raise InputError(f"{name} of features must be {wanted}, not {values.dtype}")
    if isinstance(values, np.ndarray):
        values = torch.from_numpy(np.require(values, np.float32, ["C", "W"]))
    if values.is_meta or values.layout != torch.strided:
        raise InputError(f"{name} of features must be an ordinary tensor with values, not {_kind_of(values)}")
    values = values.to(torch.float16 if name == "image" else torch.float32)
    if _is_at_hand(values) and not bool(torch.isfinite(values).all()):
        raise InputError(f"{name} of features must be finite numbers; leave out keypoints with NaN or infinity")
    return values


def _is_at_hand(values: torch.Tensor) -> bool:
    """Whether looking at the numbers costs nothing: for those of a GPU the program would have to wait."""
    return values.device.type == "cpu"


def _kind_of(values: torch.Tensor) -> str:
    return "one on the device meta" if values.is_meta else f"one of {values.layout}"


@dataclass(frozen=True, eq=False, repr=False)
class Matches(Concise):
    """The assignment between the keypoints of two images, from both sides.

    Attributes:
        matches0: (M,) int64, the index in image 1 of each keypoint of image 0, -1 where none.
        matches1: (N,) int64, the index in image 0 of each keypoint of image 1, -1 where none.
        scores0: (M,) float32 in [0, 1], the probability of each match, 0 where none.
        scores1: (N,) float32 likewise.

    Example:
        >>> forward, backward = np.array([1, -1]), np.array([-1, 0])  # keypoint 0 of image 0 is keypoint 1 of image 1
        >>> matches = cyano.Matches(forward, backward, np.float32([0.9, 0]), np.float32([0, 0.9]))
        >>> matches.count, matches.above(0.95).count, matches.without(np.array([0])).count
        (1, 0, 0)
        >>> others = cyano.Matches(np.array([-1, 0]), np.array([1, -1]), np.float32([0, 0.5]), np.float32([0.5, 0]))
        >>> matches.joined(others.beyond(matches)).count
        2
    """

    matches0: NDArray[np.int64]
    matches1: NDArray[np.int64]
    scores0: NDArray[np.float32]
    scores1: NDArray[np.float32]

    @property
    def count(self) -> int:
        """How many matches there are."""
        return int((self.matches0 >= 0).sum())

    def without(self, dropped0: NDArray[np.int64]) -> Matches:
        """Those but for the matches of some keypoints of image 0, given by their indices."""
        left = Matches(*(each.copy() for each in vars(self).values()))
        dropped0 = dropped0[self.matches0[dropped0] >= 0]
        dropped1 = self.matches0[dropped0]
        left.matches0[dropped0], left.scores0[dropped0] = -1, 0
        left.matches1[dropped1], left.scores1[dropped1] = -1, 0
        return left

    def beyond(self, kept: Matches) -> Matches:
        """Those of keypoints of image 0 that have none in `kept`."""
        return self.without((kept.matches0 >= 0).nonzero()[0])

    def joined(self, others: Matches) -> Matches:
        """These and others of the same keypoints, none of which is matched in both."""
        return Matches(
            self.matches0 + others.matches0 + 1,  # one of the two is -1
            self.matches1 + others.matches1 + 1,
            self.scores0 + others.scores0,
            self.scores1 + others.scores1,
        )

    def above(self, threshold: float) -> Matches:
        """Those with a greater probability."""
        return self.without((self.scores0 <= threshold).nonzero()[0])
