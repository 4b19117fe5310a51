"""Movies of pictures: times, sizes, whole or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError, OutputError
from cyano.video import VideoWriter, open_source, writing
from cyano.video.writing import CODECS, Codec
from support.movies import bar_code, number_in


def times_in(path: Path) -> list[float]:
    """Of the frames, as the file has them."""
    with pytest.importorskip("av").open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_written_is_read(tmp_path: Path, codec: Codec) -> None:
    pytest.importorskip("av")
    times = [0.0, 0.1, 0.15, 1.0, 1.5]
    path = tmp_path / f"m{CODECS[codec].suffix}"
    with VideoWriter(path, codec) as movie:
        for number, time in enumerate(times):
            movie.add(bar_code(number), time)
    frames = list(open_source(path))
    assert [number_in(frame.rgb) for frame in frames] == list(range(5))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-3)  # ticks are milliseconds


@pytest.mark.parametrize("times", [[60.0, 60.5, 61.0], [None] * 3])
def test_a_movie_begins_with_its_first_picture(tmp_path: Path, times: list[float | None]) -> None:
    """Also of frames from the middle of a source: players show nothing until the first."""
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "m.webm", rate=2) as movie:
        for number, time in enumerate(times):
            movie.add(bar_code(number), time)
    np.testing.assert_allclose(times_in(tmp_path / "m.webm"), [0, 0.5, 1.0], atol=1e-3)


def test_without_times_and_with_odd_sides(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "m.webm", rate=5) as movie:
        for number in range(3):
            movie.add(bar_code(number)[:95, :119])
    frames = list(open_source(tmp_path / "m.webm"))
    assert frames[0].rgb.shape == (96, 120, 3)
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.2, 0.4], atol=1e-3)


def test_pictures_of_other_sizes_are_fitted(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "m.webm") as movie:
        movie.add(np.full((96, 120, 3), 30, np.uint8))
        movie.add(np.full((192, 120, 3), 30, np.uint8))
    first, second = open_source(tmp_path / "m.webm")
    assert second.rgb.shape == first.rgb.shape
    assert second.rgb[50, 30].mean() < 60  # the picture at half its size
    assert second.rgb[50, 100].mean() > 200  # and white beside it


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "m.webm"
    path.write_bytes(b"of before")

    def interrupted() -> None:
        with VideoWriter(path, overwrite=True) as movie:
            movie.add(bar_code(0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert path.read_bytes() == b"of before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="exists already"), VideoWriter(path):
        pass


def test_no_picture_is_no_movie(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "m.webm"):
        pass
    assert not list(tmp_path.iterdir())


def test_endings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.webm"):
        VideoWriter(tmp_path / "m.mp4", "vp9")


def test_opencv_writes_mp4v_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    assert writing.usual_codec() == "mp4v"
    with VideoWriter(tmp_path / "m.mp4", rate=10) as movie:
        for number in range(4):
            movie.add(bar_code(number))
    monkeypatch.undo()
    pytest.importorskip("av")
    assert [number_in(frame.rgb) for frame in open_source(tmp_path / "m.mp4")] == [0, 1, 2, 3]
