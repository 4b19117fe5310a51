"""What to export, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from cyano.errors import InputError
from cyano.export.engines import EngineName
from cyano.types import ImageSize

__all__ = ["ExportOptions", "KeypointCount", "Part", "StoredAs"]

Part: TypeAlias = Literal["detector", "matcher", "pair"]
StoredAs: TypeAlias = Literal["float32", "float16"]
KeypointCount: TypeAlias = Literal["fixed", "dynamic"]

LEAST_SIDE: Final = 16
OPSETS: Final = (18, 23)


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Attributes:
        parts: graphs to write.
        max_keypoints: K of a detector's graph, which always gives so many, real or not.
        size: of all images, so that all shapes are constants; None leaves them free.
        precision: what weights are stored in. Graphs compute in float32 either way, unless an engine is told otherwise.
        opset: version of ONNX's operations.
        keypoints: "dynamic" leaves out of the detector's outputs those that are not valid. Engines that want all shapes
            to be known beforehand cannot run that.
        mask: the detector's graph has a second input, which says where keypoints may be; `cyano-runtime` leaves out
            constant frames with it.
        runtime_check: engines that have to agree with the networks before anything is written.

    Raises:
        InputError: a value is none of the possible ones.

    Example:
        >>> ExportOptions(parts=("detector",), size=ImageSize(480, 640)).max_keypoints
        1024
    """

    parts: tuple[Part, ...] = ("detector", "matcher", "pair")
    max_keypoints: int = 1024
    size: ImageSize | None = None
    precision: StoredAs = "float32"
    opset: int = 20
    keypoints: KeypointCount = "fixed"
    mask: bool = False
    runtime_check: tuple[EngineName, ...] = ("onnxruntime",)

    def __post_init__(self) -> None:
        _check_names("parts", self.parts, get_args(Part))
        _check_names("runtime_check", self.runtime_check, get_args(EngineName))
        _check_names("precision", (self.precision,), get_args(StoredAs))
        _check_names("keypoints", (self.keypoints,), get_args(KeypointCount))
        if self.mask and ("pair" in self.parts or "detector" not in self.parts):
            raise InputError("a mask is an input of the detector alone; export the parts detector,matcher")
        if not 1 <= self.max_keypoints <= 2**16:
            raise InputError(f"max_keypoints is a number from 1 to {2**16}, not {self.max_keypoints}")
        if self.size is not None and min(self.size.width, self.size.height) < LEAST_SIDE:
            raise InputError(f"a fixed size is at least {LEAST_SIDE}x{LEAST_SIDE}, not {self.size}")
        if not OPSETS[0] <= self.opset <= OPSETS[1]:
            raise InputError(f"opset is a number from {OPSETS[0]} to {OPSETS[1]}, not {self.opset}")


def _check_names(option: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given or set(given) - set(known):
        raise InputError(f"{option}: one or more of {', '.join(known)}, not {', '.join(given) or 'none'}")
