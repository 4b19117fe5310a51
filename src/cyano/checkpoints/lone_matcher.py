"""Matchers of features that no network of Cyano's makes, such as SIFT's: folders without a detector.

The folder has the form of Hugging Face's, without `keypoint_detector_config`, and with the name of the features in its
place. Its `model_type` is one of Cyano's own: transformers would put a detector with random weights beside the matcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyano.checkpoints.checkpoint import fitted_tensors
from cyano.checkpoints.configs import superglue_from_dict, superglue_to_dict
from cyano.checkpoints.files import read_json
from cyano.checkpoints.hub import HubOptions, resolve
from cyano.checkpoints.huggingface import CONFIG_FILE, LONE_MATCHER, load_tensors, model_folder, publish
from cyano.checkpoints.loading import load
from cyano.errors import InputError, WeightsError
from cyano.models.superglue import SuperGlue

__all__ = ["LoneMatcher", "load_matcher", "save_matcher"]

_FEATURES = "feature_extractor"
"""The key of config.json that names the features."""


@dataclass(frozen=True, eq=False)
class LoneMatcher:
    """A matcher with its weights, in evaluation mode, float32, on the CPU.

    Attributes:
        superglue: the matcher.
        features: the name of the features that it was trained on.
        source: where the weights come from, as given.

    Example:
        >>> save_matcher("for-sift", networks.superglue, "sift")  # as if it had been trained on them
        >>> matcher = load_matcher("for-sift", "sift")
        >>> matcher.features, matcher.superglue.training
        ('sift', False)
    """

    superglue: SuperGlue
    features: str
    source: str


def load_matcher(name_or_path: str | Path | None, features: str, hub: HubOptions | None = None) -> LoneMatcher:
    """Load a matcher of some features.

    Args:
        name_or_path: a folder that `save_matcher` wrote, or "owner/name" on the Hugging Face hub; a model with a
            detector, or None for the weights that come with Cyano, has a matcher of "superpoint" features.
        features: what it has to be trained on, such as "sift".
        hub: how to fetch from the hub.

    Raises:
        WeightsError: it cannot be found or fetched, is damaged, or is one of other features.

    Example:
        >>> save_matcher("for-sift", networks.superglue, "sift")  # as if it had been trained on them
        >>> load_matcher("for-sift", "sift").source
        'for-sift'
    """
    folder = model_folder(resolve(name_or_path, hub))
    data = read_json(folder / CONFIG_FILE)
    whole = data.get("model_type") != LONE_MATCHER  # with a detector, of whose features its matcher is
    found = "superpoint" if whole else data.pop(_FEATURES, None)
    if found != features:
        raise WeightsError(
            f"{folder} holds no matcher of {features!r} features, but of {found!r}; give the folder of one, such as "
            f"RUN/model of `cyano train matcher` with a recipe that says features = {features!r}"
        )
    if whole:
        networks = load(name_or_path, hub)
        if networks.superglue is None:
            raise WeightsError(f"{networks.source} has no matcher; give weights that have one")
        return LoneMatcher(networks.superglue, features, networks.source)
    try:
        config = superglue_from_dict(data)
    except InputError as error:
        raise WeightsError(f"{folder / CONFIG_FILE}: {error}") from error
    superglue = SuperGlue(config).eval()
    path, tensors = load_tensors(folder)
    superglue.load_state_dict(fitted_tensors(str(path), superglue.state_dict(), tensors))
    return LoneMatcher(superglue, features, str(name_or_path))


def save_matcher(folder: Path | str, superglue: SuperGlue, features: str, *, overwrite: bool = False) -> None:
    """Save a matcher without a detector; the folder is complete or not there.

    Args:
        folder: where to; it is made if need be.
        superglue: the matcher, on any device.
        features: the name of what it was trained on, such as "sift".
        overwrite: replace another model that the folder holds.

    Raises:
        OutputError: the folder holds another model, or cannot be written.

    Example:
        >>> save_matcher("for-sift", networks.superglue, "sift")
        >>> Path("for-sift/config.json").exists()
        True
    """
    settings = superglue_to_dict(superglue.config, None)
    config = {**settings, "model_type": LONE_MATCHER, _FEATURES: features, "dtype": "float32"}
    tensors = {name: tensor.detach().cpu() for name, tensor in superglue.state_dict().items()}
    publish(Path(folder), {CONFIG_FILE: config}, tensors, overwrite=overwrite)
