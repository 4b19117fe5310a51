"""Configurations that look like transformers': mutable attributes, one JSON file for matcher and detector.

Every assignment is checked, in the constructor and later. The networks themselves take the frozen
configurations of `cyano.models`; `native()` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from cyano.checkpoints import config_keys, configs, resolve
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE, model_folder, write_json
from cyano.errors import InputError
from cyano.hf.general import DTYPES, GENERAL_DEFAULTS, takes_general_settings, with_dtype
from cyano.hf.keywords import Keywords
from cyano.hf.uploading import Uploads
from cyano.models.superglue import SuperGlueConfig as NativeSuperGlueConfig
from cyano.models.superpoint import SuperPointConfig as NativeSuperPointConfig

__all__ = ["SuperGlueConfig", "SuperPointConfig"]


@dataclass(kw_only=True)
class _Config(Uploads):
    """What both configurations share.

    Attributes:
        output_hidden_states: whether `forward` returns hidden states unless told otherwise.
        output_attentions: whether it returns attentions.
        return_dict: whether it returns an output object rather than a tuple.
        dtype: the dtype of the saved weights, by name.
    """

    model_type: ClassVar[str]
    _defaults: ClassVar[Mapping[str, object]]

    output_hidden_states: bool = False
    output_attentions: bool = False
    return_dict: bool = True
    dtype: str = "float32"

    def __setattr__(self, name: str, value: object) -> None:
        """Check, then set."""
        super().__setattr__(name, self._checked(name, value))

    def _checked(self, name: str, value: object) -> object:
        defaults = {**GENERAL_DEFAULTS, **self._defaults}
        if name in defaults:
            value = config_keys.checked_value(name, defaults[name] if value is None else value, defaults[name])
            return list(value) if isinstance(value, tuple) else value
        if name == "dtype":
            value = str(value).removeprefix("torch.")
            if value not in DTYPES:
                raise InputError(f"dtype must be one of {', '.join(DTYPES)}, not {value!r}")
            return value
        config_keys.check_keys({name: value}, {**self._defaults, config_keys.LOCALISATION: None})
        return value

    @classmethod
    def _from_file(cls, data: Mapping[str, object]) -> Mapping[str, object]:
        """The part of a config.json's content that is for this class."""
        kind = data.get("model_type", cls.model_type)
        if kind != cls.model_type:
            raise InputError(f"this is the configuration of a {kind!r}, not of a {cls.model_type!r}")
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, object], **overrides: object) -> Self:
        """A configuration from the content of a config.json.

        Args:
            data: its content. Missing keys take their defaults; transformers' general keys are kept as
                attributes.
            **overrides: settings that replace those in `data`.

        Raises:
            InputError: a key is misspelt or a value is not usable.

        Example:
            >>> cyano.SuperPointConfig.from_dict({"max_keypoints": 512}, nms_radius=3).nms_radius
            3
        """
        names = {item.name for item in fields(cls)}
        for key in overrides:
            config_keys.check_keys({key: None}, dict.fromkeys(names))
            if key not in names:
                raise InputError(f"{cls.__name__} has no setting {key!r}")
        merged = {key: value for key, value in cls._from_file(data).items() if key != "model_type"}
        merged = {**with_dtype(merged), **overrides}
        known = {key: value for key, value in merged.items() if key in names}
        config = cls(**known)  # type: ignore[arg-type]  # __setattr__ checks the types
        others = {key: value for key, value in merged.items() if key not in names}
        config_keys.check_keys(others, dict.fromkeys([*names, config_keys.LOCALISATION]))
        vars(config).update(others)
        return config

    def to_dict(self) -> dict[str, object]:
        """The content of config.json, nested configurations as dictionaries.

        Example:
            >>> cyano.SuperPointConfig(max_keypoints=512).to_dict()["max_keypoints"]
            512
        """
        values = {key: value.to_dict() if isinstance(value, _Config) else value for key, value in vars(self).items()}
        shown = {key: value for key, value in values.items() if GENERAL_DEFAULTS.get(key, ...) is not value}
        return {"model_type": self.model_type, **shown}

    def __iter__(self) -> Iterator[str]:
        """The names of all settings."""
        return iter(vars(self))

    def to_json_string(self) -> str:
        """config.json as text, keys sorted.

        Example:
            >>> '"max_keypoints": 512' in cyano.SuperPointConfig(max_keypoints=512).to_json_string()
            True
        """
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, path: str | Path, use_diff: bool = True) -> None:
        """Write `to_json_string` into a file.

        Raises:
            OutputError: it cannot be written.

        Example:
            >>> cyano.SuperPointConfig(max_keypoints=512).to_json_file("detector.json")
            >>> cyano.SuperPointConfig.from_json_file("detector.json").max_keypoints
            512
        """
        write_json(Path(path), self.to_dict())

    def to_diff_dict(self) -> dict[str, object]:
        """What differs from the defaults.

        Example:
            >>> cyano.SuperPointConfig(max_keypoints=512).to_diff_dict()
            {'model_type': 'superpoint', 'max_keypoints': 512}
        """
        usual = type(self)().to_dict()
        return {key: value for key, value in self.to_dict().items() if key == "model_type" or usual.get(key) != value}

    def update(self, settings: Mapping[str, object]) -> None:
        """Change several settings.

        Example:
            >>> config = cyano.SuperPointConfig()
            >>> config.update({"max_keypoints": 512, "nms_radius": 3})
            >>> config.max_keypoints
            512
        """
        for name, value in settings.items():
            setattr(self, name, value)

    @property
    def use_return_dict(self) -> bool:
        """`return_dict`."""
        return self.return_dict

    @classmethod
    def of(cls, config: Any, **overrides: object) -> Self:
        """A configuration of this class, from what programs have in its place.

        Args:
            config: one of this class, which stays itself; one of transformers'; a dictionary; the path of one; or
                None for the defaults.
            **overrides: settings to change.

        Raises:
            InputError: it is none of them.

        Example:
            >>> cyano.SuperPointConfig.of({"max_keypoints": 512}).max_keypoints
            512
        """
        if isinstance(config, cls) and not overrides:
            return config
        if isinstance(config, str | Path):
            return cls.from_pretrained(config, **overrides)
        content = config.to_dict() if hasattr(config, "to_dict") else {} if config is None else config
        if not isinstance(content, Mapping):
            raise InputError(f"a configuration is a {cls.__name__} or a dictionary, not {config!r}")
        return cls.from_dict(content, **overrides)

    @classmethod
    def from_json_file(cls, path: str | Path) -> Self:
        """Read a file like config.json.

        Example:
            >>> cyano.SuperPointConfig(max_keypoints=512).to_json_file("detector.json")
            >>> cyano.SuperPointConfig.from_json_file("detector.json").max_keypoints
            512
        """
        return cls.from_dict(read_json(Path(path)))

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None, **keywords: Any) -> Self:
        """Read config.json.

        Args:
            name_or_path: a folder, a name on the Hugging Face hub, or None for the weights that come with
                Cyano.
            **keywords: settings to change, and those for the hub, see `PretrainedModel.from_pretrained`;
                `return_unused_kwargs` gives those that are no settings beside the configuration.

        Raises:
            WeightsError: nothing is there, or it is damaged.
            InputError: a key or a value is not usable.

        Example:
            >>> config = cyano.SuperPointConfig.from_pretrained(max_keypoints=512)  # else as the weights in the wheel
            >>> config.max_keypoints
            512
        """
        words = Keywords.of(name_or_path, keywords)
        content = read_json(model_folder(resolve(words.name_or_path, words.hub)) / CONFIG_FILE)
        if not words.unused:
            return cls.from_dict(content, **words.settings)
        known = {item.name for item in fields(cls)} & set(words.settings)
        config = cls.from_dict(content, **{name: words.settings[name] for name in known})
        rest = {name: value for name, value in words.settings.items() if name not in known}
        return config, rest  # type: ignore[return-value]

    def save_pretrained(self, folder: str | Path, **keywords: object) -> None:
        """Write config.json into a folder, which is made if need be.

        Raises:
            OutputError: it cannot be written.

        Example:
            >>> cyano.SuperPointConfig(max_keypoints=512).save_pretrained("detector")
            >>> cyano.SuperPointConfig.from_pretrained("detector").max_keypoints
            512
        """
        write_json(Path(folder) / CONFIG_FILE, self.to_dict())
        self._saved(folder, keywords)


