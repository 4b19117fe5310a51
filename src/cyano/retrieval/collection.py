"""The global descriptors of a collection, from nothing but its local descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.retrieval.codebook import codebook_for
from cyano.retrieval.options import VladOptions
from cyano.retrieval.sampling import LocalDescriptors, sample_descriptors
from cyano.retrieval.vlad import global_descriptors

__all__ = ["describe_collection"]

_DEFAULTS = VladOptions()


def describe_collection(
    local: LocalDescriptors,
    names: Sequence[str],
    options: VladOptions = _DEFAULTS,
    *,
    features: str = "",
    folder: Path | None = None,
) -> NDArray[np.float16]:
    """Sample, cluster and aggregate: (N, K * D) global descriptors in the order of the names.

    Args:
        local: gives the descriptors of an image; called at most twice for each.
        names: of N images, each once.
        options: how.
        features: says what kind of descriptors these are, such as the configuration id of their store.
        folder: where the codebook is kept; None to keep none.

    Raises:
        InputError: local descriptors are not usable, or too few for a codebook.
        MissingExtraError: scikit-learn is not installed.
        OutputError: the codebook cannot be written.

    Example:
        >>> features, matches, names = collection.stored()
        >>> def local(name):
        ...     return features.read([name])[0].descriptors
        >>> describe_collection(local, names, VladOptions(clusters=8)).shape
        (6, 1024)
    """
    sample = sample_descriptors(local, names, options)
    codebook = codebook_for(sample, options, features=features, folder=folder)
    return global_descriptors(local, names, codebook, options.normalisation)
