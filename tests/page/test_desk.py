"""The worker's own process, without the process."""

from __future__ import annotations

import pytest

from cyano.errors import ImageError
from cyano.page.work import desk as module


class Source:
    """Of images that are not read."""

    def __init__(self) -> None:
        self.read: list[str | None] = []

    def bytes_of(self, digest: str) -> bytes:
        return b"an image"

    def reading(self, digest: str | None) -> None:
        self.read.append(digest)


TOLD = {"weights": None, "device": "cpu", "max_pixels": 10**6, "max_bytes": 10**6, "collections": []}


def test_memory_that_is_out_is_not_blamed_on_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object, **__: object) -> None:
        raise ImageError("image: the image is damaged or truncated ()") from MemoryError()

    monkeypatch.setattr(module, "read", read)
    with pytest.raises(MemoryError):
        module.Desk(TOLD, Source()).answer({"job": "inspect", "image": "digest"})


def test_the_server_is_told_which_image_is_read() -> None:
    source = Source()
    with pytest.raises(ImageError):
        module.Desk(TOLD, source).answer({"job": "inspect", "image": "digest"})
    assert source.read == ["digest"]  # and whoever dies now has read it
