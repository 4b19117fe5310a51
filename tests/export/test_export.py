"""Exported graphs against the networks, and what is not exported."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cyano.checkpoints.loading import Networks
from cyano.errors import InputError, MissingExtraError, OutputError, WeightsError
from cyano.export import Export, ExportOptions, export_networks, graphs
from cyano.export.checks import DETECTED, JOINED, MATCHED, check_detector, check_matcher, check_pair
from cyano.export.engines import ENGINES, EngineName, loaded
from cyano.export.parity import Agreement, pictures, verdict
from cyano.export.reference import Reference
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.superglue import normalize_keypoints
from cyano.processing.assignment import mutual_matches
from cyano.processing.portable_keypoints import portable_descriptors
from cyano.types import ImageSize
from support.networks import random_keypoints

COUNT = 60


def _content(exported: Export, part: str) -> bytes:
    return (exported.folder / f"{part}.onnx").read_bytes()


def _reference(tiny: Networks) -> Reference:
    assert tiny.superglue is not None
    return Reference(tiny.superpoint, replace(tiny.superpoint.config, max_keypoints=COUNT), tiny.superglue)


def _engine(name: EngineName) -> EngineName:
    pytest.importorskip({"opencv": "cv2"}.get(name, name), reason=f"{name} is not installed")
    if name == "opencv":
        import cv2

        if cv2.__version__ < "5":
            pytest.skip("OpenCV runs these graphs from version 5 on")
    return name


def test_record(exported: Export) -> None:
    record = json.loads((exported.folder / "export.json").read_text())
    assert record == exported.record
    assert record["format"] == "cyano-export-1"
    for part, outputs in (("detector", DETECTED), ("matcher", MATCHED), ("pair", JOINED)):
        graph, content = record["graphs"][part], _content(exported, part)
        assert graph["sha256"] == hashlib.sha256(content).hexdigest()
        assert {each["name"] for each in graph["outputs"]} == set(outputs)
        assert record["parity"][part]["onnxruntime"]["compared"] >= 5
        assert str(Path.home()).encode() not in content
        assert b"site-packages" not in content
        assert b".py" not in content
    (image,) = record["graphs"]["detector"]["inputs"]
    assert image == {"name": "image", "dtype": "float32", "shape": [1, 1, "height", "width"]}
    shapes = {each["name"]: (each["dtype"], each["shape"]) for each in record["graphs"]["matcher"]["inputs"]}
    assert shapes["positions0"] == ("float32", [1, "M", 2])
    assert shapes["valid1"] == ("bool", [1, "N"])
    # Alignment may confirm what has a quarter of the usual probability.
    assert record["graphs"]["matcher"]["match_threshold"] == pytest.approx(record["options"]["match_threshold"] / 4)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("part", ["detector", "matcher", "pair"])
def test_engines(exported: Export, tiny: Networks, name: EngineName, part: str) -> None:
    """The bars of every export: keypoints to 0.01 px, cosines, matches, scores; at five sizes."""
    engine, reference, content = _engine(name), _reference(tiny), _content(exported, part)
    doubtful = exported.record["graphs"]["matcher"]["match_threshold"]
    if part == "detector":
        agreement = check_detector(content, engine, reference, None)
        assert agreement.keypoints > 200
    elif part == "matcher":
        agreement = check_matcher(content, engine, reference, doubtful, None)
    else:
        agreement = check_pair(content, engine, reference, 0.01, None)
    assert agreement.compared >= 5
    assert agreement.worst_score < 1e-4


@pytest.mark.parametrize("counts", [(1, 1), (1, 5), (2, 127), (4096, 5), (30, 41)])
def test_counts(exported: Export, tiny: Networks, counts: tuple[int, int]) -> None:
    assert tiny.superglue is not None
    sets = [random_keypoints(count, seed=side) for side, count in enumerate(counts)]
    inputs: dict[str, Any] = {}
    for side, keypoints in enumerate(sets):
        named = {"positions": keypoints.positions, "scores": keypoints.scores, "descriptors": keypoints.descriptors}
        inputs |= {f"{name}{side}": part.numpy() for name, part in named.items()}
        inputs[f"valid{side}"] = np.ones((1, counts[side]), bool)
    found = loaded(_content(exported, "matcher"), "onnxruntime", MATCHED)(inputs)
    threshold = exported.record["graphs"]["matcher"]["match_threshold"]
    expected = mutual_matches(FastSuperGlue(tiny.superglue)(*sets), threshold)
    assert (found["matches0"] == expected.matches0.numpy()).all()
    assert (found["matches1"] == expected.matches1.numpy()).all()
    assert found["matches0"].dtype == np.int64
    assert found["matches0"].shape == (1, counts[0])
    # Probabilities after two layers and twenty iterations in float32.
    np.testing.assert_allclose(found["matching_scores0"], expected.scores0.numpy(), atol=2e-5)


def test_no_keypoints(exported: Export) -> None:
    """A plain picture: nothing is valid, and nothing matches it."""
    plain = np.full((1, 1, 40, 48), 0.5, np.float32)
    found = loaded(_content(exported, "detector"), "onnxruntime", DETECTED)({"image": plain})
    assert not found["valid"].any()
    assert np.isfinite(found["descriptors"]).all()
    other = pictures(ImageSize(64, 80), 0)[0][None, None]
    matched = loaded(_content(exported, "pair"), "onnxruntime", JOINED)({"image0": plain, "image1": other})
    assert (matched["matches0"] == -1).all()
    assert (matched["matches1"] == -1).all()
    assert np.isfinite(matched["matching_scores1"]).all()


@pytest.fixture(scope="module")
def masked(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A detector that takes a mask, checked in onnxruntime."""
    pytest.importorskip("onnxscript", reason="the extra onnx brings what writes graphs")
    pytest.importorskip("onnxruntime", reason="the extra onnx brings onnxruntime")
    options = ExportOptions(parts=("detector",), max_keypoints=COUNT, mask=True)
    return export_networks(tiny, tmp_path_factory.mktemp("masked") / "onnx", options)


