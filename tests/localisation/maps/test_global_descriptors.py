"""Global descriptors of maps: kept whole or not at all, and made again where they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.localisation.maps.global_descriptors import GlobalDescriptors
from cyano.retrieval import vlad

pytest.importorskip("sklearn", reason="the extra collections brings scikit-learn")

NAMES = [f"{number}.jpg" for number in range(6)]


class Local:
    """Local descriptors, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, name: str) -> NDArray[np.float32]:
        self.asked += 1
        rng = np.random.default_rng(int(name.split(".", maxsplit=1)[0]))
        rows = rng.normal(size=(60, 16)) + 2 * rng.normal(size=16)
        return np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def of(store: Path, local: Local, digest: str = "one", names: list[str] = NAMES) -> GlobalDescriptors:
    return GlobalDescriptors.of_map(store, digest, names, local, "features")


def test_they_are_made_once_for_a_map(tmp_path: Path) -> None:
    local = Local()
    made = of(tmp_path, local)
    asked, again = local.asked, of(tmp_path, local)
    assert local.asked == asked
    np.testing.assert_array_equal(again.rows, made.rows)
    np.testing.assert_array_equal(again.centroids, made.centroids)
    for row, name in enumerate(NAMES):  # nearest to itself, by the definition
        cosines = again.closeness(again.asked(local(name)))
        assert int(cosines.argmax()) == row
        np.testing.assert_allclose(
            cosines, again.rows.astype(np.float32) @ vlad(local(name), made.centroids), atol=1e-6
        )
    asked = local.asked
    of(tmp_path, local, "another map")
    assert local.asked > asked


def test_what_is_damaged_or_does_not_fit_is_made_again(tmp_path: Path) -> None:
    made = of(tmp_path, Local())
    (path,) = (tmp_path / "retrieval").iterdir()
    whole = path.read_bytes()
    for content in (whole[:-5], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        path.write_bytes(content)
        np.testing.assert_array_equal(of(tmp_path, Local()).rows, made.rows)
        assert path.read_bytes() == whole
    assert len(of(tmp_path, Local(), names=NAMES[:5]).rows) == 5


def test_descriptors_of_as_many_other_images_or_of_another_map_are_made_again(tmp_path: Path) -> None:
    of(tmp_path, Local())
    (path,) = (tmp_path / "retrieval").iterdir()
    others = [f"{number}.jpg" for number in range(6, 12)]
    for digest, names in (("one", others), ("one", NAMES[::-1]), ("two", NAMES)):
        local = Local()
        if digest == "two":
            shutil.copy(path, path.with_name("two.safetensors"))
        made = of(tmp_path, local, digest, names)
        assert local.asked >= len(names)
        for row, name in enumerate(names):  # nearest to itself, by the definition
            assert int(made.closeness(made.asked(local(name))).argmax()) == row


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "retrieval").write_bytes(b"a file in its place")
    (tmp_path / "codebooks").write_bytes(b"another")
    assert len(of(tmp_path, Local()).rows) == 6
