"""A detector that looks like transformers': pixels in, keypoints out.

The network and the steps around it are Cyano's own (`cyano.models`, `cyano.processing`); here are the calling
convention, the output object and the files. The state dict has transformers' keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cyano.checkpoints import Checkpoint
from cyano.errors import InputError
from cyano.hf.configuration import SuperPointConfig
from cyano.hf.detection import Detections, checked_pixels, detections, first_channel
from cyano.hf.outputs import SuperPointKeypointDescriptionOutput
from cyano.hf.prepared import Prepared, runs_fast
from cyano.hf.pretrained import PretrainedModel
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superpoint import DenseFeatures, SuperPoint, pixel_scores

__all__ = ["SuperPointForKeypointDetection"]


class SuperPointForKeypointDetection(PretrainedModel, SuperPoint):
    """A detector with transformers' calling convention.

    Args:
        config: its settings, as a `SuperPointConfig`, transformers' or a dictionary; transformers' defaults if None.
        transformers_exact: keep keypoints near the right and the lower border, as transformers does by
            mistake. False removes them on all four sides. Not written to files.

    Example:
        >>> detector = cyano.SuperPointForKeypointDetection.from_pretrained()
        >>> detector.config.max_keypoints
        1024
        >>> with torch.no_grad():
        ...     outputs = detector(torch.rand(1, 1, 48, 64, generator=torch.Generator().manual_seed(0)))
        >>> outputs.keypoints.shape[2]
        2
    """

    config_class = SuperPointConfig
    config: SuperPointConfig  # type: ignore[assignment]  # same settings, mutable, more of them

    def __init__(self, config: Any = None, *, transformers_exact: bool = False) -> None:
        config = SuperPointConfig.of(config)
        super().__init__(config.native())
        self.config = config
        self.transformers_exact = transformers_exact
        self._fast = Prepared(_fast_form)

    def forward(  # type: ignore[override]  # transformers' convention instead of the network's
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **_: Any,
    ) -> SuperPointKeypointDescriptionOutput | tuple[Any, ...]:
        """Detect and describe keypoints.

        Args:
            pixel_values: (B, C, H, W) in [0, 1]; the first channel is read, H and W are at least 8.
            labels: has to be None.
            output_hidden_states: whether to return the outputs of the encoder's blocks.
            return_dict: False gives a tuple.
            **_: ignored, as in transformers.

        Raises:
            InputError: the shape is another one, or labels are given.
        """
        if labels is not None:
            raise InputError("a detector takes no labels; labels train a SuperGlueForKeypointMatching")
        checked_pixels(pixel_values, "(B, C, H, W)", self.device)
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        states: list[Tensor] = []
        found = self.detect(pixel_values, states if wanted else None)
        output = SuperPointKeypointDescriptionOutput(
            keypoints=found.keypoints,
            scores=found.scores,
            descriptors=found.descriptors,
            mask=found.real.int(),
            hidden_states=tuple(states) if wanted else None,
            network_sizes=found.sizes,
        )
        as_object = self.config.return_dict if return_dict is None else return_dict
        return output if as_object else output.to_tuple()

    def detect(self, images: Tensor, states: list[Tensor] | None = None) -> Detections:
        """(I, C, H, W) images to keypoints; the outputs of the encoder's blocks are added to `states`, if given."""
        grey = first_channel(images)
        if states is None and runs_fast(self, self.config.native()):
            dense = self._fast.of(self)(grey)
        else:
            blocks = self.encoder(grey.to(self.dtype))
            dense = DenseFeatures(pixel_scores(self.keypoint_decoder(blocks[-1])), self.descriptor_decoder(blocks[-1]))
            if states is not None:
                states += blocks
        return detections(dense, first_channel(images), self.config, self.transformers_exact)

    @classmethod
    def _fitted(cls, where: str, config: SuperPointConfig, saved: Checkpoint) -> Checkpoint:
        """Of a matcher's weights, its detector."""
        return Checkpoint.fitted(where, config.native(), None, saved.superpoint_tensors)

    def _checkpoint(self, tensors: Mapping[str, Tensor]) -> Checkpoint:
        return Checkpoint(self.config.native(), tensors)


def _fast_form(model: SuperPoint, dtype: torch.dtype) -> FastSuperPoint:
    """In float32, whatever the dtype of the parameters."""
    return FastSuperPoint(model)
