"""What loading and saving have in common for both models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from cyano.checkpoints import Checkpoint, configs, resolve
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE, model_folder
from cyano.checkpoints.loading import load_checkpoint
from cyano.errors import InputError
from cyano.hf.configuration import SuperGlueConfig, SuperPointConfig, hub_options

__all__ = ["DtypeName", "chosen_dtype", "config_and_checkpoint", "saved_config"]

ConfigT = TypeVar("ConfigT", SuperGlueConfig, SuperPointConfig)

DtypeName = torch.dtype | str | None
"""A dtype, its name, "auto" for that of the saved weights, or None for float32."""

_DTYPES: Mapping[str, torch.dtype] = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}


def _config_content(path: Path, checkpoint: Checkpoint) -> dict[str, object]:
    """The content of config.json; made up from the networks where the original's files have none."""
    if (path / CONFIG_FILE).is_file():
        return read_json(path / CONFIG_FILE)
    if checkpoint.superglue is None:
        return configs.superpoint_to_dict(checkpoint.superpoint)
    return configs.superglue_to_dict(checkpoint.superglue, checkpoint.superpoint)


def config_and_checkpoint(
    config_class: type[ConfigT],
    name_or_path: str | Path | None,
    config: ConfigT | None,
    keywords: Mapping[str, object],
) -> tuple[ConfigT, Checkpoint]:
    """Load weights and their configuration.

    Args:
        config_class: the wanted kind of configuration.
        name_or_path: see `cyano.checkpoints.load`.
        config: a configuration in place of the saved one.
        keywords: settings to change in the saved one, and those for the hub.

    Raises:
        WeightsError: nothing is there, or it is damaged.
        InputError: a setting is unknown or not usable.
    """
    hub, overrides = hub_options(keywords)
    if config is not None and overrides:
        raise InputError(f"give {', '.join(overrides)} in the config or as keywords, not both")
    path = resolve(name_or_path, hub)
    checkpoint = load_checkpoint(path)
    if config is None:
        config = config_class.from_dict(_config_content(model_folder(path), checkpoint), **overrides)
    return config, checkpoint


def chosen_dtype(dtype: DtypeName, saved: str) -> torch.dtype:
    """The dtype to load in.

    Raises:
        InputError: it is not a floating dtype that is known.
    """
    if dtype is None:
        return torch.float32
    name = saved if dtype == "auto" else str(dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise InputError(f'dtype must be one of {", ".join(_DTYPES)} or "auto", not {dtype!r}')
    return _DTYPES[name]


def saved_config(model: nn.Module, config: SuperGlueConfig | SuperPointConfig) -> dict[str, object]:
    """The content of config.json for a model as it is now."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return {**config.to_dict(), "architectures": [type(model).__name__], "dtype": dtype}
