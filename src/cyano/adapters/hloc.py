"""Cyano as an extractor, a matcher and a retrieval in hloc's pipelines.

`register()` adds the modules `hloc.extractors.cyano`, `hloc.extractors.cyano_vlad` and `hloc.matchers.cyano`, and
configurations that hloc's scripts take by name. hloc reads the features of an image from its file, the same for all
pairs, so matches are not aligned.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor

from cyano.adapters.common import DeviceMatchers, need_host
from cyano.errors import InputError
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.retrieval.codebook import load_codebook, save_codebook, train_codebook
from cyano.retrieval.options import VladOptions
from cyano.retrieval.sampling import sample_descriptors
from cyano.retrieval.vlad import vlad
from cyano.types import Features, ImageSize, ResizeMap

__all__ = ["FEATURES", "MATCHES", "make_codebook", "register"]

need_host("hloc", "see github.com/cvg/Hierarchical-Localization, and run this where it is installed")

_SUFFIXES = {".jpg", ".jpeg", ".png"}


def _features(output: str, model: dict[str, Any], longest_side: int) -> dict[str, Any]:
    return {"output": output, "model": model, "preprocessing": {"grayscale": True, "resize_max": longest_side}}


FEATURES = MappingProxyType(
    {
        "cyano": _features("feats-cyano-n1024-r640", {"name": "cyano", "max_keypoints": 1024}, 640),
        "cyano-fine": _features("feats-cyano-n4096-r1600", {"name": "cyano", "max_keypoints": 4096}, 1600),
        "cyano-vlad": _features("global-feats-cyano-vlad", {"name": "cyano_vlad", "codebook": None}, 640),
    }
)
"""Configurations for hloc's `extract_features`. "cyano-vlad" needs the path of a codebook, see `make_codebook`."""

MATCHES = MappingProxyType(
    {
        "cyano": {"output": "matches-cyano", "model": {"name": "cyano", "resize_max": 640}},
        "cyano-fine": {"output": "matches-cyano-fine", "model": {"name": "cyano", "resize_max": 1600}},
    }
)
"""Configurations for hloc's `match_features`, each for the features of the same name."""


def register() -> None:
    """Make the names of `FEATURES` and `MATCHES` known to hloc; a second time changes nothing.

    Example:
        >>> register()
        >>> features = extract_features.main(extract_features.confs["cyano"], images, outputs, as_half=False)
        >>> matches = match_features.main(match_features.confs["cyano"], pairs, features, matches=outputs / "m.h5")
    """
    base = import_module("hloc.utils.base_model").BaseModel
    _add(base, "extractors.cyano", "Cyano", _EXTRACTOR)
    _add(base, "extractors.cyano_vlad", "CyanoVlad", _RETRIEVAL)
    _add(base, "matchers.cyano", "Cyano", _MATCHER)
    import_module("hloc.extract_features").confs.update(deepcopy(dict(FEATURES)))
    import_module("hloc.match_features").confs.update(deepcopy(dict(MATCHES)))


def make_codebook(
    images: Path | str, path: Path | str, *, weights: str | Path | None = None, clusters: int = 64, seed: int = 0
) -> Path:
    """Make what "cyano-vlad" compares images by, from the images of a folder: 64 clusters of their descriptors.

    Args:
        images: the folder, with its folders.
        path: of the file to write.
        weights: see `cyano.Matcher.from_pretrained`; those of the configuration.
        clusters: of descriptors; an image has `clusters` times the descriptor's numbers.
        seed: of the clustering.

    Raises:
        InputError: there are too few images.
        MissingExtraError: scikit-learn is not installed.
        OutputError: the file cannot be written.
    """
    root, options = Path(images), VladOptions(clusters=clusters, seed=seed)
    names = sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.suffix.lower() in _SUFFIXES)
    matcher = DeviceMatchers(weights, MatcherOptions(align=False)).on("cpu")

    def local(name: str) -> Any:
        return matcher.extract([root / name])[0].descriptors.numpy()

    codebook = train_codebook(sample_descriptors(local, names, options), options, features=matcher.source)
    save_codebook(codebook, Path(path))
    return Path(path)


def _add(base: type, name: str, class_name: str, body: dict[str, Any]) -> None:
    """A module with one class in it: hloc takes the one that says that it was defined there."""
    module = ModuleType(f"hloc.{name}", f"Cyano's {class_name} for hloc.")
    made = type(class_name, (base,), {**body, "__module__": module.__name__})
    setattr(module, class_name, made)
    sys.modules[module.__name__] = module
    parent, _, last = module.__name__.rpartition(".")
    setattr(import_module(parent), last, module)


