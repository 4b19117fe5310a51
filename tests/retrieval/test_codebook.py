from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cyano.errors import InputError, MissingExtraError
from cyano.retrieval import Codebook, VladOptions, codebook_for, load_codebook, save_codebook, train_codebook

CORNERS = np.array([(0, 0), (0, 9), (9, 0), (9, 9)], np.float32)
OPTIONS = VladOptions(clusters=4)


def corners(count: int = 200) -> np.ndarray:
    generator = np.random.default_rng(6)
    rows = CORNERS[generator.integers(4, size=count)] + 0.1 * generator.normal(size=(count, 2))
    return rows.astype(np.float32)


def test_clusters_are_found_and_are_the_same_every_time() -> None:
    first = train_codebook(corners(), OPTIONS, features="f")
    found = np.array(sorted(first.centroids.tolist(), key=lambda centre: [round(value) for value in centre]))
    assert found == pytest.approx(CORNERS, abs=0.1)  # means of about 50 with a deviation of 0.1 each
    assert np.array_equal(first.centroids, train_codebook(corners(), OPTIONS, features="f").centroids)


def test_a_codebook_is_made_once_for_what_it_is_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = codebook_for(corners(), OPTIONS, features="f", folder=tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("codebook-")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sklearn.cluster", None)  # not needed to read it
        again = codebook_for(corners(), OPTIONS, features="f", folder=tmp_path)
    assert np.array_equal(made.centroids, again.centroids)
    assert made.made_from == again.made_from
    codebook_for(corners(), OPTIONS, features="g", folder=tmp_path)
    codebook_for(corners(), VladOptions(clusters=4, seed=1), features="f", folder=tmp_path)
    codebook_for(corners(), VladOptions(clusters=3), features="f", folder=tmp_path)
    codebook_for(corners(201), OPTIONS, features="f", folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
    codebook_for(corners(), OPTIONS, features="f", folder=None)
    assert len(list(tmp_path.iterdir())) == 5


def test_codebooks_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "codebook.safetensors"
    save_codebook(Codebook(CORNERS, {"features": "f"}), path)
    assert load_codebook(path).made_from == {"features": "f"}
    assert np.array_equal(load_codebook(path, "f").centroids, CORNERS)
    with pytest.raises(InputError, match="made from features 'f', not 'g'"):
        load_codebook(path, "g")
    save_file({"something": CORNERS}, path)
    with pytest.raises(InputError, match="cannot be read as a codebook"):
        load_codebook(path)
    save_file({"centroids": CORNERS * np.float32(np.nan)}, path)
    with pytest.raises(InputError, match="not finite"):
        load_codebook(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as a codebook"):
        load_codebook(path)


def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="3 local descriptors are too few for 4 clusters"):
        train_codebook(CORNERS[:3], OPTIONS, features="f")
    for options in ({"clusters": 0}, {"sample": 1}, {"images": 0}, {"seed": -1}, {"normalisation": "none"}):
        with pytest.raises(InputError):
            VladOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\(K, D\) float32"):
        Codebook(np.zeros((0, 2), np.float32), {})
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"\.\[collections\]"):
        train_codebook(CORNERS, OPTIONS, features="f")
