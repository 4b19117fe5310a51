from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cyano.errors import InputError, OutputError
from cyano.geometry import Camera, EstimateStatus, LensCamera, RobustOptions
from cyano.result import ImageKeypoints, PairResult
from cyano.types import ImageSize, Matches, ResizeMap
from support.scenes import rotation_about

H_TRUE = np.array([[0.9, -0.1, 30.0], [0.12, 1.1, -8.0], [1e-4, -5e-5, 1.0]])


def _result(count: int = 60, outliers: int = 20, *, pixels: bool = True, focal: float | None = None) -> PairResult:
    """Matches under a known homography, some of them wrong, and as many unmatched keypoints on both sides."""
    generator = np.random.default_rng(0)
    size = ImageSize(200, 300)
    points0 = generator.uniform((20, 20), (280, 180), (2 * count, 2))
    mapped = np.c_[points0[:count], np.ones(count)] @ H_TRUE.T
    points1 = np.concatenate([mapped[:, :2] / mapped[:, 2:], generator.uniform(0, 200, (count, 2))])
    points1[:outliers] += generator.uniform(20, 60, (outliers, 2))
    order = generator.permutation(2 * count)  # image 1 lists its keypoints in another order
    position = np.argsort(order)
    matches0 = np.concatenate([position[:count], np.full(count, -1)]).astype(np.int64)
    matches1 = np.where(order < count, order, -1).astype(np.int64)
    scores0 = np.where(matches0 >= 0, generator.uniform(0.3, 1, 2 * count), 0).astype(np.float32)
    scores1 = np.where(matches1 >= 0, scores0[matches1], 0).astype(np.float32)
    rgb = generator.integers(0, 255, (200, 300, 3)).astype(np.uint8) if pixels else None
    ones = np.ones(2 * count, np.float32)
    frame = ResizeMap.identity(size)
    return PairResult(
        ImageKeypoints(points0.astype(np.float32), ones, frame, "a.jpg", rgb, focal),
        ImageKeypoints(points1[order].astype(np.float32), ones, frame, "b.jpg", rgb, focal),
        Matches(matches0, matches1, scores0, scores1),
    )


def test_matched_arrays_belong_together() -> None:
    result = _result()
    assert len(result) == 60
    assert repr(result) == "PairResult(60 matches of 120 and 120 keypoints)"
    for k, (i, j) in enumerate(result.indices):
        assert result.matches.matches0[i] == j
        assert result.matches.matches1[j] == i
        assert np.array_equal(result.keypoints0[k], result.image0.keypoints[i])
        assert np.array_equal(result.keypoints1[k], result.image1.keypoints[j])
        assert result.scores[k] == result.matches.scores0[i]


def _with_doubtful(whole: PairResult) -> tuple[PairResult, PairResult]:
    """A result, and one whose matches below the median score are doubtful."""
    middle = float(np.median(whole.scores))
    low = whole.matches.without(whole.indices[whole.scores > middle, 0])
    return whole, replace(whole, matches=whole.matches.above(middle), doubtful=low)


def test_doubtful_matches_that_agree_with_a_model_are_added() -> None:
    whole, result = _with_doubtful(_result())
    assert len(result) == 30
    assert not result.is_doubtful.any()
    agreeing = whole.homography().inliers
    usual = whole.scores > np.median(whole.scores)
    found, (homography,) = result.verified(PairResult.homography)
    assert np.array_equal(found.indices, whole.indices[usual | agreeing])
    assert np.array_equal(found.scores, whole.scores[usual | agreeing])
    assert np.array_equal(homography.inliers, agreeing[usual | agreeing])
    assert found.doubtful is None
    np.testing.assert_allclose(homography.matrix, H_TRUE, atol=2e-3)
    # Matches of either model are kept, and each model's inliers are of all of them.
    both, models = result.verified(PairResult.homography, PairResult.fundamental)
    assert len(both) >= len(found)
    assert [len(model.inliers) for model in models] == [len(both)] * 2
    assert all(model.inliers[~np.isin(both.indices[:, 0], result.indices[:, 0])].any() for model in models)


def test_a_model_of_chance_verifies_nothing() -> None:
    whole, result = _with_doubtful(_result(count=12, outliers=12))
    assert whole.homography().status is EstimateStatus.DOUBTFUL
    _, sure = np.unique(np.concatenate([result.indices[:, 0], whole.indices[:, 0]]), return_counts=True)
    assert whole.homography().inliers[sure == 1].any()  # some of the doubtful ones agree with it
    found, (homography,) = result.verified(PairResult.homography)
    assert not homography.ok
    assert np.array_equal(found.indices, result.indices)


