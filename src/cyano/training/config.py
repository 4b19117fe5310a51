"""A training run in one TOML file; a key that means nothing is an error that names the nearest known one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig
from cyano.processing.sift import SIFT_CHANNELS, SIFT_EXTRAS
from cyano.training.joint_stage import JointOptions
from cyano.training.labels import AdaptationOptions
from cyano.training.matcher_stage import PairOptions
from cyano.training.schedule import Schedule
from cyano.training.shapes_stage import ShapesOptions

__all__ = ["RECIPES", "MatcherPhase", "Round", "ShapesPhase", "TrainingConfig", "read_config"]

RECIPES = ("small", "base", "tiny", "sift", "taught")
"""Recipes that come with Cyano: two of sizes in use, one of minutes, a matcher of SIFT, a student of a teacher."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class ShapesPhase:
    """Synthetic shapes: what to draw and how long."""

    options: ShapesOptions
    schedule: Schedule


@dataclass(frozen=True)
class Round:
    """Detector and descriptors: on labels by the detector so far, or without labels on what two views both show."""

    options: JointOptions
    schedule: Schedule
    labels: AdaptationOptions | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and (self.options.scenes or self.options.posed):
            raise InputError("labels are photographs': scenes and posed are for rounds without [rounds.labels]")


@dataclass(frozen=True)
class MatcherPhase:
    """The matcher on features that stay as they are."""

    options: PairOptions
    schedule: Schedule


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the result of a training run, but the photographs.

    Attributes:
        seed: of weights and data.
        superglue: the matcher's sizes, and the settings that go into config.json.
        matcher: the matcher's stages, in order; each goes on from the one before.
        averaged: the model is the mean of the weights at the ends of so many of the last of them (Wortsman et al.,
            arXiv:2203.05482).
        features: what the matcher matches; "sift" needs no detector, and so nothing of what follows but `validation`.
        superpoint: the detector's sizes and settings.
        shapes: the detector's first stage.
        rounds: the detector's further stages, in order.
        validation: share of the photographs that no stage sees.
    """

    seed: int
    superglue: SuperGlueConfig
    matcher: tuple[MatcherPhase, ...]
    features: Literal["superpoint", "sift"] = "superpoint"
    superpoint: SuperPointConfig = field(default_factory=SuperPointConfig)
    shapes: ShapesPhase | None = None
    rounds: tuple[Round, ...] = ()
    validation: float = 0.05
    averaged: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.averaged <= max(len(self.matcher), 1):
            raise InputError(f"averaged lies between 1 and the number of [[matcher]] phases, not {self.averaged}")
        matcher = self.superglue
        if self.features == "superpoint":
            if matcher.input_size or matcher.keypoint_extras:
                raise InputError("superglue.input_size and superglue.keypoint_extras are not for SuperPoint's features")
            if matcher.hidden_size != self.superpoint.descriptor_decoder_dim:
                raise InputError("superglue.hidden_size and superpoint.descriptor_decoder_dim have to be the same")
            return
        if (matcher.input_size or matcher.hidden_size) != SIFT_CHANNELS or matcher.keypoint_extras != SIFT_EXTRAS:
            raise InputError(
                f"SIFT has {SIFT_CHANNELS} channels and {SIFT_EXTRAS} numbers more: superglue.input_size has to be "
                f"{SIFT_CHANNELS} (or 0, if hidden_size is), superglue.keypoint_extras {SIFT_EXTRAS}"
            )
        if self.shapes is not None or self.rounds or self.superpoint != SuperPointConfig():
            raise InputError("superpoint, shapes and rounds train a detector, which SIFT has no use for; remove them")


def read_config(source: str | Path) -> TrainingConfig:
    """Read a recipe: the name of one in `RECIPES`, or a TOML file.

    Raises:
        InputError: the file is missing or not TOML, or has an unknown key or a wrong value.
    """
    try:
        if str(source) in RECIPES:
            text = resources.files("cyano.training").joinpath("recipes", f"{source}.toml").read_text(encoding="utf-8")
        else:
            text = Path(source).read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{source} is neither a recipe ({', '.join(RECIPES)}) nor a readable file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source} is not TOML: {error}") from error
    return _filled(TrainingConfig, data, str(source))


def _filled(kind: type[_T], data: object, where: str) -> _T:
    """A dataclass from a table; every key must be a field, every value of the field's type."""
    if not isinstance(data, Mapping):
        raise InputError(f"{where} should be a table")
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise InputError(f"{where} has an unknown key {key!r}{hint}")
    try:
        return kind(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in data.items()})
    except TypeError as error:
        raise InputError(f"{where} is incomplete: {str(error).split(') ')[-1]}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    """A TOML value as a field's type."""
    if isinstance(hint, UnionType):  # a table that may be left out
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{where} is one of {', '.join(map(repr, get_args(hint)))}, not {value!r}")
        return value
    if is_dataclass(hint):
        return _filled(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where} should be a list")
        kinds = get_args(hint)
        inner = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
        if len(inner) != len(value):
            raise InputError(f"{where} takes {len(inner)} values")
        return tuple(
            _value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(inner, value, strict=True))
        )
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where} should be {hint.__name__}, not {value!r}")
    return value
