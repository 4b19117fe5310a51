"""What loading and saving have in common for both models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from cyano import weights
from cyano.checkpoints import Checkpoint, configs, resolve, save_folder
from cyano.checkpoints.cards import Origin, keep_card
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE, model_folder
from cyano.checkpoints.loading import load_checkpoint
from cyano.errors import InputError, WeightsError
from cyano.hf.configuration import SuperGlueConfig, SuperPointConfig, hub_options

__all__ = ["DtypeName", "chosen_dtype", "config_and_checkpoint", "save_model"]

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
) -> tuple[ConfigT, Checkpoint, Origin]:
    """Load weights and their configuration, and say where they were.

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
    return config, checkpoint, Origin(str(name_or_path or weights.DEFAULT), model_folder(path))


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


def save_model(
    folder: str | Path,
    model: nn.Module,
    config: SuperGlueConfig | SuperPointConfig,
    checkpoint: Checkpoint,
    origin: Origin | None,
    *,
    overwrite: bool,
) -> None:
    """Save a model folder with the card of the weights that it was loaded from.

    Args:
        folder: where to.
        model: what is saved.
        config: its configuration.
        checkpoint: its tensors.
        origin: of its weights; None if it was built and not loaded.
        overwrite: replace another model that is there.

    Raises:
        OutputError: another model is there, or it cannot be written.
    """
    save_folder(folder, checkpoint, config=_saved_config(model, config), overwrite=overwrite)
    if origin is not None:
        keep_card(Path(folder), origin, changed=_changed(origin.path, checkpoint))


def _changed(path: Path, checkpoint: Checkpoint) -> bool:
    """Whether the tensors are others than those at the path, rounding to half precision apart."""
    try:
        before = load_checkpoint(path).tensors()
    except WeightsError:  # gone meanwhile
        return True
    after = checkpoint.tensors()
    return before.keys() != after.keys() or not all(
        torch.equal(before[name].half(), tensor.detach().cpu().half()) for name, tensor in after.items()
    )


def _saved_config(model: nn.Module, config: SuperGlueConfig | SuperPointConfig) -> dict[str, object]:
    """The content of config.json for a model as it is now."""
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return {**config.to_dict(), "architectures": [type(model).__name__], "dtype": dtype}
