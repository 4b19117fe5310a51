"""All tracks of a run: where each point was seen in which frame."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import archive_bytes, write_atomically
from cyano.concise import Concise
from cyano.errors import InputError
from cyano.reading import read_arrays
from cyano.tracking.chains import UNTRACKED
from cyano.tracking.result import FrameResult

__all__ = ["TrackRecorder", "Tracks", "read_tracks"]

FORMAT = "cyano-tracks-1"
_NAMES = ("track_ids", "frames", "keypoints", "scores", "keyframes")


@dataclass(frozen=True, eq=False, repr=False)
class Tracks(Concise):
    """Where points were seen: O observations, by track and then by frame.

    Attributes:
        track_ids: (O,) int64.
        frames: (O,) int64 numbers of frames in the source.
        keypoints: (O, 2) float32 (x, y) in pixels of the frame as displayed.
        scores: (O,) float32 probability of the match with the keyframe; 1 where the track begins.
        keyframes: (F,) int64 numbers of the frames that others were matched with.
    """

    track_ids: NDArray[np.int64]
    frames: NDArray[np.int64]
    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    keyframes: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(T,) int64, in how many frames each of the tracks was seen, in the order of their ids."""
        return np.unique(self.track_ids, return_counts=True)[1]

    def save(self, path: Path) -> None:
        """Write them as a compressed numpy archive, with the keys of this class and `format`.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(path, archive_bytes(format=np.array(FORMAT), **vars(self)))


def read_tracks(path: str | os.PathLike[str]) -> Tracks:
    """The tracks of a `tracks.npz`.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    arrays = read_arrays(Path(path), (*_NAMES, "format"))
    if str(arrays["format"]) != FORMAT:
        raise InputError(f"{path} is of the format {arrays['format']!s}, not {FORMAT}; make it again by `cyano video`")
    return Tracks(*(arrays[name] for name in _NAMES))


_NO_ROWS = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


class TrackRecorder:
    """Collects the observations of frames as they come: 24 bytes for each."""

    def __init__(self) -> None:
        self._known = 0
        self._keyframes: list[int] = []
        self._rows = [_NO_ROWS]

    def add(self, seen: FrameResult) -> None:
        """Take in the next frame; a track that begins with it was seen in its anchor as well."""
        if seen.new_keyframe or seen.status == "anchor":
            self._keyframes.append(seen.anchor_index)
        rows = np.flatnonzero(seen.track_ids != UNTRACKED)
        if not len(rows):
            return
        ids, pair = seen.track_ids[rows], seen.result
        begun = rows[ids >= self._known]
        self._known = max(self._known, int(ids.max()) + 1)
        self._keep(seen.track_ids[begun], seen.anchor_index, pair.keypoints0[begun], np.ones(len(begun), np.float32))
        self._keep(ids, seen.frame.index, pair.keypoints1[rows], pair.scores[rows])

    def _keep(
        self, ids: NDArray[np.int64], frame: int, keypoints: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> None:
        self._rows.append((ids, np.full(len(ids), frame, np.int64), keypoints, scores))

    def tracks(self) -> Tracks:
        """All until now."""
        ids, frames, keypoints, scores = (np.concatenate(each) for each in zip(*self._rows, strict=True))
        order = np.lexsort((frames, ids))
        keyframes = np.unique(np.array(self._keyframes, np.int64))
        return Tracks(ids[order], frames[order], keypoints[order], scores[order], keyframes)
