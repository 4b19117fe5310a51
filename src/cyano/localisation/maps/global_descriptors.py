"""What the images of a map look like as a whole: made once, and kept beside its features."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.errors import InputError, OutputError
from cyano.retrieval import VladOptions, codebook_for, global_descriptors, sample_descriptors, vlad
from cyano.retrieval.sampling import LocalDescriptors
from cyano.store.keys import checksum, item_key
from cyano.store.shard import encode, open_shard

__all__ = ["GlobalDescriptors"]

_VLAD = VladOptions()

_BLOCK = 512
"""Images that are compared at a time, 32 MB in float32 with 64 clusters and 256 channels."""


@dataclass(frozen=True, eq=False)
class GlobalDescriptors:
    """VLAD of the images of a map.

    Attributes:
        centroids: (K, D) float32 of the codebook.
        rows: (M, K * D) float16 of unit length, one for each image.
    """

    centroids: NDArray[np.float32]
    rows: NDArray[np.float16]

    @classmethod
    def of_map(
        cls, store: Path | None, digest: str, names: Sequence[str], local: LocalDescriptors, features: str
    ) -> GlobalDescriptors:
        """Those that are kept, or new ones, which are kept if the folder can be written.

        Args:
            store: folder of the map's stores; None to keep nothing.
            digest: of the map.
            names: of its images.
            local: gives the local descriptors of an image.
            features: says what kind of descriptors these are.

        Raises:
            InputError: the local descriptors are too few for a codebook.
            MissingExtraError: scikit-learn is not installed.
        """
        if store is None:
            return cls._made(names, local, features, None)
        path = store / "retrieval" / f"{digest}.safetensors"
        document = _document(digest, names)
        kept = cls._read(path, document)
        if kept is not None:
            return kept
        made = cls._made(names, local, features, store / "codebooks")
        with suppress(OutputError):
            write_atomically(path, encode(document, {"centroids": made.centroids, "rows": made.rows}))
        return made

    @classmethod
    def _made(
        cls, names: Sequence[str], local: LocalDescriptors, features: str, codebooks: Path | None
    ) -> GlobalDescriptors:
        """New ones; the codebook is kept if there is a folder that can be written."""
        sample = sample_descriptors(local, names, _VLAD)
        try:
            codebook = codebook_for(sample, _VLAD, features=features, folder=codebooks)
        except OutputError:  # a map may be somebody else's
            codebook = codebook_for(sample, _VLAD, features=features, folder=None)
        return cls(codebook.centroids, global_descriptors(local, names, codebook, _VLAD.normalisation))

    @classmethod
    def _read(cls, path: Path, document: dict[str, str]) -> GlobalDescriptors | None:
        """What is kept of these images; None where there is nothing, or it is damaged or of others."""
        try:
            with open_shard(path) as shard:
                if any(shard.document.get(key) != value for key, value in document.items()):
                    return None
                return cls(shard.tensor("centroids"), shard.tensor("rows"))
        except (OSError, InputError):
            return None

    def asked(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K * D,) of an image with these (N, D) local descriptors."""
        return vlad(descriptors, self.centroids, _VLAD.normalisation)

    def closeness(self, asked: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M,) cosines."""
        blocks = [
            self.rows[start : start + _BLOCK].astype(np.float32) @ asked for start in range(0, len(self.rows), _BLOCK)
        ]
        return np.concatenate(blocks)


def _document(digest: str, names: Sequence[str]) -> dict[str, str]:
    """What decides the rows: those of another map, or of images in another order, are others."""
    images = checksum(*(item_key((name,)) for name in names))
    return {"format": "cyano-global-descriptors-2", "options": repr(_VLAD), "map": digest, "images": images}
