"""What programs give to `from_pretrained` of any class, sorted once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

import torch
from torch import Tensor

from cyano.checkpoints import HubOptions
from cyano.errors import InputError

__all__ = ["Keywords", "source_of", "warn_without_effect"]

_WITHOUT_EFFECT: Final[Mapping[str, tuple[object, ...]]] = {
    "_fast_init": (True, False, None),
    "attn_implementation": ("eager", None),
    "experts_implementation": (None,),
    "ignore_mismatched_sizes": (False, None),
    "key_mapping": (None,),
    "low_cpu_mem_usage": (True, False, None),
    "max_memory": (None,),
    "mirror": (None,),
    "offload_buffers": (False, None),
    "offload_folder": (None,),
    "offload_state_dict": (True, False, None),
    "proxies": (None,),
    "resume_download": (True, False, None),
    "tp_plan": (None,),
    "tp_size": (None,),
    "trust_remote_code": (True, False, None),
    "use_kernels": (False, None),
    "use_safetensors": (True, None),
    "weights_only": (True, None),
}
"""Keywords of transformers that change nothing here, with the values that need no word: what they ask for is so."""

_REFUSED: Final[Mapping[str, str]] = {
    "adapter_kwargs": "adapters",
    "from_flax": "files of Flax",
    "from_tf": "files of TensorFlow",
    "gguf_file": "GGUF files",
    "quantization_config": "quantised weights",
}
"""Keywords that ask for other results than those without them."""


@dataclass(frozen=True)
class Keywords:
    """The keywords of a `from_pretrained`.

    Attributes:
        name_or_path: what to load.
        hub: how to fetch it.
        variant: of the weight file: "fp16" stands for model.fp16.safetensors.
        device: where the model goes; None where nothing is said.
        loading_info: whether a report is wanted beside the model.
        unused: whether settings that are not known are wanted back, rather than refused.
        state_dict: weights in place of the saved ones.
        settings: all others: settings of the configuration or the processor.
    """

    name_or_path: str | Path | None
    hub: HubOptions
    variant: str | None = None
    device: torch.device | None = None
    loading_info: bool = False
    unused: bool = False
    state_dict: Mapping[str, Tensor] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name_or_path: str | Path | None, given: Mapping[str, Any]) -> Self:
        """Sort keywords; one that has no effect gives a warning, unless that is what it asks for.

        Raises:
            InputError: a keyword asks for what Cyano cannot do.
        """
        name_or_path, hub, rest = source_of(name_or_path, given)
        variant, device_map = rest.pop("variant", None), rest.pop("device_map", None)
        state_dict = rest.pop("state_dict", None)
        info, unused = rest.pop("output_loading_info", False), rest.pop("return_unused_kwargs", False)
        for name, what in _REFUSED.items():
            if rest.pop(name, None):
                raise InputError(f"{name} cannot be used: {what} cannot be loaded into these models")
        warn_without_effect({name: rest.pop(name) for name in _WITHOUT_EFFECT if name in rest}, _WITHOUT_EFFECT)
        return cls(name_or_path, hub, variant, _device(device_map), bool(info), bool(unused), state_dict, rest)


def source_of(
    name_or_path: str | Path | None, given: Mapping[str, Any]
) -> tuple[str | Path | None, HubOptions, dict[str, Any]]:
    """What to load and how to fetch it, and the other keywords."""
    rest = dict(given)
    name_or_path = rest.pop("pretrained_model_name_or_path", name_or_path)
    if (token := rest.pop("use_auth_token", None)) is not None:  # the word of transformers 4
        rest.setdefault("token", token)
    words = {item.name for item in fields(HubOptions)} & set(rest)
    hub = {name: rest.pop(name) for name in words}
    return name_or_path, HubOptions(**{name: value for name, value in hub.items() if value is not None}), rest


def warn_without_effect(given: Mapping[str, object], silent: Mapping[str, tuple[object, ...]]) -> None:
    """Say once which keywords change nothing, but for values that ask for what is so anyway."""
    idle = [name for name, value in given.items() if not any(value is each or value == each for each in silent[name])]
    if idle:
        warnings.warn(f"{', '.join(sorted(idle))} has no effect on these models", UserWarning, stacklevel=4)


def _device(device_map: object) -> torch.device | None:
    """The one device of a device map: these models are far too small to be split."""
    places = list(dict.fromkeys(device_map.values())) if isinstance(device_map, Mapping) else [device_map]
    if places == [None]:
        return None
    if places and places[0] in ("auto", "balanced", "balanced_low_0", "sequential"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if len(places) == 1 and isinstance(places[0], str | int | torch.device):
        try:
            return torch.device(places[0])
        except RuntimeError as error:
            raise InputError(f"device_map {device_map!r} names no device: {error}") from error
    raise InputError(f'device_map must be a device, "auto", or a map to one device, not {device_map!r}')
