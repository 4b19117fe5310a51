"""Folders, patterns and names on standard input; what is none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.video import SourceOptions, open_source
from support.movies import bar_code, number_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "frames"
    place.mkdir()
    for number in range(6):
        Image.fromarray(bar_code(number)).save(place / f"{number:03d}.png")
    return place


def test_images_of_a_folder_by_name(folder: Path) -> None:
    frames = list(open_source(folder, SourceOptions(every=2)))
    assert [(frame.index, number_in(frame.rgb), frame.name) for frame in frames] == [
        (0, 0, "000.png"),
        (2, 2, "002.png"),
        (4, 4, "004.png"),
    ]
    assert frames[0].time is None


def test_patterns(folder: Path) -> None:
    Image.fromarray(bar_code(9)).save(folder / "999.jpg", quality=95)
    assert [frame.index for frame in open_source(folder, SourceOptions(globs=("*.jpg",)))] == [0]
    assert len(list(open_source(f"{folder}/*.png"))) == 6
    with pytest.raises(InputError, match=r"none of them \*\.tif"):
        open_source(folder, SourceOptions(globs=("*.tif",)))
    with pytest.raises(InputError, match="no file is named"):
        open_source(f"{folder}/*.tif")


def test_times_of_images(folder: Path) -> None:
    options = SourceOptions(fps=2, start=1, end=2)
    assert [(frame.index, frame.time) for frame in open_source(folder, options)] == [(2, 1.0), (3, 1.5), (4, 2.0)]
    with pytest.raises(InputError, match="images have no times"):
        open_source(folder, SourceOptions(start=1))


def test_names_on_standard_input_as_they_come(folder: Path) -> None:
    asked: list[int] = []

    def lines() -> object:
        for number in (3, 1):
            asked.append(number)
            yield f"{folder}/{number:03d}.png\n".encode()
        yield f"{folder}/00".encode()  # the pipe was closed within a name

    with open_source("-", lines=lines()) as source:  # type: ignore[arg-type]
        frames = iter(source)
        assert number_in(next(frames).rgb) == 3
        assert asked == [3]
        assert [number_in(frame.rgb) for frame in frames] == [1]
        assert source.damaged == 1


def test_images_that_cannot_be_read_are_counted(folder: Path) -> None:
    (folder / "002.png").write_bytes(b"nothing")
    with open_source(folder) as source:
        assert [frame.index for frame in source] == [0, 1, 3, 4, 5]
        assert source.damaged == 1
    for path in folder.iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of the images"):
        list(open_source(folder))


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such movie or folder"):
        open_source(tmp_path / "nowhere.mp4")
    with pytest.raises(InputError, match="holds no images"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every"),
        ({"max_frames": 1.5}, "max_frames"),
        ({"start": -1}, "start"),
        ({"start": 2, "end": 1}, "lies before"),
        ({"fps": 0}, "fps"),
        ({"max_fps": float("inf")}, "max_fps"),
    ],
)
def test_options_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SourceOptions(**options)  # type: ignore[arg-type]
