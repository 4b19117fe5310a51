"""Matches of two images, as `cyano match` finds them, and what follows from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import json_text
from cyano.errors import InputError
from cyano.evaluation.pair_lists.matched_pair import MatchedPair, to_dict
from cyano.evaluation.provenance import matching_record
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.page.memory import Memory
from cyano.page.work.answers import Answer
from cyano.partners import partners, result_of, with_threshold
from cyano.processing.decode import ImageLimits
from cyano.processing.images import LoadedImage
from cyano.processing.masks import read_mask
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, Matches

if TYPE_CHECKING:
    from cyano.page.work.desk import Desk
    from cyano.page.work.stored import StoredMatches

__all__ = ["Matching", "Pair", "options_of"]

_FEATURES_BYTES = 300_000_000
_RESULTS_BYTES = 100_000_000
_MATCHERS = 4
_LIKELIEST = 3


@dataclass(frozen=True)
class Pair:
    """What is matched; plain values, as the server sends them.

    Attributes:
        id: of the match.
        images: digests.
        names: that people know the images by.
        masks: digests, None where there is none.
        options: see `cyano.page.forms.MatchOptions`.
    """

    id: str
    images: tuple[str, str]
    names: tuple[str, str]
    masks: tuple[str | None, str | None]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Pair:
        """From a job's document."""
        images, names, masks = (tuple(told[name]) for name in ("images", "names", "masks"))
        return cls(told["id"], images, names, masks, told["options"])


@dataclass(frozen=True, eq=False)
class _Found:
    result: PairResult  # without pixels
    seconds: float


