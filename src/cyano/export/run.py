"""Weights to a folder of graphs that were checked before they appear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyano.atomic import written_beside
from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.loading import Networks
from cyano.concise import json_text
from cyano.errors import MissingExtraError, WeightsError
from cyano.export.checks import check_detector, check_matcher, check_pair
from cyano.export.engines import check_installed, engine_version
from cyano.export.graphs import DetectorGraph, detector_model, matcher_model, normalising_model
from cyano.export.options import ExportOptions, Part
from cyano.export.parity import Agreement
from cyano.export.reference import Reference, rounded
from cyano.models.portable_superglue import PortableSuperGlue
from cyano.models.superglue import SuperGlueConfig
from cyano.options import MatcherOptions

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["FORMAT", "Export", "export_networks"]

FORMAT = "cyano-export-1"
RECORD_FILE = "export.json"

RULES = {
    "image": "grey values of the resized image in [0, 1], as cyano.processing.images makes them of colours",
    "keypoints": "(x, y) in pixels of that image, centres of pixels at whole numbers; only where valid is true",
    "frames": "constant frames around a picture are not looked for: keypoints near them are not left out",
    "normalisation": "positions = (keypoints - (width, height) / 2) / (0.7 * max(width, height)), sizes of that image",
    "matches": "index in the other image, -1 for none; of probabilities above match_threshold of the graph",
    "order": "outputs have names; their order is up to the engine",
}

MASK_RULES = {
    "frames": "constant frames around a picture are not looked for: mask has to be false there, and 16 pixels around",
    "mask": "false where there are to be no keypoints; what it hides suppresses no others",
}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        folder: with the graphs and export.json.
        record: the content of export.json.

    Example:
        >>> options = ExportOptions(parts=("detector",), max_keypoints=100)
        >>> done = export_networks(networks, Path("onnx"), options)  # doctest: +SKIP
        >>> done.folder, list(done.record["graphs"])  # doctest: +SKIP
        (PosixPath('onnx'), ['detector'])
    """

    folder: Path
    record: dict[str, Any]


class _Exporter:
    """The networks and graphs of one export."""

    def __init__(self, networks: Networks, options: ExportOptions) -> None:
        if networks.superglue is None and set(options.parts) != {"detector"}:
            raise WeightsError(f"{networks.source} has no matcher; export only the part detector")
        self.options, self.networks = options, networks
        self.rules = replace(networks.superpoint.config, max_keypoints=options.max_keypoints)
        matcher = networks.superglue
        self.matching = SuperGlueConfig() if matcher is None else matcher.config
        self.doubtful = MatcherOptions().confirmed_threshold(self.matching)
        detector = deepcopy(networks.superpoint)
        portable = None if matcher is None else PortableSuperGlue(matcher, self.doubtful)
        if options.precision == "float16":
            rounded(detector)
            portable = None if portable is None else rounded(portable)
        self.detector, self.portable = DetectorGraph(detector, self.rules), portable
        self.reference = Reference(detector, self.rules, portable if options.precision == "float16" else matcher)

    def contents(self) -> Iterator[tuple[Part, bytes, dict[str, Agreement]]]:
        """The files of all parts, each of them checked."""
        for part, model in self._models():
            content = model.SerializeToString(deterministic=True)
            yield part, content, {engine: self._check(part, content, engine) for engine in self.options.runtime_check}

    def _models(self) -> Iterator[tuple[Part, ModelProto]]:
        from cyano.export import variants

        options, size = self.options, self.options.size
        lengths = {} if size is None else {"M": options.max_keypoints, "N": options.max_keypoints}
        for side in ("", "0", "1"):
            lengths |= {} if size is None else {f"height{side}": size.height, f"width{side}": size.width}
        parts = set(options.parts)
        detector = None
        if parts & {"detector", "pair"}:
            detector = detector_model(self.detector, options.opset, mask=options.mask)
        matcher = None
        if self.portable is not None and parts & {"matcher", "pair"}:
            matcher = matcher_model(self.portable, options.opset)
        pair = None
        if "pair" in parts and detector is not None and matcher is not None:
            between = normalising_model(options.max_keypoints, options.opset)
            pair = variants.joined(detector, between, matcher, self.matching.matching_threshold)
        if detector is not None and options.keypoints == "dynamic":
            detector = variants.with_valid_alone(detector)
        named: tuple[tuple[Part, ModelProto | None], ...] = (
            ("detector", detector),
            ("matcher", matcher),
            ("pair", pair),
        )
        for part, model in named:
            if model is not None and part in parts:
                made = variants.with_lengths(model, lengths)
                yield part, variants.with_half_weights(made) if options.precision == "float16" else made

    def _check(self, part: Part, content: bytes, engine: Any) -> Agreement:
        size = self.options.size
        if part == "detector":
            return check_detector(content, engine, self.reference, size, mask=self.options.mask)
        if part == "matcher":
            count = None if size is None else self.options.max_keypoints
            return check_matcher(content, engine, self.reference, self.doubtful, count)
        return check_pair(content, engine, self.reference, self.matching.matching_threshold, size)


