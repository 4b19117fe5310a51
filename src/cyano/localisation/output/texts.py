"""Poses as the text files of other programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from cyano.geometry.quaternions import quaternion
from cyano.localisation.output.records import Record

__all__ = ["failed_lines", "pose_lines", "trajectory_lines"]

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def pose_lines(records: Iterable[Record]) -> list[str]:
    """`name qw qx qy qz tx ty tz` from the world to the camera, as hloc and visuallocalization.net have it."""
    return [
        " ".join([record.name, *map(repr, (*record.quaternion, *record.translation))])
        for record in records
        if record.quaternion is not None and record.translation is not None
    ]


def failed_lines(records: Iterable[Record]) -> list[str]:
    """`name: status: message` of those that are not ok."""
    lines = (f"{each.name}: {each.status}: {each.message}" for each in records if each.status != "ok")
    return [" ".join(line.splitlines()) for line in lines]


def trajectory_lines(records: Iterable[Record]) -> list[str] | None:
    """`time tx ty tz qx qy qz qw` from the camera to the world, by time, as the tools of the TUM benchmark read them.

    The time is the last number in the name of the file: seconds, or the number of a frame.

    Returns:
        None where a name holds no number, or two hold the same one.
    """
    posed = [record for record in records if record.has_pose]
    times = [_time(record.name) for record in posed]
    known = [time for time in times if time is not None]
    if not posed or len({float(time) for time in known}) < len(posed):
        return None
    lines: Sequence[tuple[float, str]] = [
        (float(time), _trajectory_line(time, record)) for time, record in zip(known, posed, strict=True)
    ]
    return [line for _, line in sorted(lines)]


def _time(name: str) -> str | None:
    found = _NUMBER.findall(PurePosixPath(name).stem)
    return found[-1] if found else None


def _trajectory_line(time: str, record: Record) -> str:
    pose = record.T_camera_to_world
    w, x, y, z = quaternion(pose[:3, :3])
    return " ".join([time, *(repr(float(value)) for value in (*pose[:3, 3], x, y, z, w))])
