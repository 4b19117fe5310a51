"""What is kept of a photograph, as lines that survive being cut, and as other programs' text files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import LensCamera
from cyano.localisation import Candidate, Localisation
from cyano.localisation.output.records import FORMAT, MadeFrom, Record, read_records
from cyano.localisation.output.texts import failed_lines, pose_lines, trajectory_lines
from cyano.types import ImageSize
from support.scenes import rotation_about

MADE = MadeFrom("map", "options", "query")


def outcome(name: str = "a.jpg") -> Localisation:
    """A camera at (1, 2, 3) that is turned by 120 degrees about (1, 1, 1): x of the world is y of the camera."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_about((1.0, 1.0, 1.0), 120.0)
    pose[:3, 3] = -pose[:3, :3] @ (1.0, 2.0, 3.0)
    return replace(
        Localisation.failed(name, "ok", "12 keypoints agree"),
        T_world_to_camera=pose,
        camera=LensCamera("SIMPLE_RADIAL", ImageSize(480, 640), (500.0, 319.5, 239.5, 0.1)),
        camera_source="EXIF",
        covariance=np.arange(36.0).reshape(6, 6),
        confidence=0.75,
        keypoints=np.array([4, 4, 7]),
        inliers=np.array([True, True, False]),
        candidates=(Candidate("map/0.jpg", 3, 2, True),),
    )


def record(name: str = "a.jpg") -> Record:
    return Record.of(name, outcome(name), MADE, 6)


def test_a_record_says_what_was_found() -> None:
    kept = record()
    assert (kept.name, kept.status, kept.inliers, kept.orientation, kept.confidence) == ("a.jpg", "ok", 1, 6, 0.75)
    np.testing.assert_allclose(kept.quaternion, (0.5, 0.5, 0.5, 0.5), atol=1e-15)
    np.testing.assert_allclose(kept.centre, (1, 2, 3), atol=1e-15)
    np.testing.assert_allclose(kept.translation, (-3, -1, -2), atol=1e-15)
    np.testing.assert_allclose(kept.direction, (0, 1, 0), atol=1e-15)  # the camera's z is the world's y
    np.testing.assert_allclose(kept.T_world_to_camera, outcome().T_world_to_camera, atol=1e-15)
    assert kept.camera is not None
    assert kept.camera.lens == outcome().camera
    assert kept.camera.params == (500.0, 320.0, 240.0, 0.1)  # as COLMAP counts


def test_a_line_comes_back_as_it_was(tmp_path: Path) -> None:
    failed = Record.of("b\udcff é.jpg", Localisation.failed("b", "no keypoints", "plain"), MADE, 1)
    assert not failed.has_pose
    assert np.isnan(failed.T_world_to_camera).all()
    path = tmp_path / "lines"
    path.write_text(f"{record().line()}\n{failed.line()}\n", "ascii")
    assert read_records(path) == {"a.jpg": record(), "b\udcff é.jpg": failed}
    assert read_records(tmp_path / "absent") == {}


def test_a_line_that_was_cut_short_is_passed_over_and_the_later_of_two_counts(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    later = replace(record(), confidence=0.5)
    whole = f"{record().line()}\n{record('b.jpg').line()}\n{later.line()}\n"
    for cut in (0, 1, 10, len(later.line()) - 1):
        path.write_text(whole + record("c.jpg").line()[:cut])
        assert read_records(path) == {"a.jpg": later, "b.jpg": record("b.jpg")}
    path.write_text(whole[:-1])
    assert read_records(path)["a.jpg"] == record()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "cyano-localisation-0"},
        {"status": "fine"},
        {"translation": None},
        {"quaternion": [1, 0, 0]},
        {"quaternion": [1, 0, 0, float("inf")]},
        {"translation": [1, 2]},
        {"camera_source": "guess"},
        {"more": 1},
    ],
)
def test_lines_that_are_no_records(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "lines"
    path.write_text(json.dumps({**record().document(), **change}) + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_records(path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="line 1"):
        read_records(path)


def test_poses_are_lines_of_hloc() -> None:
    failed = Record.of("b.jpg", Localisation.failed("b.jpg", "no pose", "none\nat all"), MADE, 1)
    (line,) = pose_lines([record("with space.jpg"), failed])
    name, *numbers = line.rsplit(" ", 7)
    assert name == "with space.jpg"
    np.testing.assert_allclose([float(each) for each in numbers], (0.5, 0.5, 0.5, 0.5, -3, -1, -2), atol=1e-15)
    assert failed_lines([record(), failed]) == ["b.jpg: no pose: none at all"]


def test_a_trajectory_is_by_time_from_the_camera_to_the_world() -> None:
    lines = trajectory_lines([record("cam/frame_0012.jpg"), record("1311.5.png"), record("x2_3.png")])
    assert lines is not None
    assert [line.split()[0] for line in lines] == ["3", "0012", "1311.5"]
    # From the camera to the world the turn is the opposite one.
    np.testing.assert_allclose([float(each) for each in lines[0].split()[1:]], (1, 2, 3, -0.5, -0.5, -0.5, 0.5))


@pytest.mark.parametrize("names", [[], ["a.jpg"], ["1.jpg", "a.jpg"], ["left/1.jpg", "right/01.jpg"]])
def test_without_times_there_is_no_trajectory(names: list[str]) -> None:
    assert trajectory_lines([record(name) for name in names]) is None


def test_all_that_was_made_from_is_told() -> None:
    document = record().document()
    assert document["format"] == FORMAT
    assert document["made_from"] == {"map": "map", "options": "options", "query": "query"}