def _detecting(conf: dict[str, Any]) -> DeviceMatchers:
    """The networks of an extractor's configuration; images come in the size that they shall have."""
    options = MatcherOptions(
        resize=ResizeRule.none(),
        max_keypoints=conf["max_keypoints"],
        keypoint_threshold=conf["keypoint_threshold"],
        nms_radius=conf["nms_radius"],
        align=False,
    )
    return DeviceMatchers(conf["weights"], options)


def _init_extractor(self: Any, conf: dict[str, Any]) -> None:
    self.engine = _detecting(conf)


def _extract(self: Any, data: dict[str, Any]) -> dict[str, Tensor]:
    """Keypoints (1, N, 2), scores (1, N) and descriptors (1, D, N) of an image (1, C, H, W)."""
    found = _one(self.engine, data["image"])
    return {
        "keypoints": found.keypoints[None],
        "scores": found.scores[None],
        "descriptors": found.descriptors.t()[None],
    }


def _one(engine: DeviceMatchers, images: Tensor) -> Features:
    if len(images) != 1:
        raise InputError(f"hloc's extractors take one image at a time, not {len(images)}")
    return engine.on(images.device).extract([images[0]])[0]


def _init_retrieval(self: Any, conf: dict[str, Any]) -> None:
    if conf["codebook"] is None:
        raise InputError(
            'conf["model"]["codebook"] is the path of a codebook: make it with '
            "cyano.adapters.hloc.make_codebook(images, path)"
        )
    self.engine = _detecting(conf)
    self.centroids = load_codebook(Path(conf["codebook"]), self.engine.networks.source).centroids


def _describe(self: Any, data: dict[str, Any]) -> dict[str, Tensor]:
    """The vector (1, K * D) of an image (1, C, H, W)."""
    words = _one(self.engine, data["image"]).descriptors.cpu().numpy()
    return {"global_descriptor": torch.from_numpy(vlad(words, self.centroids))[None]}


def _init_matcher(self: Any, conf: dict[str, Any]) -> None:
    threshold, iterations = conf["match_threshold"], conf["sinkhorn_iterations"]
    options = MatcherOptions(match_threshold=threshold, sinkhorn_iterations=iterations)
    self.engine = DeviceMatchers(conf["weights"], options)
    self.rule = ResizeRule(longest_side=conf["resize_max"])


def _match(self: Any, data: dict[str, Any]) -> dict[str, Tensor]:
    """matches0 (1, M) int64 and matching_scores0 (1, M); of the images only the sizes count."""
    sides = []
    for side in "01":
        size = ImageSize(*data[f"image{side}"].shape[-2:])
        frame = ResizeMap(size, self.rule.network_size(size))
        keypoints, scores, words = (data[f"{key}{side}"][0] for key in ("keypoints", "scores", "descriptors"))
        sides.append(Features(keypoints, scores, words.t(), frame))
    device = sides[0].keypoints.device
    matches = self.engine.on(device).match_features([(sides[0], sides[1])])[0].matches
    return {
        "matches0": torch.from_numpy(matches.matches0)[None].to(device),
        "matching_scores0": torch.from_numpy(matches.scores0)[None].to(device),
    }


_DETECTION: dict[str, Any] = {"weights": None, "max_keypoints": None, "keypoint_threshold": None, "nms_radius": None}
_EXTRACTOR: dict[str, Any] = {
    "__doc__": "Cyano's SuperPoint.",
    "default_conf": _DETECTION,
    "required_inputs": ["image"],
    "_init": _init_extractor,
    "_forward": _extract,
}
_RETRIEVAL: dict[str, Any] = {
    "__doc__": "VLAD of Cyano's descriptors.",
    "default_conf": {**_DETECTION, "codebook": None},
    "required_inputs": ["image"],
    "_init": _init_retrieval,
    "_forward": _describe,
}
_MATCHER: dict[str, Any] = {
    "__doc__": "Cyano's SuperGlue.",
    "default_conf": {"weights": None, "match_threshold": None, "sinkhorn_iterations": None, "resize_max": None},
    "required_inputs": [f"{key}{side}" for side in "01" for key in ("image", "keypoints", "scores", "descriptors")],
    "_init": _init_matcher,
    "_forward": _match,
}
