"""First stage of the detector: corners of synthetic shapes (SuperPoint, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cyano.models.superpoint import SuperPointConfig
from cyano.pairs.checks import check_range
from cyano.synthesis.photometric import photometric_change
from cyano.synthesis.shapes import draw_shapes
from cyano.training.data.views import check_picture
from cyano.training.networks.detector import TrainableDetector, fresh_superpoint
from cyano.training.run.loop import Batch
from cyano.training.run.schedule import Schedule
from cyano.training.stages.losses import cell_targets, detector_loss
from cyano.types import ImageSize

__all__ = ["ShapesOptions", "ShapesStage"]


@dataclass(frozen=True)
class ShapesOptions:
    """What the shapes stage draws.

    Attributes:
        height: of a picture, a multiple of 8.
        width: likewise.
        photometric: strength of blur, noise and light, 0 to 1.
    """

    height: int = 160
    width: int = 160
    photometric: float = 1.0

    def __post_init__(self) -> None:
        check_picture(self.height, self.width)
        check_range("photometric", self.photometric, 0, 1)


class ShapesStage:
    """A detector without descriptors learns corners from drawings."""

    name = "shapes"

    def __init__(self, network: SuperPointConfig, options: ShapesOptions, schedule: Schedule, seed: int) -> None:
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superpoint = fresh_superpoint(network, seed)
        self.module: nn.Module = TrainableDetector(self.superpoint, descriptors=False)

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        return {"network": asdict(self.superpoint.config), "options": asdict(self.options)}

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """None."""
        return ()

    def batch(self, rng: np.random.Generator) -> Batch:
        """Pictures (B, 1, H, W) and targets (B, 65, H / 8, W / 8)."""
        size = ImageSize(self.options.height, self.options.width)
        images, targets = [], []
        for _ in range(self.schedule.batch_size):
            picture, corners = draw_shapes(size, rng)
            images.append(torch.from_numpy(photometric_change(picture, rng, self.options.photometric))[None])
            targets.append(cell_targets(torch.from_numpy(corners), size.height, size.width))
        return {"images": torch.stack(images), "targets": torch.stack(targets)}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The detector's loss, with precision and recall of cells at probability 0.1 a pixel."""
        logits, _, _ = module(batch["images"])
        targets = batch["targets"]
        loss = detector_loss(logits, targets, targets.new_ones(targets[:, 0].shape, dtype=torch.bool))
        found = torch.softmax(logits.detach(), dim=1)[:, :-1].amax(1) > 0.1
        true = targets[:, -1] < 0.5
        hit = (found & true).sum()
        return loss, {"precision": hit / found.sum().clamp(min=1), "recall": hit / true.sum().clamp(min=1)}
