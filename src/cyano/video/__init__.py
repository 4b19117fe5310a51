"""Frames of cameras, streams, movies and folders, and movies of pictures.

    from cyano.video import SourceOptions, open_source

    with open_source("walk.mp4", SourceOptions(every=2)) as source:
        for frame in source:
            print(frame.index, frame.time, frame.rgb.shape)

How to use it: docs/how-to/video.md.
"""

from cyano.video.frames import Frame
from cyano.video.options import SourceOptions
from cyano.video.source import Source, open_source
from cyano.video.writing import VideoWriter

__all__ = ["Frame", "Source", "SourceOptions", "VideoWriter", "open_source"]