def test_a_mask_is_declared(masked: Export) -> None:
    image, mask = masked.record["graphs"]["detector"]["inputs"]
    assert image == {"name": "image", "dtype": "float32", "shape": [1, 1, "height", "width"]}
    assert mask == {"name": "mask", "dtype": "bool", "shape": [1, 1, "height", "width"]}
    assert masked.record["options"]["mask"] is True
    assert "mask has to be false" in masked.record["rules"]["frames"]


@pytest.mark.parametrize("name", ENGINES)
def test_what_a_mask_hides_suppresses_nothing(masked: Export, tiny: Networks, name: EngineName) -> None:
    """The oracle is the detector of the product, whose mask comes before the suppression."""
    grey = pictures(ImageSize(117, 152), 3)[0]
    mask = np.random.default_rng(0).random(grey.shape) < 0.7
    run = loaded(_content(masked, "detector"), _engine(name), DETECTED)
    found = run({"image": grey[None, None], "mask": mask[None, None]})
    places = found["keypoints"][found["valid"].astype(bool)]
    expected, *_ = _reference(tiny).detect(grey, mask)
    assert len(places) == len(expected) == COUNT
    np.testing.assert_allclose(places[np.lexsort(places.T)], expected[np.lexsort(expected.T)], atol=0.01)
    # Keypoints lie up to half a pixel from their maximum, which the mask shows.
    columns, rows = np.rint(places).astype(int).T
    padded = np.pad(mask, 1)
    assert all(padded[row : row + 3, column : column + 3].any() for row, column in zip(rows, columns, strict=True))
    whole = run({"image": grey[None, None], "mask": np.ones_like(mask)[None, None]})
    assert np.abs(whole["keypoints"] - found["keypoints"]).max() > 1  # the mask has an effect
    np.testing.assert_allclose(np.sort(whole["scores"]), np.sort(_reference(tiny).detect(grey)[1]), atol=2e-6)


