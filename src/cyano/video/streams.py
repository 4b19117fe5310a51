"""Network streams by OpenCV's FFmpeg: opened with time limits, and without a delay in the decoder."""

from __future__ import annotations

import re

import cv2

__all__ = ["SILENCE", "open_stream", "without_password"]

SILENCE = 15.0
"""Seconds without a frame, or until the server answers, after which a stream has failed. OpenCV's own are 30."""

_USER = re.compile(r"(?<=://)[^/?#]*@")


def open_stream(address: str, silence: float = SILENCE) -> cv2.VideoCapture:
    """Open a stream; whether that succeeded says its `isOpened`.

    Args:
        address: such as rtsp://camera.local/stream.
        silence: seconds that are waited for the server, and for each frame.

    Example:
        >>> open_stream("rtsp://127.0.0.1:9/stream").isOpened()
        False
    """
    milliseconds = round(1000 * silence)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    # FFmpeg's decoder with N threads holds back N - 1 frames. One thread decodes 80 frames of 4K HEVC a second.
    # OpenCV's other readers are not asked: one of them prints the address, with its password.
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, 1])


def without_password(address: str) -> str:
    """The address as it may be printed and written to files.

    Example:
        >>> without_password("rtsp://admin:secret@10.0.0.7:554/live")
        'rtsp://10.0.0.7:554/live'
    """
    return _USER.sub("", address, count=1)
