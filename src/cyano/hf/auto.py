"""The class that fits a folder or a name: by the `model_type` of its config.json, out of literal tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cyano.checkpoints import resolve
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE, PREPROCESSOR_FILE, WEIGHTS_FILE, load_tensors, model_folder
from cyano.checkpoints.magicleap import DETECTOR_FILE
from cyano.errors import InputError, WeightsError
from cyano.hf.configuration import SuperGlueConfig, SuperPointConfig
from cyano.hf.image_processing import SuperGlueImageProcessor, SuperPointImageProcessor
from cyano.hf.keywords import source_of
from cyano.hf.modeling_superglue import SuperGlueForKeypointMatching
from cyano.hf.modeling_superpoint import SuperPointForKeypointDetection

__all__ = [
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
]

_CONFIGS: Final[Mapping[str, type[SuperGlueConfig | SuperPointConfig]]] = {
    "superglue": SuperGlueConfig,
    "superpoint": SuperPointConfig,
}
_MODELS: Final[Mapping[str, type[SuperGlueForKeypointMatching | SuperPointForKeypointDetection]]] = {
    "superglue": SuperGlueForKeypointMatching,
    "superpoint": SuperPointForKeypointDetection,
}
_PROCESSORS: Final[Mapping[str, type[SuperGlueImageProcessor | SuperPointImageProcessor]]] = {
    "superglue": SuperGlueImageProcessor,
    "superpoint": SuperPointImageProcessor,
}
_BY_PROCESSOR_TYPE: Final[Mapping[str, type[SuperGlueImageProcessor | SuperPointImageProcessor]]] = {
    "SuperGlueImageProcessor": SuperGlueImageProcessor,
    "SuperPointImageProcessor": SuperPointImageProcessor,
}


def _model_type(path: Path) -> str:
    """The kind of a folder or of an original file: "superglue" or "superpoint"."""
    if not path.is_dir():
        return "superpoint" if path.name == DETECTOR_FILE else "superglue"
    if not (path / CONFIG_FILE).exists():
        if list(path.glob("superglue*.pth")):
            return "superglue"
        if (path / DETECTOR_FILE).exists():
            return "superpoint"
        if (path / WEIGHTS_FILE).exists():  # of transformers' Trainer
            return "superglue" if "bin_score" in load_tensors(path)[1] else "superpoint"
    kind = read_json(path / CONFIG_FILE).get("model_type")
    if not isinstance(kind, str) or kind not in _MODELS:
        raise WeightsError(f"{path} is of model_type {kind!r}; only {' and '.join(_MODELS)} can be loaded")
    return kind


def _found(name_or_path: str | Path | None, keywords: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Where it is, found (and fetched) once, and the keywords that are left: the class is given these."""
    name_or_path, hub, rest = source_of(name_or_path, keywords)
    return model_folder(resolve(name_or_path, hub)), rest


class AutoConfig:
    """Finds the configuration's class.

    Example:
        >>> AutoConfig.from_pretrained().model_type
        'superglue'
    """

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path | None = None, **keywords: Any
    ) -> SuperGlueConfig | SuperPointConfig:
        """See `SuperGlueConfig.from_pretrained`."""
        path, keywords = _found(name_or_path, keywords)
        return _CONFIGS[_model_type(path)].from_pretrained(path, **keywords)


class AutoImageProcessor:
    """Finds the image processor's class, also for files that name one of transformers' variants of it.

    Example:
        >>> processor = cyano.AutoImageProcessor.from_pretrained()
        >>> inputs = processor([["a.jpg", "b.jpg"]], return_tensors="pt")
    """

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path | None = None, **keywords: Any
    ) -> SuperGlueImageProcessor | SuperPointImageProcessor:
        """See `SuperGlueImageProcessor.from_pretrained`."""
        path, keywords = _found(name_or_path, keywords)
        settings = read_json(path / PREPROCESSOR_FILE) if (path / PREPROCESSOR_FILE).is_file() else {}
        name = str(settings.get("image_processor_type", "")).removesuffix("Fast").removesuffix("Pil")
        kind = _BY_PROCESSOR_TYPE.get(name) or _PROCESSORS[_model_type(path)]
        return kind.from_pretrained(path, **keywords)


class AutoModel:
    """Finds the model's class; transformers' own refuses both kinds, though its documentation uses it.

    Example:
        >>> type(cyano.AutoModel.from_pretrained()).__name__
        'SuperGlueForKeypointMatching'
        >>> type(cyano.AutoModel.from_config(cyano.SuperPointConfig())).__name__  # random weights
        'SuperPointForKeypointDetection'
    """

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path | None = None, **keywords: Any
    ) -> SuperGlueForKeypointMatching | SuperPointForKeypointDetection:
        """See `SuperGlueForKeypointMatching.from_pretrained`."""
        path, keywords = _found(name_or_path, keywords)
        return _MODELS[_model_type(path)].from_pretrained(path, **keywords)

    @classmethod
    def from_config(cls, config: Any, **keywords: Any) -> SuperGlueForKeypointMatching | SuperPointForKeypointDetection:
        """A model with random weights, see `PretrainedModel.from_config`."""
        kind = getattr(config, "model_type", None)
        if not isinstance(kind, str) or kind not in _MODELS:
            raise InputError(f"only configurations of {' and '.join(_MODELS)} make a model, not {config!r}")
        return _MODELS[kind].from_config(config, **keywords)


class AutoModelForKeypointMatching:
    """The matcher.

    Example:
        >>> model = cyano.AutoModelForKeypointMatching.from_pretrained()
        >>> fresh = cyano.AutoModelForKeypointMatching.from_config(model.config)  # random weights
    """

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None, **keywords: Any) -> SuperGlueForKeypointMatching:
        """See `SuperGlueForKeypointMatching.from_pretrained`."""
        return SuperGlueForKeypointMatching.from_pretrained(name_or_path, **keywords)

    @classmethod
    def from_config(cls, config: Any, **keywords: Any) -> SuperGlueForKeypointMatching:
        """A matcher with random weights, see `PretrainedModel.from_config`."""
        return SuperGlueForKeypointMatching.from_config(config, **keywords)


class AutoModelForKeypointDetection:
    """The detector.

    Example:
        >>> detector = cyano.AutoModelForKeypointDetection.from_pretrained()
        >>> fresh = cyano.AutoModelForKeypointDetection.from_config(detector.config)  # random weights
    """

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path | None = None, **keywords: Any) -> SuperPointForKeypointDetection:
        """See `SuperPointForKeypointDetection.from_pretrained`."""
        return SuperPointForKeypointDetection.from_pretrained(name_or_path, **keywords)

    @classmethod
    def from_config(cls, config: Any, **keywords: Any) -> SuperPointForKeypointDetection:
        """A detector with random weights, see `PretrainedModel.from_config`."""
        return SuperPointForKeypointDetection.from_config(config, **keywords)
