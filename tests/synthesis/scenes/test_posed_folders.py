"""Readers of posed RGB-D data, on tiny folders whose contents are known."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError, MissingExtraError
from cyano.geometry.transforms import invert_rigid, rigid_motion
from cyano.geometry.truth import Visibility
from cyano.processing.resize import ResizeRule
from cyano.synthesis.scenes.posed_folders import read_folder, read_megadepth, read_scannet
from cyano.synthesis.scenes.posed_frames import load_pair

K = np.array([[40.0, 0, 31.5], [0, 42.0, 23.5], [0, 0, 1]])
POSES = [rigid_motion(np.eye(3), (0.1 * k, 0.02 * k, 0)) for k in range(3)]  # camera to world
NAMES = ["000", "010", "020"]


def _write_frames(root: Path, size: tuple[int, int] = (64, 48), depth_size: tuple[int, int] = (64, 48)) -> None:
    """Three frames of a wall at 2 m whose depth has a hole in its first column."""
    rng = np.random.default_rng(0)
    for folder in ("color", "depth"):
        (root / folder).mkdir(parents=True)
    for name in NAMES:
        cv2.imwrite(str(root / "color" / f"{name}.jpg"), rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
        depth = np.full((depth_size[1], depth_size[0]), 2000, np.uint16)
        depth[:, 0] = 0
        cv2.imwrite(str(root / "depth" / f"{name}.png"), depth)


def _words(matrix: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in matrix.ravel())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    _write_frames(tmp_path)
    (tmp_path / "K.txt").write_text(_words(K))
    lines = [f"{name} {_words(pose)}" for name, pose in zip(NAMES, POSES, strict=True)]
    (tmp_path / "poses.txt").write_text("# frame T_camera_to_world\n" + "\n".join(lines))
    (tmp_path / "pairs3d.txt").write_text("# A B overlap rotation_deg\n000 010 0.83 2.1\n010 020\n")
    return tmp_path


def test_a_plain_folder_gives_its_pairs_and_their_truth(plain: Path) -> None:
    pairs = read_folder(plain)
    assert [pair.overlap for pair in pairs] == [0.83, None]
    pair = load_pair(pairs[0])
    assert pair.image0.shape == (48, 64)
    np.testing.assert_allclose(pair.truth.T_0to1, invert_rigid(POSES[1]) @ POSES[0])
    assert (pair.truth.depth0[:, 0] == 0).all()
    assert (pair.truth.depth0[:, 1:] == 2).all()
    # The camera moves 0.1 m to the right and 0.02 m down: points 2 m away move by f * t / 2 the other way.
    found = pair.truth.to_image1(np.array([[30.0, 20.0], [0.0, 20.0]]))
    np.testing.assert_allclose(found.points[0], (30 - 40 * 0.1 / 2, 20 - 42 * 0.02 / 2))
    assert found.visibility.tolist() == [Visibility.VISIBLE, Visibility.UNKNOWN]


def test_refined_relative_poses_take_the_place_of_the_frames(plain: Path) -> None:
    finer = rigid_motion(np.eye(3), (-0.3, 0.04, 0.0))
    (plain / "pairs3d_refined.txt").write_text(f"# A B overlap rotation_deg T\n010 020 0.5 1.0 {_words(finer)}\n")
    (pair,) = read_folder(plain)
    assert pair.overlap == 0.5
    (plain / "pairs3d_refined.txt").write_text(f"010 020 {_words(finer)}\n")
    (bare,) = read_folder(plain)
    assert bare.overlap is None
    assert np.array_equal(bare.T_0to1, finer)
    for direction, T in ((pair, finer), (pair.swapped(), invert_rigid(finer))):
        truth = load_pair(direction).truth
        np.testing.assert_allclose(truth.T_0to1, T)
        found = truth.to_image1(np.array([[30.0, 20.0]])).points[0]
        np.testing.assert_allclose(found, (30 + 40 * T[0, 3] / 2, 20 + 42 * T[1, 3] / 2))
    (plain / "pairs3d_refined.txt").write_text("010 020 0.5\n")
    with pytest.raises(InputError, match="18 words"):
        read_folder(plain)


def test_resizing_scales_the_cameras_by_pixel_centres(plain: Path) -> None:
    pair = load_pair(read_folder(plain)[0], ResizeRule.exact(24, 16))
    assert pair.image0.shape == pair.truth.depth0.shape == (24, 16)
    camera = pair.truth.camera0
    assert (camera.fx, camera.fy) == (10.0, 21.0)
    assert (camera.cx, camera.cy) == (7.5, 11.5)  # the middle stays the middle
    # Small column c covers big columns 4c to 4c + 3 with its centre at 4c + 1.5: the hole in column 0 is not nearest.
    assert (pair.truth.depth0 == 2).all()
    there = pair.truth.to_image1(np.array([[8.0, 12.0]])).points
    np.testing.assert_allclose(there, [[8 - 10 * 0.1 / 2, 12 - 21 * 0.02 / 2]])


def _scannet(root: Path) -> Path:
    _write_frames(root, size=(64, 48), depth_size=(32, 24))
    for name, pose in zip(NAMES, POSES, strict=True):
        (root / "pose").mkdir(exist_ok=True)
        (root / "pose" / f"{name}.txt").write_text(_words(pose))
    (root / "intrinsic").mkdir()
    four = np.eye(4)
    four[:3, :3] = K
    (root / "intrinsic" / "intrinsic_color.txt").write_text(_words(four))
    four[:2, :3] = np.array([[20.0, 0, 15.5], [0, 21.0, 11.5]])
    (root / "intrinsic" / "intrinsic_depth.txt").write_text(_words(four))
    return root


def test_scannet_pairs_frames_by_their_gap_and_reads_the_smaller_depth(tmp_path: Path) -> None:
    pairs = read_scannet(_scannet(tmp_path), gaps=(10, 20))
    assert [(pair.frame0.image.stem, pair.frame1.image.stem) for pair in pairs] == [
        ("000", "010"), ("010", "020"), ("000", "020"),
    ]  # fmt: skip
    pair = load_pair(pairs[0])
    assert pair.truth.depth0.shape == (48, 64)
    # Colour columns 0 and 1 lie nearest to depth columns 0 (centres at -0.25 and 0.25), 2 to column 1 (0.75).
    assert (pair.truth.depth0[:, :2] == 0).all()
    assert (pair.truth.depth0[:, 2:] == 2).all()


def test_scannet_leaves_out_lost_frames_and_takes_a_list_where_there_is_one(tmp_path: Path) -> None:
    root = _scannet(tmp_path)
    (root / "pose" / "020.txt").write_text(" ".join(["-inf"] * 16))
    assert len(read_scannet(root, gaps=(10, 20))) == 1
    (root / "pairs3d.txt").write_text("010 000 0.5")
    assert read_scannet(root)[0].frame0.image.stem == "010"


class _FakeH5(dict):  # type: ignore[type-arg]
    def __enter__(self) -> _FakeH5:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _megadepth(root: Path, monkeypatch: pytest.MonkeyPatch, **pairs: np.ndarray) -> Path:
    """A scene_info file, and h5py replaced by one that knows only what is read."""
    _write_frames(root)
    depth = np.full((48, 64), 2.0)
    depth[0, 0], depth[0, 1] = -1, np.inf
    fake = types.ModuleType("h5py")
    fake.File = lambda path, mode: _FakeH5(depth=depth)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "h5py", fake)
    for name in NAMES:
        (root / "depth" / f"{name}.h5").touch()
    path = root / "scene.npz"
    images = np.array([*(f"color/{name}.jpg" for name in NAMES), None], dtype=object)
    depths = np.array([*(f"depth/{name}.h5" for name in NAMES), None], dtype=object)
    poses = np.array([*(invert_rigid(pose) for pose in POSES), None], dtype=object)
    intrinsics = np.array([*([K] * 3), None], dtype=object)
    np.savez(path, image_paths=images, depth_paths=depths, poses=poses, intrinsics=intrinsics, **pairs)
    return path


def _loftr_pairs() -> np.ndarray:
    infos = np.empty((2, 3), dtype=object)
    for row, (indices, share) in enumerate((((0, 1), 0.5), ((0, 2), 0.05))):
        infos[row, 0], infos[row, 1], infos[row, 2] = np.array(indices), share, np.zeros((4, 2))
    return infos


def _d2net_overlaps() -> np.ndarray:
    matrix = np.full((4, 4), -1.0)
    matrix[0, 1], matrix[1, 0] = 0.8, 0.5
    matrix[1, 2], matrix[2, 1] = 0.9, 0.95
    matrix[2, 3], matrix[3, 2] = 0.4, 0.4  # image 3 was not reconstructed
    return matrix


@pytest.mark.parametrize("pairs", [{"pair_infos": _loftr_pairs()}, {"overlap_matrix": _d2net_overlaps()}])
def test_megadepth_in_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: dict[str, np.ndarray]) -> None:
    listed = read_megadepth(_megadepth(tmp_path, monkeypatch, **pairs), tmp_path, allow_pickle=True)
    assert [(pair.frame0.image.stem, pair.frame1.image.stem, pair.overlap) for pair in listed] == [("000", "010", 0.5)]
    pair = load_pair(listed[0])
    assert pair.truth.camera0.cx == K[0, 2] - 0.5  # COLMAP's first pixel centre lies at 0.5
    np.testing.assert_allclose(pair.truth.T_0to1, invert_rigid(POSES[1]) @ POSES[0], atol=1e-12)
    assert pair.truth.depth0[0, :3].tolist() == [0, 0, 2]  # negative and infinite depths are unknown


def test_depth_in_hdf5_without_h5py_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _megadepth(tmp_path, monkeypatch, pair_infos=_loftr_pairs())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"\.\[train\]"):
        load_pair(read_megadepth(path, tmp_path, allow_pickle=True)[0])


@pytest.mark.parametrize("name", ["K.txt", "poses.txt", "pairs3d.txt"])
def test_missing_lists_are_named(plain: Path, name: str) -> None:
    (plain / name).unlink()
    with pytest.raises(InputError, match=name):
        read_folder(plain)


@pytest.mark.parametrize("name", ["color/000.jpg", "depth/010.png"])
def test_missing_pictures_are_named(plain: Path, name: str) -> None:
    pair = read_folder(plain)[0]
    (plain / name).unlink()
    with pytest.raises(InputError, match=Path(name).name):
        load_pair(pair)
    (plain / name).write_bytes(b"not a picture")
    with pytest.raises(InputError, match=Path(name).name):
        load_pair(pair)


def test_an_exif_orientation_does_not_turn_the_picture_away_from_its_depth(plain: Path) -> None:
    pixels = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels.save(plain / "color" / "000.jpg", exif=exif, quality=95)
    image = load_pair(read_folder(plain)[0]).image0
    assert image.shape == (48, 64)
    np.testing.assert_allclose(image[20], np.arange(64) * 4 / 255, atol=0.03)  # JPEG keeps a ramp to a few greys


def test_malformed_files_are_named(plain: Path, tmp_path: Path) -> None:
    (plain / "pairs3d.txt").write_text("000 999 0.5")
    with pytest.raises(InputError, match="999"):
        read_folder(plain)
    (plain / "poses.txt").write_text("000 1 2 3")
    with pytest.raises(InputError, match=r"poses\.txt, line 1"):
        read_folder(plain)
    (plain / "K.txt").write_text("40 0 31.5 0")
    with pytest.raises(InputError, match=r"K\.txt must hold 3x3"):
        read_folder(plain)
    with pytest.raises(InputError, match=r"no file .*nowhere\.npz"):
        read_megadepth(tmp_path / "nowhere.npz", tmp_path)
    np.savez(tmp_path / "other.npz", poses=np.zeros(1))
    with pytest.raises(InputError, match="image_paths"):
        read_megadepth(tmp_path / "other.npz", tmp_path)


def test_depth_of_eight_bits_is_refused(plain: Path) -> None:
    cv2.imwrite(str(plain / "depth" / "000.png"), np.zeros((48, 64), np.uint8))
    with pytest.raises(InputError, match="16-bit"):
        load_pair(read_folder(plain)[0])
