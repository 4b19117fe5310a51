from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.evaluation.sets.folders import find_sets
from cyano.evaluation.sets.pair_sets import (
    EvaluationPair,
    KnownCorrespondences,
    KnownDisparity,
    KnownHomography,
    KnownPose,
    PairSet,
)

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "eval"
K = "500 0 320 0 510 240 0 0 1"
R = "1 0 0 0 1 0 0 0 1"
T = "1 0 0 0.5 0 1 0 0 0 0 1 0 0 0 0 1"


def found(root: Path, name: str) -> PairSet:
    return {pair_set.name: pair_set for pair_set in find_sets(root)}[name]


def test_poses_in_the_match_pairs_form(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "pairs.txt").write_text(f"a.png b.png 1 0 {K} {K} {T}\nc.png d.png\n")  # no truth, no pair
    room = found(tmp_path, "room")
    assert (room.kind, len(room.pairs)) == ("pose", 1)
    pair = room.pairs[0]
    assert (pair.name0, pair.turns0, pair.turns1) == ("a.png", 1, 0)
    assert pair.image0 == tmp_path / "room" / "a.png"
    assert isinstance(pair.truth, KnownPose)
    assert pair.truth.K0[1, 1] == 510
    assert pair.truth.T_0to1[0, 3] == 0.5


def test_scannet_with_its_images_in_a_folder_beside_the_list(tmp_path: Path) -> None:
    image = tmp_path / "scannet" / "scans_test" / "scene0707_00" / "frame-000015.color.jpg"
    image.parent.mkdir(parents=True)
    image.touch()
    names = "scene0707_00/frame-000015.color.jpg scene0707_00/frame-000585.color.jpg"
    (tmp_path / "scannet" / "scannet_test_pairs_with_gt.txt").write_text(f"{names} 0 0 {K} {K} {T}\n")
    assert found(tmp_path, "scannet").pairs[0].image0 == image


def test_calibrated_lists_of_megadepth(tmp_path: Path) -> None:
    (tmp_path / "pairs_calibrated.txt").write_text(f"a.jpg b.jpg {K} {K} {R} 1 2 3\n")
    pair = found(tmp_path, tmp_path.name).pairs[0]
    assert isinstance(pair.truth, KnownPose)
    np.testing.assert_array_equal(pair.truth.T_0to1[:3], [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3]])


def test_homographies_and_correspondences_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "pairs_h.txt").write_text("# a comment\n\na.png b.png 1 0 7 0 1 0 0 0 1\n")
    (tmp_path / "pairs_c.txt").write_text("a.png b.png c.txt\n")
    (tmp_path / "c.txt").write_text("1 2 3 4\n5 6 7 8\n")
    planes, points = find_sets(tmp_path)
    assert (planes.name, points.name) == (tmp_path.name, f"{tmp_path.name}-correspondences")
    plane, point = planes.pairs[0].truth, points.pairs[0].truth
    assert isinstance(plane, KnownHomography)
    assert plane.H[0, 2] == 7
    assert isinstance(point, KnownCorrespondences)
    np.testing.assert_array_equal(point.points1, [[3, 4], [7, 8]])


def test_hpatches(tmp_path: Path) -> None:
    for scene in ("v_wall", "i_lamp", "other"):
        folder = tmp_path / scene
        folder.mkdir()
        for number in (1, 2, 4):
            (folder / f"{number}.ppm").touch()
        for number in range(2, 7):
            (folder / f"H_1_{number}").write_text(f"1 0 {number}\n0 1 0\n0 0 1\n")
    viewpoint, illumination = find_sets(tmp_path)
    assert viewpoint.name.endswith("-viewpoint")
    assert illumination.name.endswith("-illumination")
    names = [(pair.name0, pair.name1) for pair in viewpoint.pairs]
    assert names == [("v_wall/1.ppm", "v_wall/2.ppm"), ("v_wall/1.ppm", "v_wall/4.ppm")]  # 3, 5 and 6 are not there
    truth = viewpoint.pairs[1].truth
    assert isinstance(truth, KnownHomography)
    assert truth.H[0, 2] == 4


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pairs_h.txt", "a b 1 2 3", "line 1: 5 fields where 11"),
        ("pairs_h.txt", "a b 1 0 0 0 1 0 0 0 x", "could not convert"),
        ("pairs_h.txt", "a b 1 0 0 0 1 0 0 0 nan", "not finite"),
        ("pairs_c.txt", "a b missing.txt", r"missing\.txt, which is missing"),
        ("pairs.txt", "a b 0 0 1", "5 fields"),
    ],
)
def test_lists_that_cannot_be_understood(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text + "\n")
    with pytest.raises(InputError, match=message):
        find_sets(tmp_path)


def test_folders_without_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hold no pairs\.txt"):
        find_sets(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        find_sets(tmp_path / "missing")


def test_a_set_has_one_kind_of_truth_and_a_name_for_a_file() -> None:
    plane = EvaluationPair("a", "b", "a", "b", KnownHomography(np.eye(3)))
    stereo = EvaluationPair("a", "b", "a", "b", KnownDisparity(np.ones((2, 2), np.float32)))
    for name, pairs, message in (
        ("s", [plane, stereo], "homography and stereo"),
        ("s", [], "no pairs"),
        ("a/b", [plane], "cannot be"),
        ("", [plane], "cannot be"),
    ):
        with pytest.raises(InputError, match=message):
            PairSet(name, pairs)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the evaluation data is not beside the repository")
def test_the_projects_evaluation_data() -> None:
    kinds = {pair_set.name: (pair_set.kind, len(pair_set.pairs)) for pair_set in find_sets(SHARED)}
    assert kinds["fox"] == ("pose", 40)
    assert kinds["oxford"] == ("homography", 10)
    assert kinds["kusvod2"] == ("correspondences", 8)
    assert kinds["wxbs_a"] == ("correspondences", 17)
    assert "sacre_coeur" not in kinds  # nothing is known of it
