"""A matcher that looks like transformers': pixels of pairs of images in, matches out.

The networks and the steps between them are Cyano's own (`cyano.models`, `cyano.processing`); here are the
calling convention, the output object and the files. The state dict has transformers' keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cyano.checkpoints import Checkpoint
from cyano.checkpoints.checkpoint import DETECTOR
from cyano.errors import InputError, WeightsError
from cyano.hf.configuration import SuperGlueConfig
from cyano.hf.detection import Detections, checked_pixels, given_features
from cyano.hf.modeling_superpoint import SuperPointForKeypointDetection
from cyano.hf.outputs import SuperGlueKeypointMatchingOutput
from cyano.hf.prepared import Prepared, runs_fast
from cyano.hf.pretrained import PretrainedModel
from cyano.models.assignment_loss import IGNORE, assignment_loss
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.superglue import SuperGlue, Trace
from cyano.processing.assignment import mutual_matches
from cyano.types import Features

__all__ = ["SuperGlueForKeypointMatching"]


class SuperGlueForKeypointMatching(PretrainedModel, SuperGlue):
    """A matcher with its detector, with transformers' calling convention.

    Beyond transformers, it takes features that were extracted before, and labels to train with.

    Args:
        config: its settings, as a `SuperGlueConfig`, transformers' or a dictionary; transformers' defaults if None.
        transformers_exact: give transformers' numbers where they differ from the right ones: keypoints near
            the right and the lower border stay, and padding takes part in the transport, so that a pair's
            scores depend on the other pairs of the batch. Not written to files.

    Example:
        >>> model = cyano.SuperGlueForKeypointMatching.from_pretrained()
        >>> with torch.no_grad():
        ...     outputs = model(features=[tuple(matcher.extract(["a.jpg", "b.jpg"]))])
        >>> outputs.matches.shape[:2]
        torch.Size([1, 2])
    """

    config_class = SuperGlueConfig
    config: SuperGlueConfig  # type: ignore[assignment]  # same settings, mutable, more of them

    def __init__(self, config: Any = None, *, transformers_exact: bool = False) -> None:
        config = SuperGlueConfig.of(config)
        if config.hidden_size != config.detector.descriptor_decoder_dim:
            raise InputError(
                f"hidden_size ({config.hidden_size}) must equal the detector's descriptor_decoder_dim "
                f"({config.detector.descriptor_decoder_dim})"
            )
        super().__init__(config.native())
        self.config = config
        self.transformers_exact = transformers_exact
        self._fast = Prepared(FastSuperGlue)
        self.keypoint_detector = SuperPointForKeypointDetection(config.detector, transformers_exact=transformers_exact)

    def forward(  # type: ignore[override]  # transformers' convention instead of the network's
        self,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        features: Sequence[tuple[Features, Features]] | None = None,
        **_: Any,
    ) -> SuperGlueKeypointMatchingOutput | tuple[Any, ...]:
        """Match B pairs of images.

        Args:
            pixel_values: (B, 2, C, H, W) in [0, 1]; the first channel is read.
            labels: (B, 2, N) int64, for each keypoint the index of its true partner in the other image, -1
                for none, -2 to ignore it; gives a loss (arXiv:1911.11763, eq. 10).
            output_attentions: whether to return attentions.
            output_hidden_states: whether to return hidden states.
            return_dict: False gives a tuple.
            features: B pairs in place of `pixel_values`.
            **_: ignored, as in transformers.

        Raises:
            InputError: shapes are others, or neither or both of pixels and features are given.
        """
        found = self._found(pixel_values, features)
        states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        attentions = self.config.output_attentions if output_attentions is None else output_attentions
        trace = Trace() if states or attentions else None
        log_assignment = self._log_assignment(found, trace)
        matches = mutual_matches(log_assignment, self.config.matching_threshold)
        output = SuperGlueKeypointMatchingOutput(
            loss=None if labels is None else _loss(log_assignment, labels, found),
            matches=torch.stack([matches.matches0, matches.matches1], dim=1),
            matching_scores=torch.stack([matches.scores0, matches.scores1], dim=1),
            keypoints=_by_pair(found.keypoints),
            mask=_by_pair(found.real.int()),
            network_sizes=_by_pair(found.sizes),
        )
        if trace is not None and states:
            output.hidden_states = tuple(torch.stack(s, dim=1).transpose(2, 3) for s in trace.hidden_states)
        if trace is not None and attentions:
            output.attentions = tuple(torch.stack(pair, dim=1) for pair in trace.attentions)
        as_object = self.config.return_dict if return_dict is None else return_dict
        return output if as_object else output.to_tuple()

    def _log_assignment(self, found: Detections, trace: Trace | None) -> Tensor:
        """(B, N+1, N+1) float32."""
        images, count = found.scores.shape
        if count == 0:  # not a keypoint in the whole batch: there is only the dustbins' own corner
            return found.scores.new_zeros(images // 2, 1, 1)
        set0, set1 = found.side(0, self.dtype), found.side(1, self.dtype)
        # The fast form skips the padding, which transformers' numbers depend on.
        padded = set0.mask is not None
        if trace is None and runs_fast(self, self.config.native()) and not (padded and self.transformers_exact):
            return self._fast.of(self)(set0, set1, iterations=self.config.sinkhorn_iterations)
        log_assignment: Tensor = super().forward(
            set0,
            set1,
            iterations=self.config.sinkhorn_iterations,
            trace=trace,
            count_padding=self.transformers_exact,
        )
        return log_assignment.float()

    def _found(self, pixel_values: Tensor | None, features: Sequence[tuple[Features, Features]] | None) -> Detections:
        """Keypoints of 2B images, those of a pair one after the other."""
        if features is not None and pixel_values is None:
            return given_features(features, self.device, self.config.native())
        if pixel_values is None or features is not None:
            raise InputError("give either pixel_values or features")
        if checked_pixels(pixel_values, "(B, 2, C, H, W)", self.device).shape[1] != 2:
            raise InputError(f"pixel_values must be (B, 2, C, H, W), not {tuple(pixel_values.shape)}")
        found = self.keypoint_detector(pixel_values.flatten(0, 1), output_hidden_states=False, return_dict=True)
        return Detections(found.keypoints, found.scores, found.descriptors, found.mask > 0, found.network_sizes)

    @classmethod
    def _fitted(cls, where: str, config: SuperGlueConfig, saved: Checkpoint) -> Checkpoint:
        if saved.superglue_tensors is None:
            raise WeightsError(f"{where} has no matcher; load it as SuperPointForKeypointDetection")
        return Checkpoint.fitted(where, config.detector.native(), config.native(), saved.tensors())

    def _checkpoint(self, tensors: Mapping[str, Tensor]) -> Checkpoint:
        return Checkpoint(
            self.config.detector.native(),
            {name.removeprefix(DETECTOR): t for name, t in tensors.items() if name.startswith(DETECTOR)},
            self.config.native(),
            {name: t for name, t in tensors.items() if not name.startswith(DETECTOR)},
        )


def _by_pair(images: Tensor) -> Tensor:
    """(2B, ...) -> (B, 2, ...)."""
    return images.reshape(len(images) // 2, 2, *images.shape[1:])


def _loss(log_assignment: Tensor, labels: Tensor, found: Detections) -> Tensor:
    """The loss of (B, 2, N) labels, padding ignored."""
    real = _by_pair(found.real)
    if labels.shape != real.shape or labels.dtype != torch.int64:
        raise InputError(
            f"labels must be int64 of shape {tuple(real.shape)} (pairs, sides, keypoints), not "
            f"{labels.dtype} of {tuple(labels.shape)}"
        )
    partners = real.flip(1).sum(2, keepdim=True)
    if bool((real & ((labels >= partners) | (labels < IGNORE))).any()):
        raise InputError("labels must be indices of keypoints of the other image, -1 for no match, or -2 to ignore")
    labels = torch.where(real, labels, IGNORE)
    return assignment_loss(log_assignment, labels[:, 0], labels[:, 1])
