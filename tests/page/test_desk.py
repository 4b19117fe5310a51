"""The worker's own process, without the process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cyano.errors import ImageError
from cyano.page.work import desk as module
from cyano.page.work import matching
from cyano.partners import partners
from cyano.viz.encoding import image_bytes


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


def test_the_same_images_are_neither_decoded_nor_matched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    photograph = data.astronaut()
    contents = {"a": image_bytes(photograph[20:140, 0:160]), "b": image_bytes(photograph[20:140, 16:176])}
    source = Source()
    monkeypatch.setattr(source, "bytes_of", contents.__getitem__)
    known: list[int] = []

    def counted(*arguments: Any) -> Any:
        known.append(1)
        return partners(*arguments)

    monkeypatch.setattr(matching, "partners", counted)
    desk = module.Desk({**TOLD, "max_bytes": 10**7}, source)
    pair: dict[str, Any] = {"images": ["a", "b"], "names": ["a.png", "b.png"], "masks": [None, None]}
    counts = []
    for threshold in (None, 0.3, 0.6, 0.9):
        options = {"max_keypoints": 128, "match_threshold": threshold}
        told = desk.answer({"job": "match", "pair": {**pair, "id": str(threshold), "options": options}})
        counts.append(len(json.loads(told.blobs[0])["scores"]))
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) > 1
    assert len(known) == 1
    assert source.read == ["a", None, "b", None]
    options = {"max_keypoints": 128, "layers": 2}
    desk.answer({"job": "match", "pair": {**pair, "id": "other", "options": options}})
    assert len(known) == 2  # another network is another question
