"""Generated pairs: reproducible, within the wanted overlap, and right to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import chain

import cv2
import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry.transforms import rotation_angle_between
from cyano.geometry.truth import DepthTruth, Visibility
from cyano.synthesis.scenes import PosedPair, SceneOptions, make_scene, overlap, sample_pair, sample_views
from cyano.synthesis.scenes.atlas import build_atlas
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.layouts import KINDS, SceneKind, lay_out
from cyano.synthesis.scenes.viewpoints import look_at, sample_another, sample_viewpoints
from cyano.types import ImageSize
from support.posed_scenes import detailed_photographs

SMALL = SceneOptions(size=ImageSize(120, 160), light_change=0.0, procedural_share=0.0, textures=4)
PHOTOGRAPHS = detailed_photographs()


def _pair(seed: int, options: SceneOptions = SMALL) -> PosedPair:
    return sample_pair(PHOTOGRAPHS, np.random.default_rng(seed), options)


def _read(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    columns, rows = points.astype(np.float32).T
    return cv2.remap(image, columns[None], rows[None], cv2.INTER_LINEAR)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_visible_points_look_the_same_in_both_views(kind: SceneKind) -> None:
    """Depth, pose and texture agree to a fraction of a pixel: moving the points by one makes them disagree."""
    errors, moved, contrast = [], [], []
    for seed in range(4):
        pair = _pair(seed, replace(SMALL, kinds=(kind,), difficulty=0.3, size=ImageSize(240, 320)))
        points = np.random.default_rng(seed).uniform(2, (317, 237), (3000, 2))
        found = pair.truth.to_image1(points)
        seen = found.visibility == Visibility.VISIBLE
        assert seen.sum() > 200
        there = found.points[seen]
        here = _read(pair.image0, points[seen])
        errors.append(np.abs(_read(pair.image1, there) - here))
        moved.append(np.abs(_read(pair.image1, there + np.array((1.0, 0.0))) - here))
        contrast.append(np.abs(here - here.mean()))
    # What remains is the sampling: the two views blur the texture differently. It is small against the contrast.
    assert np.median(np.concatenate(errors)) < 0.015
    assert np.median(np.concatenate(errors)) < 0.15 * np.median(np.concatenate(contrast))
    assert np.median(np.concatenate(errors)) < 0.6 * np.median(np.concatenate(moved))


def test_further_views_share_with_the_first_and_agree_with_all() -> None:
    options = replace(SMALL, difficulty=0.3, size=ImageSize(240, 320))
    shares, errors, contrast = [], [], []
    for seed in range(4):
        views = sample_views(PHOTOGRAPHS, np.random.default_rng(seed), options, 4)
        pair = _pair(seed, options)
        assert np.array_equal(views[0].image, pair.image0)
        assert np.array_equal(views[1].image, pair.image1)
        shares += [overlap(views[0].truth_with(view)) for view in views[1:]]
        points = np.random.default_rng(seed).uniform(2, (317, 237), (3000, 2))
        found = views[2].truth_with(views[3]).to_image1(points)
        seen = found.visibility == Visibility.VISIBLE
        here = _read(views[2].image, points[seen])
        errors.append(np.abs(_read(views[3].image, found.points[seen]) - here))
        contrast.append(np.abs(here - here.mean()))
    assert sum(min(share) >= 0.1 and max(share) <= 0.95 for share in shares) >= 11  # small views decide: give or take
    # As for two views, above.
    assert np.median(np.concatenate(errors)) < 0.15 * np.median(np.concatenate(contrast))


def test_the_same_seed_gives_the_same_pair_and_another_seed_another() -> None:
    first, same, other = _pair(0), _pair(0), _pair(1)
    assert np.array_equal(first.image0, same.image0)
    assert np.array_equal(first.image1, same.image1)
    assert np.array_equal(first.truth.depth1, same.truth.depth1)
    assert np.array_equal(first.truth.T_0to1, same.truth.T_0to1)
    assert first.truth.camera0 == same.truth.camera0
    assert not np.array_equal(first.image0, other.image0)


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_overlaps_lie_in_the_wanted_range(difficulty: float) -> None:
    shares = [overlap(_pair(seed, replace(SMALL, difficulty=difficulty)).truth) for seed in range(12)]
    inside = [min(share) >= 0.15 and max(share) <= 0.9 for share in shares]
    assert sum(inside) >= 11  # the fallback after dozens of tries may miss it


def test_harder_pairs_move_more() -> None:
    easy, hard = (
        [
            rotation_angle_between(
                _pair(seed, replace(SMALL, difficulty=level, any_roll_share=0.0)).truth.T_0to1[:3, :3], np.eye(3)
            )
            for seed in range(10)
        ]
        for level in (0.0, 1.0)
    )
    assert np.median(hard) > 1.3 * np.median(easy)


def test_plain_scenes_have_little_contrast_in_the_same_places() -> None:
    lively = sample_pair([], np.random.default_rng(4), SceneOptions(size=ImageSize(96, 128), plain_share=0.0))
    assert np.array_equal(
        lively.image0, sample_pair([], np.random.default_rng(4), SceneOptions(size=ImageSize(96, 128))).image0
    )  # the default draws nothing more
    contrast = []
    for share in (0.0, 1.0):
        atlas = build_atlas([], np.random.default_rng(1), 8, 1.0, share)
        contrast.append(atlas.pixels[:, :512].reshape(8, -1).std(axis=1))
    assert np.median(contrast[1]) < 0.12 * np.median(contrast[0])


def test_pairs_are_what_training_expects() -> None:
    options = replace(SMALL, light_change=1.0, size=ImageSize(90, 140))
    pair = _pair(3, options)
    for image, depth, camera in (
        (pair.image0, pair.truth.depth0, pair.truth.camera0),
        (pair.image1, pair.truth.depth1, pair.truth.camera1),
    ):
        assert image.shape == depth.shape == (90, 140)
        assert image.dtype == depth.dtype == np.float32
        assert image.flags.c_contiguous
        assert 0 <= image.min() < image.max() <= 1
        assert depth.min() >= 0
        assert np.isfinite(depth).all()
        assert camera.size == options.size
    R = pair.truth.T_0to1[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.norm(pair.truth.T_0to1[:3, 3]) > 0.01


def test_equal_light_is_an_option_and_other_light_changes_the_pictures() -> None:
    plain, changed = _pair(5), _pair(5, replace(SMALL, light_change=1.0))
    assert plain.image0.shape == changed.image0.shape
    assert not np.array_equal(plain.image0, changed.image0)


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_stay_on_the_stage_and_out_of_solids(kind: SceneKind) -> None:
    rng = np.random.default_rng(9)
    options = replace(SMALL, kinds=(kind,))
    for _ in range(3):
        scene = make_scene([], rng, options)
        pairs = [sample_viewpoints(scene, rng, options) for _ in range(10)]
        others = [sample_another(scene, rng, options, first, 2.0) for first, _ in pairs]
        for T in (*chain(*pairs), *others):
            eye = -T[:3, :3].T @ T[:3, 3]
            assert scene.stage.contains(eye, 1e-9)
            assert not any(box.contains(eye) for box in scene.obstacles)


def test_a_stage_that_offers_no_wanted_view_still_gives_free_places() -> None:
    rng = np.random.default_rng(2)
    scene = make_scene([], rng, replace(SMALL, kinds=("room",)))
    # No room is 50 m long. (The margin around obstacles grows with the distances, and would fill it.)
    scene = replace(scene, distances=(50.0, 60.0), obstacles=())
    for T in sample_viewpoints(scene, rng, SMALL):
        assert scene.stage.contains(-T[:3, :3].T @ T[:3, 3], 1e-9)


def test_no_layout_has_more_surfaces_than_a_renderer_takes() -> None:
    for seed in range(60):
        for kind in KINDS:
            build, _, _ = lay_out(kind, np.random.default_rng(seed), 3)
            assert len(build.surfaces) <= NOTHING


def test_rooms_have_no_holes() -> None:
    rng = np.random.default_rng(1)
    for kind in ("room", "objects"):
        scene = make_scene([], rng, replace(SMALL, kinds=(kind,)))
        camera = _pair(0).truth.camera0
        for view in sample_viewpoints(scene, rng, SMALL):
            assert (intersect(scene.surfaces, camera, view).depth() > 0).all()


def test_look_at_puts_the_target_in_the_middle_and_up_on_top() -> None:
    eye, target = np.array([1.0, 2.0, 1.5]), np.array([3.0, -1.0, 0.5])
    T = look_at(eye, target, 0.0)
    np.testing.assert_allclose(T[:3, :3] @ target + T[:3, 3], (0, 0, np.linalg.norm(target - eye)), atol=1e-12)
    above = T[:3, :3] @ (target + np.array((0, 0, 0.1))) + T[:3, 3]
    assert above[1] < 0
    np.testing.assert_allclose(above[0], 0, atol=1e-12)
    assert np.linalg.det(T[:3, :3]) > 0
    straight_down = look_at(np.array([0.0, 0, 2]), np.zeros(3), 0.0)
    np.testing.assert_allclose(straight_down[:3, :3] @ straight_down[:3, :3].T, np.eye(3), atol=1e-12)


def test_overlap_of_a_half_turned_away_view() -> None:
    """Two fronto-parallel views of a wall, shifted by half of the picture: half of each is in the other."""
    camera = replace(_pair(0).truth.camera0, cx=79.5, cy=59.5)
    depth = np.full((120, 160), 2.0, np.float32)
    T = np.eye(4)
    T[0, 3] = -80 * 2.0 / camera.fx
    assert overlap(DepthTruth(depth, depth, camera, camera, T)) == (0.5, 0.5)
    empty = np.zeros_like(depth)
    assert overlap(DepthTruth(empty, depth, camera, camera, T)) == (0.0, 0.0)


def test_images_and_depths_of_different_sizes_are_refused() -> None:
    pair = _pair(0)
    with pytest.raises(InputError, match="same size"):
        PosedPair(pair.image0[:-1], pair.image1, pair.truth)


@pytest.mark.parametrize(
    "wrong",
    [
        {"difficulty": 1.5},
        {"kinds": ()},
        {"kinds": ("forest",)},
        {"overlap": (0.9, 0.1)},
        {"field_of_view_deg": (90.0, 40.0)},
        {"max_scale": 0.5},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    assert set(wrong) <= {field.name for field in fields(SceneOptions)}
    with pytest.raises(InputError):
        SceneOptions(**wrong)  # type: ignore[arg-type]
