"""The exported networks: two graphs in ONNX, and the file that says what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cyano.errors import WeightsError
from cyano.reading import read_bytes, read_json

__all__ = ["INCLUDED", "INPUTS", "OUTPUTS", "Export", "GraphName"]

GraphName: TypeAlias = Literal["detector", "matcher"]

INCLUDED = Path(__file__).with_name("weights")
"""The export that comes with the package."""

INPUTS: Mapping[GraphName, tuple[str, ...]] = {
    "detector": ("image",),
    "matcher": tuple(f"{name}{side}" for side in "01" for name in ("positions", "scores", "descriptors", "valid")),
}
OUTPUTS: Mapping[GraphName, tuple[str, ...]] = {
    "detector": ("keypoints", "scores", "descriptors", "valid"),
    "matcher": ("matches0", "matches1", "matching_scores0", "matching_scores1"),
}
"""Names of the graphs' tensors, which engines are asked for by these names."""

_FORMAT = "cyano-export-1"
_REMEDY = "give a folder of `cyano export`"


@dataclass(frozen=True)
class Export:
    """A folder of `cyano export` with a detector and a matcher.

    Attributes:
        folder: where it is.
        name: of the weights.
        licence: of the weights; None where the export states none.
        least: probability of the matches that the matcher's graph gives.
        usual: least probability of a match of which alignment says nothing.
        structure: whether keypoints lie at the picture's own structure, of which constant frames are no part.
        most: keypoints that the detector's graph gives.
        masked: whether the detector takes a mask of where keypoints may be.
        files: of each graph, its name and SHA-256.
    """

    folder: Path
    name: str
    licence: str | None
    least: float
    usual: float
    structure: bool
    most: int
    masked: bool
    files: Mapping[GraphName, tuple[str, str]]

    @classmethod
    def read(cls, folder: str | Path | None = None) -> Export:
        """Read what an export says of itself.

        Args:
            folder: None for the one that comes with the package.

        Raises:
            WeightsError: it is missing or damaged, or no export of a detector and a matcher.
        """
        folder = INCLUDED if folder is None else Path(folder)
        path = folder / "export.json"
        document = read_json(path, remedy=_REMEDY, error=WeightsError)
        if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
            raise WeightsError(f"{path} is not a {_FORMAT} file; {_REMEDY}")
        try:
            weights, options = document["weights"], document["options"]
            files = {name: _file(path, document["graphs"], name) for name in INPUTS}
            least, usual = document["graphs"]["matcher"]["match_threshold"], options["match_threshold"]
            structure = options["keypoint_localisation"] == "structure"
            most = int(options["max_keypoints"])
            masked = any(each["name"] == "mask" for each in document["graphs"]["detector"]["inputs"])
            named = str(weights["name"]), weights.get("licence")
            return cls(folder, *named, float(least), float(usual), structure, most, masked, files)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{path} lacks what a matcher needs ({error!r}); {_REMEDY}") from error

    def graph(self, name: GraphName) -> bytes:
        """The content of a graph's file.

        Raises:
            WeightsError: it is missing, or not what was exported.
        """
        file, digest = self.files[name]
        content = read_bytes(self.folder / file, remedy=_REMEDY, error=WeightsError)
        if hashlib.sha256(content).hexdigest() != digest:
            raise WeightsError(f"{self.folder / file} is not the file that was exported; copy the folder again")
        return content


def _file(path: Path, graphs: Mapping[str, Any], name: GraphName) -> tuple[str, str]:
    """The name and the digest of a graph's file, if it has the tensors that are asked for."""
    if name not in graphs:
        raise WeightsError(f"{path} has no {name}; export with --parts detector,matcher")
    graph = graphs[name]
    for kind, wanted in (("inputs", INPUTS[name]), ("outputs", OUTPUTS[name])):
        if missing := sorted(set(wanted) - {each["name"] for each in graph[kind]}):
            raise WeightsError(f"the {name} of {path} has no {kind} {', '.join(missing)}; {_REMEDY}")
    return Path(str(graph["file"])).name, str(graph["sha256"])
