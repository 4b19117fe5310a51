"""transformers' models with the weights of ours, and a look at the stages that they do not return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.models.superglue import modeling_superglue
from transformers.models.superpoint import modeling_superpoint

from cyano.hf import SuperGlueForKeypointMatching


def twin(model: SuperGlueForKeypointMatching) -> transformers.SuperGlueForKeypointMatching:
    """transformers' model of the same configuration, with the same weights under the same keys."""
    config = transformers.SuperGlueConfig(**model.config.to_dict())
    other = transformers.SuperGlueForKeypointMatching(config).eval()
    other.load_state_dict(model.state_dict(), strict=True)
    return other


@contextmanager
def taps(model: transformers.SuperGlueForKeypointMatching) -> Iterator[dict[str, list[Tensor]]]:
    """Record what passes through transformers' stages, in the order of the calls."""
    seen: dict[str, list[Tensor]] = {}

    def keep(name: str, value: Any) -> None:
        seen.setdefault(name, []).append(value if isinstance(value, Tensor) else value[0])

    detector = model.keypoint_detector
    stages = {
        "encoder": detector.encoder,
        "score_logits": detector.keypoint_decoder.conv_score_b,
        "descriptor_map": detector.descriptor_decoder.conv_descriptor_b,
        "keypoint_encoding": model.keypoint_encoder,
        "gnn_output": model.gnn,
        "projection": model.final_projection,
    }
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, module in stages.items()
    ]
    nms, transport = modeling_superpoint.simple_nms, modeling_superglue.log_optimal_transport

    def nms_tap(scores: Tensor, radius: int) -> Tensor:
        keep("dense_scores", scores.clone())
        keep("maxima", nms(scores, radius))
        return seen["maxima"][-1].clone()

    def transport_tap(scores: Tensor, *rest: Any, **options: Any) -> Tensor:
        keep("score_matrix", scores.clone())
        keep("log_assignment", transport(scores, *rest, **options))
        return seen["log_assignment"][-1].clone()

    modeling_superpoint.simple_nms, modeling_superglue.log_optimal_transport = nms_tap, transport_tap
    try:
        with torch.no_grad():
            yield seen
    finally:
        modeling_superpoint.simple_nms, modeling_superglue.log_optimal_transport = nms, transport
        for hook in hooks:
            hook.remove()
