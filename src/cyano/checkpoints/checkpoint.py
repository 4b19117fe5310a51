"""A checkpoint in memory: configurations and tensors that are known to fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cyano.errors import WeightsError
from cyano.models.superglue import SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig

__all__ = ["DETECTOR", "Checkpoint", "fitted_tensors"]

DETECTOR = "keypoint_detector."
"""What the detector's tensors are called by within a matcher's checkpoint."""

_COUNTER = ".num_batches_tracked"
_SHOWN = 8
"""How many names of each kind an error message lists."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A detector and, unless it is a detector's checkpoint, a matcher.

    Attributes:
        superpoint: the detector's configuration.
        superpoint_tensors: its complete state dict, floats in float32.
        superglue: the matcher's configuration, or None.
        superglue_tensors: its complete state dict likewise, or None.

    Example:
        >>> checkpoint = load_folder(resolve("cyano-tiny"))
        >>> checkpoint.superglue.hidden_size, len(checkpoint.tensors()) > len(checkpoint.superpoint_tensors)
        (128, True)
        >>> again = Checkpoint.fitted("memory", checkpoint.superpoint, checkpoint.superglue, checkpoint.tensors())
    """

    superpoint: SuperPointConfig
    superpoint_tensors: Mapping[str, Tensor]
    superglue: SuperGlueConfig | None = None
    superglue_tensors: Mapping[str, Tensor] | None = None

    @classmethod
    def fitted(
        cls,
        where: str,
        superpoint: SuperPointConfig,
        superglue: SuperGlueConfig | None,
        tensors: Mapping[str, Tensor],
    ) -> Checkpoint:
        """Check tensors against the networks that they are for.

        Args:
            where: what to call the source in a message.
            superpoint: the detector's configuration.
            superglue: the matcher's configuration; None for a detector alone.
            tensors: by the names of Hugging Face's model: with a matcher, the detector's names begin with
                `keypoint_detector.`.

        Raises:
            WeightsError: tensors are missing, unexpected, or of another shape or dtype; the message lists
                them.
        """
        if superglue is not None and (superglue.input_size or superglue.keypoint_extras):
            raise WeightsError(
                f"{where}: input_size and keypoint_extras are for matchers of other features than SuperPoint's; "
                "remove them"
            )
        if superglue is not None and superglue.hidden_size != superpoint.descriptor_decoder_dim:
            raise WeightsError(
                f"{where}: the detector's descriptors have {superpoint.descriptor_decoder_dim} channels, but "
                f"the matcher takes {superglue.hidden_size}; they are not from the same model"
            )
        complete = fitted_tensors(where, _expected(superpoint, superglue), tensors)
        if superglue is None:
            return cls(superpoint, complete)
        detector = {k.removeprefix(DETECTOR): v for k, v in complete.items() if k.startswith(DETECTOR)}
        matcher = {k: v for k, v in complete.items() if not k.startswith(DETECTOR)}
        return cls(superpoint, detector, superglue, matcher)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by the names of Hugging Face's model, as `fitted` takes them."""
        if self.superglue_tensors is None:
            return dict(self.superpoint_tensors)
        detector = {DETECTOR + name: tensor for name, tensor in self.superpoint_tensors.items()}
        return {**self.superglue_tensors, **detector}


def fitted_tensors(where: str, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in the dtypes of a network, known to fit it.

    Args:
        where: what to call their source in a message.
        expected: the network's state dict; only names, shapes and dtypes are looked at.
        tensors: what there is.

    Raises:
        WeightsError: tensors are missing, unexpected, or of another shape or dtype; the message lists them.
    """
    _check_fit(where, expected, tensors)
    return {name: _converted(tensors.get(name), like) for name, like in expected.items()}


def _expected(superpoint: SuperPointConfig, superglue: SuperGlueConfig | None) -> dict[str, Tensor]:
    """Names, shapes and dtypes of the networks' tensors; nothing is allocated."""
    with torch.device("meta"):
        detector = SuperPoint(superpoint).state_dict()
        if superglue is None:
            return dict(detector)
        matcher = SuperGlue(superglue).state_dict()
    return {**matcher, **{DETECTOR + name: tensor for name, tensor in detector.items()}}


def _check_fit(where: str, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in given and not name.endswith(_COUNTER)]
    unexpected = [name for name in given if name not in expected]
    wrong = [
        f"{name} is {_kind(given[name])} instead of {_kind(like)}"
        for name, like in expected.items()
        if name in given and not _fits(given[name], like)
    ]
    problems = [
        f"{len(names)} {title}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for title, names in (("missing", missing), ("unexpected", unexpected), ("of another kind", wrong))
        if names
    ]
    if problems:
        raise WeightsError(
            f"the tensors in {where} do not fit their configuration ({'; '.join(problems)}); "
            "are the weights and config.json from the same model?"
        )


def _fits(tensor: Tensor, like: Tensor) -> bool:
    return tensor.shape == like.shape and tensor.is_floating_point() == like.is_floating_point()


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _converted(tensor: Tensor | None, like: Tensor) -> Tensor:
    """The tensor in the network's dtype; a counter that the file leaves out is 0 (it has no effect)."""
    if tensor is None:
        return torch.zeros(like.shape, dtype=like.dtype, device="cpu")
    return tensor.to(like.dtype)
