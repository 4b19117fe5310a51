from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.pairs import local_metres, read_gps, read_poses
from support.scenes import rotation_about

EQUATOR, FLATTENING = 6378137.0, 1 / 298.257223563


def distance(*places: tuple[float, float, float]) -> float:
    first, second = local_metres(*np.array(places).T)
    return float(np.linalg.norm(first - second))


def test_on_the_equator_a_distance_is_a_chord_of_a_circle() -> None:
    chord = 2 * EQUATOR * math.sin(math.radians(0.5) / 2)
    assert distance((0, 10, 0), (0, 10.5, 0)) == pytest.approx(chord, abs=1e-6)
    assert distance((0, 179.75, 0), (0, -179.75, 0)) == pytest.approx(chord, abs=1e-6)  # across the date line


@pytest.mark.parametrize("latitude", [0.0, 47.3, -80.0])
def test_along_a_meridian_a_distance_has_its_radius_of_curvature(latitude: float) -> None:
    squashed = FLATTENING * (2 - FLATTENING)
    radius = EQUATOR * (1 - squashed) / (1 - squashed * math.sin(math.radians(latitude)) ** 2) ** 1.5
    step = 1e-3  # degrees: 111 m
    # The radius changes over the step by less than 1e-9 of itself, the chord is 1e-11 shorter than the arc.
    along = distance((latitude - step / 2, 8, 0), (latitude + step / 2, 8, 0))
    assert along == pytest.approx(radius * math.radians(step), rel=1e-8)


def test_poles_are_as_far_apart_as_the_minor_axis() -> None:
    assert distance((90, 0, 0), (-90, 77, 0)) == pytest.approx(2 * EQUATOR * (1 - FLATTENING), abs=1e-6)


def test_the_axes_are_east_north_and_up() -> None:
    # Symmetric about (47, 8), so that their middle is there and the axes stand there.
    d = 1e-4
    west, east, south, north, low, high = local_metres(
        np.array([47, 47, 47 - d, 47 + d, 47, 47]),
        np.array([8 - d, 8 + d, 8, 8, 8, 8]),
        np.array([0, 0, 0, 0, -5, 9.0]),
    )
    assert high - low == pytest.approx([0, 0, 14], abs=1e-6)
    assert (east - west)[0] > 10
    assert (north - south)[1] > 20
    assert np.abs([(east - west)[1:], (north - south)[[0, 2]]]).max() < 1e-3  # the ground is curved
    assert local_metres(*np.empty((3, 0))).shape == (0, 3)


def photograph(path: Path, gps: dict[int, object] | None) -> None:
    exif = Image.Exif()
    if gps is not None:
        exif.get_ifd(0x8825).update(gps)
    Image.new("RGB", (16, 16)).save(path, exif=exif)


def test_gps_of_photographs(tmp_path: Path) -> None:
    south_west = {1: "S", 2: (33.0, 51.0, 25.5), 3: "W", 4: (70.0, 30.0, 0.0), 5: b"\x01", 6: 12.5}
    photograph(tmp_path / "a.jpg", south_west)
    photograph(tmp_path / "b.jpg", {**south_west, 6: 2.5})
    photograph(tmp_path / "plain.jpg", None)
    photograph(tmp_path / "no_fix.jpg", {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)})
    photograph(tmp_path / "no_hemisphere.jpg", {2: (33.0, 51.0, 25.5), 4: (70.0, 30.0, 0.0)})
    photograph(tmp_path / "too_far_north.jpg", {**south_west, 2: (91.0, 0.0, 0.0)})
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:60])
    names = [
        "b.jpg",
        "plain.jpg",
        "a.jpg",
        "no_fix.jpg",
        "no_hemisphere.jpg",
        "too_far_north.jpg",
        "broken.jpg",
        "none",
    ]

    found = read_gps(tmp_path, names)
    assert found.names == ["b.jpg", "a.jpg"]
    assert found.missing == [name for name in names if name not in found.names]
    assert found.directions is None
    assert np.abs(found.positions).max() < 1e-6  # both at their middle, on the ellipsoid

    high = read_gps(tmp_path, names, heights=True)
    assert high.positions == pytest.approx(np.array([(0, 0, -2.5), (0, 0, -12.5)]), abs=1e-6)
    assert read_gps(tmp_path, []).positions.shape == (0, 3)


