"""Matches of pairs, with their two-view geometry where it was verified, as they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.store.base import ShardStore
from cyano.store.precision import narrowed
from cyano.store.shard import Shard
from cyano.types import Matches

__all__ = ["MatchStore", "ModelKind", "StoredPair", "TwoViewGeometry"]

ModelKind = Literal["homography", "fundamental", "essential", "pose"]
_KINDS: tuple[ModelKind, ...] = get_args(ModelKind)
_NO_MODEL = 255
_MAX_UINT16 = 65_535
_MAX_INT32 = 2**31 - 1


@dataclass(frozen=True, eq=False, repr=False)
class TwoViewGeometry(Concise):
    """The model that verified the matches of a pair.

    Attributes:
        kind: what the matrix is.
        matrix: float64, (3, 3) H that maps points of image 0 to image 1, F or E of x1^T F x0 = 0; or (4, 4) T_0to1.
        inliers: (K,) bool, which of the pair's matches obey it.

    Raises:
        InputError: the kind is unknown, or the matrix has another shape, is not finite or cannot be inverted though
            its kind can.

    Example:
        >>> five_right = np.array([[1.0, 0, 5], [0, 1, 0], [0, 0, 1]])
        >>> shift = TwoViewGeometry("homography", five_right, np.array([True, False]))
        >>> shift.swapped().matrix[0].tolist()
        [1.0, 0.0, -5.0]
    """

    kind: ModelKind
    matrix: NDArray[np.float64]
    inliers: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InputError(f"unknown model {self.kind!r}: choose one of {', '.join(_KINDS)}")
        if self.matrix.shape != _shape(self.kind) or not np.isfinite(self.matrix).all():
            raise InputError(f"the matrix of a {self.kind} is a finite {_shape(self.kind)}, not {self.matrix!r}")
        if self.kind in ("homography", "pose") and np.linalg.matrix_rank(self.matrix) < len(self.matrix):
            raise InputError(f"a {self.kind} has an inverse, and this matrix has none: {self.matrix!r}")

    def swapped(self) -> TwoViewGeometry:
        """The same from image 1 to image 0."""
        two_way = self.kind in ("homography", "pose")
        matrix = np.linalg.inv(self.matrix) if two_way else self.matrix.T.copy()
        return TwoViewGeometry(self.kind, np.asarray(matrix, np.float64), self.inliers)


def _shape(kind: ModelKind) -> tuple[int, int]:
    return (4, 4) if kind == "pose" else (3, 3)


@dataclass(frozen=True, eq=False, repr=False)
class StoredPair(Concise):
    """The matches of one pair of images.

    Attributes:
        name0: of image 0, with any characters.
        name1: of image 1.
        indices: (K, 2) int32 rows (keypoint of image 0, keypoint of image 1).
        scores: (K,) float32, the probability of each match.
        geometry: the model that verified them; None where there is none.

    Raises:
        InputError: the shapes do not fit together, an index is negative or a score not finite.

    Example:
        >>> result = cyano.match("a.jpg", "b.jpg")
        >>> pair = StoredPair.of("a.jpg", "b.jpg", result.matches)
        >>> pair.swapped().name0, len(pair.verified) == len(result)
        ('b.jpg', True)
        >>> matches = pair.to_matches(len(result.image0.keypoints), len(result.image1.keypoints))
    """

    name0: str
    name1: str
    indices: NDArray[np.int32]
    scores: NDArray[np.float32]
    geometry: TwoViewGeometry | None = None

    def __post_init__(self) -> None:
        count, pair = len(self.scores), f"matches of {self.name0!r} and {self.name1!r}"
        inliers = (count,) if self.geometry is None else self.geometry.inliers.shape
        if self.indices.shape != (count, 2) or self.scores.shape != (count,) or inliers != (count,):
            raise InputError(
                f"{pair} need indices (K, 2), scores (K,) and inliers (K,), not {self.indices.shape}, "
                f"{self.scores.shape} and {inliers}"
            )
        if not np.isfinite(self.scores).all():
            raise InputError(f"{pair} have scores that are not finite; match them again")
        if count and not 0 <= self.indices.min() <= self.indices.max() <= _MAX_INT32:
            raise InputError(f"{pair} have indices out of range; they count keypoints from 0")

    @classmethod
    def of(cls, name0: str, name1: str, matches: Matches, geometry: TwoViewGeometry | None = None) -> StoredPair:
        """From what a matcher gives.

        Args:
            name0: of image 0.
            name1: of image 1.
            matches: of the pair.
            geometry: that verified them, with an inlier for each match in image 0's order.
        """
        matched = np.flatnonzero(matches.matches0 >= 0)
        indices = np.stack([matched, matches.matches0[matched]], axis=1).astype(np.int32)
        return cls(name0, name1, indices, matches.scores0[matched].astype(np.float32), geometry)

    def to_matches(self, num_keypoints0: int, num_keypoints1: int) -> Matches:
        """The assignment from both sides.

        Args:
            num_keypoints0: of image 0.
            num_keypoints1: of image 1.

        Raises:
            InputError: the images have fewer keypoints than were matched.
        """
        sides = []
        for side, count in enumerate((num_keypoints0, num_keypoints1)):
            own, other = self.indices[:, side], self.indices[:, 1 - side]
            if own.size and own.max() >= count:
                raise InputError(
                    f"keypoint {own.max()} of {(self.name0, self.name1)[side]!r} was matched, but the image now has "
                    f"{count}; match the images again"
                )
            matches, scores = np.full(count, -1, np.int64), np.zeros(count, np.float32)
            matches[own], scores[own] = other, self.scores
            sides.append((matches, scores))
        (matches0, scores0), (matches1, scores1) = sides
        return Matches(matches0, matches1, scores0, scores1)

    @property
    def verified(self) -> NDArray[np.int32]:
        """(L, 2) int32 rows of `indices` that the geometry confirms; all of them where none was estimated."""
        return self.indices if self.geometry is None else self.indices[self.geometry.inliers]

    def swapped(self) -> StoredPair:
        """The same pair the other way round, its matches in the same order."""
        geometry = None if self.geometry is None else self.geometry.swapped()
        indices = np.ascontiguousarray(self.indices[:, ::-1])
        return replace(self, name0=self.name1, name1=self.name0, indices=indices, geometry=geometry)


class MatchStore(ShardStore[tuple[str, str], StoredPair]):
    """Matches by the names of the two images; (a, b) and (b, a) are one pair.

    Its configuration includes everything that decided the features.

    Example:
        >>> store = MatchStore("store", {"weights": "cyano-small", "threshold": 0.2})
        >>> store.write([StoredPair("a.jpg", "b.jpg", np.int32([[0, 7]]), np.float32([0.9]))])
        >>> store.read([("b.jpg", "a.jpg")])[0].indices.tolist()  # the other way round
        [[7, 0]]
    """

    kind = "matches"

    def read(self, keys: Iterable[tuple[str, str]]) -> list[StoredPair]:
        """A batch of pairs in the order and each in the direction asked for; see `ShardStore.read`."""
        asked = list(keys)
        found = zip(asked, super().read(asked), strict=True)
        return [pair if pair.name0 == name0 else pair.swapped() for (name0, _), pair in found]

    def _names(self, key: tuple[str, str]) -> Sequence[str]:
        return key

    def _key(self, item: StoredPair) -> tuple[str, str]:
        return item.name0, item.name1

    def _encode(self, items: Sequence[StoredPair]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        names = sorted({name for item in items for name in (item.name0, item.name1)})
        numbers = {name: number for number, name in enumerate(names)}
        indices = np.concatenate([item.indices for item in items])
        narrow = not indices.size or indices.max() <= _MAX_UINT16
        tensors: dict[str, NDArray[Any]] = {
            "pairs": np.array([(numbers[item.name0], numbers[item.name1]) for item in items], np.int32),
            "counts": np.array([len(item.scores) for item in items], np.int32),
            "indices": indices.astype(np.uint16 if narrow else np.int32),
            "scores": narrowed(np.concatenate([item.scores for item in items]), self.precision, "scores of matches"),
        }
        models = [item.geometry for item in items]
        if any(models):
            tensors["models"] = np.concatenate([model.matrix.ravel() for model in models if model]).astype(np.float64)
            tensors["kinds"] = np.array([_KINDS.index(m.kind) if m else _NO_MODEL for m in models], np.uint8)
            masks = [item.geometry.inliers if item.geometry else np.zeros(len(item.scores), bool) for item in items]
            tensors["inliers"] = np.packbits(np.concatenate(masks))
        return {"names": names}, tensors

    def _decode(self, shard: Shard, rows: Sequence[int] | None) -> list[StoredPair]:
        keys = self._keys(shard)
        ends = np.cumsum(shard.tensor("counts"), dtype=np.int64)
        indices = shard.tensor("indices").astype(np.int32)
        scores = shard.tensor("scores").astype(np.float32)
        models = _models(shard, ends) if "kinds" in shard.names else [None] * len(keys)
        pairs = []
        for row in range(len(keys)) if rows is None else rows:
            (name0, name1), _ = keys[row]
            some = slice(0 if row == 0 else ends[row - 1], ends[row])
            # Copies: a pair that is kept must not keep all the others of its shard.
            pairs.append(StoredPair(name0, name1, indices[some].copy(), scores[some].copy(), models[row]))
        return pairs

    def _keys(self, shard: Shard) -> list[tuple[tuple[str, str], str]]:
        names = shard.document["names"]
        return [((names[first], names[second]), "") for first, second in shard.tensor("pairs").tolist()]


def _models(shard: Shard, ends: NDArray[np.int64]) -> list[TwoViewGeometry | None]:
    """The geometry of each pair of a shard."""
    values, inliers = shard.tensor("models"), np.unpackbits(shard.tensor("inliers")).astype(bool)
    models: list[TwoViewGeometry | None] = []
    start, first = 0, 0
    for code, end in zip(shard.tensor("kinds"), ends, strict=True):
        model = None
        if code != _NO_MODEL:
            kind = _KINDS[code]
            size = int(np.prod(_shape(kind)))
            matrix = values[start : start + size].reshape(_shape(kind)).copy()
            start += size
            model = TwoViewGeometry(kind, matrix, inliers[first:end].copy())
        models.append(model)
        first = int(end)
    return models
