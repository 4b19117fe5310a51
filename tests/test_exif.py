"""EXIF: the facts of photographs, and of damaged ones what is left of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from cyano.exif import ExifFacts, facts_in, facts_of, orientation_and_focal
from cyano.processing.images import read

EXIF, GPS = 0x8769, 0x8825
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 144, 3), np.uint8))


def jpeg(tags: dict[int, Any], gps: dict[int, Any] | None = None, orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    exif.get_ifd(EXIF).update(tags)
    exif.get_ifd(GPS).update(gps or {})
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def facts(content: bytes) -> ExifFacts:
    with Image.open(io.BytesIO(content)) as image:
        return facts_of(image)


FULL_FRAME = {0x920A: IFDRational(50), 0xA20E: IFDRational(4417), 0xA20F: IFDRational(4417), 0xA002: 6240, 0xA003: 4160}
SENSOR = 6240 / 4417 * 25.4  # mm, of 4417 pixels to the inch


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({**FULL_FRAME, 0xA210: 2}, 50 * 36 / SENSOR),
        (FULL_FRAME, 50 * 36 / SENSOR),  # inches are the default
        ({**FULL_FRAME, 0xA002: 4160, 0xA003: 6240}, 50 * 36 / SENSOR),  # a portrait picture has the same lens
        ({**FULL_FRAME, 0xA20E: IFDRational(1739), 0xA20F: IFDRational(1739), 0xA210: 3}, 50 * 36 / (6240 / 173.9)),
        ({**FULL_FRAME, 0xA20F: IFDRational(0)}, 50 * 36 / SENSOR),
        ({**FULL_FRAME, 0xA405: 35}, 35.0),  # FocalLengthIn35mmFilm has precedence
        ({**FULL_FRAME, 0xA405: 0}, 50 * 36 / SENSOR),  # which says "unknown" here
        ({0x920A: IFDRational(50)}, None),  # of a sensor of unknown size
        ({**FULL_FRAME, 0x920A: IFDRational(0)}, None),
        ({**FULL_FRAME, 0xA20E: IFDRational(1, 0)}, None),
        ({**FULL_FRAME, 0xA20E: IFDRational(1)}, None),  # a sensor of kilometres
        ({**FULL_FRAME, 0xA210: 9}, None),
    ],
)
def test_focal_length(tags: dict[int, Any], expected: float | None) -> None:
    assert facts(jpeg(tags)).focal_35mm == (None if expected is None else pytest.approx(expected, rel=1e-9))


NORTH = {1: "N", 2: (IFDRational(48), IFDRational(30), IFDRational(36)), 3: "W", 4: (IFDRational(2), 0, 0)}


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        (NORTH, (48.51, -2.0, 0.0)),
        ({**NORTH, 1: "S", 5: b"\1", 6: IFDRational(25, 2)}, (-48.51, -2.0, -12.5)),
        ({**NORTH, 6: IFDRational(1, 0)}, (48.51, -2.0, 0.0)),  # a height is not worth losing a position
        ({**NORTH, 1: "X"}, None),
        ({2: NORTH[2]}, None),
        ({**NORTH, 2: (IFDRational(0),) * 3, 4: (IFDRational(0),) * 3}, None),  # no fix
    ],
)
def test_position(gps: dict[int, Any], expected: tuple[float, ...] | None) -> None:
    found = facts(jpeg({}, gps)).position
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_a_damaged_pointer_costs_no_other_fact() -> None:
    """IFD 0 with an orientation, and pointers to Exif and GPS that lead out of the file."""
    tags = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    tags += struct.pack("<HHIi", EXIF, 9, 1, -5) + struct.pack("<HHIi", GPS, 9, 1, -5)
    data = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 3) + tags + struct.pack("<I", 0)
    plain = jpeg({})
    start = plain.index(b"\xff\xe1")
    length = struct.unpack(">H", plain[start + 2 : start + 4])[0]
    content = plain[:start] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + plain[start + 2 + length :]
    assert facts(content) == ExifFacts(orientation=6)
    assert read(content).grey.shape == (144, 96)
    assert facts(content).is_sideways


def test_files_that_are_no_photographs_are_unknown_ones(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"no image")
    for name in ("x.jpg", "absent.jpg", ".", "a" * 300, "a\0b"):
        assert facts_in(f"{tmp_path}/{name}") == ExifFacts()
    (tmp_path / "y.jpg").write_bytes(jpeg({0xA405: 27}, orientation=3))
    assert facts_in(tmp_path / "y.jpg") == ExifFacts(3, 27.0)
    assert facts_in(tmp_path / "y.jpg").is_turned
    with Image.open(tmp_path / "y.jpg") as image:
        assert orientation_and_focal(image) == (3, 27.0)
