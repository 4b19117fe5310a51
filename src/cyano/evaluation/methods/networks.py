"""Cyano's own methods: SuperGlue, and nearest neighbours of the same descriptors, on one detector."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
import torch

from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.loading import Networks
from cyano.errors import WeightsError
from cyano.evaluation.methods.method import NO_ROWS, Extractor, Found
from cyano.evaluation.provenance import Record, matching_record
from cyano.matcher import Matcher
from cyano.models.superglue import SuperGlue, SuperGlueConfig
from cyano.options import MatcherOptions
from cyano.processing import resize
from cyano.processing.images import LoadedImage
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, ImageSize, ResizeMap
from cyano.view_search import Side

__all__ = ["MutualNearest", "NetworkFeatures", "SuperGlueMethod", "ViewsMethod", "colour_input", "turned_rule"]

_OF_THE_MATCHER = (
    "align",
    "match_threshold",
    "confirmed_threshold",
    "sinkhorn_iterations",
    "rotations",
    "views",
    "few_matches",
    "layers",
)


class NetworkFeatures:
    """What the `Matcher` detects in the resized, upright image; the weights may be a detector's alone."""

    def __init__(self, networks: Networks, options: MatcherOptions, device: str = "cpu") -> None:
        """Prepare the detector.

        Args:
            networks: its weights.
            options: how to resize and which keypoints to keep.
            device: where to run.
        """
        self._rule = options.resize
        whole = networks if networks.superglue is not None else replace(networks, superglue=_stand_in(networks))
        # The images come to the matcher turned and resized, since only evaluations turn them.
        self.matcher = Matcher(whole, replace(options, resize=ResizeRule.none()), device=device)
        full = matching_record(self.matcher, whole, options.resize)
        self.record: Record = {name: value for name, value in full.items() if name not in _OF_THE_MATCHER}
        self.record["weights_sha256"] = weights_digest(networks.superpoint)

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns."""
        grey, frame = resize.apply(image, turned_rule(self._rule, turns), -turns % 4)
        seen = self.matcher.extract([grey])[0]
        return replace(seen, keypoints=frame.to_original(seen.keypoints), frame=frame)


def turned_rule(rule: ResizeRule, turns: int) -> ResizeRule:
    """The rule for a turned image: an exact size is that of the image before its turns, as in match_pairs."""
    return rule if rule.size is None else replace(rule, size=rule.size.turned(turns))


def colour_input(image: LoadedImage, rule: ResizeRule, turns: int) -> tuple[torch.Tensor, ResizeMap]:
    """What other networks see of an image after so many CLOCKWISE quarter turns: (1, 3, H, W) float32 RGB in [0, 1]."""
    upright = np.rot90(image.rgb, -turns)
    size = turned_rule(rule, turns).network_size(ImageSize(*upright.shape[:2]))
    how = cv2.INTER_AREA if size.height <= upright.shape[0] else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(upright), (size.width, size.height), interpolation=how)
    return torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255, ResizeMap(image.size, size, -turns % 4)


def _stand_in(networks: Networks) -> SuperGlue:
    """A matcher that is never asked, for weights that have none."""
    config = SuperGlueConfig(
        hidden_size=networks.superpoint.config.descriptor_decoder_dim,
        keypoint_encoder_sizes=(8,),
        gnn_layers_types=("self", "cross"),
        num_attention_heads=1,
    )
    with torch.random.fork_rng(devices=[]):
        return SuperGlue(config).eval()


class SuperGlueMethod:
    """What `cyano.match` does, with or without the alignment at its end."""

    def __init__(
        self, networks: Networks, options: MatcherOptions, extractor: NetworkFeatures, *, align: bool = True
    ) -> None:
        """Take the matcher that goes with the detector, and align its matches if the options and `align` say so.

        Raises:
            WeightsError: the weights are a detector's alone.
        """
        if networks.superglue is None:
            raise WeightsError(f"{networks.source} has no matcher; evaluate it by the method mutual-nn")
        self.name = "cyano" if align else "cyano-unaligned"
        self.extractor = extractor
        self.record = matching_record(extractor.matcher, networks, options.resize)
        self.record["align"] = self._align = align and options.align

    def match(self, features0: Features, features1: Features) -> Found:
        """Match by SuperGlue; scores are probabilities."""
        if not self._align:
            features0, features1 = replace(features0, image=None), replace(features1, image=None)
        return _found(self.extractor.matcher.match_features([(features0, features1)])[0])


class ViewsMethod(SuperGlueMethod):
    """What `cyano.match` does with views="auto"."""

    def __init__(self, networks: Networks, options: MatcherOptions, extractor: NetworkFeatures) -> None:
        """Take a matcher that searches views, for what the detector found; see `SuperGlueMethod`."""
        super().__init__(networks, options, extractor)
        self.name = "cyano-views"
        searching = replace(extractor.matcher.options, views="auto")
        self._searching = Matcher(networks, searching, device=extractor.matcher.device)
        self.record["views"] = "auto"

    def match_sides(self, side0: Side, side1: Side) -> Found:
        """Match by SuperGlue, and look at the images again where that finds little."""
        return _found(self._searching.match_sides(side0, side1))


def _found(result: PairResult) -> Found:
    doubtful = NO_ROWS if result.doubtful is None else replace(result, matches=result.doubtful).indices
    return Found(result.indices, result.scores, result.image1.keypoints, doubtful, result.image0.keypoints)


class RecordedExtractor(Extractor, Protocol):
    """An extractor that says what decides its features."""

    record: Record


class MutualNearest:
    """Keypoints whose descriptors are each other's nearest: what the matcher has to beat."""

    name = "mutual-nn"

    def __init__(self, extractor: RecordedExtractor) -> None:
        """Nothing to prepare.

        Args:
            extractor: the detector.
        """
        self.extractor = extractor
        self.record: Record = {**extractor.record, "matching": "mutual nearest neighbours, without a threshold"}

    def match(self, features0: Features, features1: Features) -> Found:
        """Match by cosine similarity, which is also the score."""
        similarity = features0.descriptors @ features1.descriptors.T  # (M, N)
        if not similarity.numel():
            return Found(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
        best0, best1 = similarity.argmax(1), similarity.argmax(0)
        mutual = torch.nonzero(best1[best0] == torch.arange(len(best0), dtype=torch.int64, device=best0.device))[:, 0]
        matches = torch.stack([mutual, best0[mutual]], dim=1)
        return Found(matches.cpu().numpy(), similarity[mutual, best0[mutual]].float().cpu().numpy())
