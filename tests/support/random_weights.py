"""Random weights under which matching is neither trivial nor chaotic, for comparing two implementations.

With an ordinary initialisation the detector's softmax is nearly flat: thousands of pixels pass, and rounding decides
which. Here the filters keep the signal's variance and ignore the mean grey level, a bias against keypoints limits
their number, attention is far from uniform (so that a wrong order of heads shows), and the last projection is centred
and scaled so that the assignment is neither uniform nor saturated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cyano.hf import SuperGlueConfig, SuperGlueForKeypointMatching, SuperPointConfig


@dataclass(frozen=True)
class Gains:
    """How far the weights are from variance-keeping ones."""

    first_filters: float = 8.0
    filters: float = 1.6
    score_head: float = 0.5
    no_keypoint: float = 11.5
    queries_and_keys: float = 24.0
    values: float = 2.0
    updates: float = 0.2
    positions: float = 0.1
    projection: float = 20.0
    bin_score: float = 8.0


FULL = Gains()
SMALL = Gains(no_keypoint=13.0, queries_and_keys=6.0, projection=15.0, bin_score=2.0)


def small_config() -> SuperGlueConfig:
    """A tiny network with every kind of part, 8 to 16 times narrower than the default."""
    detector = SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16], decoder_hidden_size=32, descriptor_decoder_dim=32, max_keypoints=-1
    )
    return SuperGlueConfig(
        keypoint_detector_config=detector,
        hidden_size=32,
        keypoint_encoder_sizes=[8, 16],
        gnn_layers_types=["self", "cross", "cross", "self"],
        num_attention_heads=4,
        sinkhorn_iterations=30,
    )


def stereo_pair(height: int, width: int) -> tuple[Image.Image, Image.Image]:
    """The two views of scikit-image's motorcycle, resized."""
    import skimage.data

    left, right, _ = skimage.data.stereo_motorcycle()
    first, second = (Image.fromarray(np.ascontiguousarray(view)).resize((width, height)) for view in (left, right))
    return first, second


def pixel_values(*pairs: tuple[Image.Image, Image.Image]) -> Tensor:
    """(B, 2, 3, H, W) in [0, 1]: the mean of the three channels, as all three."""
    grey = [[torch.from_numpy(np.asarray(view).mean(2, dtype=np.float32)) / 255 for view in pair] for pair in pairs]
    return torch.stack([torch.stack(pair) for pair in grey])[:, :, None].expand(-1, -1, 3, -1, -1).contiguous()


@torch.no_grad()
def random_model(
    config: SuperGlueConfig, seed: int = 0, gains: Gains = FULL, pixels: Tensor | None = None
) -> SuperGlueForKeypointMatching:
    """A matcher with random weights; the last projection is centred on `pixels`, if given."""
    model = SuperGlueForKeypointMatching(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        _randomise(module, generator, gains)
    _shape_detector(model, gains)
    _shape_matcher(model, gains)
    if pixels is not None:
        _centre(model, pixels)
    return model


def _randomise(module: nn.Module, generator: torch.Generator, gains: Gains) -> None:
    def normal(tensor: Tensor, deviation: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * deviation)

    def uniform(tensor: Tensor, low: float, high: float) -> None:
        tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))

    if isinstance(module, nn.Conv2d) and module.bias is not None:
        side = module.kernel_size[0]
        gain = 1.0 if side == 1 else gains.filters if module.in_channels > 1 else gains.first_filters
        normal(module.weight, gain * math.sqrt(2 / (module.in_channels * side * side)))
        if side > 1:
            module.weight -= module.weight.mean((2, 3), keepdim=True)
        normal(module.bias, 0.02)
    elif isinstance(module, nn.Linear):
        normal(module.weight, 1 / math.sqrt(module.in_features))
        normal(module.bias, 0.05)
    elif isinstance(module, nn.BatchNorm1d):
        uniform(module.weight, 0.5, 1.5)
        normal(module.bias, 0.1)
        assert module.running_mean is not None
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        normal(module.running_mean, 0.2)
        uniform(module.running_var, 0.5, 2.0)
        module.num_batches_tracked.fill_(7)  # has to survive a round trip, has no effect


def _shape_detector(model: SuperGlueForKeypointMatching, gains: Gains) -> None:
    score = model.keypoint_detector.keypoint_decoder.conv_score_b
    score.weight *= gains.score_head
    assert score.bias is not None
    score.bias[-1] += gains.no_keypoint
    descriptor = model.keypoint_detector.descriptor_decoder.conv_descriptor_b
    descriptor.weight -= descriptor.weight.mean(1, keepdim=True)  # what all keypoints share tells nothing


def _shape_matcher(model: SuperGlueForKeypointMatching, gains: Gains) -> None:
    tensors = dict(model.named_parameters())
    last = f"keypoint_encoder.encoder.{len(model.keypoint_encoder.encoder) - 1}.weight"
    tensors[last].sub_(tensors[last].mean(1, keepdim=True)).mul_(gains.positions)
    for name, tensor in tensors.items():
        if name.endswith((".query.weight", ".key.weight")):
            tensor.mul_(gains.queries_and_keys)
        elif name.endswith(".value.weight"):
            tensor.mul_(gains.values)
        elif name.startswith("gnn") and name.endswith("mlp.1.weight"):
            tensor.sub_(tensor.mean(1, keepdim=True)).mul_(gains.updates)
        elif name.startswith("gnn") and name.endswith("mlp.1.bias"):
            tensor.mul_(gains.updates)
    tensors["final_projection.final_proj.weight"].mul_(gains.projection)
    model.bin_score.fill_(gains.bin_score)


def _centre(model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    """Take out of the projections what all keypoints have in common."""
    output = model(pixels, output_hidden_states=True)
    projected = output.hidden_states[-1].transpose(2, 3)[output.mask > 0]
    model.final_projection.final_proj.bias -= projected.mean(0)