def test_without_models_or_doubtful_matches_the_result_stays() -> None:
    whole, result = _with_doubtful(_result())
    found, models = result.verified()
    assert models == ()
    assert np.array_equal(found.indices, result.indices)
    found, (homography,) = whole.verified(PairResult.homography)
    assert np.array_equal(found.indices, whole.indices)
    assert np.array_equal(homography.inliers, whole.homography().inliers)


@pytest.mark.parametrize("estimator", ["poselib", "opencv"])
def test_homography_from_the_matches(estimator: str) -> None:
    estimate = _result().homography(RobustOptions(estimator=estimator))  # type: ignore[arg-type]
    assert estimate.ok
    assert estimate.inliers.sum() == 40
    # Exact matches but for float32 positions (1e-5 px).
    np.testing.assert_allclose(estimate.matrix, H_TRUE, atol=2e-3)


def test_pose_needs_cameras_or_exif() -> None:
    with pytest.raises(InputError, match=r"a\.jpg has no EXIF focal length"):
        _result().relative_pose()
    camera = Camera.from_focal_35mm(28.0, ImageSize(200, 300))
    given, from_exif = _result().relative_pose(camera, camera), _result(focal=28.0).relative_pose()
    np.testing.assert_array_equal(given.T_0to1, from_exif.T_0to1)


def test_cameras_are_fitted_to_the_images() -> None:
    result, camera = _result(outliers=0), Camera.from_field_of_view(60.0, ImageSize(200, 300))
    double = Camera.from_field_of_view(60.0, ImageSize(400, 600))
    np.testing.assert_array_equal(result.essential(double, camera).inliers, result.essential(camera, camera).inliers)
    found, expected = result.relative_pose(camera, double), result.relative_pose(camera, camera)
    np.testing.assert_allclose(found.T_0to1, expected.T_0to1, atol=1e-12)
    other = Camera.from_field_of_view(60.0, ImageSize(300, 200))
    for estimate in (result.essential, result.relative_pose):
        with pytest.raises(InputError, match=r"b\.jpg is 300x200 pixels, but its camera is for an image of 200x300"):
            estimate(camera, other)


def test_the_distortion_of_a_lens_is_taken_out() -> None:
    """Points of a scene through a fisheye: its pose is exact with the lens, and not without it."""
    rng, size = np.random.default_rng(0), ImageSize(480, 640)
    lens = LensCamera("OPENCV_FISHEYE", size, (300.0, 300.0, 319.5, 239.5, 0.02, -0.01, 0.0, 0.0))
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation_about((0.1, 1.0, 0.2), 8.0), (1.0, 0.0, 0.1)
    points = rng.uniform((-4, -3, 3), (4, 3, 9), (200, 3))
    seen = [lens.project(points), lens.project(points @ motion[:3, :3].T + motion[:3, 3])]
    seen[0][0] = (-900.0, 240.0)  # beyond 90 degrees, where the lens says nothing
    ones, same = np.ones(len(points), np.float32), np.arange(len(points))
    sides = [ImageKeypoints(each.astype(np.float32), ones, ResizeMap.identity(size), "x.jpg") for each in seen]
    result = PairResult(*sides, Matches(same, same, ones, ones))
    found = result.relative_pose(lens, lens)
    assert found.inliers.tolist() == [False, *[True] * 199]
    np.testing.assert_allclose(found.T_0to1[:3, :3], motion[:3, :3], atol=1e-5)  # float32 positions: 3e-5 px
    assert np.abs(result.relative_pose(lens.pinhole, lens.pinhole).T_0to1 - found.T_0to1).max() > 1e-2
    half = lens.scaled(ImageSize(240, 320))
    np.testing.assert_allclose(result.relative_pose(half, lens).T_0to1, found.T_0to1, atol=1e-9)


def test_other_models_come_from_the_same_matches() -> None:
    result, camera = _result(outliers=0), Camera.from_field_of_view(60.0, ImageSize(200, 300))
    assert result.fundamental().inliers.shape == (60,)
    assert result.essential(camera, camera).inliers.shape == (60,)


def test_registered_image() -> None:
    result = _result()
    warped, covered = result.registered()
    assert warped.shape == (200, 300, 3)
    assert covered.shape == (200, 300)
    # Pixel (x, y) = (100, 100) of image 0 shows what image 1 shows at H (100, 100).
    x, y, w = H_TRUE @ (100, 100, 1)
    left, top = int(x / w), int(y / w)
    around = result.image1.rgb[top : top + 2, left : left + 2].reshape(4, 3)
    assert covered[100, 100]
    assert (warped[100, 100] >= around.min(0)).all()
    assert (warped[100, 100] <= around.max(0)).all()