@takes_general_settings
@dataclass(kw_only=True)
class SuperPointConfig(_Config):
    """The detector's settings, with transformers' names and defaults.

    Attributes:
        encoder_hidden_sizes: channels of the four encoder blocks.
        decoder_hidden_size: hidden channels of both heads.
        keypoint_decoder_dim: classes of a cell, always 65.
        descriptor_decoder_dim: channels of a descriptor.
        keypoint_threshold: a pixel is a keypoint where its score is above this.
        max_keypoints: keep so many of the highest scores; a negative number keeps all.
        nms_radius: no two keypoints lie within this many pixels.
        border_removal_distance: no keypoint lies nearer than this to the border, in pixels.
        initializer_range: kept for transformers; Cyano initialises by the size of each layer.

    Example:
        >>> config = cyano.SuperPointConfig(max_keypoints=512)
        >>> config.max_keypoints, config.native().max_keypoints
        (512, 512)
    """

    model_type: ClassVar[str] = "superpoint"
    _defaults: ClassVar[Mapping[str, object]] = config_keys.SUPERPOINT_DEFAULTS

    encoder_hidden_sizes: list[int] | tuple[int, ...] = (64, 64, 128, 128)
    decoder_hidden_size: int = 256
    keypoint_decoder_dim: int = 65
    descriptor_decoder_dim: int = 256
    keypoint_threshold: float = 0.005
    max_keypoints: int = -1
    nms_radius: int = 4
    border_removal_distance: int = 4
    initializer_range: float = 0.02

    @classmethod
    def _from_file(cls, data: Mapping[str, object]) -> Mapping[str, object]:
        nested = data.get("keypoint_detector_config")
        return super()._from_file(nested if isinstance(nested, Mapping) else data)

    def native(self) -> NativeSuperPointConfig:
        """The frozen configuration that the network takes."""
        known = (*config_keys.SUPERPOINT_DEFAULTS, config_keys.LOCALISATION)
        return configs.superpoint_from_dict({key: vars(self)[key] for key in known if key in vars(self)})


