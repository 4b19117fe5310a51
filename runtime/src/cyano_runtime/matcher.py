"""The matcher: images to features to correspondences, by two graphs. Start reading here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.onnx_engines import opened
from cyano.processing import resize
from cyano.processing.frames import near_frame
from cyano.processing.images import ImageSource, read
from cyano.types import Matches, ResizeMap
from cyano_runtime import engines
from cyano_runtime.alignment import align_matches
from cyano_runtime.engines import EngineChoice
from cyano_runtime.exported import OUTPUTS, Export
from cyano_runtime.features import Features
from cyano_runtime.options import RuntimeOptions
from cyano_runtime.result import ImageKeypoints, PairResult

__all__ = ["Matcher"]

DEFAULT_OPTIONS = RuntimeOptions()
USUAL_KEYPOINTS = 1024


class _Seen(NamedTuple):
    """An image as it goes to the detector.

    Attributes:
        grey: (h, w) float32 in [0, 1].
        frame: the way back to the original image.
        name: of the original image.
        rgb: (H, W, 3) uint8 of it.
    """

    grey: NDArray[np.float32]
    frame: ResizeMap
    name: str
    rgb: NDArray[np.uint8]


class Matcher:
    """A detector and a matcher in an engine: build it once, match many.

    matcher = Matcher(engine="onnxruntime")
    for a, b in pairs:
        matcher.match(a, b).save_json(f"{a}_{b}.json")
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        engine: EngineChoice = "auto",
        *,
        options: RuntimeOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Read the graphs and have an engine compile them.

        Args:
            weights: a folder of `cyano export`; None for what comes with the package.
            engine: "openvino", "onnxruntime" or "opencv"; "auto" is the first of these that is installed, but on
                processors other than x86 onnxruntime before OpenVINO.
            options: how to match.

        Raises:
            WeightsError: the weights are missing or damaged, or the engine does not take them.
            MissingExtraError: the engine is not installed, or none is.
            InputError: there is no such engine, or the options do not fit the export.
        """
        self.options = options
        self.engine = engines.chosen(engine)
        self.weights = Export.read(weights)
        least, asked = self.weights.least, options.match_threshold
        if asked is not None and asked < least:
            raise InputError(
                f"the exported graph gives scores from {least:g}, not from {asked:g}; export with a lower threshold"
            )
        most, wanted = self.weights.most, options.max_keypoints
        if wanted is not None and wanted > most:
            raise InputError(
                f"the exported graph gives at most {most} keypoints, not {wanted}; give fewer, or export with more "
                "(cyano export --max-keypoints)"
            )
        self._count = min(USUAL_KEYPOINTS, most) if wanted is None else wanted
        self._least, self._usual = (least, self.weights.usual) if asked is None else (asked, asked)
        settings = engines.settings_of(options, self.engine)
        self._detector, self._matcher = (
            opened(self.weights.graph(name), self.engine, outputs, settings) for name, outputs in OUTPUTS.items()
        )

    def __repr__(self) -> str:
        return f"Matcher({self.weights.name}, engine={self.engine})"

    def match(self, image0: ImageSource, image1: ImageSource) -> PairResult:
        """Match two images.

        Args:
            image0: a path, bytes, PIL image or numpy array; see `cyano.processing.images`.
            image1: likewise; its size may differ.

        Returns:
            The correspondences, in pixels of the original images.

        Raises:
            ImageError: an image cannot be read or used.
        """
        seen = self._read(image0), self._read(image1)  # before a network runs, since engines keep their memory
        return self._matched(self._features(seen[0]), self._features(seen[1]), seen)

    def extract(self, image: ImageSource) -> Features:
        """Detect and describe the keypoints of an image, once, to match it many times.

        Raises:
            ImageError: the image cannot be read or used.
        """
        return self._features(self._read(image))

    def match_features(self, features0: Features, features1: Features) -> PairResult:
        """Match two images whose features were extracted before.

        Args:
            features0: of image 0, M keypoints.
            features1: of image 1, N keypoints.

        Returns:
            The correspondences, without the images' pixels.

        Raises:
            InputError: these are no features.
        """
        for given in (features0, features1):
            if not isinstance(given, Features):
                raise InputError(f"features to match are what `extract` gives, not {type(given).__name__}")
        return self._matched(features0, features1, None)

    def _read(self, image: ImageSource) -> _Seen:
        """Read and resize: the grey values of all pixels, four bytes each, are not kept."""
        loaded = read(image, self.options.limits, stretch=self.options.stretch)
        return _Seen(*resize.apply(loaded, self.options.resize), loaded.name, loaded.rgb)

    def _features(self, image: _Seen) -> Features:
        """Run the detector, and leave out what is no keypoint or lies at a constant frame."""
        grey, frame = image.grey, image.frame
        allowed = ~near_frame(grey) if self.weights.structure else np.ones(grey.shape, np.bool_)
        inputs: dict[str, NDArray[np.generic]] = {"image": grey[None, None]}
        if self.weights.masked:
            inputs["mask"] = allowed[None, None]
        found = self._detector(inputs)
        keypoints, scores = (np.asarray(found[name], np.float32) for name in ("keypoints", "scores"))
        valid = np.asarray(found["valid"], np.bool_)
        if not self.weights.masked:
            last = frame.network.width - 1, frame.network.height - 1
            columns, rows = np.rint(keypoints).astype(np.intp).clip(0, last).T
            valid &= allowed[rows, columns]
        kept = np.flatnonzero(valid)
        kept = kept[np.argsort(-scores[kept], kind="stable")][: self._count]
        seen = grey.astype(np.float16) if self.options.align else None
        descriptors = np.asarray(found["descriptors"], np.float32)[kept]
        return Features(frame.to_original(keypoints[kept]), scores[kept], descriptors, frame, seen)

    def _matched(self, features0: Features, features1: Features, images: tuple[_Seen, _Seen] | None) -> PairResult:
        """Match, align, and put together."""
        matches = self._assign(features0, features1)
        features1, matches = align_matches(features0, features1, matches, self._usual)
        sides = [ImageKeypoints(each.keypoints, each.scores, each.frame) for each in (features0, features1)]
        if images is not None:
            sides = [replace(side, name=each.name, rgb=each.rgb) for side, each in zip(sides, images, strict=True)]
        return PairResult(sides[0], sides[1], matches)

    def _assign(self, features0: Features, features1: Features) -> Matches:
        """Run the matcher: matches down to the least probability. Graphs are never given zero keypoints."""
        count0, count1 = len(features0), len(features1)
        if not count0 or not count1:
            none0, none1 = np.full(count0, -1, np.int64), np.full(count1, -1, np.int64)
            return Matches(none0, none1, np.zeros(count0, np.float32), np.zeros(count1, np.float32))
        inputs: dict[str, NDArray[np.generic]] = {}
        for side, features in (("0", features0), ("1", features1)):
            inputs["positions" + side] = _positions(features)[None]
            inputs["scores" + side] = features.scores[None]
            inputs["descriptors" + side] = features.descriptors[None]
            inputs["valid" + side] = np.ones((1, len(features)), np.bool_)
        found = self._matcher(inputs)
        matches0, matches1 = (np.asarray(found[f"matches{side}"][0], np.int64) for side in "01")
        scores0, scores1 = (np.asarray(found[f"matching_scores{side}"][0], np.float32) for side in "01")
        scores0, scores1 = np.where(matches0 >= 0, scores0, 0), np.where(matches1 >= 0, scores1, 0)
        return Matches(matches0, matches1, scores0, scores1).above(self._least)


def _positions(features: Features) -> NDArray[np.float32]:
    """(N, 2) positions as the matcher reads them: from the centre, in 0.7 times the longer side of what was seen."""
    size = features.frame.network
    centre = np.array([size.width / 2, size.height / 2], np.float32)
    positions: NDArray[np.float32] = (features.network_keypoints - centre) / np.float32(0.7 * size.longest)
    return positions
