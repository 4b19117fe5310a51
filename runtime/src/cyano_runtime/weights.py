"""The exported networks: two graphs in ONNX, and the file that says what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyano.errors import WeightsError
from cyano.reading import read_bytes, read_json

__all__ = ["INCLUDED", "Weights"]

INCLUDED = Path(__file__).with_name("weights")
"""The export that comes with the package."""

FORMAT = "cyano-export-1"

_REMEDY = "give a folder of `cyano export`"

_INPUTS = {
    "detector": {"image"},
    "matcher": {f"{name}{side}" for name in ("positions", "scores", "descriptors", "valid") for side in "01"},
}
_OUTPUTS = {
    "detector": {"keypoints", "scores", "descriptors", "valid"},
    "matcher": {f"{name}{side}" for name in ("matches", "matching_scores") for side in "01"},
}


@dataclass(frozen=True)
class Weights:
    """An export that was checked.

    Attributes:
        folder: where it is.
        name: of the weights.
        licence: of the weights; None where the export states none.
        detector: the graph's file, as bytes.
        matcher: likewise.
        least: probability of the matches that the matcher's graph gives.
        usual: least probability of a match of which alignment says nothing.
    """

    folder: Path
    name: str
    licence: str | None
    detector: bytes
    matcher: bytes
    least: float
    usual: float

    @classmethod
    def read(cls, folder: str | Path | None = None) -> Weights:
        """Read an export.

        Args:
            folder: None for the one that comes with the package.

        Raises:
            WeightsError: it is missing or damaged, or no export of a detector and a matcher.
        """
        folder = INCLUDED if folder is None else Path(folder)
        document = read_json(folder / "export.json", remedy=_REMEDY, error=WeightsError)
        if not isinstance(document, Mapping) or document.get("format") != FORMAT:
            raise WeightsError(f"{folder / 'export.json'} is no {FORMAT}; {_REMEDY}")
        try:
            detector, matcher = (_graph(folder, document["graphs"], name) for name in ("detector", "matcher"))
            weights, options = document["weights"], document["options"]
            licence = weights.get("licence")
            least, usual = float(options["match_threshold"]), float(options["usual_match_threshold"])
            return cls(folder, str(weights["name"]), licence, detector, matcher, least, usual)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{folder / 'export.json'} lacks what a matcher needs ({error}); {_REMEDY}") from error


def _graph(folder: Path, graphs: Mapping[str, Any], name: str) -> bytes:
    """The bytes of a graph, which are those that the export wrote."""
    if name not in graphs:
        raise WeightsError(f"{folder} holds no {name}; export with --parts detector,matcher")
    graph = graphs[name]
    for kind, wanted in (("inputs", _INPUTS[name]), ("outputs", _OUTPUTS[name])):
        if missing := wanted - set(graph[kind]):
            raise WeightsError(f"the {name} of {folder} has no {kind} {', '.join(sorted(missing))}; {_REMEDY}")
    path = folder / Path(str(graph["file"])).name
    content = read_bytes(path, remedy=_REMEDY, error=WeightsError)
    if hashlib.sha256(content).hexdigest() != graph["sha256"]:
        raise WeightsError(f"{path} is not the file that was exported; copy the folder again")
    return content
