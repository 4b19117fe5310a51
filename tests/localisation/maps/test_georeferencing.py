"""Models in metres, against the similarity that took them out of metres, and against pycolmap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from cyano.errors import InputError
from cyano.geometry import invert_rigid
from cyano.localisation import georeference
from cyano.pairs import metres_from
from support.commands import output, run
from support.foreign import write_posed_model
from support.localised import FEW, Scene
from support.orbit import orbit
from support.places import KNOWN
from support.scenes import rotation_about

pycolmap: Any = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")

R, T, SCALE = rotation_about((0.3, 1.0, -2.0), 75.0), np.array([400.0, -30.0, 12.0]), 2.5
NAMES = [f"{letter}.jpg" for letter in "abcdefgh"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Eight cameras on an arc, in a frame of their own."""
    scene = orbit(views=8)
    write_posed_model(
        tmp_path / "model", dict(zip(NAMES, scene.poses, strict=True)), ("PINHOLE", KNOWN.params, 640, 480)
    )
    return tmp_path / "model"


def centres_of(folder: Path) -> dict[str, NDArray[np.float64]]:
    images = pycolmap.Reconstruction(folder).images.values()
    return {image.name: image.projection_center() for image in images}


def metres_of(folder: Path) -> dict[str, NDArray[np.float64]]:
    return {name: SCALE * R @ centre + T for name, centre in centres_of(folder).items()}


def write_positions(path: Path, places: Mapping[str, NDArray[np.float64]]) -> Path:
    lines = (f"{name} {' '.join(map(repr, map(float, place)))}" for name, place in places.items())
    path.write_text("# positions\n" + "\n".join(lines) + "\n")
    return path


def test_cameras_stand_where_positions_say(model: Path, tmp_path: Path) -> None:
    true = metres_of(model)
    done = georeference(model, write_positions(tmp_path / "p.txt", true), tmp_path / "out")
    found = centres_of(tmp_path / "out" / "sparse" / "0")
    for name, place in true.items():
        np.testing.assert_allclose(found[name], place, atol=1e-9)  # float64 of 400 is exact to 6e-14
    np.testing.assert_allclose(done.scale, SCALE)
    np.testing.assert_allclose(np.reshape(done.rotation, (3, 3)), R, atol=1e-12)
    assert done.outliers == done.without_position == []
    assert max(done.residuals.values()) < 1e-9
    before, after = pycolmap.Reconstruction(model), pycolmap.Reconstruction(tmp_path / "out" / "sparse" / "0")
    for number, image in before.images.items():
        turned = after.images[number].cam_from_world().rotation.matrix() @ R
        np.testing.assert_allclose(turned, image.cam_from_world().rotation.matrix(), atol=1e-12)
    report = json.loads((tmp_path / "out" / "georeference.json").read_text())
    assert (report["format"], report["frame"], report["origin"]) == ("cyano-georeference-1", "xyz", None)
    assert set(report["residuals"]) == set(NAMES)


def test_noisy_positions_as_pycolmap(model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = {name: place + rng.normal(0, 0.05, 3) for name, place in metres_of(model).items()}
    done = georeference(model, write_positions(tmp_path / "p.txt", noisy), tmp_path / "out", max_error=10)
    before = pycolmap.Reconstruction(model)
    options = pycolmap.RANSACOptions(max_error=10.0, random_seed=0)
    wanted = pycolmap.align_reconstruction_to_locations(before, list(noisy), list(noisy.values()), 3, options)
    np.testing.assert_allclose(done.scale, wanted.scale, rtol=1e-6)
    np.testing.assert_allclose(np.reshape(done.rotation, (3, 3)), wanted.rotation.matrix(), atol=1e-6)
    assert 0.02 < done.noise < 0.1


def test_positions_that_do_not_agree_are_named(model: Path, tmp_path: Path) -> None:
    places = metres_of(model)
    places["c.jpg"] = places["c.jpg"] + [0, 30, 0]
    del places["h.jpg"]
    write_positions(tmp_path / "p.txt", {**places, "elsewhere.jpg": np.zeros(3)})
    result = run("georeference", model, "--positions", tmp_path / "p.txt", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 3
    assert "does not agree: c.jpg: its camera is 30 from its position" in result.stderr
    document = json.loads(result.stdout)
    assert (document["outliers"], document["without_position"]) == (["c.jpg"], ["h.jpg"])
    np.testing.assert_allclose(document["scale"], SCALE)


@pytest.mark.parametrize("frame", ["enu", "ecef"])
def test_geodetic_positions(model: Path, tmp_path: Path, frame: Any) -> None:
    middle = np.array([55.705, 13.191, 80.0])  # degrees, degrees, metres
    spread = np.array([1e-5, 2e-5, 1.0])  # about a metre each
    places = {name: middle + spread * (SCALE * R @ centre)[[1, 0, 2]] for name, centre in centres_of(model).items()}
    rows = np.array(list(places.values()))
    wanted = pycolmap.GPSTransform(pycolmap.GPSTransformEllipsoid.WGS84).ellipsoid_to_ecef(rows)
    np.testing.assert_allclose(metres_from(None, rows), wanted, atol=1e-6)
    positions = write_positions(tmp_path / "p.txt", places)
    done = georeference(model, positions, tmp_path / "out", coordinates="geodetic", frame=frame, max_error=100)
    found = centres_of(tmp_path / "out" / "sparse" / "0")
    mine = np.array([found[name] for name in places])
    assert done.frame == frame
    if frame == "ecef":
        np.testing.assert_allclose(
            np.linalg.norm(mine - wanted, axis=1), [done.residuals[name] for name in places], atol=1e-6
        )
        assert done.origin is None
        return
    assert done.origin is not None
    np.testing.assert_allclose(done.origin, (rows[:, 0].mean(), rows[:, 1].mean(), 0), atol=1e-9)
    enu = pycolmap.GPSTransform(pycolmap.GPSTransformEllipsoid.WGS84).ellipsoid_to_enu(rows, *done.origin[:2], 0.0)
    np.testing.assert_allclose(np.linalg.norm(mine - enu, axis=1), [done.residuals[name] for name in places], atol=1e-6)
    np.testing.assert_allclose(mine[:, 2].mean(), rows[:, 2].mean(), atol=0.05)  # up is the height


def write_photograph(path: Path, place: NDArray[np.float64]) -> None:
    """A grey picture whose EXIF says where it was taken, to a ten-millionth of a minute, which is 0.2 mm."""
    north, east, up = place
    minutes = [(int(value), IFDRational(round(value % 1 * 60e7), 10**7), 0) for value in (north, east)]
    exif, GPS = Image.Exif(), ExifTags.GPS
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: minutes[0],
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: minutes[1],
            GPS.GPSAltitudeRef: b"\0",
            GPS.GPSAltitude: IFDRational(round(up * 1000), 1000),
        }
    )
    Image.new("L", (64, 48)).save(path, exif=exif)


