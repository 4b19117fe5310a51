"""SuperPoint (DeTone, Malisiewicz, Rabinovich, arXiv:1712.07629): a detector and descriptor in one network.

A VGG-style encoder of stride 8 feeds two heads: one classifies each 8x8 cell into its 64 pixels or "no keypoint",
the other describes each cell. This file is the network alone; picking keypoints from its maps is
`cyano.processing.keypoints`, reading descriptors off them is `cyano.processing.descriptors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CELL", "DenseFeatures", "SuperPoint", "SuperPointConfig"]

CELL = 8
"""Pixels along one side of a cell: the stride of the encoder (section 3.1)."""


@dataclass(frozen=True)
class SuperPointConfig:
    """Sizes of the network and the rules for picking keypoints; names as in Hugging Face's `config.json`.

    Attributes:
        encoder_hidden_sizes: channels of the four encoder blocks.
        decoder_hidden_size: hidden channels of both heads.
        descriptor_decoder_dim: D, channels of a descriptor.
        keypoint_threshold: a pixel is a keypoint where its score is above this: its probability, or with "structure"
            that of its surroundings times how clear the place is.
        max_keypoints: keep so many of the highest scores; -1 keeps all.
        nms_radius: no two keypoints lie within this many pixels along both axes.
        border_removal_distance: no keypoint lies nearer than this to the border, in pixels.
        keypoint_localisation: "probability" takes the maxima of the probabilities, as in the paper; "structure" those
            of the picture's own structure, weighed by the probabilities around them, which is several times more
            exact (`cyano.processing.structure`). Not in Hugging Face's configuration: transformers passes it over.
    """

    encoder_hidden_sizes: tuple[int, ...] = (64, 64, 128, 128)
    decoder_hidden_size: int = 256
    descriptor_decoder_dim: int = 256
    keypoint_threshold: float = 0.005
    max_keypoints: int = -1
    nms_radius: int = 4
    border_removal_distance: int = 4
    keypoint_localisation: Literal["probability", "structure"] = "probability"


class DenseFeatures(NamedTuple):
    """What the network says of every pixel and every cell of B images.

    Attributes:
        scores: (B, 8 Hc, 8 Wc), the probability that a pixel is a keypoint, before non-maximum suppression.
        descriptors: (B, D, Hc, Wc), a unit vector for each 8x8 cell.
    """

    scores: Tensor
    descriptors: Tensor


class _Block(nn.Module):
    """Two 3x3 convolutions with ReLU, then 2x2 max pooling (but in the last block)."""

    def __init__(self, channels_in: int, channels_out: int, pool: bool) -> None:
        super().__init__()
        self.conv_a = nn.Conv2d(channels_in, channels_out, 3, padding=1, dtype=torch.float32)
        self.conv_b = nn.Conv2d(channels_out, channels_out, 3, padding=1, dtype=torch.float32)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_b(F.relu(self.conv_a(x)))
        # The largest of four ReLUs is the ReLU of the largest, which has a quarter of the pixels.
        return F.relu(F.max_pool2d(x, 2) if self.pool else x)


class Encoder(nn.Module):
    """(B, 1, H, W) -> (B, C, Hc, Wc), with Hc = H // 8 and Wc = W // 8."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        channels = (1, *sizes)
        self.conv_blocks = nn.ModuleList(
            _Block(channels[i], channels[i + 1], pool=i + 1 < len(sizes)) for i in range(len(sizes))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """The outputs of all blocks, the last one being the code that both heads read."""
        outputs = []
        x = images
        for block in self.conv_blocks:
            x = block(x)
            outputs.append(x)
        return outputs


class KeypointDecoder(nn.Module):
    """The detector's head (section 3.2): 65 classes a cell, the last one being "no keypoint"."""

    def __init__(self, channels_in: int, hidden: int) -> None:
        super().__init__()
        self.conv_score_a = nn.Conv2d(channels_in, hidden, 3, padding=1, dtype=torch.float32)
        self.conv_score_b = nn.Conv2d(hidden, CELL * CELL + 1, 1, dtype=torch.float32)

    def forward(self, code: Tensor) -> Tensor:
        """(B, C, Hc, Wc) -> (B, 65, Hc, Wc) logits."""
        logits: Tensor = self.conv_score_b(F.relu(self.conv_score_a(code)))
        return logits


class DescriptorDecoder(nn.Module):
    """The descriptor's head (section 3.3): one unit vector a cell."""

    def __init__(self, channels_in: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.conv_descriptor_a = nn.Conv2d(channels_in, hidden, 3, padding=1, dtype=torch.float32)
        self.conv_descriptor_b = nn.Conv2d(hidden, dim, 1, dtype=torch.float32)

    def forward(self, code: Tensor) -> Tensor:
        """(B, C, Hc, Wc) -> (B, D, Hc, Wc), unit length along D."""
        return F.normalize(self.conv_descriptor_b(F.relu(self.conv_descriptor_a(code))), dim=1)


class SuperPoint(nn.Module):
    """Grey images to dense keypoint scores and dense descriptors.

    Freshly built, it has He-initialised random weights: the form has no normalisation layers, and with smaller
    weights the signal dies out over ten convolutions.
    """

    def __init__(self, config: SuperPointConfig | None = None) -> None:
        super().__init__()
        self.config = config or SuperPointConfig()
        sizes, hidden = self.config.encoder_hidden_sizes, self.config.decoder_hidden_size
        self.encoder = Encoder(sizes)
        self.keypoint_decoder = KeypointDecoder(sizes[-1], hidden)
        self.descriptor_decoder = DescriptorDecoder(sizes[-1], hidden, self.config.descriptor_decoder_dim)
        for module in self.modules():
            # A model built for its shapes alone has nothing to fill, and trying loads torch's compiler.
            if isinstance(module, nn.Conv2d) and module.bias is not None and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> DenseFeatures:
        """Run both heads on a batch of images.

        Args:
            images: (B, 1, H, W), values in [0, 1], H and W at least 8. A last strip of fewer than 8 rows or
                columns is not seen.
        """
        code = self.encoder(images)[-1]
        return DenseFeatures(pixel_scores(self.keypoint_decoder(code)), self.descriptor_decoder(code))


def pixel_scores(logits: Tensor) -> Tensor:
    """(B, 65, Hc, Wc) logits -> (B, 8 Hc, 8 Wc) probabilities, in float32 whatever the logits' dtype.

    Channel c of a cell is its pixel in row c // 8 and column c % 8; channel 64 takes the rest (section 3.2).
    """
    probabilities = torch.softmax(logits.float(), dim=1)[:, :-1]
    return F.pixel_shuffle(probabilities, CELL)[:, 0]
