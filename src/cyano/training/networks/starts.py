"""The networks that training begins with, from weights that are there already or from the recipe's sizes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.loading import load
from cyano.checkpoints.lone_matcher import load_matcher
from cyano.errors import InputError
from cyano.models.superglue import SuperGlue
from cyano.models.superpoint import SuperPoint
from cyano.training.data.features import SiftExtractor
from cyano.training.data.photographs import Photographs
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.networks.principal_axes import turn_detector, turn_projection
from cyano.training.networks.width_growth import widened_detector, widened_superglue
from cyano.training.run.config import TrainingConfig

__all__ = ["matcher_to_train", "started_detector"]


def started_detector(config: TrainingConfig, start: str) -> SuperPoint:
    """The detector of some weights.

    Raises:
        InputError: the recipe is for other sizes.
    """
    superpoint = load(start).superpoint
    sizes = ("encoder_hidden_sizes", "decoder_hidden_size", "descriptor_decoder_dim")
    _check_sizes(superpoint.config, config.superpoint, sizes, start)
    superpoint.config = config.superpoint
    return superpoint


def matcher_to_train(
    config: TrainingConfig, start: str | Path | None, run: Path, photographs: Photographs, detector: str | Path | None
) -> tuple[SuperPoint | None, SuperGlue, str | None]:
    """What there is to begin with; the arguments are those of `train_matcher`.

    Returns:
        The detector, if the features need one; the matcher to train; the digest of the one that it was made from, None
        if it is new.

    Raises:
        InputError: the weights do not fit the recipe.
    """
    if config.features == "sift":
        if detector is not None:
            raise InputError("the recipe's matcher uses SIFT features, so no detector can be given")
        found = None if start is None else load_matcher(start, config.features).superglue
        superglue = _first_matcher(config, found, str(start))
        if found is None and isinstance(superglue.input_projection, nn.Linear):
            features = SiftExtractor(config.matcher[0].options.keypoints)
            turn_projection(superglue.input_projection, features, photographs, config.seed)
        return None, superglue, _digest(found)
    networks = load(run / "detector" if start is None else start)
    if detector is not None:
        networks = replace(networks, superpoint=load(detector).superpoint)
    superpoint = networks.superpoint
    dim, wanted = superpoint.config.descriptor_decoder_dim, config.superglue.hidden_size
    if networks.superglue is not None and dim < wanted:
        superpoint = widened_detector(superpoint, wanted)
    elif dim != wanted:
        raise InputError(
            f"the descriptors of {networks.source} have {dim} channels, the recipe's matcher takes {wanted}"
        )
    if networks.superglue is None:
        turn_detector(superpoint, photographs, config.seed)
    began = _digest(networks.superglue)
    return superpoint, _first_matcher(config, networks.superglue, networks.source), began


def _digest(superglue: SuperGlue | None) -> str | None:
    return None if superglue is None else weights_digest(superglue)


def _first_matcher(config: TrainingConfig, superglue: SuperGlue | None, start: str) -> SuperGlue:
    """The matcher of some weights, cut to the recipe's layers and widened to its channels, or a fresh one."""
    if superglue is None:
        return fresh_superglue(config.superglue, config.seed)
    superglue = superglue.first_layers(len(config.superglue.gnn_layers_types))
    always = ("input_size", "keypoint_extras", "keypoint_encoder_sizes", "gnn_layers_types")
    _check_sizes(superglue.config, config.superglue, always, start)
    if superglue.config.hidden_size < config.superglue.hidden_size:
        return widened_superglue(superglue, config.superglue, config.seed)
    _check_sizes(superglue.config, config.superglue, ("hidden_size", "num_attention_heads"), start)
    superglue.config = config.superglue
    return superglue


def _check_sizes(own: object, wanted: object, names: Sequence[str], source: str) -> None:
    for name in names:
        if getattr(own, name) != getattr(wanted, name):
            raise InputError(
                f"{source} has {name} {getattr(own, name)}, the recipe {getattr(wanted, name)}; write into the recipe "
                "what the weights have"
            )