def test_a_frozen_size_is_refused(tiny: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors read with the size of the traced image: keypoints and scores are right at all larger sizes."""
    pytest.importorskip("onnxscript", reason="the extra onnx brings what writes graphs")
    from cyano.processing import portable_keypoints

    def frozen(plane: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor([graphs.TRACED_SIZE[0] // 8]), torch.tensor([graphs.TRACED_SIZE[1] // 8])

    def wrong(dense: Tensor, keypoints: Tensor) -> Tensor:
        with monkeypatch.context() as patch:
            patch.setattr(portable_keypoints, "sides", frozen)
            return portable_descriptors(dense, keypoints)

    monkeypatch.setattr(graphs, "portable_descriptors", wrong)
    with pytest.raises(OutputError, match="nothing was written"):
        export_networks(tiny, tmp_path / "onnx", ExportOptions(parts=("detector",), max_keypoints=COUNT))
    assert list(tmp_path.iterdir()) == []


def test_the_same_bytes(exported: Export) -> None:
    """Of a part that is traced in a second; the other parts are traced in the same way."""
    one, two = (graphs.normalising_model(COUNT, 20).SerializeToString(deterministic=True) for _ in range(2))
    assert one == two


def test_normalisation(exported: Export) -> None:
    keypoints = torch.rand(COUNT, 2) * 300
    content = graphs.normalising_model(COUNT, 20).SerializeToString()
    for size in ((48, 64), (333, 251), (16, 640)):
        run = loaded(content, "onnxruntime", ("positions",))
        found = run({"image": np.zeros((1, 1, *size), np.float32), "keypoints": keypoints.numpy()})
        # Two roundings of numbers of about 1.
        np.testing.assert_allclose(found["positions"][0], normalize_keypoints(keypoints, size).numpy(), atol=5e-7)


def test_an_existing_folder_stays(exported: Export, tiny: Networks) -> None:
    with pytest.raises(OutputError, match="exists already"):
        export_networks(tiny, exported.folder, ExportOptions(max_keypoints=COUNT))


@pytest.mark.parametrize(
    "agreement",
    [
        Agreement(keypoints=1000, same_keypoints=997),
        Agreement(matched=1000, same_matched=997),
        Agreement(keypoints=1000, same_keypoints=1000, worst_score=2e-4),
        Agreement(),
    ],
)
def test_verdict(agreement: Agreement) -> None:
    with pytest.raises(OutputError, match="nothing was written"):
        verdict("matcher", "onnxruntime", agreement)
    verdict("matcher", "onnxruntime", Agreement(1000, 999, matched=1000, same_matched=998))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ("all",)}, "parts: one or more of detector, matcher, pair"),
        ({"parts": ()}, "not none"),
        ({"max_keypoints": 0}, "max_keypoints"),
        ({"size": ImageSize(8, 640)}, "at least 16x16"),
        ({"opset": 12}, "opset"),
        ({"mask": True}, "parts detector,matcher"),
        ({"mask": True, "parts": ("matcher",)}, "input of the detector"),
        ({"runtime_check": ("tensorrt",)}, "openvino, onnxruntime, opencv"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExportOptions(**options)


def test_a_detector_alone(tiny: Networks, tmp_path: Path) -> None:
    alone = Networks(tiny.superpoint, None, "detector", None)
    with pytest.raises(WeightsError, match="has no matcher"):
        export_networks(alone, tmp_path / "onnx")


def test_without_the_extra(tiny: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=re.escape('pip install ".[onnx]"')):
        export_networks(tiny, tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_an_engine(tiny: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before the work, which takes minutes."""
    pytest.importorskip("onnxscript", reason="the extra onnx brings what writes graphs")
    monkeypatch.setattr(graphs, "traced", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match="openvino"):
        export_networks(tiny, tmp_path / "onnx", ExportOptions(runtime_check=("openvino",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ENGINES)
def test_a_damaged_graph(name: EngineName) -> None:
    with pytest.raises(OutputError, match=f"{name} cannot run the graph"):
        loaded(b"no graph", _engine(name), DETECTED)({})
