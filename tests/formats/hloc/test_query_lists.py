"""Lists of photographs, with cameras and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyano.errors import InputError
from cyano.formats.hloc.query_lists import parse_query_list, read_query_list
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.types import ImageSize

CAMERA = CameraEntry("SIMPLE_RADIAL", (1200.5, 960.0, 540.0, -0.01), ImageSize(1080, 1920))


@pytest.mark.parametrize(
    ("line", "name", "camera"),
    [
        ("query/a.jpg", "query/a.jpg", None),
        ("  a b.jpg  ", "a b.jpg", None),
        ("query/a.jpg SIMPLE_RADIAL 1920 1080 1200.5 960 540 -0.01", "query/a.jpg", CAMERA),
        ("my photo 1.jpg SIMPLE_RADIAL 1920 1080 1200.5 960 540 -1e-2", "my photo 1.jpg", CAMERA),
        ("photo 12 34", "photo 12 34", None),
        ("IMG 12 34", "IMG 12 34", None),  # a camera follows a name
        ("nan.jpg", "nan.jpg", None),
        ("été 3.jpg", "été 3.jpg", None),
    ],
)
def test_a_line_is_a_name_or_a_name_and_a_camera(line: str, name: str, camera: CameraEntry | None) -> None:
    assert parse_query_list([line], "list") == {name: camera}


def test_order_stays_and_comments_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("\ufeff# queries\r\n\r\nb.jpg\r\na.jpg\r\nb.jpg\r\n".encode())
    assert list(read_query_list(tmp_path / "list.txt")) == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a.jpg PINHOLE 1920.5 1080 1 2 3 4"], "line 1.*MODEL width height params"),
        (["b.jpg", "a.jpg PINHOLE 0 1080 1 2 3 4"], "line 2.*MODEL width height params"),
        (["a.jpg PINHOLE 640 480 600 nan 320 240"], "finite"),
        (["a.jpg PINHOLE 640 480 600 600 320 240", "a.jpg"], "line 2.*another camera"),
    ],
)
def test_what_is_wrong_with_a_line(lines: list[str], text: str) -> None:
    with pytest.raises(InputError, match=text):
        parse_query_list(lines, "list")


def test_files_that_are_no_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_query_list(tmp_path / "absent.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_query_list(tmp_path / "binary.txt")
