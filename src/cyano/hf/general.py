"""transformers' general settings: what it writes into every config.json, whatever the model."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

from cyano.checkpoints import config_keys

__all__ = ["DTYPES", "GENERAL_DEFAULTS", "takes_general_settings", "with_dtype"]

GENERAL_DEFAULTS: Final[Mapping[str, object]] = {
    "output_hidden_states": False,
    "output_attentions": False,
    "return_dict": True,
}
DTYPES: Final = ("float32", "float16", "bfloat16", "float64")

Config = TypeVar("Config", bound=type[Any])


def with_dtype(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `dtype` in place of transformers 4's word for it, and without it where it is None."""
    result = dict(settings)
    if "torch_dtype" in result:
        result.setdefault("dtype", result.pop("torch_dtype"))
    if result.get("dtype", "") is None:
        del result["dtype"]
    return result


def takes_general_settings(kind: Config) -> Config:
    """A decorator for a configuration: its constructor takes all that its `to_dict()` may hold.

    General settings are kept as attributes and in files, as those that are read from files are. `model_type` has to be
    that of the class.
    """
    plain = kind.__init__
    own = {item.name for item in fields(kind)}
    general = (config_keys.GENERAL_KEYS | {"model_type", config_keys.LOCALISATION}) - own

    @functools.wraps(plain)
    def take(self: Any, *arguments: Any, **settings: Any) -> None:
        others = {name: settings.pop(name) for name in general & settings.keys()}
        kind._from_file({"model_type": others.pop("model_type", kind.model_type)})
        if "torch_dtype" in others:
            settings["torch_dtype"] = others.pop("torch_dtype")
        plain(self, *arguments, **with_dtype(settings))
        for name, value in others.items():
            setattr(self, name, value)

    kind.__init__ = take
    return kind
