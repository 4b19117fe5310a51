"""A training run in one TOML file; a key that means nothing is an error that names the nearest known one."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

from cyano.checkpoints.configs import superglue_from_dict, superglue_to_dict, superpoint_from_dict, superpoint_to_dict
from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig
from cyano.processing.sift import SIFT_CHANNELS, SIFT_EXTRAS
from cyano.reading import parse_toml, read_bytes
from cyano.records import record_from
from cyano.training.run.schedule import Schedule
from cyano.training.stages.joint import JointOptions
from cyano.training.stages.labels import AdaptationOptions
from cyano.training.stages.matcher import PairOptions
from cyano.training.stages.shapes import ShapesOptions

__all__ = ["RECIPES", "MatcherPhase", "Round", "ShapesPhase", "TrainingConfig", "read_config"]

RECIPES = ("small", "base", "tiny", "minutes", "place", "sift", "taught")
"""Recipes that come with Cyano: three sizes in use, one of minutes, one for a place of your own, a matcher of SIFT, and
a student of a teacher."""

_MAX_BYTES = 1 << 20  # of a recipe


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
            raise InputError("labels are for photographs only: scenes and posed are for rounds without [rounds.labels]")


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
            raise InputError("superpoint, shapes and rounds train a detector, which SIFT does not use; remove them")


def read_config(source: str | Path) -> TrainingConfig:
    """Read a recipe: the name of one in `RECIPES`, or a TOML file.

    Raises:
        InputError: the file is missing or not TOML, or has an unknown key or a wrong value.
    """
    if str(source) in RECIPES:
        content = resources.files("cyano.training").joinpath("recipes", f"{source}.toml").read_bytes()
    else:
        remedy = f"give a TOML file, or the name of a recipe: {', '.join(RECIPES)}"
        content = read_bytes(source, remedy=remedy, limit=_MAX_BYTES)
    config = record_from(TrainingConfig, parse_toml(content, source), str(source))
    try:
        superglue_from_dict(superglue_to_dict(config.superglue, None))
        superpoint_from_dict(superpoint_to_dict(config.superpoint))
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return config
