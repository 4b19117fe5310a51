"""Places of keypoints that were made exact, as they are stored; the rest of the features is where it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.store.base import ShardStore
from cyano.store.configuration import CONFIG_FILE, Configuration, read_record
from cyano.store.precision import PRECISION, Precision
from cyano.store.shard import Shard

__all__ = ["KeypointStore", "StoredKeypoints"]


@dataclass(frozen=True, eq=False, repr=False)
class StoredKeypoints(Concise):
    """Where the keypoints of one image are.

    Attributes:
        name: of the image.
        keypoints: (N, 2) float32, (x, y) in pixels of the original image, in the order of the image's features.
        moved: how many of them are elsewhere than the features have them.

    Raises:
        InputError: the shape is another, or a value is not finite.

    Example:
        >>> exact = StoredKeypoints("a.jpg", np.float32([[10.25, 20.5], [30.0, 40.0]]), moved=1)
    """

    name: str
    keypoints: NDArray[np.float32]
    moved: int

    def __post_init__(self) -> None:
        if self.keypoints.shape != (len(self.keypoints), 2) or not np.isfinite(self.keypoints).all():
            raise InputError(f"keypoints of {self.name!r} are a finite (N, 2), not {self.keypoints.shape}")


class KeypointStore(ShardStore[str, StoredKeypoints]):
    """Keypoints by the name of their image.

    Example:
        >>> store = KeypointStore("store", {"digest": "of the matches"})
        >>> store.write([StoredKeypoints("a.jpg", np.float32([[10.25, 20.5]]), moved=1)])
        >>> store.read(["a.jpg"])[0].keypoints.tolist()
        [[10.25, 20.5]]
        >>> other = KeypointStore("store", {"digest": "of other matches"}, force=True)
        >>> [each.configuration["digest"] for each in store.beside("digest")]
        ['of other matches']
    """

    kind = "keypoints"

    def __init__(
        self,
        root: str | os.PathLike[str],
        configuration: Configuration,
        *,
        precision: Precision = "float32",
        force: bool = False,
    ) -> None:
        """See `ShardStore`; places are never stored in less than float32."""
        super().__init__(root, configuration, precision=precision, force=force)

    def beside(self, value: str) -> list[KeypointStore]:
        """The other stores in the same folder whose configuration is this one's but for one value, by its name."""
        found = []
        for path in sorted(self.folder.parent.glob(f"*/{CONFIG_FILE}")):
            try:
                configuration = read_record(path.parent)
            except InputError:
                continue  # and so nobody's
            if path.parent != self.folder and {**configuration, value: None} == {**self.configuration, value: None}:
                precision = configuration.pop(PRECISION)
                found.append(KeypointStore(self.folder.parent.parent, configuration, precision=precision))
        return found

    def _names(self, key: str) -> Sequence[str]:
        return (key,)

    def _key(self, item: StoredKeypoints) -> str:
        return item.name

    def _encode(self, items: Sequence[StoredKeypoints]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        images = [{"name": item.name, "moved": item.moved} for item in items]
        tensors = {f"{row}/keypoints": item.keypoints.astype(np.float32) for row, item in enumerate(items)}
        return {"images": images}, tensors

    def _decode(self, shard: Shard, rows: Sequence[int] | None) -> list[StoredKeypoints]:
        images = shard.document["images"]
        chosen = range(len(images)) if rows is None else rows
        return [
            StoredKeypoints(images[row]["name"], shard.tensor(f"{row}/keypoints"), images[row]["moved"])
            for row in chosen
        ]

    def _keys(self, shard: Shard) -> list[tuple[str, str]]:
        return [(image["name"], "") for image in shard.document["images"]]
