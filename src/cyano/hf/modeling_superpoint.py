"""A detector that looks like transformers': pixels in, keypoints out.

The network and the steps around it are Cyano's own (`cyano.models`, `cyano.processing`); here are the calling
convention, the output object and the files. The state dict has transformers' keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from cyano.checkpoints import Checkpoint
from cyano.checkpoints.cards import Origin
from cyano.errors import InputError
from cyano.hf.configuration import SuperPointConfig
from cyano.hf.detection import Detections, detections, first_channel
from cyano.hf.outputs import SuperPointKeypointDescriptionOutput
from cyano.hf.prepared import Prepared, runs_fast
from cyano.hf.pretrained import DtypeName, chosen_dtype, config_and_checkpoint, save_model
from cyano.models.fast import FastSuperPoint
from cyano.models.superpoint import DenseFeatures, SuperPoint, pixel_scores

__all__ = ["SuperPointForKeypointDetection"]


class SuperPointForKeypointDetection(SuperPoint):
    """A detector with transformers' calling convention.

    Args:
        config: its settings; transformers' defaults if None.
        transformers_exact: keep keypoints near the right and the lower border, as transformers does by
            mistake. False removes them on all four sides. Not written to files.
    """

    config: SuperPointConfig  # type: ignore[assignment]  # same settings, mutable, more of them

    def __init__(self, config: SuperPointConfig | None = None, *, transformers_exact: bool = False) -> None:
        config = config or SuperPointConfig()
        super().__init__(config.native())
        self.config = config
        self.transformers_exact = transformers_exact
        self._origin: Origin | None = None
        self._fast = Prepared(FastSuperPoint)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The parameters' dtype."""
        return next(self.parameters()).dtype

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
        if pixel_values.ndim != 4:
            raise InputError(f"pixel_values must be (B, C, H, W), not {tuple(pixel_values.shape)}")
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
        if not images.is_floating_point():
            raise InputError(f"pixel_values must be floats in [0, 1], not {images.dtype}")
        grey = first_channel(images).to(self.dtype)
        if states is None and runs_fast(self):
            dense = self._fast.of(self)(grey)
        else:
            blocks = self.encoder(grey)
            dense = DenseFeatures(pixel_scores(self.keypoint_decoder(blocks[-1])), self.descriptor_decoder(blocks[-1]))
            if states is not None:
                states += blocks
        return detections(dense, first_channel(images), self.config, self.transformers_exact)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        config: SuperPointConfig | None = None,
        dtype: DtypeName = None,
        transformers_exact: bool = False,
        **keywords: Any,
    ) -> Self:
        """Load a detector in evaluation mode; of a matcher's weights, its detector.

        Args:
            name_or_path: a folder, an original .pth file, a name on the Hugging Face hub, or None for the
                weights that come with Cyano.
            config: settings in place of the saved ones.
            dtype: the dtype to load in; None for float32.
            transformers_exact: see the class.
            **keywords: settings to change, and `revision`, `cache_dir`, `token`, `local_files_only` for the
                hub.

        Raises:
            WeightsError: nothing is there, it cannot be fetched, or it is damaged.
            InputError: a setting is unknown or not usable.
        """
        dtype = keywords.pop("torch_dtype", None) if dtype is None else dtype
        config, saved, origin = config_and_checkpoint(SuperPointConfig, name_or_path, config, keywords)
        checkpoint = Checkpoint.fitted(str(name_or_path), config.native(), None, saved.superpoint_tensors)
        model = cls(config, transformers_exact=transformers_exact)
        model.load_state_dict(checkpoint.tensors())
        model._origin = origin
        return model.to(chosen_dtype(dtype, config.dtype)).eval()

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Save config.json and model.safetensors, so that transformers loads them, and the card with the licence.

        Args:
            folder: where to.
            overwrite: replace another model that is there.

        Raises:
            OutputError: another model is there, or it cannot be written.
        """
        checkpoint = Checkpoint(self.config.native(), self.state_dict())
        save_model(folder, self, self.config, checkpoint, self._origin, overwrite=overwrite)
