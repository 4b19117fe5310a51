"""Networks with random weights that behave like trained ones: no layer dies, none saturates."""

from __future__ import annotations

import torch
from torch import nn

from cyano.models.superglue import KeypointSet, SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig

SMALL_SUPERPOINT = SuperPointConfig(
    encoder_hidden_sizes=(8, 8, 16, 16), decoder_hidden_size=24, descriptor_decoder_dim=32
)
SMALL_SUPERGLUE = SuperGlueConfig(
    hidden_size=32,
    keypoint_encoder_sizes=(8, 16),
    gnn_layers_types=("self", "cross") * 2,
    num_attention_heads=4,
    sinkhorn_iterations=20,
    matching_threshold=0.0,
)


def random_superglue(config: SuperGlueConfig = SMALL_SUPERGLUE, seed: int = 0) -> SuperGlue:
    """A matcher whose batch normalisation has statistics of its own, so that forgetting them shows."""
    torch.manual_seed(seed)
    model = SuperGlue(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 1 / module.in_features**0.5)
            nn.init.normal_(module.bias, 0, 0.1)
    with torch.no_grad():
        for layer in model.gnn.layers:
            layer.attention.self.query.weight *= 4  # attention that prefers some keypoints to others
            layer.mlp[1].weight *= 0.2  # residual updates that do not swamp the descriptors
        final = model.final_projection.final_proj
        final.weight *= 0.8 * config.hidden_size**0.25  # scores with a spread of a few units
        final.weight -= final.weight.mean(1, keepdim=True)
    return model.eval()


def random_superpoint(config: SuperPointConfig = SMALL_SUPERPOINT, seed: int = 0) -> SuperPoint:
    """A detector with a few hundred distinct keypoints on a noisy image."""
    torch.manual_seed(seed)
    return SuperPoint(config).eval()


def random_keypoints(count: int, dim: int = 32, batch: int = 1, seed: int = 0) -> KeypointSet:
    """Keypoints anywhere, descriptors in any direction."""
    generator = torch.Generator().manual_seed(seed * 1000 + count)
    positions = torch.rand(batch, count, 2, generator=generator) - 0.5
    scores = torch.rand(batch, count, generator=generator)
    descriptors = torch.randn(batch, count, dim, generator=generator)
    return KeypointSet(positions, scores, torch.nn.functional.normalize(descriptors, dim=-1))
