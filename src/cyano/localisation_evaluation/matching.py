"""A matcher that matches no pair twice, since maps of one fold share images and queries."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from cyano.engine import Recipe
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.geometry import LensCamera
from cyano.localisation import Localiser
from cyano.localisation.outcome import CameraSource
from cyano.localisation.photograph.features import Photograph
from cyano.matcher import Matcher
from cyano.processing.images import ImageSource
from cyano.result import PairResult
from cyano.types import Features, Matches

__all__ = ["RememberingMatcher", "UncalibratedLocaliser"]

_Key = tuple[bytes, bytes]


class RememberingMatcher(Matcher):
    """A matcher with the results of earlier calls; `forget` makes room."""

    @classmethod
    def of(cls, recipe: Recipe) -> RememberingMatcher:
        """That of a recipe, which aligns.

        Raises:
            InputError: this machine lacks its device.
        """
        found = cls._built(replace(recipe, options=replace(recipe.options, align=True)))
        found._assigned = {}
        found.forget()
        return found

    def unaligned(self, recipe: Recipe) -> RememberingMatcher:
        """The same without alignment; both remember what the networks said."""
        found = self._built(replace(recipe, options=replace(recipe.options, align=False)))
        found.confirmed_threshold = self.confirmed_threshold  # doubtful matches are dropped without alignment
        found._assigned = self._assigned
        found.forget()
        return found

    @classmethod
    def _built(cls, recipe: Recipe) -> RememberingMatcher:
        options = recipe.matcher().options
        return cls(recipe.networks, options, device=recipe.device, batch_size=recipe.batch_size)

    def forget(self) -> None:
        """Begin anew."""
        self._extracted: dict[bytes, Features] = {}
        self._results: dict[_Key, PairResult] = {}
        self._assigned: dict[_Key, Matches]
        self._assigned.clear()

    def extract(
        self, images: Iterable[ImageSource], *, masks: Sequence[ImageSource | None] | None = None
    ) -> list[Features]:
        """See `Matcher.extract`."""
        sources = list(images)
        if masks is not None or not all(isinstance(source, np.ndarray) for source in sources):
            return super().extract(sources, masks=masks)
        keys = [_digest(np.asarray(source)) for source in sources]
        for key, source in zip(keys, sources, strict=True):
            if key not in self._extracted:
                (self._extracted[key],) = super().extract([source])
        return [self._extracted[key] for key in keys]

    def iter_matches(self, pairs: Iterable[tuple[Features, Features]]) -> Generator[PairResult, None, None]:
        """See `Matcher.iter_matches`."""
        wanted = list(pairs)
        keys = [_key(pair) for pair in wanted]
        new = {key: pair for key, pair in zip(keys, wanted, strict=True) if key not in self._results}
        for key, result in zip(new, super().iter_matches(new.values()), strict=True):
            self._results[key] = result
        for key in keys:
            yield self._results[key]

    def _assign(self, pairs: Sequence[tuple[Features, Features]]) -> list[Matches]:
        keys = [_key(pair) for pair in pairs]
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in self._assigned}
        if new:
            self._assigned.update(zip(new, super()._assign(list(new.values())), strict=True))
        return [self._assigned[key] for key in keys]


class UncalibratedLocaliser(Localiser):
    """Knows nothing of the camera but what the matches tell."""

    def intrinsics(
        self, photograph: Photograph, camera: LensCamera | CameraEntry | None
    ) -> list[tuple[Intrinsics, CameraSource]]:
        """The guess alone, from which the focal length is estimated."""
        return [each for each in super().intrinsics(photograph, None) if each[0].guessed]


def _key(pair: tuple[Features, Features]) -> _Key:
    first, second = (_digest(features.keypoints.cpu().numpy()) for features in pair)
    return first, second


def _digest(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    return blake2b(repr(values.shape).encode() + np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
