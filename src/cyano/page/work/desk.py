"""Who does which job, and the images and features that are at hand for the next one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cyano import __version__
from cyano.checkpoints import load
from cyano.devices import usable_device
from cyano.errors import ImageError
from cyano.page.memory import Memory
from cyano.page.work.answers import Answer
from cyano.processing.decode import ImageLimits
from cyano.processing.images import LoadedImage, read

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Desk", "Source", "device_named"]

_IMAGES_BYTES = 700_000_000
"""Of decoded images, 7 a pixel."""


class Source(Protocol):
    """Where the bytes of images come from."""

    def bytes_of(self, digest: str) -> bytes:
        """The bytes of an image."""

    def reading(self, digest: str | None) -> None:
        """Is told which image is being decoded."""


class Desk:
    """Networks, images, and the jobs by their names."""

    def __init__(self, told: dict[str, Any], source: Source) -> None:
        """Load the networks.

        Args:
            told: see `cyano.page.worker`.
            source: of images.

        Raises:
            CyanoError: they cannot be loaded, or there is no such device.
        """
        from cyano.page.work.collections import Collections
        from cyano.page.work.geometry import Geometry
        from cyano.page.work.matching import Matching
        from cyano.page.work.pictures import Pictures

        started = time.perf_counter()
        self.networks = load(told["weights"])
        self.device = device_named(told["device"])
        self.load_seconds = time.perf_counter() - started
        self.limits = ImageLimits(max_pixels=told["max_pixels"], max_bytes=told["max_bytes"])
        self._source = source
        self._images = Memory[tuple[str, bool], LoadedImage](
            _IMAGES_BYTES, lambda image: image.rgb.nbytes + image.grey.nbytes
        )
        self.collections = Collections(self, told["collections"])
        matching = Matching(self)
        matching.ready()
        geometry, pictures = Geometry(matching), Pictures(self, matching)
        self._jobs: dict[str, Callable[..., Answer]] = {
            "inspect": self.inspect,
            **matching.jobs,
            **geometry.jobs,
            **pictures.jobs,
            **self.collections.jobs,
        }
        path = Path(self.networks.source)
        weights = path.name if path.exists() else self.networks.source  # of a folder, its name and no path
        self.facts = {"version": __version__, "weights": weights, "device": self.device}

    def answer(self, document: dict[str, Any]) -> Answer:
        """Do a job.

        Raises:
            CyanoError: it cannot be done as it was asked for.
            GoneError: what it needs is not kept any more.
        """
        arguments = dict(document)
        return self._jobs[arguments.pop("job")](**arguments)

    def inspect(self, image: str) -> Answer:
        """Size and orientation of an image, which is decoded to see that it can be."""
        from cyano.localisation.photograph.features import orientation_of

        content = self.content(image)
        loaded = self.image(image, content=content)
        orientation = orientation_of(content) if loaded.was_turned else 1
        facts = {"width": loaded.size.width, "height": loaded.size.height, "orientation": orientation}
        return Answer(facts)

    def content(self, digest: str) -> bytes:
        """The bytes of an image, as they were uploaded."""
        return self._source.bytes_of(digest)

    def image(self, digest: str, *, stretch: bool = True, content: bytes | None = None) -> LoadedImage:
        """An image, decoded.

        Raises:
            ImageError: it cannot be read.
            GoneError: it is not kept any more.
        """
        kept = self._images.get((digest, stretch))
        if kept is not None:
            return kept
        content = self.content(digest) if content is None else content
        with self.reading(digest):
            try:
                loaded = read(content, self.limits, stretch=stretch)
            except ImageError as error:
                if isinstance(error.__cause__, MemoryError):  # of this process, whatever the image is
                    raise error.__cause__ from error
                raise
        self._images[digest, stretch] = loaded
        return loaded

    @contextmanager
    def reading(self, digest: str) -> Iterator[None]:
        """While an image is being decoded."""
        self._source.reading(digest)
        yield
        self._source.reading(None)


def device_named(name: str) -> str:
    """The device that a name means on this machine; "auto" is the GPU if there is one.

    Raises:
        InputError: there is no such device.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(usable_device(name))
