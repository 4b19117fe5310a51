"""What both models have in common: loading, saving, and what programs ask of any model of transformers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cyano import weights
from cyano.checkpoints import Checkpoint, configs, resolve, save_folder
from cyano.checkpoints.cards import Origin, keep_card
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE, load_tensors, model_folder
from cyano.checkpoints.inferred import inferred_config
from cyano.checkpoints.loading import load_checkpoint
from cyano.errors import InputError, WeightsError
from cyano.hf.configuration import SuperGlueConfig, SuperPointConfig
from cyano.hf.keywords import Keywords
from cyano.hf.uploading import Uploads

__all__ = ["DtypeName", "PretrainedModel"]

DtypeName = torch.dtype | str | None
"""A dtype, its name, "auto" for that of the saved weights, or None for float32."""

_DTYPES: Mapping[str, torch.dtype] = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}


class PretrainedModel(Uploads, nn.Module):
    """A model that is loaded and saved as transformers' are."""

    config_class: ClassVar[type[SuperGlueConfig] | type[SuperPointConfig]]
    main_input_name: ClassVar[str] = "pixel_values"
    _origin: Origin | None = None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The parameters' dtype."""
        return next(self.parameters()).dtype

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """How many numbers the model has; none of them are embeddings.

        Example:
            >>> cyano.AutoModel.from_pretrained().num_parameters() > 1_000_000
            True
        """
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)

    def init_weights(self) -> None:
        """Draw all weights anew, as the constructor does; after `to_empty`, which leaves none.

        Example:
            >>> model = cyano.AutoModelForKeypointDetection.from_pretrained()
            >>> model.init_weights()  # random ones, to train from the beginning
        """
        with torch.device("cpu"):
            fresh = type(self)(self.config, transformers_exact=self.transformers_exact)
        self.load_state_dict(fresh.state_dict())

    def _checkpoint(self, tensors: Mapping[str, Tensor]) -> Checkpoint:
        """The model's settings with some tensors, as they are saved."""
        raise NotImplementedError

    @classmethod
    def _fitted(cls, where: str, config: Any, saved: Checkpoint) -> Checkpoint:
        """The part of saved weights that is for this class, known to fit the settings."""
        raise NotImplementedError

    @classmethod
    def from_config(
        cls, config: Any, *, dtype: DtypeName = None, transformers_exact: bool = False, **keywords: Any
    ) -> Self:
        """A model with random weights.

        Args:
            config: its settings.
            dtype: its dtype.
            transformers_exact: see the class.
            **keywords: as for `from_pretrained`.

        Raises:
            InputError: a keyword cannot be used here.

        Example:
            >>> model = cyano.SuperPointForKeypointDetection.from_config(cyano.SuperPointConfig(max_keypoints=512))
            >>> model.config.max_keypoints, model.training
            (512, True)
        """
        dtype = keywords.pop("torch_dtype", None) if dtype is None else dtype
        words = Keywords.of(None, keywords)
        if words.state_dict is not None:
            raise InputError("state_dict cannot be used here: weights go to from_pretrained or load_state_dict")
        model = cls(cls.config_class.of(config, **words.settings), transformers_exact=transformers_exact)
        return model.to(words.device, _chosen_dtype(dtype, "float32"))

    _from_config = from_config

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        config: Any = None,
        dtype: DtypeName = None,
        transformers_exact: bool = False,
        **keywords: Any,
    ) -> Self:
        """Load a model in evaluation mode.

        Args:
            name_or_path: a folder, an original .pth file with its detector beside it, a name on the Hugging
                Face hub, or None for the weights that come with Cyano.
            config: settings in place of the saved ones.
            dtype: the dtype to load in; None for float32.
            transformers_exact: see the class.
            **keywords: settings to change, `state_dict` (weights in place of the saved ones), `device_map`,
                `variant`, `revision`, `subfolder`, `cache_dir`, `token`, `local_files_only`, `force_download`, and
                `output_loading_info`, which gives a report beside the model. Other keywords of transformers have no
                effect.

        Raises:
            WeightsError: nothing is there, it cannot be fetched, it is damaged, or it is another network's.
            InputError: a setting is unknown or not usable.

        Example:
            >>> model = cyano.SuperGlueForKeypointMatching.from_pretrained(matching_threshold=0.5)
            >>> model.config.matching_threshold, model.training
            (0.5, False)
        """
        dtype = keywords.pop("torch_dtype", None) if dtype is None else dtype
        words = Keywords.of(name_or_path, keywords)
        config, saved, origin = _loaded(cls.config_class, words, config)
        tensors = cls._fitted(str(words.name_or_path), config, saved).tensors()
        with torch.device("cpu"):  # a default device of "meta" would drop the values
            model = cls(config, transformers_exact=transformers_exact)
        if model.device.type == "meta":  # accelerate's init_empty_weights puts all parameters there
            raise InputError("weights cannot be loaded where all parameters are put on the device 'meta'; load outside")
        model.load_state_dict(tensors)
        default = torch.get_default_device()
        device = words.device or (None if default.type == "meta" else default)
        model = model.to(device, _chosen_dtype(dtype, config.dtype)).eval()
        model._origin = origin
        if words.loading_info:
            report = dict.fromkeys(("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"), ())
            return model, {name: set(keys) for name, keys in report.items()}  # type: ignore[return-value]
        return model

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        overwrite: bool = False,
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        **keywords: object,
    ) -> None:
        """Save config.json and model.safetensors, so that transformers loads them, and the card with the licence.

        Args:
            folder: where to.
            overwrite: replace another model that is there.
            is_main_process: False writes nothing.
            state_dict: weights in place of the model's.
            **keywords: `push_to_hub` and what goes with it; others of transformers have no effect.

        Raises:
            OutputError: another model is there, or it cannot be written.

        Example:
            >>> cyano.SuperGlueForKeypointMatching.from_pretrained().save_pretrained("saved")
            >>> model = cyano.SuperGlueForKeypointMatching.from_pretrained("saved")
        """
        if not is_main_process:
            return
        dtype = str(self.dtype).removeprefix("torch.")
        content = {**self.config.to_dict(), "architectures": [type(self).__name__], "dtype": dtype}  # type: ignore[operator, union-attr]
        checkpoint = self._checkpoint(self.state_dict() if state_dict is None else state_dict)
        save_folder(folder, checkpoint, config=content, overwrite=overwrite)
        if self._origin is not None:
            keep_card(Path(folder), self._origin, changed=_changed(self._origin.path, checkpoint))
        self._saved(folder, keywords)


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