@takes_general_settings
@dataclass(kw_only=True)
class SuperGlueConfig(_Config):
    """The matcher's settings, with transformers' names and defaults.

    Attributes:
        keypoint_detector_config: the detector's settings; a dictionary or None will do.
        hidden_size: channels of states and descriptors.
        keypoint_encoder_sizes: hidden channels of the keypoint encoder; None for the default.
        gnn_layers_types: "self" or "cross" for each layer; None for the default.
        num_attention_heads: attention heads, a divisor of `hidden_size`.
        sinkhorn_iterations: iterations of the optimal transport.
        matching_threshold: a match needs a probability above this.
        initializer_range: kept for transformers; Cyano initialises by the size of each layer.
        is_decoder: kept for transformers, no effect.
        attention_probs_dropout_prob: kept for transformers; Cyano has no dropout.

    Example:
        >>> config = cyano.SuperGlueConfig(hidden_size=128, num_attention_heads=2)
        >>> config.hidden_size, config.native().hidden_size
        (128, 128)
    """

    model_type: ClassVar[str] = "superglue"
    _defaults: ClassVar[Mapping[str, object]] = config_keys.SUPERGLUE_DEFAULTS

    keypoint_detector_config: SuperPointConfig | Mapping[str, object] | None = None
    hidden_size: int = 256
    keypoint_encoder_sizes: list[int] | tuple[int, ...] | None = None
    gnn_layers_types: list[str] | tuple[str, ...] | None = None
    num_attention_heads: int = 4
    sinkhorn_iterations: int = 100
    matching_threshold: float = 0.0
    initializer_range: float = 0.02
    is_decoder: bool = False
    attention_probs_dropout_prob: float = 0.0

    def __post_init__(self) -> None:
        self.native()  # the values have to fit each other

    @classmethod
    def _from_file(cls, data: Mapping[str, object]) -> Mapping[str, object]:
        return configs.with_new_names(super()._from_file(data))

    def _checked(self, name: str, value: object) -> object:
        if name != "keypoint_detector_config":
            return super()._checked(name, value)
        return SuperPointConfig.of(value)

    @property
    def detector(self) -> SuperPointConfig:
        """`keypoint_detector_config`, known to be a configuration."""
        config = self.keypoint_detector_config
        if not isinstance(config, SuperPointConfig):  # __setattr__ lets nothing else through
            raise InputError("keypoint_detector_config is not a SuperPointConfig")
        return config

    def native(self) -> NativeSuperGlueConfig:
        """The frozen configuration that the network takes."""
        return configs.superglue_from_dict({key: vars(self)[key] for key in config_keys.SUPERGLUE_DEFAULTS})
