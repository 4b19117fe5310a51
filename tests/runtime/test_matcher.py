"""The runtime's matcher on a hand-written export whose answers are known, by every engine that is installed."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the small export is written with onnx")

from cyano.correspondences import Correspondences
from cyano.errors import ImageError, InputError, MissingExtraError, WeightsError
from cyano.onnx_engines import EngineName, opened
from cyano_runtime import Matcher, PairResult, ResizeRule, RuntimeOptions, engines
from support.tiny_export import COUNT, HIDDEN, KEYPOINTS, LEAST, SURE, descriptors, write_tiny_export

VISIBLE = COUNT - HIDDEN
ENGINES = [name for name, version in engines.available().items() if version is not None]
UNALIGNED = RuntimeOptions(align=False)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_export(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _image(seed: int = 0, height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """Soft noise: plain nowhere, and without a constant frame."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.asarray((128 + 40 * soft / soft.std()).clip(0, 255), np.uint8)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_what_the_graphs_say(export: Path, engine: engines.EngineChoice) -> None:
    """The outputs come in another order than they are asked for, so they have to be told by name."""
    matcher = Matcher(export, engine, options=UNALIGNED)
    features = matcher.extract(_image())
    assert np.array_equal(features.keypoints, KEYPOINTS[:VISIBLE])  # the last ones are marked as none
    assert features.scores == pytest.approx(np.linspace(0.9, 0.1, COUNT)[:VISIBLE])
    np.testing.assert_allclose(features.descriptors, descriptors()[:VISIBLE], atol=1e-6)
    result = matcher.match(_image(), _image(1))
    assert isinstance(result, PairResult)
    assert isinstance(result, Correspondences)
    assert np.array_equal(result.matches.matches0, np.arange(VISIBLE))  # equal descriptors
    assert result.matches.matches0.dtype == result.matches.matches1.dtype == np.int64
    assert result.scores == pytest.approx(np.full(VISIBLE, SURE), abs=1e-6)
    assert np.array_equal(result.keypoints1, KEYPOINTS[:VISIBLE])


def test_positions_come_back_in_original_pixels(export: Path) -> None:
    """Twice the pixels in one image: centres map to centres, and the other image stays as it is."""
    matcher = Matcher(export, options=RuntimeOptions(resize=ResizeRule.longest(160), align=False))
    result = matcher.match(_image(0, 240, 320), _image(1))
    np.testing.assert_allclose(result.keypoints0, (KEYPOINTS[:VISIBLE] + 0.5) * 2 - 0.5, atol=1e-4)
    np.testing.assert_allclose(result.keypoints1, KEYPOINTS[:VISIBLE], atol=1e-4)


def test_the_detector_sees_the_whole_picture(export: Path) -> None:
    seen = []
    matcher = Matcher(export, options=UNALIGNED)
    whole = matcher._detector
    matcher._detector = lambda inputs: seen.append(inputs["image"]) or whole(inputs)
    matcher.extract(_image(0, 123, 160))
    assert seen[0].shape == (1, 1, 123, 160)
    assert seen[0].dtype == np.float32
    assert np.array_equal(seen[0][0, 0], _image(0, 123, 160) / np.float32(255))


def test_the_strongest_outside_constant_frames(export: Path) -> None:
    few = Matcher(export, options=RuntimeOptions(max_keypoints=5)).extract(_image())
    assert np.array_equal(few.keypoints, KEYPOINTS[:5])
    framed = _image()
    framed[:30] = 0  # keypoints of the first row are in it, those of the second within its margin of 16
    left = Matcher(export).extract(framed)
    assert np.array_equal(left.keypoints, KEYPOINTS[:VISIBLE][KEYPOINTS[:VISIBLE, 1] > 46])


def test_without_keypoints_nothing_is_computed(export: Path) -> None:
    matcher = Matcher(export)
    full, none = matcher.extract(_image()), matcher.extract(np.zeros((120, 160), np.uint8))
    none = type(none)(*(each[:0] for each in (none.keypoints, none.scores, none.descriptors)), none.frame)
    for pair in ((full, none), (none, full), (none, none)):
        result = matcher.match_features(*pair)
        assert len(result) == 0
        assert result.keypoints0.shape == result.keypoints1.shape == (0, 2)
        assert result.matches.matches0.shape == (len(pair[0]),)
        assert result.matches.matches1.dtype == np.int64


def test_features_that_were_extracted_before_match_the_same(export: Path) -> None:
    matcher = Matcher(export)
    pair = _image(), np.roll(_image(), 1, axis=1)
    direct, later = matcher.match(*pair), matcher.match_features(*(matcher.extract(each) for each in pair))
    assert direct.to_dict() == later.to_dict()
    assert len(direct) > 5
    assert later.image0.rgb is None
    with pytest.raises(InputError, match="come without images"):
        later.draw_image()
    with pytest.raises(InputError, match="what `extract` gives, not str"):
        matcher.match_features("a.jpg", "b.jpg")  # type: ignore[arg-type]


def test_aligned_matches_are_where_the_pictures_agree(export: Path) -> None:
    """Image 1 is moved by a pixel and a half; the graph puts its keypoints where they are in image 0."""
    moved = cv2.warpAffine(_image(), np.float32([[1, 0, 1.5], [0, 1, 0]]), (160, 120), borderMode=cv2.BORDER_REFLECT)
    result = Matcher(export).match(_image(), moved)
    inner = (result.keypoints0[:, 0] > 30) & (result.keypoints0[:, 0] < 120)
    assert inner.sum() > 5
    np.testing.assert_allclose((result.keypoints1 - result.keypoints0)[inner], [[1.5, 0]] * inner.sum(), atol=0.1)