def _loaded(config_class: Any, words: Keywords, config: Any) -> tuple[Any, Checkpoint, Origin | None]:
    """Load weights and their settings, or those given, and say where they were."""
    if config is not None and words.settings:
        raise InputError(f"give {', '.join(words.settings)} in the config or as keywords, not both")
    if words.state_dict is not None:
        return *_from_memory(config_class, words, config, words.state_dict), None
    path = resolve(words.name_or_path, words.hub)
    folder = model_folder(path)
    if folder.is_dir() and not (folder / CONFIG_FILE).exists() and not list(folder.glob("super*.pth")):
        content, checkpoint = _without_config(folder, words.variant, config)
    else:
        checkpoint = load_checkpoint(path, words.variant)
        content = _content(folder, checkpoint) if config is None else {}
    config = config_class.from_dict(content, **words.settings) if config is None else config_class.of(config)
    return config, checkpoint, Origin(str(words.name_or_path or weights.DEFAULT), folder)


def _from_memory(
    config_class: Any, words: Keywords, config: Any, tensors: Mapping[str, Tensor]
) -> tuple[Any, Checkpoint]:
    """Weights that the program has, with settings that are saved or given."""
    if config is None:
        config = config_class.from_pretrained(words.name_or_path, **asdict(words.hub), **words.settings)
    config = config_class.of(config)
    whole = isinstance(config, SuperGlueConfig)
    detector, matcher = (config.detector, config.native()) if whole else (config, None)
    return config, Checkpoint.fitted("state_dict", detector.native(), matcher, tensors)


def _content(folder: Path, checkpoint: Checkpoint) -> dict[str, object]:
    """The content of config.json; made up from the networks where the original's files have none."""
    if (folder / CONFIG_FILE).is_file():
        return read_json(folder / CONFIG_FILE)
    if checkpoint.superglue is None:
        return configs.superpoint_to_dict(checkpoint.superpoint)
    return configs.superglue_to_dict(checkpoint.superglue, checkpoint.superpoint)


def _without_config(folder: Path, variant: str | None, config: Any) -> tuple[dict[str, object], Checkpoint]:
    """Tensors alone, as transformers' Trainer saves them: their sizes tell, the rest is assumed and said."""
    path, tensors = load_tensors(folder, variant)
    content, source = inferred_config(tensors, str(path))
    if config is None:
        warnings.warn(
            f"{folder} has no {CONFIG_FILE}: sizes follow from the tensors, and thresholds and all other settings are "
            f"{source}'s; give config= for others, and save by model.save_pretrained or with cyano.hf.SaveConfig",
            UserWarning,
            stacklevel=4,
        )
    nested = content.get("keypoint_detector_config")
    if isinstance(nested, Mapping):
        superpoint, superglue = configs.superpoint_from_dict(nested), configs.superglue_from_dict(content)
        return content, Checkpoint.fitted(str(path), superpoint, superglue, tensors)
    return content, Checkpoint.fitted(str(path), configs.superpoint_from_dict(content), None, tensors)


def _chosen_dtype(dtype: DtypeName, saved: str) -> torch.dtype:
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