def test_positions_of_photographs(model: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    middle, spread = np.array([40.0, 10.0, 300.0]), np.array([1e-4, 1.304e-4, 11.1])
    for name, centre in centres_of(model).items():
        write_photograph(tmp_path / "photographs" / name, middle + spread * (R @ centre)[[1, 0, 2]])
    arguments = ("georeference", model, "--positions", "exif", "--out", tmp_path / "out", "--json")
    document = output(run(*arguments, "--images", tmp_path / "photographs"))
    assert document["frame"] == "enu"
    assert len(document["residuals"]) == 8
    assert 11.05 < document["scale"] < 11.15  # metres in a ten-thousandth of a degree north, 1.304 of one east
    result = run(*arguments)
    assert result.exit_code == 1
    assert "--images" in result.stderr


def test_too_few_or_collinear_positions_are_refused(model: Path, tmp_path: Path) -> None:
    places = metres_of(model)
    two = write_positions(tmp_path / "two.txt", {name: places[name] for name in NAMES[:2]})
    with pytest.raises(InputError, match=r"2 of the 8 images.*three that are not collinear"):
        georeference(model, two, tmp_path / "out")
    rng = np.random.default_rng(0)
    wrong = write_positions(tmp_path / "w.txt", {name: rng.normal(0, 100, 3) for name in NAMES})
    with pytest.raises(InputError, match="agree with"):
        georeference(model, wrong, tmp_path / "out", max_error=0.1)
    line = dict.fromkeys(NAMES[:4])
    straight = {name: np.array([float(place), 2.0 * place, 0.0]) for place, name in enumerate(line)}
    with pytest.raises(InputError, match="collinear"):
        georeference(model, write_positions(tmp_path / "l.txt", straight), tmp_path / "out")
    with pytest.raises(InputError, match="the model itself"):
        georeference(model, two, model)
    with pytest.raises(InputError, match="--coordinates"):
        georeference(model, write_positions(tmp_path / "x.txt", places), tmp_path / "out", coordinates="geodetic")
    assert not (tmp_path / "out").exists()


def test_positions_nearly_in_a_line_are_refused(tmp_path: Path) -> None:
    rng, poses = np.random.default_rng(0), {}
    for place, name in enumerate(NAMES):
        pose = np.eye(4)
        pose[:3, 3] = -np.array([place, 0.02 * (place % 2), 0.0])
        poses[name] = pose
    write_posed_model(tmp_path / "model", poses, ("PINHOLE", KNOWN.params, 640, 480))
    noisy = {name: invert_rigid(pose)[:3, 3] + rng.normal(0, 0.05, 3) for name, pose in poses.items()}
    with pytest.raises(InputError, match="nearly collinear"):
        georeference(tmp_path / "model", write_positions(tmp_path / "p.txt", noisy), tmp_path / "out")


def test_a_map_stays_a_map(scene: Scene, tmp_path: Path) -> None:
    true = {
        name: scene.scale * scene.R @ place + scene.t
        for name, place in centres_of(scene.model / "sparse" / "0").items()
    }
    positions = write_positions(tmp_path / "p.txt", true)
    arguments = (
        "georeference",
        scene.model,
        "--images",
        scene.images,
        "--positions",
        positions,
        "--out",
        tmp_path / "out",
    )
    document = output(run(*arguments, "--json"))
    np.testing.assert_allclose(document["scale"], scene.scale)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "sparse").rglob("*")}
    output(run(*arguments, "--json"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "sparse").rglob("*")} == stamps
    found = output(run("localise", scene.queries / "q_2.png", "--map", tmp_path / "out", *FEW, "--json"))
    (query,) = found["localisations"]
    place = invert_rigid(scene.poses["q_2.png"])[:3, 3]
    # In the renderer's own units; as in test_localiser.py, twice as far without the camera given.
    assert np.linalg.norm(np.array(query["centre"]) - place) < 0.03 * scene.step
