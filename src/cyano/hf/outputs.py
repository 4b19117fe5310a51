"""What processors and models return: attribute access, dictionary access, and tuples that leave out None."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
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
    """A dictionary whose entries are attributes too; `model(**batch)` takes it as it is.

    Example:
        >>> inputs = BatchFeature(pixel_values=torch.zeros(1, 2, 3, 480, 640, dtype=torch.float32))
        >>> inputs.to("cpu", torch.float16).pixel_values.dtype
        torch.float16
    """

    def __getattr__(self, name: str) -> Any:
        # copy and pickle ask for attributes before `data` is there
        if name != "data" and name in self.data:
            return self.data[name]
        raise AttributeError(f"there is no {name!r}; there is {', '.join(self) if name != 'data' else 'nothing'}")

    def to(
        self,
        *targets: torch.device | str | int | torch.dtype | None,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        non_blocking: bool = False,
    ) -> Self:
        """Move all tensors to a device, or floating ones to a dtype, or both, in place as transformers does.

        Args:
            *targets: a device, or a dtype, or both.
            device: the device by its name.
            dtype: the dtype by its name.
            non_blocking: as in `torch.Tensor.to`.

        Returns:
            The batch itself.
        """
        for target in targets:
            if isinstance(target, torch.dtype):
                dtype = target
            elif target is not None:
                device = target

        def moved(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(map(moved, value))
            if not isinstance(value, Tensor):
                return value
            return value.to(device, dtype if value.is_floating_point() else None, non_blocking=non_blocking)

        self.data = {name: moved(value) for name, value in self.data.items()}
        return self


@dataclass(eq=False)
class ModelOutput(dict[str, Any]):
    """Named results: a dictionary whose entries are attributes too, and numbered. None stands for "not computed".

    `output.matches`, `output["matches"]`, `output[0]`, `output[:2]`, `output.to_tuple()`, and iteration over
    the names all work, as they do in transformers. An output is also made from a mapping or from pairs of names and
    values, which is how programs that gather results of several processes put them together again.
    """

    def __post_init__(self) -> None:
        first = fields(self)[0].name
        given = getattr(self, first)
        if isinstance(given, Mapping | Iterator | list | tuple):
            setattr(self, first, None)
            for name, value in given.items() if isinstance(given, Mapping) else given:
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an entry, or take it out by None."""
        super().__setattr__(name, value)
        super().clear()
        super().update({n: v for n, v in vars(self).items() if v is not None and n != _BESIDE})

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        setattr(self, name, None)

    # What a dictionary does to its entries has to go by way of the attributes.
    pop, popitem, clear = MutableMapping.pop, MutableMapping.popitem, MutableMapping.clear
    setdefault, update = MutableMapping.setdefault, MutableMapping.update

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), dict(vars(self)))

    def to_tuple(self) -> tuple[Any, ...]:
        """The entries alone, in order.

        Example:
            >>> from cyano.hf import SuperPointKeypointDescriptionOutput
            >>> output = SuperPointKeypointDescriptionOutput(scores=torch.zeros(1, 7, dtype=torch.float32))
            >>> len(output.to_tuple())
            1
        """
        return tuple(self.values())


def _restored(kind: type[ModelOutput], values: Mapping[str, Any]) -> ModelOutput:
    """An output that was copied or pickled."""
    output = kind()
    for name, value in values.items():
        setattr(output, name, value)
    return output


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

    Example:
        >>> processor = cyano.SuperPointImageProcessor(size={"height": 240, "width": 320})
        >>> model = cyano.AutoModelForKeypointDetection.from_pretrained()
        >>> with torch.no_grad():
        ...     output = model(**processor(["a.jpg"], return_tensors="pt"))
        >>> output.keypoints.shape[:2] == output.scores.shape, output.descriptors.shape[2]
        (True, 128)
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

    Example:
        >>> processor = cyano.SuperGlueImageProcessor(size={"height": 240, "width": 320})
        >>> model = cyano.AutoModel.from_pretrained()
        >>> with torch.no_grad():
        ...     output = model(**processor([["a.jpg", "b.jpg"]], return_tensors="pt"))
        >>> output.matches.shape == output.matching_scores.shape == output.mask.shape
        True
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