def test_files_are_those_of_cyano(export: Path, tmp_path: Path) -> None:
    result = Matcher(export).match(_image(), _image())
    result.save_json(tmp_path / "matches.json")
    result.save_npz(tmp_path / "matches.npz")
    document = json.loads((tmp_path / "matches.json").read_text())
    assert document["format"] == "cyano-matches-1"
    assert document == result.to_dict()
    with np.load(tmp_path / "matches.npz") as stored:
        assert np.array_equal(stored["matches0"], result.matches.matches0)
        assert np.array_equal(stored["image_size0"], [120, 160])
    features = Matcher(export).extract(_image())
    features.save_npz(tmp_path / "features.npz")
    with np.load(tmp_path / "features.npz") as stored:
        assert np.array_equal(stored["descriptors"], features.descriptors)
    assert result.draw_image(longest_side=400).shape[1] == 400


def test_thresholds(export: Path) -> None:
    with pytest.raises(InputError, match=r"gives scores from 0\.05, not from 0\.01"):
        Matcher(export, options=RuntimeOptions(match_threshold=LEAST / 5))
    with pytest.raises(InputError, match=r"at most 24 keypoints, not 25; .*cyano export --max-keypoints"):
        Matcher(export, options=RuntimeOptions(max_keypoints=25))
    nothing = Matcher(export, options=RuntimeOptions(match_threshold=0.97, align=False)).match(_image(), _image())
    assert len(nothing) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_keypoints": 0},
        {"max_keypoints": "many"},
        {"threads": 0},
        {"match_threshold": 2},
        {"precision": "float64"},
        {"resize": 640},
        {"limits": 5},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        RuntimeOptions(**wrong)  # type: ignore[arg-type]


def test_images_that_cannot_be_used_are_refused(export: Path) -> None:
    matcher = Matcher(export)
    for image, reason in (("nothing.jpg", "no such file"), (np.zeros((8, 8), np.uint8), "too small"), (5, "not an")):
        with pytest.raises(ImageError, match=reason):
            matcher.match(image, _image())  # type: ignore[arg-type]


def test_damaged_exports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no file .*export\.json"):
        Matcher(tmp_path / "nothing")
    export = write_tiny_export(tmp_path / "tiny")
    document = json.loads((export / "export.json").read_text())

    def refused(reason: str, change: dict[str, object]) -> None:
        (export / "export.json").write_text(json.dumps(document | change))
        with pytest.raises(WeightsError, match=reason):
            Matcher(export)

    refused("is not a cyano-export-1", {"format": "cyano-export-2"})
    refused("lacks what a matcher needs", {"options": {}})
    refused("lacks what a matcher needs", {"graphs": {"detector": {}, "matcher": {}}})
    refused("has no matcher; export with --parts", {"graphs": {"detector": document["graphs"]["detector"]}})
    nameless = {"detector": {**document["graphs"]["detector"], "outputs": [{"name": "scores"}]}}
    refused("has no outputs descriptors, keypoints, valid", {"graphs": nameless})
    (export / "export.json").write_text(json.dumps(document))
    content = (export / "detector.onnx").read_bytes()
    (export / "detector.onnx").write_bytes(content[:-1] + b"\0")
    with pytest.raises(WeightsError, match="not the file that was exported"):
        Matcher(export)
    (export / "detector.onnx").unlink()
    with pytest.raises(WeightsError, match="no file"):
        Matcher(export)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_does_not_take_the_graph_says_so(engine: EngineName) -> None:
    with pytest.raises(WeightsError, match=f"{engine} cannot run the graph .*; use another engine"):
        opened(b"no graph", engine, ["scores"])


def test_engines_are_chosen_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="engine is one of auto, openvino, onnxruntime, opencv, not 'tensorrt'"):
        engines.chosen("tensorrt")
    versions: dict[str, str | None] = {"openvino": "1", "onnxruntime": "1", "opencv": "5"}
    monkeypatch.setattr(engines, "available", lambda: versions)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert engines.chosen("auto") == "openvino"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert engines.chosen("auto") == "onnxruntime"
    versions.update(onnxruntime=None)
    assert engines.chosen("auto") == "openvino"
    with pytest.raises(MissingExtraError, match=r"pip install 'cyano-runtime\[onnxruntime\]'"):
        engines.chosen("onnxruntime")
    versions.update(openvino=None)
    assert engines.chosen("auto") == "opencv"
    versions.update(opencv=None)
    with pytest.raises(MissingExtraError, match=r"no engine .* pip install 'cyano-runtime\[onnxruntime\]'"):
        engines.chosen("auto")


def test_engines_are_told_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.available()["opencv"] == version("opencv-python-headless")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert engines.available()["opencv"] is None
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert engines.available()["onnxruntime"] is None


def test_opencv_4_and_threads_of_opencv_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"cv2\.setNumThreads"):
        engines.settings_of(RuntimeOptions(threads=2), "opencv")
    monkeypatch.setattr(cv2, "__version__", "4.12.0")
    with pytest.raises(InputError, match=r"OpenCV 4\.12\.0 cannot run these graphs"):
        opened(b"", "opencv", ["scores"])


def test_compiled_graphs_are_kept_where_that_is_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = engines.cache_folder()
    assert folder == tmp_path / "cache" / "cyano-runtime"
    assert folder.is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert engines.cache_folder() is None
