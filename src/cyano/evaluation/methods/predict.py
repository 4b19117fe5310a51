"""The first loop: every method matches every pair of a set, and writes down what it found."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cyano.errors import InputError
from cyano.evaluation.methods.method import Extractor, Method, SeesImages
from cyano.evaluation.methods.prediction import PairPrediction, failed_prediction
from cyano.evaluation.methods.prediction_files import (
    PredictionFile,
    predictions_path,
    read_predictions,
    set_fingerprint,
    write_predictions,
)
from cyano.evaluation.provenance import Record
from cyano.evaluation.sets.pair_sets import EvaluationPair, PairSet
from cyano.processing.images import ImageSource, read
from cyano.types import Features, ResizeMap
from cyano.view_search import Side

__all__ = ["predict_set"]

CAPACITY = 256
"""Images whose features are kept for the pairs to come, one set of features for each detector."""


def predict_set(
    pair_set: PairSet,
    methods: Sequence[Method],
    folder: Path,
    *,
    overwrite: bool = False,
    on_pair: Callable[[], None] = lambda: None,
) -> dict[str, PredictionFile]:
    """Match the pairs of a set by every method whose predictions are not there yet.

    An image is read once and a detector sees it once, whatever the number of pairs and methods. A pair whose images
    cannot be used has its prediction say so.

    Args:
        pair_set: what to match.
        methods: how, each name once.
        folder: where the files go.
        overwrite: replace predictions that were made otherwise.
        on_pair: called once for each pair.

    Returns:
        By the names of the methods.

    Raises:
        OutputError: predictions of another configuration are there, or the files cannot be written.
    """
    origin: Record = {"set": pair_set.name, "images_sha256": set_fingerprint(pair_set)}
    done: dict[str, PredictionFile] = {}
    missing: list[Method] = []
    for method in methods:
        path = predictions_path(folder, pair_set.name, method.name)
        found = read_predictions(path, {**method.record, **origin}, overwrite=overwrite)
        if found is None:
            missing.append(method)
        else:
            done[method.name] = found
    made: dict[str, list[PairPrediction]] = {method.name: [] for method in missing}
    images = _Images([method.extractor for method in missing])
    for pair in pair_set.pairs:
        for method in missing:
            made[method.name].append(_predict(pair, method, images))
        on_pair()
    for method in missing:
        content = PredictionFile({**method.record, **origin}, tuple(made[method.name]))
        write_predictions(predictions_path(folder, pair_set.name, method.name), content)
        done[method.name] = content
    return done


class _Images:
    """The features of the images last used, by all detectors at once."""

    def __init__(self, extractors: Sequence[Extractor]) -> None:
        self._extractors = {id(extractor): extractor for extractor in extractors}
        self._kept: OrderedDict[tuple[str, int], Mapping[int, Features | InputError]] = OrderedDict()

    def features(self, name: str, source: ImageSource, turns: int, extractor: Extractor) -> Features:
        """The features of an image by one of the detectors.

        Raises:
            InputError: the image cannot be used.
        """
        key = (name, turns % 4)
        if key not in self._kept:
            self._kept[key] = self._extract(source, turns % 4)
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        found = self._kept[key][id(extractor)]
        if isinstance(found, InputError):
            raise found
        return found

    def _extract(self, source: ImageSource, turns: int) -> Mapping[int, Features | InputError]:
        try:
            image = read(source)
        except InputError as error:
            return dict.fromkeys(self._extractors, error)
        found: dict[int, Features | InputError] = {}
        for identity, extractor in self._extractors.items():
            try:
                found[identity] = extractor.extract(image, turns)
            except InputError as error:
                found[identity] = error
        return found


def _predict(pair: EvaluationPair, method: Method, images: _Images) -> PairPrediction:
    try:
        features0 = images.features(pair.name0, pair.image0, pair.turns0, method.extractor)
        features1 = images.features(pair.name1, pair.image1, pair.turns1, method.extractor)
    except InputError as error:
        return failed_prediction(str(error))
    if isinstance(method, SeesImages):
        sides = (Side(read(pair.image0), None, features0), Side(read(pair.image1), None, features1))
        found = method.match_sides(*sides)
    else:
        found = method.match(features0, features1)
    return PairPrediction(
        features0.keypoints.cpu().numpy() if found.keypoints0 is None else found.keypoints0,
        features1.keypoints.cpu().numpy() if found.keypoints1 is None else found.keypoints1,
        found.matches,
        found.scores,
        _unturned(features0.frame),
        _unturned(features1.frame),
        doubtful=found.doubtful,
    )


def _unturned(frame: ResizeMap) -> ResizeMap:
    """The same resize without the turn: the truth is that of the images as they lie."""
    return ResizeMap(frame.original, frame.network.turned(frame.quarter_turns))
