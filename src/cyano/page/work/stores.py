"""Which stores a model was made of, in a folder that holds those of several runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.store import AnyStore, FeatureStore, KeypointStore, MatchStore
from cyano.store.configuration import CONFIG_FILE
from cyano.store.precision import PRECISION

__all__ = ["RunStores", "stores_of"]

_SAMPLE = 16
"""Images whose keypoints are compared with those of the model, at most."""

_OTHERS = 1e6
"""What an image costs whose keypoints are not as many as the model's; more than any distance in pixels."""

_DIGEST = "matches"
"""Of the pairs by which keypoints were aligned, in the configuration of these; see `AlignImages`."""


class RunStores(NamedTuple):
    """The stores of one run.

    Attributes:
        features: of the images.
        matches: of these features; None where there are none.
        keypoints: aligned by these matches; None where they were not.
    """

    features: FeatureStore
    matches: MatchStore | None = None
    keypoints: KeypointStore | None = None

    def places(self, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The keypoints of those of the images that have features, aligned where they were."""
        absent = set(self.features.missing(names))
        known = [name for name in names if name not in absent]
        places = {image.name: image.keypoints for image in self.features.read(known)}
        if self.keypoints is not None:
            absent = set(self.keypoints.missing(known))
            aligned = self.keypoints.read(name for name in known if name not in absent)
            places |= {image.name: image.keypoints for image in aligned}
        return places


def stores_of(stores: Sequence[AnyStore], model: Mapping[str, NDArray[np.float32]]) -> RunStores:
    """The stores whose keypoints are those of a model; of several, verified matches go first, then the newest.

    Args:
        stores: of all runs.
        model: (N, 2) keypoints of its images, by name.

    Raises:
        InputError: there are no features.
    """
    names = list(model)[:: max(1, len(model) // _SAMPLE)]
    sample = {name: model[name] for name in names}

    def rank(run: RunStores) -> tuple[float, bool, bool, int, int]:
        later = [store for store in (run.matches, run.keypoints) if store is not None]
        verified = run.matches is not None and run.matches.configuration.get("verification") is not None
        count = 0 if run.matches is None else run.matches.count()
        begun = max((store.folder.joinpath(CONFIG_FILE).stat().st_mtime_ns for store in later), default=0)
        return -_distance(run, sample), verified, run.keypoints is not None, count, begun

    try:
        return max(_runs(stores), key=rank)
    except ValueError as error:
        raise InputError("the collection has no features; reconstruct it again") from error


def _runs(stores: Sequence[AnyStore]) -> Iterator[RunStores]:
    """Stores of which each was made of the one before."""
    every_matches = [store for store in stores if isinstance(store, MatchStore)]
    every_keypoints = [store for store in stores if isinstance(store, KeypointStore)]
    for features in (store for store in stores if isinstance(store, FeatureStore)):
        yield RunStores(features)
        known = {**_options(features), "feature_precision": features.precision}
        for matches in every_matches:
            if known.items() <= _options(matches).items():
                yield RunStores(features, matches)
                aligned = (store for store in every_keypoints if _options(store) == _options(matches))
                yield from (RunStores(features, matches, keypoints) for keypoints in aligned)


def _options(store: AnyStore) -> dict[str, str | int | float | bool | None]:
    """The configuration without what is of this store alone."""
    return {name: value for name, value in store.configuration.items() if name not in (PRECISION, _DIGEST)}


def _distance(run: RunStores, model: Mapping[str, NDArray[np.float32]]) -> float:
    """How far its keypoints are from those of a model: pixels on average, summed over the images."""
    places, total = run.places(list(model)), 0.0
    for name, expected in model.items():
        found = places.get(name)
        if found is None or found.shape != expected.shape:
            total += _OTHERS
        elif len(found):
            total += float(np.linalg.norm(found - expected, axis=1).mean())
    return round(total, 3)  # COLMAP has them half a pixel further on, which rounds
