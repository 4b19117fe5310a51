"""What processors and models return: attribute access, dictionary access, and tuples that leave out None."""

from __future__ import annotations

from collections import UserDict
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import torch
from torch import Tensor

__all__ = [
    "BatchFeature",
    "DetectionOutput",
    "MatchingOutput",
    "ModelOutput",
    "SuperGlueKeypointMatchingOutput",
    "SuperPointKeypointDescriptionOutput",
]

_BESIDE = "network_sizes"
"""The one attribute that is not part of the mapping and the tuple, which are transformers'."""


class BatchFeature(UserDict[str, Any]):
    """A dictionary whose entries are attributes too; `model(**batch)` takes it as it is."""

    def __getattr__(self, name: str) -> Any:
        # copy and pickle ask for attributes before `data` is there
        if name != "data" and name in self.data:
            return self.data[name]
        raise AttributeError(f"there is no {name!r}; there is {', '.join(self) if name != 'data' else 'nothing'}")

    def to(self, target: torch.device | str | int | torch.dtype, dtype: torch.dtype | None = None) -> Self:
        """A copy with all tensors on a device, or floating ones in a dtype, or both.

        Args:
            target: a device, or a dtype.
            dtype: a dtype, if `target` is a device.
        """
        device = None if isinstance(target, torch.dtype) else target
        dtype = target if isinstance(target, torch.dtype) else dtype

        def moved(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.to(device=device, dtype=dtype if value.is_floating_point() else None)

        return type(self)({name: moved(value) for name, value in self.data.items()})


@dataclass(eq=False)
class ModelOutput:
    """Named results. None stands for "not computed" and does not count as an entry.

    `output.matches`, `output["matches"]`, `output[0]`, `output[:2]`, `output.to_tuple()`, and iteration over
    the names all work, as they do in transformers.
    """

    def _entries(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value is not None and name != _BESIDE}

    def __getitem__(self, key: str | int | slice) -> Any:
        return self._entries()[key] if isinstance(key, str) else self.to_tuple()[key]

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __contains__(self, name: object) -> bool:
        return name in self._entries()

    def keys(self) -> KeysView[str]:
        """Names of the entries, in order."""
        return self._entries().keys()

    def values(self) -> ValuesView[Any]:
        """The entries, in order."""
        return self._entries().values()

    def items(self) -> ItemsView[str, Any]:
        """Names and entries, in order."""
        return self._entries().items()

    def get(self, name: str, default: Any = None) -> Any:
        """The entry of that name, or `default`."""
        return self._entries().get(name, default)

    def to_tuple(self) -> tuple[Any, ...]:
        """The entries alone, in order."""
        return tuple(self._entries().values())


@dataclass(eq=False)
class SuperPointKeypointDescriptionOutput(ModelOutput):
    """What the detector found in B images, padded with zeros to the largest count N.

    Attributes:
        loss: always None.
        keypoints: (B, N, 2) float32, (x, y) relative to the width and height of the network's image.
        scores: (B, N) float32.
        descriptors: (B, N, D) float32, unit length.
        mask: (B, N) int32, 1 where real, 0 where padded.
        hidden_states: the outputs of the encoder's blocks, if asked for.
        network_sizes: (B, 2) int64, height and width of the image that the network saw. Not in the tuple.
    """

    loss: Tensor | None = None
    keypoints: Tensor | None = None
    scores: Tensor | None = None
    descriptors: Tensor | None = None
    mask: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    network_sizes: Tensor | None = field(default=None, repr=False)


@dataclass(eq=False)
class SuperGlueKeypointMatchingOutput(ModelOutput):
    """The matches of B pairs of images, padded to the largest count N of all images.

    Attributes:
        loss: scalar, if labels were given.
        matches: (B, 2, N) int64, index of the partner in the other image, -1 where none.
        matching_scores: (B, 2, N) float32 probabilities, 0 where no match.
        keypoints: (B, 2, N, 2) float32, (x, y) relative to the width and height of the network's image.
        mask: (B, 2, N) int32, 1 where real, 0 where padded.
        hidden_states: (B, 2, C, N) each, if asked for.
        attentions: (B, 2, heads, N, N) each, if asked for.
        network_sizes: (B, 2, 2) int64, height and width of the images that the network saw. Not in the tuple.
    """

    loss: Tensor | None = None
    matches: Tensor | None = None
    matching_scores: Tensor | None = None
    keypoints: Tensor | None = None
    mask: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    network_sizes: Tensor | None = field(default=None, repr=False)


class MatchingOutput(Protocol):
    """Cyano's or transformers' output of a matcher."""

    matches: Any
    matching_scores: Any
    keypoints: Any
    mask: Any


class DetectionOutput(Protocol):
    """Cyano's or transformers' output of a detector."""

    keypoints: Any
    scores: Any
    descriptors: Any
    mask: Any
