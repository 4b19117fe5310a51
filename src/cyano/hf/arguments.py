"""What users pass to the processors, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.errors import InputError
from cyano.hf.outputs import BatchFeature
from cyano.hf.pixels import Picture, as_array, is_picture

__all__ = [
    "REFUSED",
    "Layout",
    "batch",
    "checked_outputs",
    "common_channels",
    "in_colour",
    "pairs_of",
    "singles_of",
    "sizes_of",
]

_IDLE: Final = frozenset(
    {"backend", "crop_size", "default_to_square", "disable_grouping", "image_mean", "image_std", "pad_size", "use_fast"}
)
"""Keywords of transformers' processors that change no pixel, unless one of those below asks for it."""

REFUSED: Final = ("do_normalize", "do_center_crop", "do_pad")
"""Steps that these processors do not have in transformers either, but may be given as False."""


class Layout(NamedTuple):
    """How the images of one call are laid out.

    Attributes:
        given: "channels_first" or "channels_last" for arrays that come in; None finds out.
        wanted: likewise for those that go out.
        device: where the tensors go.
    """

    given: str | None = None
    wanted: str | None = None
    device: torch.device | str | int | None = None

    @classmethod
    def split(cls, keywords: Mapping[str, Any]) -> tuple[Layout, dict[str, Any]]:
        """The layout that the keywords of a call ask for, and the other keywords, which are settings.

        Raises:
            InputError: a keyword asks for other pixels than the networks take.
        """
        rest = {name: value for name, value in keywords.items() if name not in _IDLE}
        for name in REFUSED:
            if rest.pop(name, None):
                raise InputError(f"{name} cannot be used: the networks take whole images with values in [0, 1]")
        given, wanted = (_order(name, rest.pop(name, None)) for name in ("input_data_format", "data_format"))
        return cls(given, wanted, rest.pop("device", None)), rest

    def array(self, picture: Picture) -> NDArray[Any]:
        """One image as (C, H, W)."""
        if self.given is not None and isinstance(picture, np.ndarray | Tensor) and picture.ndim == 3:
            array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else picture
            picture = np.moveaxis(array, -1, 0) if self.given == "channels_last" else array
        return as_array(picture, known=self.given is not None)

    def laid_out(self, image: NDArray[Any]) -> NDArray[Any]:
        """(C, H, W) as it is wanted."""
        return np.moveaxis(image, 0, -1) if self.wanted == "channels_last" else image


def _order(name: str, value: Any) -> str | None:
    """Which axis has the channels; transformers' enumeration will do."""
    value = getattr(value, "value", value)
    if value not in (None, "channels_first", "channels_last", "none"):
        raise InputError(f'{name} must be "channels_first" or "channels_last", not {value!r}')
    return None if value == "none" else value


def pairs_of(images: Any) -> list[tuple[Picture, Picture]]:
    """One pair, or a collection of them, as a list of pairs."""
    if isinstance(images, list | tuple):
        if len(images) == 2 and all(is_picture(image) for image in images):
            return [(images[0], images[1])]
        if all(isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_picture, pair)) for pair in images):
            return [(first, second) for first, second in images]
    raise InputError(
        "images must be a pair of images or a list of pairs: Pillow images, file paths, or 2-D or 3-D arrays"
    )


def singles_of(images: Any) -> list[Picture]:
    """One image, or a collection of them, as a list."""
    if is_picture(images):
        return [images]
    if isinstance(images, np.ndarray | Tensor) and images.ndim == 4:
        return list(images)
    if isinstance(images, list | tuple) and all(is_picture(image) for image in images):
        return list(images)
    raise InputError("images must be an image or a list of images: Pillow images, file paths, or arrays")


def common_channels(images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Three channels for all, if any has three."""
    channels = max((image.shape[0] for image in images), default=1)
    return [image if image.shape[0] == channels else in_colour(image) for image in images]


def in_colour(image: NDArray[Any]) -> NDArray[Any]:
    """(1, H, W) or (3, H, W) -> (3, H, W)."""
    return image if image.shape[0] == 3 else np.repeat(image, 3, axis=0)


def batch(
    nested: Sequence[Any],
    flat: list[NDArray[Any]],
    return_tensors: str | None,
    device: torch.device | str | int | None = None,
) -> BatchFeature:
    """`nested` under its name, stacked if asked for; `flat` are the same images in one list."""
    return_tensors = getattr(return_tensors, "value", return_tensors)  # of transformers' enumeration
    if return_tensors is None:
        return BatchFeature({"pixel_values": nested})
    if return_tensors not in ("pt", "np"):
        raise InputError(f'return_tensors must be "pt", "np" or None, not {return_tensors!r}')
    if len({image.shape for image in flat}) != 1:
        raise InputError(
            "images of one batch must get one size, and there must be at least one: set size to a height and a "
            "width, or give one image or pair at a time"
        )
    stacked = np.ascontiguousarray(np.stack([np.stack(item) if isinstance(item, list) else item for item in nested]))
    if return_tensors == "np":
        return BatchFeature({"pixel_values": stacked})
    return BatchFeature({"pixel_values": torch.from_numpy(stacked)}).to(device)


def sizes_of(target_sizes: Tensor | Sequence[Any] | None, shape: tuple[int, ...]) -> Tensor:
    """Heights and widths as a tensor of the given shape."""
    try:
        given = target_sizes if isinstance(target_sizes, Tensor) else np.asarray(target_sizes, dtype=np.float64)
        sizes = torch.as_tensor(given, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"target_sizes must be of shape {shape}: (height, width) of each original image") from error
    if tuple(sizes.shape) != shape:
        raise InputError(
            f"target_sizes must be of shape {shape}: (height, width) of each original image of the batch, "
            f"not {tuple(sizes.shape)}"
        )
    if not bool((torch.isfinite(sizes) & (sizes >= 1)).all()):
        raise InputError(f"target_sizes must be heights and widths of at least one pixel, not {sizes.tolist()}")
    return sizes.detach()


def checked_outputs(outputs: object, names: Sequence[str], threshold: float = 0.0) -> None:
    """Refuse what is no output of a model, and a threshold that is no number.

    Raises:
        InputError: see above.
    """
    if lacking := [name for name in names if not isinstance(getattr(outputs, name, None), Tensor)]:
        raise InputError(f"outputs must be those of the model; {type(outputs).__name__} has no {' and '.join(lacking)}")
    if not isinstance(threshold, Real | Tensor):
        raise InputError(f"threshold must be a number, not {threshold!r}")