def export_networks(
    networks: Networks, folder: Path, options: ExportOptions | None = None, *, overwrite: bool = False
) -> Export:
    """Write the networks as ONNX graphs that have been compared with them.

    The same weights and versions give the same bytes.

    Args:
        networks: from `cyano.checkpoints.load`.
        folder: to write: a file for each part, and export.json, which says what they take and give.
        options: how; None for all graphs, of any size.
        overwrite: replace the folder.

    Raises:
        OutputError: the folder is there already, cannot be written, or a graph does not agree with its network.
        MissingExtraError: what writes or checks the graphs is not installed.
        WeightsError: the weights have no matcher, and more than the detector is asked for.
        InputError: the matcher is for other features than SuperPoint's.

    Example:
        >>> from cyano.checkpoints import load
        >>> export_networks(load(), Path("onnx")).record["graphs"]["matcher"]["file"]  # doctest: +SKIP
        'matcher.onnx'
    """
    options = options or ExportOptions()
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        remedy = 'pip install ".[onnx]" in the folder of Cyano'
        raise MissingExtraError(f"export needs onnx and onnxscript: {remedy}") from error
    for engine in options.runtime_check:
        check_installed(engine)
    exporter = _Exporter(networks, options)
    with written_beside(folder, overwrite=overwrite) as made:
        made.mkdir()
        graphs: dict[str, Any] = {}
        parity: dict[str, Any] = {}
        for part, content, agreements in exporter.contents():
            (made / f"{part}.onnx").write_bytes(content)
            graphs[part] = _described(part, content)
            parity[part] = {engine: each.document() for engine, each in agreements.items()}
        record = _record(exporter, graphs, parity)
        (made / RECORD_FILE).write_text(json_text(record))
    return Export(folder, record)


def _described(part: Part, content: bytes) -> dict[str, Any]:
    """What export.json says of a graph."""
    import onnx

    graph = onnx.ModelProto.FromString(content).graph
    return {
        "file": f"{part}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "nodes": len(graph.node),
        "inputs": [_value(each) for each in graph.input],
        "outputs": [_value(each) for each in graph.output],
    }


def _value(value: Any) -> dict[str, Any]:
    import onnx

    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return {
        "name": value.name,
        "dtype": dtype,
        "shape": [axis.dim_param or axis.dim_value for axis in tensor.shape.dim],
    }


def _record(exporter: _Exporter, graphs: dict[str, Any], parity: dict[str, Any]) -> dict[str, Any]:
    networks, options, rules = exporter.networks, exporter.options, exporter.rules
    packages = ("cyano", "torch", "onnx", "onnxscript", "numpy")
    if "matcher" in graphs:
        graphs["matcher"]["match_threshold"] = exporter.doubtful
    if "pair" in graphs:
        graphs["pair"]["match_threshold"] = exporter.matching.matching_threshold
    return {
        "format": FORMAT,
        "weights": {
            "name": networks.source,
            "digest": weights_digest(networks.superpoint, networks.superglue),
            "licence": networks.licence,
        },
        "graphs": graphs,
        "options": {
            **{
                name: value for name, value in asdict(options).items() if name not in ("size", "runtime_check", "parts")
            },
            "size": "dynamic" if options.size is None else f"{options.size.width}x{options.size.height}",
            "keypoint_threshold": rules.keypoint_threshold,
            "keypoint_localisation": rules.keypoint_localisation,
            "nms_radius": rules.nms_radius,
            "border_removal_distance": rules.border_removal_distance,
            "descriptor_size": rules.descriptor_decoder_dim,
            "match_threshold": exporter.matching.matching_threshold,
            "doubtful_threshold": exporter.doubtful,
            "sinkhorn_iterations": exporter.matching.sinkhorn_iterations,
        },
        "rules": RULES | (MASK_RULES if options.mask else {}),
        "versions": {
            **{name: version(name) for name in packages},
            **{engine: engine_version(engine) for engine in options.runtime_check},
        },
        "parity": parity,
    }
