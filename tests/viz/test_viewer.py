"""The page that shows a model: its data are the model's, and it asks nobody for anything."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from cyano.formats import SparseModel
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.viz.viewer import frustum_depth, model_page

HOSTILE = '</script><img src="http://example.org/x.png">.jpg'


NAMES = (HOSTILE, "vue \N{LATIN SMALL LETTER E WITH ACUTE}.jpg", "\udcff.jpg")


def sparse_model(points: int = 500, names: tuple[str, ...] = NAMES, away: float = 1000.0) -> SparseModel:
    rng = np.random.default_rng(0)
    eyes = [np.array([x, -5.0, 1.0]) for x in np.linspace(-2, 2, len(names))]
    return SparseModel(
        names,
        np.stack([look_at(eye, np.array([0.0, 0.0, 1.0]), 0.0) for eye in eyes]),
        rng.normal(size=(points, 3)) + np.array([away, 0.0, 0.0]),  # far from the origin float32 is coarse
        rng.integers(0, 256, (points, 3), np.uint8),
        rng.uniform(0, 3, points),
        rng.integers(2, 70_000, points),
        np.tile([0.5, 0.4], (len(names), 1)),
        np.arange(len(names)),
    )


class Page(HTMLParser):
    """What a page refers to, and the text of its elements of script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.scripts: list[str] = []
        self.tags: set[str] = set()
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


def facts(text: str) -> dict[str, Any]:
    return dict(json.loads(Page(text).scripts[0]))


def decoded(text: str, dtype: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_the_data_are_the_models() -> None:
    model = sparse_model()
    found = facts(model_page(model, "a title", ["a line"], verdict="all agree"))
    points = decoded(found["points"], "<f4").reshape(-1, 3) + np.array(found["origin"])
    np.testing.assert_allclose(points, model.points, atol=1e-3)  # float32 about a middle that some units are around
    np.testing.assert_array_equal(decoded(found["colours"], "u1").reshape(-1, 3), model.colours)
    np.testing.assert_allclose(decoded(found["errors"], "<f4"), model.errors, rtol=1e-6)
    np.testing.assert_array_equal(decoded(found["tracks"], "<u2"), np.minimum(model.track_lengths, 65535))
    cameras = decoded(found["cameras"], "<f4").reshape(-1, 14)
    R = cameras[:, 3:12].reshape(-1, 3, 3)
    np.testing.assert_allclose(R, model.T_world_to_camera[:, :3, :3], atol=1e-6)
    t = -np.einsum("cij,cj->ci", R, cameras[:, :3] + np.array(found["origin"]))
    np.testing.assert_allclose(t, model.T_world_to_camera[:, :3, 3], atol=1e-3)
    np.testing.assert_allclose(cameras[:, 12:], model.half_views, rtol=1e-6)
    assert found["names"] == list(model.names)
    assert (found["title"], found["lines"]) == ("a title", ["a line"])
    assert (found["verdict"], found["sound"]) == ("all agree", True)


def test_the_page_refers_to_nothing_outside() -> None:
    text = model_page(sparse_model(), f"title {HOSTILE}")
    page = Page(text)
    assert page.references == ["data:,"]
    assert "img" not in page.tags
    assert len(page.scripts) == 2
    program = text.replace(page.scripts[0], "")  # names of images may look like anything
    program = program.replace("http://example.org", "", 1)  # in the title, escaped
    assert not re.search(
        r"https?:|wss?:|\burl\(|@import|\bimport\b|fetch\(|XMLHttpRequest|WebSocket|sendBeacon", program
    )
    assert "default-src 'none'" in program
    text.encode("ascii")


@pytest.mark.parametrize("points", [0, 1])
def test_hardly_a_model(points: int) -> None:
    found = facts(model_page(sparse_model(points, ("a.jpg",)), ""))
    assert len(decoded(found["points"], "<f4")) == 3 * points
    assert found["reach"] > 0


def test_cameras_are_drawn_smaller_than_their_distance() -> None:
    model = sparse_model(names=tuple(f"{number}.jpg" for number in range(9)), away=0.0)
    assert frustum_depth(model) == pytest.approx(0.7 * 0.5)  # they stand half a unit apart
