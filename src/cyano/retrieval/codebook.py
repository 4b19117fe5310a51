"""The centroids that local descriptors are compared with, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.concise import Concise
from cyano.errors import InputError, MissingExtraError
from cyano.reading import refusing
from cyano.retrieval.options import VladOptions

__all__ = ["Codebook", "codebook_for", "load_codebook", "save_codebook", "train_codebook"]

_BATCH = 4096
"""Descriptors of one step of the clustering."""


@dataclass(frozen=True, eq=False, repr=False)
class Codebook(Concise):
    """K centroids of local descriptors.

    Attributes:
        centroids: (K, D) float32.
        made_from: what the centroids follow from, by name: the kind of features, a hash of the sample, the
            number of clusters and the seed.

    Example:
        >>> book = Codebook(np.eye(4, 16, dtype=np.float32), made_from={"features": "made up"})
        >>> book.centroids.shape
        (4, 16)
    """

    centroids: NDArray[np.float32]
    made_from: dict[str, str]

    def __post_init__(self) -> None:
        shape, dtype = self.centroids.shape, self.centroids.dtype
        if self.centroids.ndim != 2 or not self.centroids.size or dtype != np.float32:
            raise InputError(f"centroids are (K, D) float32 and at least one, not {shape} {dtype}")
        if not np.isfinite(self.centroids).all():
            raise InputError("centroids hold values that are not finite; make the codebook again")


def _made_from(sample: NDArray[np.float32], options: VladOptions, features: str) -> dict[str, str]:
    digest = blake2b(repr(sample.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(sample).data)
    facts = {"features": features, "sample": digest.hexdigest(), "clusters": str(options.clusters)}
    return {**facts, "seed": str(options.seed), "method": "MiniBatchKMeans"}


def _key(made_from: dict[str, str]) -> str:
    """16 hexadecimal digits that stand for what a codebook was made from."""
    return blake2b(json.dumps(made_from, sort_keys=True).encode(), digest_size=8).hexdigest()


def train_codebook(sample: NDArray[np.float32], options: VladOptions, *, features: str) -> Codebook:
    """Cluster local descriptors by k-means in small batches (Sculley, WWW 2010), begun by k-means++.

    Args:
        sample: (S, D) float32.
        options: `clusters` and `seed` count here. The same sample and options give the same centroids.
        features: says what kind of descriptors these are, such as the configuration id of their store.

    Raises:
        InputError: there are fewer descriptors than clusters.
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> sample = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
        >>> book = train_codebook(sample, VladOptions(clusters=8), features="made up")
        >>> book.centroids.shape
        (8, 16)
    """
    if len(sample) < options.clusters:
        raise InputError(
            f"{len(sample)} local descriptors are too few for {options.clusters} clusters; give more textured "
            "images, or fewer clusters"
        )
    try:
        from sklearn.cluster import MiniBatchKMeans
    except ImportError as error:
        raise MissingExtraError(
            'image retrieval needs scikit-learn: pip install ".[collections]" in the folder of Cyano'
        ) from error
    means = MiniBatchKMeans(options.clusters, random_state=options.seed, batch_size=_BATCH, n_init=1).fit(sample)
    return Codebook(means.cluster_centers_.astype(np.float32), _made_from(sample, options, features))


def save_codebook(codebook: Codebook, path: Path) -> None:
    """Write a codebook as safetensors; the file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.

    Example:
        >>> book = Codebook(np.eye(4, 16, dtype=np.float32), made_from={"features": "made up"})
        >>> save_codebook(book, Path("book.safetensors"))
    """
    import safetensors.numpy

    tensors = {"centroids": np.ascontiguousarray(codebook.centroids)}
    write_atomically(path, safetensors.numpy.save(tensors, metadata=codebook.made_from))


def load_codebook(path: Path, features: str | None = None) -> Codebook:
    """Read a codebook.

    Args:
        path: a file that `save_codebook` wrote.
        features: the kind of descriptors that it is wanted for; None for whatever it was made from.

    Raises:
        InputError: the file cannot be read, is no codebook, or is one for other descriptors.

    Example:
        >>> save_codebook(Codebook(np.eye(4, 16, dtype=np.float32), {"features": "made up"}), Path("book.safetensors"))
        >>> load_codebook(Path("book.safetensors"), features="made up").centroids.shape
        (4, 16)
    """
    from safetensors import SafetensorError, safe_open

    with refusing(path, "remove it to make it again", kind="a codebook"):
        try:
            with safe_open(path, framework="numpy") as file:
                made_from = dict(file.metadata() or {})
                codebook = Codebook(file.get_tensor("centroids"), made_from)
        except (SafetensorError, InputError) as error:
            raise ValueError(str(error)) from error
    if features is not None and made_from.get("features") != features:
        raise InputError(
            f"{path} was made from features {made_from.get('features')!r}, not {features!r}; give another codebook, "
            "or none to make one"
        )
    return codebook


def codebook_for(sample: NDArray[np.float32], options: VladOptions, *, features: str, folder: Path | None) -> Codebook:
    """The codebook of a sample: read if it was made before, else made and kept.

    Args:
        sample: (S, D) float32.
        options: `clusters` and `seed` count here.
        features: says what kind of descriptors these are.
        folder: where codebooks are kept, each under a name that follows from what it was made from; None to
            keep none.

    Raises:
        InputError: see `train_codebook` and `load_codebook`.
        MissingExtraError: scikit-learn is not installed.
        OutputError: the codebook cannot be written.

    Example:
        >>> sample, kept = np.eye(64, 16, dtype=np.float32), Path("codebooks")
        >>> book = codebook_for(sample, VladOptions(clusters=4), features="made up", folder=kept)
        >>> again = codebook_for(sample, VladOptions(clusters=4), features="made up", folder=kept)  # read
        >>> np.array_equal(again.centroids, book.centroids)
        True
    """
    if folder is None:
        return train_codebook(sample, options, features=features)
    path = folder / f"codebook-{_key(_made_from(sample, options, features))}.safetensors"
    if path.exists():
        return load_codebook(path, features)
    codebook = train_codebook(sample, options, features=features)
    save_codebook(codebook, path)
    return codebook