def test_what_cannot_be_registered_or_drawn_says_why() -> None:
    with pytest.raises(InputError, match="cannot be registered: no homography"):
        _result(count=3, outliers=0).registered()
    with pytest.raises(InputError, match=r"pixels of a\.jpg are not available"):
        _result(pixels=False).draw()


def test_picture() -> None:
    assert isinstance(_result().draw(), Figure)
    assert isinstance(_result().draw(inliers=_result().homography().inliers), Figure)


def test_a_notebook_shows_a_table_and_the_picture() -> None:
    result = _result()
    with Image.open(io.BytesIO(result._repr_png_() or b"")) as image:
        assert image.width == 960
    table, picture = result._repr_html_().split("<img")
    for fact in ("60 matches of 120 and 120 keypoints", "a.jpg, 300 x 200", "b.jpg, 300 x 200"):
        assert fact in table
    encoded = re.search(r"base64,([^\"]+)", picture)
    assert encoded is not None
    with Image.open(io.BytesIO(base64.b64decode(encoded[1]))) as image:
        assert (image.format, image.width) == ("JPEG", 960)


def test_without_pixels_a_notebook_shows_the_table_alone() -> None:
    result = _result(pixels=False)
    assert result._repr_png_() is None
    assert "60 matches" in result._repr_html_()
    assert "<img" not in result._repr_html_()


def test_values_print_in_a_line() -> None:
    result = _result()
    estimate = result.homography()
    assert repr(estimate) == f"RobustEstimate({estimate.message})"
    assert repr(result.matches).startswith("Matches(matches0=int64 (120,), matches1=int64 (120,), ")
    assert repr(result.image0).startswith("ImageKeypoints(keypoints=float32 (120, 2), ")
    for value in (result, estimate, result.matches, result.image0):
        assert len(repr(value)) < 300
        assert "\n" not in repr(value)


@pytest.mark.parametrize("count", [60, 0])
def test_json_round_trip(tmp_path: Path, count: int) -> None:
    result = _result(count=count, outliers=0)
    result.save_json(tmp_path / "new" / "matches.json")
    read = json.loads((tmp_path / "new" / "matches.json").read_text())
    assert read == result.to_dict()
    assert read["images"][1] == {"name": "b.jpg", "height": 200, "width": 300, "keypoints": 2 * count}
    np.testing.assert_array_equal(np.array(read["keypoints0"], np.float32).reshape(-1, 2), result.keypoints0)
    assert len(read["scores"]) == count


@pytest.mark.parametrize("count", [60, 0])
def test_npz_round_trip(tmp_path: Path, count: int) -> None:
    result = _result(count=count, outliers=0)
    result.save_npz(tmp_path / "matches.npz")
    with np.load(tmp_path / "matches.npz") as read:
        assert np.array_equal(read["matches0"], result.matches.matches0)
        assert read["matches0"].dtype == np.int64
        assert np.array_equal(read["keypoints1"], result.image1.keypoints)
        assert read["keypoints1"].dtype == np.float32
        assert np.array_equal(read["matching_scores1"], result.matches.scores1)
        assert read["image_size0"].tolist() == [200, 300]


def test_large_images_lose_no_precision(tmp_path: Path) -> None:
    result = _result()
    far = (result.image0.keypoints + np.float32(4700.123)).astype(np.float32)
    moved = PairResult(ImageKeypoints(far, result.image0.scores, result.image0.frame), result.image1, result.matches)
    moved.save_npz(tmp_path / "far.npz")
    with np.load(tmp_path / "far.npz") as read:
        assert np.array_equal(read["keypoints0"], far)


def test_indices_beyond_16_bits_are_exact(tmp_path: Path) -> None:
    count = 40_000
    order = np.random.default_rng(0).permutation(count)
    grid = np.stack([np.arange(count) % 5000, np.arange(count) // 8], axis=1).astype(np.float32) + np.float32(0.125)
    ones = np.ones(count, np.float32)
    image = ImageKeypoints(grid, ones, ResizeMap.identity(ImageSize(5000, 5000)))
    result = PairResult(image, image, Matches(order, np.argsort(order), ones, ones))
    result.save_npz(tmp_path / "many.npz")
    with np.load(tmp_path / "many.npz") as read:
        assert np.array_equal(read["matches0"], order)
        assert np.array_equal(read["keypoints0"], grid)
    assert np.array_equal(result.keypoints1, grid[order])


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        _result().save_json(tmp_path / "file" / "matches.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
