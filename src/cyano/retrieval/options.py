"""How images are described by their local descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cyano.errors import InputError

__all__ = ["Normalisation", "VladOptions"]

Normalisation: TypeAlias = Literal["intra", "signed-root"]
"""Against one repeated pattern that outweighs the rest of an image; see `cyano.retrieval.vlad`."""


@dataclass(frozen=True)
class VladOptions:
    """How a codebook is made and images are described by it.

    Attributes:
        clusters: K, the centroids of the codebook; an image is described by K times D numbers.
        sample: at most so many local descriptors are clustered; 200,000 of 128 numbers take 0.1 GB.
        images: at most so many images give them.
        seed: of the random choices.
        normalisation: see `vlad`.

    Example:
        >>> options = VladOptions(clusters=32, normalisation="signed-root")
    """

    clusters: int = 64
    sample: int = 200_000
    images: int = 2_000
    seed: int = 0
    normalisation: Normalisation = "intra"

    def __post_init__(self) -> None:
        if self.clusters < 1 or self.images < 1 or self.sample < max(self.clusters, self.images):
            raise InputError(
                "a codebook needs at least one cluster, one image, and a sample of at least as many descriptors "
                f"as clusters and as images, not clusters={self.clusters}, images={self.images}, sample={self.sample}"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"a seed is a whole number from 0 to 2^32 - 1, not {self.seed}")
        if self.normalisation not in ("intra", "signed-root"):
            raise InputError(f"VLAD is normalised by 'intra' or 'signed-root', not {self.normalisation!r}")