def test_gps_has_the_right_hemisphere_and_fractions(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg", {1: "S", 2: (10.0, 30.0, 36.0), 3: "W", 4: (20.0, 0.0, 0.0)})
    photograph(tmp_path / "b.jpg", {1: "S", 2: (10.0, 30.6, 0.0), 3: "W", 4: (20.0, 0.0, 3.6)})
    first, second = read_gps(tmp_path, ["a.jpg", "b.jpg"]).positions
    wanted = distance((-10.51, -20, 0), (-10.51, -20.001, 0))
    assert np.linalg.norm(first - second) == pytest.approx(wanted, abs=1e-3)
    assert first[0] > second[0]  # further west has the smaller x


def poses(folder: Path, text: str) -> Path:
    path = folder / "poses.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_of_positions(tmp_path: Path) -> None:
    path = poses(tmp_path, "\ufeff# name x y z\n\na.jpg 1 2 -3e1\r\nmy photo.jpg 0 0 0\nother 9 9 9\n")
    found = read_poses(path, ["my photo.jpg", "c", "a.jpg"])
    assert (found.names, found.missing, found.directions) == (["my photo.jpg", "a.jpg"], ["c"], None)
    assert found.positions.tolist() == [[0, 0, 0], [1, 2, -30]]
    assert read_poses(poses(tmp_path, ""), ["a"]).positions.shape == (0, 3)


def test_images_of_colmap(tmp_path: Path) -> None:
    # A rotation by 90 degrees about y has the quaternion (cos 45, 0, sin 45, 0); it is given at twice its length.
    R, centre = rotation_about((0.0, 1.0, 0.0), 90.0), np.array([1.0, -2.0, 3.0])
    turned, moved = 2 * math.sqrt(0.5), (-R @ centre).tolist()
    path = poses(
        tmp_path,
        "# Image list with two lines of data per image:\n"
        f"1 {turned!r} 0 {turned!r} 0 {moved[0]!r} {moved[1]!r} {moved[2]!r} 1 sub/my photo.jpg\n"
        "\n"
        "7 1 0 0 0 0 0 0 1 b.jpg\n"
        "1.5 2.5 -1 3.5 4.5 12\n",
    )
    found = read_poses(path, ["b.jpg", "sub/my photo.jpg"])
    assert found.missing == []
    assert found.directions is not None
    assert found.positions == pytest.approx(np.array([np.zeros(3), centre]), abs=1e-12)
    assert found.directions == pytest.approx(np.array([(0, 0, 1), R.T @ (0, 0, 1)]), abs=1e-12)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a 1 2\n", "line 1: 3 fields"),
        ("a 1 2 3\nb 1 2 x\n", "line 2: .*'x'"),
        ("a 1 2 nan\n", "line 1: .*not finite"),
        ("a 1 2 3\n\na 1 2 3\n", "line 3: 'a' appears twice"),
        ("1 0 0 0 0 0 0 0 1 a\n\n", "line 1: .*quaternion"),
        ("1 1 0 0 0 0 0 0 1 a\n2 1 0 0 0 0 0 0 1 b\n", "line 2: .*2-D points"),
        ("1 1 0 0 0 0 0 0 1 a\n\n2 1 0 0\n", "line 3: 4 fields"),
    ],
)
def test_poses_that_are_not_understood(tmp_path: Path, text: str, fact: str) -> None:
    with pytest.raises(InputError, match=f"poses.txt, {fact}"):
        read_poses(poses(tmp_path, text), ["a", "b"])


def test_files_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none.txt; give the poses"):
        read_poses(tmp_path / "none.txt", [])
    os.mkfifo(tmp_path / "pipe")  # opening it for reading would wait for a writer
    with pytest.raises(InputError, match="not a regular file"):
        read_poses(tmp_path / "pipe", [])
    (tmp_path / "poses.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_poses(tmp_path / "poses.bin", [])
