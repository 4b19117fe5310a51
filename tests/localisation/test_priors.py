"""Positions that are known beforehand: lists of them, and those of EXIF in a georeferenced map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.formats.priors import PositionPrior, read_priors
from cyano.formats.rigs import Rig, RigCamera
from cyano.localisation.priors import GeoFrame, exif_priors, with_priors
from cyano.localisation.queries import Query
from cyano.localisation.run import _frames
from cyano.pairs.positions import metres_from

PLACES = np.array([[48.51, -2.0, 12.5], [48.5105, -1.9992, 80.0], [-33.9, 151.2, 3.0], [0.0, 180.0, 0.0]])


def test_a_list_has_positions_with_deviations_or_without(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# gnss\n\na b.jpg 1 2.5 -3e1\nc.jpg 1 2 3 0.1 0.2 0.3\n")
    priors = read_priors(tmp_path / "list.txt")
    assert priors == {
        "a b.jpg": PositionPrior((1.0, 2.5, -30.0)),
        "c.jpg": PositionPrior((1.0, 2.0, 3.0), (0.1, 0.2, 0.3)),
    }
    found = with_priors([Query("c.jpg", Path("c.jpg")), Query("d.jpg", Path("d.jpg"))], priors)
    assert [query.prior for query in found] == [priors["c.jpg"], None]
    with pytest.raises(InputError, match="none of the images"):
        with_priors([Query("d.jpg", Path("d.jpg"))], priors)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.jpg 1 2", "line 1: not NAME X Y Z"),
        ("a.jpg 1 2 3\na.jpg 1 2 4", "line 2: 'a.jpg' appears twice"),
        ("a.jpg 1 2 3 0.1 0 0.1", "line 1: standard deviations are positive"),
        ("a.jpg 1 nan 3", "finite"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=told):
        read_priors(tmp_path / "list.txt")


def test_metres_are_those_of_colmap() -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    transform = pycolmap.GPSTransform(pycolmap.GPSTransformEllipsoid.WGS84)
    np.testing.assert_allclose(metres_from(None, PLACES), transform.ellipsoid_to_ecef(PLACES), atol=1e-6)
    expected = transform.ellipsoid_to_enu(PLACES, 48.5, -2.01, 30.0)
    np.testing.assert_allclose(metres_from((48.5, -2.01, 30.0), PLACES), expected, atol=1e-5)  # rounding at 6,400 km


def test_exif_is_a_place_of_unknown_height_in_a_georeferenced_map(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 36.0), 3: "W", 4: (2.0, 0.0, 0.0), 5: b"\0", 6: 12.5})
    Image.new("L", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("L", (64, 48)).save(tmp_path / "b.jpg")
    queries = [Query(name, tmp_path / name) for name in ("a.jpg", "b.jpg")]
    with pytest.raises(InputError, match="not georeferenced"):
        GeoFrame.of_map(tmp_path)
    for frame, origin in (("enu", [48.51, -2.0, 0.0]), ("ecef", None)):
        (tmp_path / "georeference.json").write_text(json.dumps({"frame": frame, "origin": origin, "scale": 2.0}))
        first, second = (query.prior for query in exif_priors(queries, GeoFrame.of_map(tmp_path)))
        assert second is None
        assert first is not None
        assert first.deviations is None
        away = metres_from(None if origin is None else (48.51, -2.0, 0.0), np.array([[48.51, -2.0, 300.0]]))
        assert first.distances(away)[0] < 1e-6  # straight above
        north = metres_from(None if origin is None else (48.51, -2.0, 0.0), np.array([[48.52, -2.0, 12.5]]))
        assert first.distances(north)[0] == pytest.approx(1112, abs=1)  # a hundredth of a degree of the meridian
    (tmp_path / "georeference.json").write_text(json.dumps({"frame": "xyz", "origin": None}))
    with pytest.raises(InputError, match="no geographic frame"):
        GeoFrame.of_map(tmp_path)


def test_images_of_a_rig_have_no_known_position() -> None:
    """What is known of each alone would contradict the one pose of all; it is refused, not dropped."""
    queries = [Query("left/1.jpg", Path("left/1.jpg"), prior=PositionPrior((1.0, 2.0, 3.0)))]
    with pytest.raises(InputError, match=r"'left/1.jpg' has a known position"):
        _frames(queries, Rig({"left": RigCamera(np.eye(4))}))
