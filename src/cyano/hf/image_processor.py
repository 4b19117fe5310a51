"""Settings and files of both image processors, and what both do to one image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.checkpoints import resolve
from cyano.checkpoints.config_keys import checked_value
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import PREPROCESSOR_FILE, model_folder, write_json
from cyano.errors import InputError
from cyano.hf.arguments import REFUSED, Layout, common_channels, in_colour
from cyano.hf.keywords import Keywords
from cyano.hf.pixels import Picture, SizeRule, grey, resize, resized_size
from cyano.hf.uploading import Uploads
from cyano.types import ImageSize, ResizeMap

__all__ = ["ImageProcessor"]

_IGNORED = frozenset({"use_fast", "backend", "image_processor_type", "feature_extractor_type", "do_normalize"})
"""What transformers needs and writes beside the settings."""

_EXAMPLES: Mapping[str, object] = {
    "do_resize": True,
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_grayscale": True,
    "do_convert_rgb": False,
}
"""Settings that have to be of the type shown; the size is checked where it is used."""


@dataclass(kw_only=True)
class ImageProcessor(Uploads):
    """What both processors share.

    Attributes:
        do_resize: whether to resize.
        size: to what, see `cyano.hf.pixels.SizeRule`.
        resample: Pillow's filter; 2 is bilinear.
        do_rescale: whether to multiply by `rescale_factor`.
        rescale_factor: from [0, 255] to [0, 1] by default.
        do_grayscale: whether to make the three channels equal.
        do_convert_rgb: whether grey images get three channels, also where all of a call are grey.
        transformers_exact: give transformers' numbers where they differ from the right ones: positions cut to
            whole pixels and up to 1.5 px off, floats in [0, 1] scaled once more. Not written to files.
    """

    processor_type: ClassVar[str]
    model_input_names: ClassVar[list[str]] = ["pixel_values"]

    do_resize: bool = True
    size: SizeRule = field(default_factory=lambda: {"height": 480, "width": 640})
    resample: int = 2
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_grayscale: bool = True
    do_convert_rgb: bool | None = None
    transformers_exact: bool = False

    def __post_init__(self) -> None:
        for name, example in _EXAMPLES.items():
            value = vars(self)[name]
            if value is not None or not isinstance(example, bool):  # None is no, as in transformers
                checked_value(name, value, example)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], **overrides: object) -> Self:
        """A processor from the content of a preprocessor_config.json.

        Raises:
            InputError: it asks for normalisation, which these networks do not take, or a value is not usable.

        Example:
            >>> cyano.SuperPointImageProcessor.from_dict({"do_resize": False}).do_resize
            False
        """
        layout, overrides = Layout.split({**{key: data.get(key) for key in REFUSED}, **overrides})
        if layout != Layout():
            raise InputError("formats and device go to a call of the processor, not to its settings")
        names = {item.name for item in fields(cls)}
        # null is no where the choice is yes or no, and the default elsewhere.
        may_be_none = {key for key, example in _EXAMPLES.items() if isinstance(example, bool)}
        known = {k: v for k, v in data.items() if k in names and (v is not None or k in may_be_none)}
        known.update({key: value for key, value in overrides.items() if key not in _IGNORED})
        return cls(**known)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None, **keywords: Any) -> Self:
        """Read preprocessor_config.json; a folder without one gives the defaults.

        Args:
            name_or_path: a folder, a name on the Hugging Face hub, or None for the weights that come with
                Cyano.
            **keywords: settings to change, and those for the hub, see `PretrainedModel.from_pretrained`;
                `return_unused_kwargs` gives those that are no settings beside the processor.

        Raises:
            WeightsError: nothing is there, or it is damaged.

        Example:
            >>> processor = cyano.SuperPointImageProcessor.from_pretrained(do_resize=False)  # else as with the weights
            >>> processor.do_resize
            False
        """
        words = Keywords.of(name_or_path, keywords)
        path = model_folder(resolve(words.name_or_path, words.hub)) / PREPROCESSOR_FILE
        data = read_json(path) if path.is_file() else {}
        if not words.unused:
            return cls.from_dict(data, **words.settings)
        names = {item.name for item in fields(cls)} & set(words.settings)
        processor = cls.from_dict(data, **{name: words.settings[name] for name in names})
        return processor, {k: v for k, v in words.settings.items() if k not in names}  # type: ignore[return-value]

    def to_dict(self) -> dict[str, object]:
        """The content of preprocessor_config.json.

        Example:
            >>> cyano.SuperPointImageProcessor(do_resize=False).to_dict()["do_resize"]
            False
        """
        own = {key: value for key, value in vars(self).items() if key != "transformers_exact"}
        if self.do_convert_rgb is None:  # as in transformers' files
            del own["do_convert_rgb"]
        return {**own, "image_processor_type": self.processor_type}

    def to_json_string(self) -> str:
        """preprocessor_config.json as text, keys sorted.

        Example:
            >>> '"do_resize": false' in cyano.SuperPointImageProcessor(do_resize=False).to_json_string()
            True
        """
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, path: str | Path) -> None:
        """Write `to_json_string` into a file.

        Raises:
            OutputError: it cannot be written.

        Example:
            >>> cyano.SuperPointImageProcessor(do_resize=False).to_json_file("processor.json")
            >>> cyano.SuperPointImageProcessor.from_json_file("processor.json").do_resize
            False
        """
        write_json(Path(path), self.to_dict())

    @classmethod
    def from_json_file(cls, path: str | Path) -> Self:
        """Read a file like preprocessor_config.json.

        Example:
            >>> cyano.SuperPointImageProcessor(do_resize=False).to_json_file("processor.json")
            >>> cyano.SuperPointImageProcessor.from_json_file("processor.json").do_resize
            False
        """
        return cls.from_dict(read_json(Path(path)))

    def save_pretrained(self, folder: str | Path, **keywords: object) -> list[str]:
        """Write preprocessor_config.json into a folder, which is made if need be.

        Returns:
            The path of the file, in a list as in transformers.

        Raises:
            OutputError: it cannot be written.

        Example:
            >>> cyano.SuperPointImageProcessor(do_resize=False).save_pretrained("processor")
            ['processor/preprocessor_config.json']
        """
        write_json(Path(folder) / PREPROCESSOR_FILE, self.to_dict())
        self._saved(folder, keywords)
        return [str(Path(folder) / PREPROCESSOR_FILE)]

    def network_size(self, original: ImageSize) -> ImageSize:
        """The size that an image of some original size has in `pixel_values`.

        Example:
            >>> processor = cyano.SuperPointImageProcessor(size={"height": 240, "width": 320})
            >>> processor.network_size(cyano.ImageSize(960, 1280))
            ImageSize(height=240, width=320)
        """
        return resized_size(self.size, original) if self.do_resize else original

    def _prepared_all(
        self, pictures: Sequence[Picture], keywords: Mapping[str, Any]
    ) -> tuple[list[NDArray[Any]], torch.device | str | int | None]:
        """All images of a call, by its keywords, and the device that they are wanted on."""
        layout, overrides = Layout.split(keywords)
        settings = replace(self, **overrides)
        arrays = [layout.array(picture) for picture in pictures]
        if settings.do_convert_rgb:
            arrays = [in_colour(array) for array in arrays]
        images = common_channels([settings.prepared(array) for array in arrays])
        return [layout.laid_out(image) for image in images], layout.device

    def prepared(self, image: NDArray[Any]) -> NDArray[Any]:
        """(C, H, W) one image, resized, rescaled and grey as the settings say.

        Example:
            >>> processor = cyano.SuperGlueImageProcessor(size={"height": 240, "width": 320})
            >>> processor.prepared(np.full((3, 480, 640), 255, np.uint8)).shape
            (3, 240, 320)
        """
        size = self.network_size(ImageSize(*image.shape[1:]))
        scaled = np.issubdtype(image.dtype, np.floating) and not self.transformers_exact and float(image.max()) <= 1
        if self.do_resize:
            image = resize(image, size, self.resample, keep_floats=scaled)
        if self.do_rescale and not scaled:
            # Twice rounded, first in double precision: the same bits as transformers.
            image = (image.astype(np.float64) * self.rescale_factor).astype(np.float32)
        return grey(image) if self.do_grayscale else image

    def original_positions(self, relative: Tensor, sizes: Tensor, network_sizes: Tensor | None) -> Tensor:
        """(I, N, 2) relative positions to original pixels, none beyond the outermost pixels' centres.

        An image that was enlarged is constant beyond them, so that nothing says where in there a keypoint lies.

        Args:
            relative: (x, y) over width and height of the network's image.
            sizes: (I, 2) heights and widths of the originals.
            network_sizes: (I, 2) likewise of the images that the network saw; None if only the settings tell.

        Example:
            >>> relative = torch.tensor([[[0.5, 0.5]]], dtype=torch.float32)
            >>> sizes = torch.tensor([[480, 640]], dtype=torch.int64)
            >>> cyano.SuperPointImageProcessor().original_positions(relative, sizes, None).tolist()
            [[[320.0, 240.0]]]
        """
        sizes = sizes.to(relative.device)
        if self.transformers_exact:
            return (relative * sizes.flip(-1)[:, None].to(relative.dtype)).to(torch.int32)
        result = torch.empty_like(relative, dtype=torch.float32)
        for i, (height, width) in enumerate(sizes.tolist()):
            original = ImageSize(int(height), int(width))
            network = self.network_size(original)
            if network_sizes is not None:
                network = ImageSize(*network_sizes[i].tolist())
            pixels = relative[i].float() * relative.new_tensor([network.width, network.height], dtype=torch.float32)
            last = pixels.new_tensor([original.width - 1, original.height - 1])
            result[i] = ResizeMap(original, network).to_original(pixels).clamp(min=0).minimum(last)
        return result
