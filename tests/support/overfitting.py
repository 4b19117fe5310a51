"""A matcher's stage on one batch again and again, and what its descriptors alone would reach."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cyano.training.run.loop import Batch
from cyano.training.run.schedule import Schedule, build_optimiser
from cyano.training.stages.matcher import MatcherStage


def overfit(stage: MatcherStage, batch: Batch) -> tuple[list[float], Mapping[str, torch.Tensor]]:
    """The losses of 120 steps, and the figures of the last."""
    module = stage.module.train()
    optimiser = build_optimiser(module.parameters(), Schedule(steps=1, learning_rate=3e-3))
    losses = []
    for _ in range(120):
        optimiser.zero_grad()
        loss, figures = stage.loss(module, batch)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses, figures


def mutual_nearest(batch: Batch) -> float:
    """Share of right matches among mutual nearest neighbours of the descriptors, ignored keypoints left out."""
    cosines = batch["descriptors0"] @ batch["descriptors1"].transpose(1, 2)
    partner, back = cosines.argmax(2), cosines.argmax(1)
    mutual = (back.gather(1, partner) == torch.arange(partner.shape[1])) & (batch["matches0"] != -2)
    return float((partner == batch["matches0"])[mutual].float().mean())
