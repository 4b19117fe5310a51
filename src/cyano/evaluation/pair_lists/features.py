"""Features of the images of a pair list: extracted once per image and turn, and kept while they are in use."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from cyano.errors import ImageError
from cyano.matcher import Matcher
from cyano.processing import resize
from cyano.processing.images import LoadedImage, read
from cyano.processing.resize import ResizeRule
from cyano.types import Features
from cyano.view_search import Side

__all__ = ["CAPACITY", "ImageFeatures"]

CAPACITY = 256
"""Images whose features are kept for the pairs to come: at most 0.4 GB at 1024 keypoints of 256 channels."""


class ImageFeatures:
    """The images in a folder, by name, as the matcher sees them; the features last used are remembered."""

    def __init__(self, folder: Path, matcher: Matcher, rule: ResizeRule, capacity: int = CAPACITY) -> None:
        """Nothing is read yet.

        Args:
            folder: of the images.
            matcher: one that does not resize.
            rule: how to resize; an exact size is that of the image before it is turned.
            capacity: how many images' features to keep.
        """
        self._folder = folder
        self._matcher = matcher
        self._rule = rule
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, int], Features] = OrderedDict()
        self._digests: dict[str, str] = {}

    def digest(self, name: str) -> str:
        """SHA-256 of an image file, as 64 hexadecimal digits.

        Raises:
            ImageError: it cannot be read.
        """
        if name not in self._digests:
            path = self._folder / name
            if not os.path.isfile(path):  # a pipe or a device would never end
                raise ImageError(f"{path}: there is no such image file; check the list and --input-dir")
            try:
                with path.open("rb") as file:
                    self._digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise ImageError(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
        return self._digests[name]

    def features(self, name: str, turns: int = 0) -> Features:
        """The features of an image, in pixels of the image before the turn.

        Args:
            name: of the file, relative to the folder.
            turns: CLOCKWISE quarter turns before the networks see it.

        Raises:
            ImageError: it cannot be read or used.
        """
        key = (name, turns % 4)
        if key not in self._kept:
            self._kept[key] = self._extract(*key)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def side(self, name: str, turns: int = 0) -> Side:
        """An image with its features; the arguments and errors are those of `features`."""
        return Side(self._read(name), None, self.features(name, turns))

    def _read(self, name: str) -> LoadedImage:
        options = self._matcher.options
        return read(self._folder / name, options.limits, stretch=options.stretch)

    def _extract(self, name: str, turns: int) -> Features:
        image = self._read(name)
        rule = self._rule
        if rule.size is not None:
            rule = replace(rule, size=rule.size.turned(turns))
        grey, frame = resize.apply(image, rule, -turns % 4)
        seen = self._matcher.extract([grey])[0]
        return replace(seen, keypoints=frame.to_original(seen.keypoints), frame=frame)