class Matching:
    """Matches pairs, and keeps features and results for what is asked of them next."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._matchers = Memory[MatcherOptions, Matcher](_MATCHERS, lambda _: 1)
        self._features = Memory[tuple[Any, ...], Features](_FEATURES_BYTES, _bytes_of)
        self._partners = Memory[tuple[Any, ...], Matches](_RESULTS_BYTES, lambda found: 24 * len(found.matches0))
        self._results = Memory[str, _Found](_RESULTS_BYTES, lambda found: 100 * len(found.result.image0.keypoints))
        self.jobs: dict[str, Callable[..., Answer]] = {
            "match": self.match,
            "archive": self.archive,
            "keypoints": self.keypoints,
            "alternatives": self.alternatives,
        }

    def ready(self) -> None:
        """Build the matcher of the usual options, so that the first pair need not wait for it."""
        self._matcher(self._options({}))

    def match(self, pair: dict[str, Any]) -> Answer:
        """The document of `cyano match --json` with the match's number, doubtful matches and numbers of keypoints."""
        if "collection" in pair:
            told = {**self._stored(pair).document(), "id": pair["id"], "doubtful": None}
            return Answer({}, (json_text(told).encode(),))
        asked = Pair.of(pair)
        options = self._options(asked.options)
        found = self._found(asked, options)
        matcher = self._matcher(options)
        record = matching_record(matcher, self._desk.networks, options.resize)
        told = to_dict(MatchedPair(found.result, record, self._desk.load_seconds, found.seconds))
        doubtful = found.result.doubtful
        more = {
            "id": asked.id,
            "image0": asked.images[0],
            "image1": asked.images[1],
            "indices": found.result.indices.tolist(),
            "doubtful": _doubtful(found.result) if doubtful is not None else None,
        }
        return Answer({}, (json_text({**told, **more}).encode(),))

    def archive(self, pair: dict[str, Any]) -> Answer:
        """The numpy archive of `cyano match --npz`."""
        return Answer({}, (self.result(pair).npz_bytes(),))

    def keypoints(self, pair: dict[str, Any]) -> Answer:
        """All keypoints of both images with the detector's scores."""
        result = self.result(pair)
        told: dict[str, Any] = {}
        for side, image in enumerate((result.image0, result.image1)):
            told |= {f"keypoints{side}": image.keypoints.tolist(), f"scores{side}": image.scores.tolist()}
        return Answer({}, (json_text(told).encode(),))

    def alternatives(self, pair: dict[str, Any], keypoint: int, side: int) -> Answer:
        """The likeliest partners of a keypoint, and how probable it is that it has none."""
        if "collection" in pair:
            raise InputError("stored matches have no alternatives; match the images again")
        asked = Pair.of(pair)
        options = self._options(asked.options)
        if options.searches:
            raise InputError("matches of other views have no alternatives; match with rotations and views off")
        result = self._found(asked, options).result
        count = len((result.image0, result.image1)[side].keypoints)
        if not 0 <= keypoint < count:
            raise InputError(f"keypoint is a number below {count}, not {keypoint}")
        features = [self._of_image(asked, options, each) for each in (0, 1)]
        rows = self._matcher(options).probabilities(features[0], features[1])
        likely = rows[keypoint] if side == 0 else rows[:, keypoint]
        best = np.argsort(-likely[:-1], kind="stable")[:_LIKELIEST]
        other = (result.image1, result.image0)[side].keypoints
        partners = [
            {"keypoint": int(each), "position": other[each].tolist(), "probability": float(likely[each])}
            for each in best
        ]
        return Answer({"keypoint": keypoint, "side": side, "partners": partners, "none": float(likely[-1])})

    def result(self, pair: dict[str, Any]) -> PairResult:
        """The result of a pair, found again where it is not kept any more."""
        if "collection" in pair:
            return self._stored(pair).result
        asked = Pair.of(pair)
        return self._found(asked, self._options(asked.options)).result

    def with_pixels(self, pair: dict[str, Any]) -> PairResult:
        """The same, with the images."""
        result = self.result(pair)
        if "collection" in pair:
            pixels = [self._desk.collections.pixels(pair["collection"], each) for each in pair["stored"]]
        else:
            asked = Pair.of(pair)
            stretch = self._options(asked.options).stretch
            pixels = [self._desk.image(digest, stretch=stretch).rgb for digest in asked.images]
        side0, side1 = (
            replace(side, rgb=rgb) for side, rgb in zip((result.image0, result.image1), pixels, strict=True)
        )
        return replace(result, image0=side0, image1=side1)

    def _stored(self, pair: Mapping[str, Any]) -> StoredMatches:
        return self._desk.collections.stored(pair["collection"], *pair["stored"])

    def _found(self, pair: Pair, options: MatcherOptions) -> _Found:
        kept = self._results.get(pair.id)
        if kept is None:
            started = time.perf_counter()
            result = self._matched(pair, options)
            kept = _Found(result, time.perf_counter() - started)
            self._results[pair.id] = kept
        return kept

    def _matched(self, pair: Pair, options: MatcherOptions) -> PairResult:
        matcher = self._matcher(options)
        images = [self._desk.image(digest, stretch=options.stretch) for digest in pair.images]
        if not options.searches:
            features = [self._of_image(pair, options, side) for side in (0, 1)]
            result = result_of(matcher, features[0], features[1], self._of_pair(pair, options, features))
        else:
            masks = [None if digest is None else self._desk.content(digest) for digest in pair.masks]
            result = matcher.match(images[0].grey, images[1].grey, mask0=masks[0], mask1=masks[1])
        side0, side1 = (
            replace(side, name=name, rgb=None, focal_35mm=image.focal_35mm, stretched=image.stretched)
            for side, name, image in zip((result.image0, result.image1), pair.names, images, strict=True)
        )
        return replace(result, image0=side0, image1=side1)

    def _of_image(self, pair: Pair, options: MatcherOptions, side: int) -> Features:
        """Features of one of the images, with the rules of these options."""
        digest, mask = pair.images[side], pair.masks[side]
        key = _key(pair, options, side)
        kept = self._features.get(key)
        if kept is None:
            image = self._desk.image(digest, stretch=options.stretch)
            masks = None if mask is None else [self._mask(mask, image)]
            kept = self._matcher(options).extract([image.grey], masks=masks)[0]
            self._features[key] = kept
        return kept

    def _of_pair(self, pair: Pair, options: MatcherOptions, features: Sequence[Features]) -> Matches:
        """The partners of both images' keypoints, from which every threshold chooses."""
        rules = (options.layers, options.sinkhorn_iterations)
        key = (*(_key(pair, options, side) for side in (0, 1)), rules)
        kept = self._partners.get(key)
        if kept is None:
            kept = self._partners[key] = partners(self._matcher(options), features[0], features[1])
        return kept

    def _mask(self, digest: str, image: LoadedImage) -> NDArray[np.uint8]:
        content = self._desk.content(digest)
        with self._desk.reading(digest):
            return read_mask(content, image.size).astype(np.uint8)

    def _matcher(self, options: MatcherOptions) -> Matcher:
        usual = replace(options, match_threshold=None)
        kept = self._matchers.get(usual)
        if kept is None:
            kept = self._matchers[usual] = Matcher(self._desk.networks, usual, device=self._desk.device)
        return kept if options.match_threshold is None else with_threshold(kept, options.match_threshold)

    def _options(self, given: Mapping[str, Any]) -> MatcherOptions:
        return options_of(given, self._desk.limits)


def options_of(given: Mapping[str, Any], limits: ImageLimits | None = None) -> MatcherOptions:
    """Options of plain values, as `cyano.page.forms.MatchOptions` tells them.

    Raises:
        InputError: a value is out of its range.
    """
    values = {name: value for name, value in given.items() if value is not None}
    resize = values.pop("resize", None)
    rule = ResizeRule() if resize is None else ResizeRule.from_flags(resize)
    return MatcherOptions(resize=rule, limits=limits or ImageLimits(), **values)


def _key(pair: Pair, options: MatcherOptions, side: int) -> tuple[Any, ...]:
    """What decides the features of one of the images."""
    rules = (options.resize, options.max_keypoints, options.keypoint_threshold, options.nms_radius)
    return (pair.images[side], pair.masks[side], rules, options.stretch, options.align, options.precision)


def _bytes_of(features: Features) -> int:
    parts = (features.keypoints, features.scores, features.descriptors, features.image)
    return sum(part.nbytes for part in parts if part is not None)


def _doubtful(result: PairResult) -> dict[str, Any]:
    """The matches that geometry may confirm, as those that need none."""
    shown = replace(result, matches=result.doubtful or result.matches, doubtful=None)
    return {
        "keypoints0": shown.keypoints0.tolist(),
        "keypoints1": shown.keypoints1.tolist(),
        "scores": shown.scores.tolist(),
        "indices": shown.indices.tolist(),
    }
