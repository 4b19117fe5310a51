"""Configurations of the networks from plain dictionaries and back, the way Hugging Face's config.json holds them.

The dictionaries may leave keys out (see `cyano.checkpoints.config_keys` for their defaults) and may carry the general
keys that transformers writes.
"""

from __future__ import annotations

from collections.abc import Mapping

from cyano.checkpoints.config_keys import (
    GENERAL_KEYS,
    LOCALISATION,
    SUPERGLUE_DEFAULTS,
    SUPERGLUE_OWN,
    SUPERPOINT_DEFAULTS,
    check_keys,
    checked_value,
)
from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig

__all__ = [
    "superglue_from_dict",
    "superglue_to_dict",
    "superpoint_from_dict",
    "superpoint_to_dict",
    "with_new_names",
]

_OLD_NAMES = {"descriptor_dim": "hidden_size", "num_heads": "num_attention_heads"}
"""Names from before transformers' first release of SuperGlue; some converted checkpoints still carry them."""


def _filled(given: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """All keys of `defaults`, with the checked values of `given`; null stands for the default."""
    result = dict(defaults)
    for key, default in defaults.items():
        if given.get(key) is not None:
            result[key] = checked_value(key, given[key], default)
    return result


def superpoint_from_dict(data: Mapping[str, object]) -> SuperPointConfig:
    """The detector's configuration from the content of its config.json.

    Raises:
        InputError: a value or a key is not usable.
    """
    known = {**SUPERPOINT_DEFAULTS, LOCALISATION: "probability"}
    check_keys(data, known)
    values = _filled(data, known)
    del values["keypoint_decoder_dim"], values["initializer_range"]
    return SuperPointConfig(**values)  # type: ignore[arg-type]  # _filled has checked the types


def superglue_from_dict(data: Mapping[str, object]) -> SuperGlueConfig:
    """The matcher's configuration from the content of its config.json, the nested detector left aside.

    Raises:
        InputError: a value or a key is not usable, or the values do not fit together.
    """
    data = with_new_names(data)
    known = {**SUPERGLUE_DEFAULTS, **SUPERGLUE_OWN}
    check_keys(data, known, GENERAL_KEYS | {"keypoint_detector_config"})
    values = _filled(data, known)
    for unused in ("initializer_range", "is_decoder", "attention_probs_dropout_prob"):
        del values[unused]
    config = SuperGlueConfig(**values)  # type: ignore[arg-type]  # _filled has checked the types
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"hidden_size must be a multiple of num_attention_heads, but {config.hidden_size} % "
            f"{config.num_attention_heads} is not 0"
        )
    return config


def with_new_names(data: Mapping[str, object]) -> dict[str, object]:
    """A matcher's config.json with today's names for its settings.

    Raises:
        InputError: the old and the new name of a setting are both there and say different things.
    """
    renamed = {key: value for key, value in data.items() if key not in _OLD_NAMES}
    for old, new in _OLD_NAMES.items():
        if old in data and renamed.setdefault(new, data[old]) != data[old]:
            raise InputError(f"{old} ({data[old]}) and {new} ({renamed[new]}) contradict each other; remove {old}")
    return renamed


def superpoint_to_dict(config: SuperPointConfig) -> dict[str, object]:
    """The keys of a detector's config.json, `model_type` included, in types that transformers accepts."""
    own = {LOCALISATION: config.keypoint_localisation} if config.keypoint_localisation != "probability" else {}
    return {"model_type": "superpoint", **_for_json(vars(config), SUPERPOINT_DEFAULTS), **own}


def superglue_to_dict(config: SuperGlueConfig, detector: SuperPointConfig | None) -> dict[str, object]:
    """The keys of a matcher's config.json, `model_type` and, where there is one, the nested detector included."""
    nested = {} if detector is None else {"keypoint_detector_config": superpoint_to_dict(detector)}
    own = {key: value for key, value in vars(config).items() if SUPERGLUE_OWN.get(key, value) != value}
    return {"model_type": "superglue", **nested, **_for_json(vars(config), SUPERGLUE_DEFAULTS), **own}


def _for_json(given: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    values = {key: checked_value(key, given.get(key, default), default) for key, default in defaults.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
