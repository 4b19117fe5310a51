"""Movies: true numbers and times, rotation, honest ends; frames carry their number as a bar code."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cyano.errors import InputError
from cyano.video import SourceOptions, open_source
from support.movies import bar_code, number_in, write_movie

STEADY = [number / 25 for number in range(40)]
UNEVEN = list(np.cumsum([0.04 + 0.03 * (number % 3) + 0.4 * (number == 20) for number in range(40)]) - 0.04)


@pytest.mark.parametrize("codec", ["mpeg4", "libvpx-vp9", "libx264"])  # the last reorders frames
@pytest.mark.parametrize("times", [STEADY, UNEVEN], ids=["steady", "uneven"])
def test_every_frame_has_its_number_and_time(tmp_path: Path, codec: str, times: list[float]) -> None:
    path = write_movie(tmp_path / ("m.webm" if "vp9" in codec else "m.mp4"), times, codec=codec)
    with open_source(path) as source:
        frames = list(source)
        assert (source.kind, source.damaged, source.problem) == ("movie", 0, "")
    assert [number_in(frame.rgb) for frame in frames] == [frame.index for frame in frames] == list(range(40))
    # Containers keep times in ticks of a millisecond or finer.
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-3)


def test_skipping_counts_true_frames(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "m.mp4", UNEVEN)
    with open_source(path, SourceOptions(every=7, start=UNEVEN[10], end=UNEVEN[30])) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == [number_in(frame.rgb) for frame in frames] == [14, 21, 28]


def test_limits_on_frames(tmp_path: Path) -> None:
    path = write_movie(tmp_path / "m.mp4", STEADY)
    assert [frame.index for frame in open_source(path, SourceOptions(max_frames=3, every=2))] == [0, 2, 4]
    # 25 frames a second, 5 of which are taken
    assert [frame.index for frame in open_source(path, SourceOptions(max_fps=5))] == list(range(0, 40, 5))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_movies_are_turned_as_opencv_turns_them(tmp_path: Path, rotation: int) -> None:
    path = write_movie(tmp_path / "m.mp4", STEADY[:3], rotation)
    (frame, *_) = open_source(path)
    capture = cv2.VideoCapture(str(path))  # turns by itself
    expected = capture.read()[1][:, :, ::-1]
    assert frame.rgb.shape == ((120, 96, 3) if rotation % 180 else (96, 120, 3))
    np.testing.assert_array_equal(frame.rgb, expected)  # both decode by FFmpeg


def test_damaged_frames_are_counted_and_left_out_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = _with_broken_frames(tmp_path / "m.mkv", {5, 6, 20})
    with open_source(path) as source:
        frames = list(source)
        assert (source.damaged, source.problem) == (3, "")
    assert [number_in(frame.rgb) for frame in frames] == [frame.index for frame in frames]
    assert {frame.index for frame in frames} == set(range(40)) - {5, 6, 20}


def test_a_movie_that_was_cut_off_says_so(tmp_path: Path) -> None:
    whole = write_movie(tmp_path / "m.webm", [number / 10 for number in range(60)], codec="libvpx-vp9").read_bytes()
    cut = tmp_path / "cut.webm"
    cut.write_bytes(whole[: len(whole) // 2])
    with open_source(cut) as source:
        frames = list(source)
        assert "cut off" in source.problem
    assert 0 < len(frames) < 60
    assert [number_in(frame.rgb) for frame in frames] == [frame.index for frame in frames]


def test_an_avi_that_was_cut_off_says_so_and_half_a_picture_is_none(tmp_path: Path) -> None:
    """Its durations are those of what is left; its header has the number of frames."""
    whole = write_movie(tmp_path / "m.avi", STEADY, codec="mjpeg")
    with open_source(whole) as source:
        assert len(list(source)) == 40
        assert (source.damaged, source.problem) == (0, "")
    cut = tmp_path / "cut.avi"
    content = whole.read_bytes()
    cut.write_bytes(content[: content.rindex(b"\xff\xd8", 0, len(content) // 2) + 300])  # within a picture
    with open_source(cut) as source:
        frames = list(source)
        assert "though its header says 1.60 s: it was cut off" in source.problem
        assert source.damaged == 1
    assert [number_in(frame.rgb) for frame in frames] == list(range(len(frames)))


def test_no_movie_and_no_frames_are_errors(tmp_path: Path) -> None:
    pytest.importorskip("av")
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.write_bytes(b"")
    text.write_text("not a movie")
    half = tmp_path / "half.mp4"  # its index is at the end
    half.write_bytes(write_movie(tmp_path / "m.mp4", STEADY).read_bytes()[:3000])
    for path in (empty, text, half):
        with pytest.raises(InputError, match="cannot be read as a movie"):
            open_source(path)
    none = _with_broken_frames(tmp_path / "none.mkv", set(range(40)))
    with pytest.raises(InputError, match="no frame that can be read"):
        list(open_source(none))


def test_a_hundred_damaged_frames_in_a_row_are_the_end(tmp_path: Path) -> None:
    path = _with_broken_frames(tmp_path / "m.mkv", set(range(10, 115)), 130)
    with open_source(path) as source:
        assert [frame.index for frame in source] == list(range(10))
        assert "100 frames in a row cannot be read" in source.problem


def _with_broken_frames(path: Path, broken: set[int], count: int = 40) -> Path:
    """A movie in MJPEG, where each frame stands for itself, so that damage to some does not show in others."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 120, 96, "yuvj420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(bar_code(number), format="rgb24")
            for packet in stream.encode(frame):
                if number in broken:
                    other = av.Packet(b"\xff\xd8 nothing that a decoder takes")
                    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
                    other.stream = stream
                    container.mux(other)
                else:
                    container.mux(packet)
        container.mux(stream.encode())
    return path
