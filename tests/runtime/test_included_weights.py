"""The weights that come with the runtime find what Cyano's own find; the oracle is Cyano with torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import cyano
from cyano_runtime import Matcher, PairResult, RuntimeOptions, engines
from cyano_runtime.cli import main
from cyano_runtime.exported import INCLUDED
from support.random_weights import stereo_pair

if not (INCLUDED / "export.json").exists():
    pytest.skip("runtime/src/cyano_runtime/weights holds no export", allow_module_level=True)

ENGINES = [name for name, version in engines.available().items() if version is not None]

SAME = 0.995
"""Share of the matches that have to be the same: a score at a threshold, or a keypoint at the last place, may decide
otherwise by rounding."""

SAME_PX = 0.05
"""Places are exact to 0.02 px in the picture that the networks see, which is not smaller than these."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def by_torch() -> cyano.Matcher:
    return cyano.Matcher.from_pretrained(device="cpu")


def _rows(result: cyano.PairResult | PairResult) -> NDArray[np.float32]:
    return np.hstack([result.keypoints0, result.keypoints1, result.scores[:, None]])


def _near(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(K, L) which of K matches is which of L others."""
    near: NDArray[np.bool_] = (np.abs(mine[:, None, :4] - theirs[None, :, :4]) < SAME_PX).all(axis=2)
    return near


def _assert_same(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    """Both hold the same matches, but for single ones, with the same scores."""
    near = _near(mine, theirs)
    assert min(near.any(axis=0).mean(), near.any(axis=1).mean()) >= SAME
    one, two = np.nonzero(near)
    assert np.abs(mine[one, 4] - theirs[two, 4]).max() < 1e-3  # float32 through 18 layers and 50 iterations


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [(240, 320), (331, 247), (201, 333)])
def test_matches_are_those_of_cyano(by_torch: cyano.Matcher, engine: str, size: tuple[int, int]) -> None:
    pair = stereo_pair(*size)
    expected = by_torch.match(*pair)
    assert len(expected) > 100
    _assert_same(_rows(Matcher(engine=engine).match(*pair)), _rows(expected))


@pytest.mark.parametrize("engine", ENGINES)
def test_pictures_with_a_constant_frame(by_torch: cyano.Matcher, engine: str) -> None:
    """Frames are left out before the suppression, by the mask that the detector takes."""
    pair = [np.pad(np.asarray(image), ((40, 40), (50, 50), (0, 0))) for image in stereo_pair(240, 320)]
    matcher = Matcher(engine=engine)
    (expected, _), found = by_torch.extract(pair), matcher.extract(pair[0])
    assert len(found) == len(expected) == 1024
    apart = np.abs(found.keypoints[:, None] - expected.keypoints.numpy()[None]).max(axis=2)
    assert (apart.min(axis=0) < SAME_PX).all()
    assert (apart.min(axis=1) < SAME_PX).all()
    _assert_same(_rows(matcher.match(*pair)), _rows(by_torch.match(*pair)))


def test_without_alignment_and_with_fewer_keypoints() -> None:
    pair = stereo_pair(240, 320)
    options = cyano.MatcherOptions(align=False, max_keypoints=300, match_threshold=0.5)
    expected = cyano.match(*pair, options=options, device="cpu")
    found = Matcher(options=RuntimeOptions(align=False, max_keypoints=300, match_threshold=0.5)).match(*pair)
    _assert_same(_rows(found), _rows(expected))


def test_features_are_those_of_cyano(by_torch: cyano.Matcher) -> None:
    image = stereo_pair(240, 320)[0]
    (expected,), found = by_torch.extract([image]), Matcher().extract(image)
    near = np.abs(found.keypoints[:, None] - expected.keypoints.numpy()[None]).max(axis=2) < SAME_PX
    assert near.any(axis=0).mean() >= SAME
    one, two = np.nonzero(near)
    assert (found.descriptors[one] * expected.descriptors.numpy()[two]).sum(axis=1).min() > 0.9999


def test_nothing_in_common_and_nothing_to_see(by_torch: cyano.Matcher) -> None:
    left, _ = stereo_pair(240, 320)
    plain = np.full((100, 120), 128, np.uint8)
    result = Matcher().match(left, plain)
    assert len(result) == len(by_torch.match(left, plain)) == 0
    assert result.matches.matches0.dtype == np.int64


def test_the_command_finds_what_the_function_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for image, path in zip(stereo_pair(240, 320), paths, strict=True):
        image.save(path)
    main(["match", *paths, "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["keypoints0"] == Matcher().match(*paths).to_dict()["keypoints0"]
