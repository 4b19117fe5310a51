"""What `cyano video` writes: lines as frames come, and at the end movies, tracks and a summary."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano import __version__
from cyano.atomic import append_line, write_atomically
from cyano.concise import json_text
from cyano.errors import InputError, OutputError
from cyano.geometry import RobustEstimate, image_corners, warp_points
from cyano.result import PairResult
from cyano.tracking.poses import FrameCamera, pose_dict, pose_of
from cyano.tracking.registration import Registered, Registration
from cyano.tracking.result import FrameResult
from cyano.tracking.tracks import TrackRecorder
from cyano.video.source import Source
from cyano.video.writing import CODECS, Codec, VideoWriter, usual_codec
from cyano.viz import MatchStyle
from cyano.viz.colours import OUTLIER
from cyano.viz.encoding import image_bytes

__all__ = ["FrameRecorder", "Outputs"]

_FARTHEST = 20
"""Sides of the image from it beyond which an outline is not drawn."""

_LINES, _TRACKS, _SUMMARY = "frames.jsonl", "tracks.npz", "summary.json"


@dataclass(frozen=True)
class Outputs:
    """What is written of a run, and how.

    Attributes:
        folder: of the files; None writes none.
        pictures: folder of one picture a frame, `matches_ANCHOR_FRAME.png` by their numbers; None for none.
        line: takes each line of frames.jsonl as well; None for nobody.
        movie: whether the movie of the matches is made.
        homography: whether the homography from the anchor is estimated.
        camera: of all frames; None estimates no pose from the anchor.
        stabilise: whether the movie registered to the first anchor is made.
        show_keypoints: whether pictures show unmatched keypoints, too.
        max_lines: the most matches that a picture draws; None for all.
        codec: of the movies; None is `usual_codec()`.
        longest_side: pixels of pictures.
        overwrite: replace what an earlier run left.
    """

    folder: Path | None
    pictures: Path | None = None
    line: Callable[[str], None] | None = None
    movie: bool = True
    homography: bool = False
    camera: FrameCamera | None = None
    stabilise: bool = False
    show_keypoints: bool = False
    max_lines: int | None = 250
    codec: Codec | None = None
    longest_side: int = 1280
    overwrite: bool = False


class FrameRecorder:
    """Writes frames as they are tracked.

    Lines and pictures are there at once; movies, tracks and the summary once the block ends by `finish`.
    """

    def __init__(self, outputs: Outputs, source: Source, configuration: Mapping[str, Any]) -> None:
        """Write nothing yet.

        Args:
            outputs: what to write.
            source: of the frames.
            configuration: weights and options, for the first line.

        Raises:
            InputError: the folder holds an earlier run.
            MissingExtraError: the codec needs PyAV, and it is not installed.
        """
        self._outputs, self._source = outputs, source
        self._configuration: dict[str, Any] = {
            "format": "cyano-frames-1",
            "version": __version__,
            "source": source.name,
        }
        if outputs.camera is not None:
            self._configuration["camera"] = repr(outputs.camera)
        self._configuration |= {"kind": source.kind, "rate": source.rate, "configuration": dict(configuration)}
        self._stack = ExitStack()
        self._tracks, self._registration = TrackRecorder(), Registration()
        self._statuses: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._last_index: int | None = None
        codec = outputs.codec or usual_codec()
        self._movie = self._writer("matches", codec) if outputs.movie else None
        self._stabilised = self._writer("stabilised", codec) if outputs.stabilise else None
        self._refuse_earlier(outputs)

    def _writer(self, name: str, codec: Codec) -> VideoWriter | None:
        if self._outputs.folder is None:
            return None
        path = self._outputs.folder / f"{name}{CODECS[codec].suffix}"
        every = self._source.options.every
        rate = None if self._source.rate is None else self._source.rate / every
        return VideoWriter(path, codec, rate=rate, overwrite=self._outputs.overwrite)

    @staticmethod
    def _refuse_earlier(outputs: Outputs) -> None:
        if outputs.folder is None:
            return
        for name in (_LINES, _TRACKS, _SUMMARY):
            path = outputs.folder / name
            if path.exists() and not outputs.overwrite:
                raise InputError(f"{outputs.folder} holds an earlier run ({name}); give another --out, or --overwrite")
            if path.is_dir():
                raise OutputError(f"{path} is a folder; give another --out")

    def __enter__(self) -> FrameRecorder:
        with ExitStack() as stack:
            for writer in (self._movie, self._stabilised):
                if writer is not None:
                    stack.enter_context(writer)
            self._stack = stack.pop_all()
        folder = self._outputs.folder
        if folder is not None:
            for name in (_TRACKS, _SUMMARY):
                (folder / name).unlink(missing_ok=True)
            write_atomically(folder / _LINES, f"{json.dumps(self._configuration)}\n".encode())
        if self._outputs.line is not None:
            self._outputs.line(json.dumps(self._configuration))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if error is not None and self._outputs.folder is not None and not self._statuses:
            (self._outputs.folder / _LINES).unlink(missing_ok=True)  # of nothing

    def add(self, seen: FrameResult, read_seconds: float) -> None:
        """Take in the next frame.

        Args:
            seen: the frame.
            read_seconds: how long it took to read.

        Raises:
            OutputError: something cannot be written.
        """
        begun = time.perf_counter()
        self._tracks.add(seen)
        self._statuses[seen.status] += 1
        self._last_index = seen.frame.index
        wanted = self._outputs.homography or self._outputs.stabilise
        estimate = seen.homography() if wanted and seen.status == "tracked" else None
        registered = self._registration.add(seen, estimate) if self._outputs.stabilise else None
        if registered is not None and self._stabilised is not None:
            self._stabilised.add(registered.rgb, seen.frame.time)
        if self._movie is not None or self._outputs.pictures is not None:
            self._draw(seen, estimate)
        seconds = {"read": read_seconds, **seen.seconds, "draw": time.perf_counter() - begun}
        self._seconds.update(seconds)
        line = json.dumps(self._line(seen, estimate, registered, seconds), allow_nan=False)
        if self._outputs.folder is not None:
            append_line(self._outputs.folder / _LINES, line)
        if self._outputs.line is not None:
            self._outputs.line(line)

    def _draw(self, seen: FrameResult, estimate: RobustEstimate | None) -> None:
        notes = [f"{seen.anchor.name} : {seen.frame.name}, frame {seen.frame.index}"]
        if seen.status == "few matches":
            notes.append("too few matches")
        pair, every = seen.result, self._outputs.show_keypoints
        style = MatchStyle(
            notes=tuple(notes),
            max_lines=self._outputs.max_lines,
            all_keypoints0=pair.image0.keypoints if every else None,
            all_keypoints1=pair.image1.keypoints if every else None,
        )
        inliers = None
        if self._outputs.homography and estimate is not None and estimate.ok:
            inliers, pair = estimate.inliers, _outlined(pair, estimate)
        picture = pair.draw_image(inliers=inliers, style=style, longest_side=self._outputs.longest_side)
        if self._movie is not None:
            self._movie.add(picture, seen.frame.time)
        if self._outputs.pictures is not None and seen.status != "anchor":
            name = f"matches_{max(seen.anchor_index, 0):06d}_{seen.frame.index:06d}.png"
            write_atomically(self._outputs.pictures / name, image_bytes(picture))

    def _line(
        self,
        seen: FrameResult,
        estimate: RobustEstimate | None,
        registered: Registered | None,
        seconds: Mapping[str, float],
    ) -> dict[str, Any]:
        line: dict[str, Any] = {
            "frame": seen.frame.index,
            "time": None if seen.frame.time is None else round(seen.frame.time, 6),
            "name": seen.frame.name,
            "anchor": seen.anchor_index,
            "status": seen.status,
            "new_keyframe": seen.new_keyframe,
            "keypoints": len(seen.result.image1.keypoints),
            "matches": len(seen.result),
        }
        if self._outputs.homography:
            line["homography"] = _rows(estimate.matrix) if estimate is not None and estimate.ok else None
        if self._outputs.camera is not None:
            line["pose"] = pose_dict(pose_of(seen, self._outputs.camera))
        if self._outputs.stabilise:
            place = {} if registered is None else {"frame": registered.reference, "homography": _rows(registered.H)}
            line["registered_to"] = place or None
        return {**line, "seconds": {name: round(value, 4) for name, value in seconds.items()}}

    def finish(self, *, interrupted: bool = False) -> dict[str, Any]:
        """Write what is left, and return the summary.

        Args:
            interrupted: whether the user ended it before the source did.

        Raises:
            OutputError: something cannot be written.
        """
        tracks, folder = self._tracks.tracks(), self._outputs.folder
        if folder is not None:
            tracks.save(folder / _TRACKS)
        self._stack.close()  # the movies take their names; only what is there is told of
        lengths = tracks.lengths
        summary = {
            **self._configuration,
            "format": "cyano-video-1",
            "frames": sum(self._statuses.values()),
            "last_frame": self._last_index,
            "statuses": dict(self._statuses),
            "keyframes": tracks.keyframes.tolist(),
            "tracks": len(lengths),
            "median_track_length": float(np.median(lengths)) if len(lengths) else None,
            "damaged": self._source.damaged,
            "problem": self._source.problem or None,
            "interrupted": interrupted,
            "seconds": {name: round(value, 3) for name, value in self._seconds.items()},
        }
        if folder is not None:
            files = {"frames": folder / _LINES, "tracks": folder / _TRACKS, "summary": folder / _SUMMARY}
            writers = {"matches": self._movie, "stabilised": self._stabilised}
            files |= {name: each.path for name, each in writers.items() if each is not None and each.count}
            files |= {} if self._outputs.pictures is None else {"pictures": self._outputs.pictures}
            summary["files"] = {name: str(path) for name, path in files.items()}
            write_atomically(folder / _SUMMARY, json_text(summary).encode("ascii"))
        return summary


def _outlined(pair: PairResult, estimate: RobustEstimate) -> PairResult:
    """The pair with the border of image 0 drawn into image 1."""
    if pair.image1.rgb is None:
        return pair
    corners = warp_points(estimate.matrix, image_corners(pair.image0.size))
    if not np.isfinite(corners).all() or np.abs(corners).max() > _FARTHEST * pair.image1.size.longest:
        return pair  # the horizon runs through it
    rgb = pair.image1.rgb.copy()
    width = max(1, round(pair.image1.size.longest / 300))
    cv2.polylines(rgb, [np.rint(corners).astype(np.int32)], True, OUTLIER, width, cv2.LINE_AA)
    return replace(pair, image1=replace(pair.image1, rgb=rgb))


def _rows(matrix: NDArray[np.float64]) -> list[list[float]]:
    return [[float(value) for value in row] for row in matrix]
