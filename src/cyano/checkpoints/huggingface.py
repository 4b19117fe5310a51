"""Model folders in Hugging Face's form: config.json, model.safetensors, preprocessor_config.json; both ways."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from cyano.atomic import tidy, write_atomically, written_beside
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.configs import superglue_from_dict, superglue_to_dict, superpoint_from_dict, superpoint_to_dict
from cyano.checkpoints.files import read_json, read_tensors, write_safetensors
from cyano.errors import CyanoError, InputError, OutputError, WeightsError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig

__all__ = [
    "CONFIG_FILE",
    "LONE_MATCHER",
    "PREPROCESSOR_FILE",
    "WEIGHTS_FILE",
    "load_folder",
    "load_tensors",
    "model_folder",
    "preprocessor_dict",
    "publish",
    "read_config",
    "save_folder",
    "write_json",
]

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
PREPROCESSOR_FILE = "preprocessor_config.json"
LONE_MATCHER = "cyano-superglue"
"""The model type of a matcher without a detector: one that transformers does not know, and so does not misread."""

_OLD_WEIGHTS_FILE = "pytorch_model.bin"
_UNIFORM_PREFIXES = ("superglue.", "superpoint.")


def model_folder(path: Path) -> Path:
    """The folder of a model of this form where its weight file is given; other paths stay as they are."""
    return path.parent if path.name in (WEIGHTS_FILE, _OLD_WEIGHTS_FILE) else path


def read_config(folder: Path | str) -> tuple[SuperPointConfig, SuperGlueConfig | None]:
    """The networks' configurations from a folder's config.json.

    Missing keys take transformers' defaults, and its general keys have no effect.

    Returns:
        The detector's and the matcher's configuration; the latter is None for a detector's folder.

    Raises:
        WeightsError: the file is missing or damaged, is another model's, or has an unusable value or key.
    """
    path = Path(folder) / CONFIG_FILE
    data = read_json(path)
    kind = data.get("model_type")
    try:
        if kind == "superpoint":
            return superpoint_from_dict(data), None
        if kind == "superglue":
            nested = data.get("keypoint_detector_config") or {}
            if not isinstance(nested, Mapping):
                raise InputError("keypoint_detector_config must be an object or null")
            if nested.get("model_type", "superpoint") != "superpoint":
                raise InputError(f"the detector must be a superpoint, not {nested['model_type']!r}")
            return superpoint_from_dict(nested), superglue_from_dict(data)
    except InputError as error:
        raise WeightsError(f"{path}: {error}") from error
    if kind == LONE_MATCHER:
        raise WeightsError(
            f"{folder} holds a matcher of {data.get('feature_extractor')!r} features and no detector: load it by "
            "cyano.checkpoints.load_matcher; for 'sift', evaluate it by the method sift-superglue"
        )
    raise WeightsError(f"{path} is of model_type {kind!r}; only 'superglue' and 'superpoint' can be loaded")


def load_folder(folder: Path | str, variant: str | None = None) -> Checkpoint:
    """Load a model folder that transformers or Cyano saved.

    The tensors have to fit the configuration exactly. Only the counters `num_batches_tracked` may be missing,
    as they have no effect; a missing `bin_score` is an error, since any value in its place gives arbitrary
    matches. Half-precision files come as float32.

    Args:
        folder: of the model.
        variant: of the weight file: "fp16" stands for model.fp16.safetensors.

    Raises:
        WeightsError: a file is missing or damaged, or configuration and tensors do not fit each other.

    Example:
        >>> checkpoint = load_folder(resolve("cyano-small"))
        >>> checkpoint.superpoint.max_keypoints
        1024
    """
    superpoint, superglue = read_config(folder)
    path, tensors = load_tensors(Path(folder), variant)
    return Checkpoint.fitted(str(path), superpoint, superglue, tensors)


def load_tensors(folder: Path, variant: str | None = None) -> tuple[Path, dict[str, Tensor]]:
    """The weight file of a model folder, and what is in it by the names of the model; see `load_folder`.

    Raises:
        WeightsError: it is missing or damaged.
    """
    path = folder / (f"model.{variant}.safetensors" if variant else WEIGHTS_FILE)
    if not variant and not path.exists() and (folder / _OLD_WEIGHTS_FILE).exists():
        path = folder / _OLD_WEIGHTS_FILE
    return path, _without_prefix(read_tensors(path))


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without a prefix that all of them share, as a model within another one has them."""
    for prefix in _UNIFORM_PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def save_folder(
    folder: Path | str,
    checkpoint: Checkpoint,
    *,
    config: Mapping[str, object] | None = None,
    preprocessor: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> None:
    """Save a checkpoint so that transformers and Cyano load it; the folder is complete or not there.

    Args:
        folder: where to; it is made if need be. Other files in it stay.
        checkpoint: what to save.
        config: the content of config.json; the checkpoint's configurations if None.
        preprocessor: the content of preprocessor_config.json; if None, the one in the folder stays unless it is
            the other network's, or transformers' defaults are written.
        overwrite: replace a model that the folder holds. Without, only a model of the very same configuration
            is replaced, as nothing but the weights then changes, in one step.

    Raises:
        OutputError: the folder holds another model, or cannot be written.

    Example:
        >>> save_folder("weights", load_folder(resolve("cyano-tiny")))
        >>> load(Path("weights")).superglue.config.hidden_size
        128
    """
    folder = Path(folder)
    superglue = checkpoint.superglue
    if config is None:
        own = superpoint_to_dict(checkpoint.superpoint)
        if superglue is not None:
            own = superglue_to_dict(superglue, checkpoint.superpoint)
        kind = "SuperPointForKeypointDetection" if superglue is None else "SuperGlueForKeypointMatching"
        config = {"architectures": [kind], "dtype": "float32", **own}
    settings = {CONFIG_FILE: config}
    usual = preprocessor_dict("superpoint" if superglue is None else "superglue")
    if preprocessor is None and not _holds_processor(folder, str(usual["image_processor_type"])):
        preprocessor = usual
    if preprocessor is not None:
        settings[PREPROCESSOR_FILE] = preprocessor
    publish(folder, settings, checkpoint.tensors(), overwrite=overwrite)


def _holds_processor(folder: Path, kind: str) -> bool:
    """Whether there is a preprocessor_config.json of this kind, one of transformers' variants of it, or of none."""
    try:
        named = read_json(folder / PREPROCESSOR_FILE).get("image_processor_type")
    except WeightsError:  # absent or damaged
        return False
    return named is None or str(named).startswith(kind)


def _refuse_other_model(folder: Path, config: bytes, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder")
    if overwrite or not any((folder / name).exists() for name in (CONFIG_FILE, WEIGHTS_FILE)):
        return
    path = folder / CONFIG_FILE
    if not path.is_file() or path.read_bytes() != config:
        raise OutputError(
            f"{folder} holds another model; give a new folder, or replace it with overwrite=True (--overwrite)"
        )


def publish(
    folder: Path, settings: Mapping[str, Mapping[str, object]], tensors: Mapping[str, Tensor], *, overwrite: bool
) -> None:
    """Write a model folder: beside the one that it replaces, with which it changes places in one step.

    Args:
        folder: where to; it is made if need be.
        settings: contents of JSON files by name; `CONFIG_FILE` is one of them.
        tensors: the weights.
        overwrite: see `save_folder`.

    Raises:
        OutputError: the folder holds another model, or cannot be written.
    """
    texts = {name: _json_bytes(content) for name, content in settings.items()}
    _refuse_other_model(folder, texts[CONFIG_FILE], overwrite)
    place = Path(os.path.realpath(folder))
    tidy(place.parent, place.name.__eq__)
    tidy(place, {WEIGHTS_FILE, *texts}.__contains__)
    changed = {name: text for name, text in texts.items() if not _same(place / name, text)}
    try:
        if not changed or _stays(place):
            _write_into(place, changed, tensors)
            return
        with written_beside(place, overwrite=True) as beside:
            if place.is_dir():
                replaced = {WEIGHTS_FILE, *texts}
                shutil.copytree(
                    place,
                    beside,
                    symlinks=True,
                    copy_function=_linked,
                    ignore=lambda where, names: replaced.intersection(names if Path(where) == place else ()),
                )
            else:
                beside.mkdir()
            _write_into(beside, texts, tensors)
    except OSError as error:
        if isinstance(error, CyanoError):
            raise
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}; check its permissions") from error


def _stays(folder: Path) -> bool:
    """Whether a folder cannot give way to another: others stand in it, or the file system is of its own."""
    return folder.is_dir() and (Path.cwd().is_relative_to(folder) or os.path.ismount(folder))


def _write_into(folder: Path, texts: Mapping[str, bytes], tensors: Mapping[str, Tensor]) -> None:
    """Write a model file by file; between two of them it does not pass for one, for it has no config.json."""
    if texts:
        config = texts.get(CONFIG_FILE) or (folder / CONFIG_FILE).read_bytes()
        (folder / CONFIG_FILE).unlink(missing_ok=True)
    write_safetensors(folder / WEIGHTS_FILE, tensors)
    for name in sorted(texts.keys() - {CONFIG_FILE}):
        write_atomically(folder / name, texts[name])
    if texts:
        write_atomically(folder / CONFIG_FILE, config)


def _linked(source: str, target: str) -> None:
    """Have a file in a second folder: the same one, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _same(path: Path, text: bytes) -> bool:
    return path.is_file() and path.read_bytes() == text


def preprocessor_dict(model_type: str) -> dict[str, object]:
    """Transformers' preprocessor_config.json for "superglue" or "superpoint"."""
    kind = {"superglue": "SuperGlueImageProcessor", "superpoint": "SuperPointImageProcessor"}[model_type]
    return {
        "do_grayscale": model_type == "superglue",
        "do_rescale": True,
        "do_resize": True,
        "image_processor_type": kind,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 480, "width": 640},
    }


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON the way transformers does (sorted keys, two spaces), whole or not at all; its folder is made.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, _json_bytes(content))


def _json_bytes(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
