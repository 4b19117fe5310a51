"""The graph network and the transport with their rules: pairs of features to matches, on a GPU several at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cyano.models.as_built import for_inference, is_as_built
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.superglue import SuperGlue, SuperGlueConfig
from cyano.models.transport import log_transport
from cyano.options import MatcherOptions
from cyano.processing.assignment import mutual_matches
from cyano.processing.batching import pad
from cyano.types import Features, Matches

__all__ = ["Assigner"]


class Assigner:
    """SuperGlue on a device, with the rules for matches.

    On a CPU it runs the fast form, or the module where a user has changed the network. A pair's matches do not depend
    on what it is batched with.

    Attributes:
        network: what runs.
    """

    def __init__(
        self, network: SuperGlue, options: MatcherOptions, rules: SuperGlueConfig, device: torch.device
    ) -> None:
        """Bring a network to a device.

        Args:
            network: is copied.
            options: the precision.
            rules: layers and iterations.
            device: where to run.
        """
        self._device, self._iterations = device, rules.sinkhorn_iterations
        self._dtype = torch.float32 if options.precision == "float32" else torch.bfloat16
        copied = for_inference(network, device).first_layers(len(rules.gnn_layers_types))
        fast = device.type == "cpu" and is_as_built(copied)
        self.network: SuperGlue | FastSuperGlue = FastSuperGlue(copied, self._dtype) if fast else copied

    @property
    def is_fast(self) -> bool:
        """Whether the fast form of a CPU runs."""
        return isinstance(self.network, FastSuperGlue)

    @torch.inference_mode()
    def __call__(self, pairs: Sequence[tuple[Features, Features]], least: float) -> list[Matches]:
        """Matches of some pairs that are at least so probable."""
        found = mutual_matches(self.log_assignment(pairs), least)
        return found.pairs([(len(a), len(b)) for a, b in pairs])

    @torch.inference_mode()
    def log_assignment(self, pairs: Sequence[tuple[Features, Features]]) -> Tensor:
        """(B, M + 1, N + 1) logarithms of the probabilities of some pairs, padded to the largest."""
        set0, set1 = pad([pair[0] for pair in pairs]), pad([pair[1] for pair in pairs])
        if isinstance(self.network, FastSuperGlue):
            return self.network(set0, set1, iterations=self._iterations)
        half = self._dtype != torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=half):
            scores = self.network.similarity(*self.network.propagate(set0, set1)).float()
        return log_transport(scores, self.network.bin_score, self._iterations, set0.mask, set1.mask)
