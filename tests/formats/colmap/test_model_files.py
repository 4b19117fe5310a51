"""COLMAP's models in files: sound ones are read, and whatever else is there is one error, at once."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError, OutputError
from cyano.formats import read_model
from cyano.formats.colmap.model_files import check_model, save_model

pycolmap = pytest.importorskip("pycolmap", reason="COLMAP's models need the extra collections")

FILES = ("cameras.bin", "frames.bin", "images.bin", "points3D.bin", "rigs.bin")


@pytest.fixture(scope="module")
def reconstruction() -> object:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D, options.num_frames_per_rig = 60, 4
    return pycolmap.synthesize_dataset(options)


@pytest.fixture
def model(reconstruction: object, tmp_path: Path) -> Path:
    save_model(pycolmap, reconstruction, tmp_path / "0")
    return tmp_path / "0"


def test_a_model_is_what_was_written(reconstruction: object, model: Path) -> None:
    assert sorted(path.name for path in model.iterdir()) == sorted(FILES)
    found = read_model(model)
    assert (len(found.names), len(found.points)) == (reconstruction.num_reg_images(), reconstruction.num_points3D())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("count", [2**63, 10**9, 0])
def test_counts_that_lie_are_noticed_before_colmap_believes_them(model: Path, name: str, count: int) -> None:
    content = (model / name).read_bytes()
    (model / name).write_bytes(struct.pack("<Q", count) + content[8:])
    with pytest.raises(InputError, match=name):
        read_model(model)


@pytest.mark.parametrize("name", FILES)
def test_damaged_bytes_give_one_error_or_a_model(model: Path, name: str) -> None:
    sound, rng = (model / name).read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(sound)
        for place in rng.integers(0, len(sound), 3):
            damaged[place] = rng.integers(256)
        (model / name).write_bytes(damaged[: rng.integers(len(sound) + 1)] if rng.random() < 0.3 else damaged)
        try:
            read_model(model)
            outcomes.add("read")
        except InputError:
            outcomes.add("refused")
    assert "refused" in outcomes


def test_a_model_that_a_full_disk_cut_short_is_an_error(reconstruction: object, tmp_path: Path) -> None:
    class Cut:
        def write(self, folder: str) -> None:
            reconstruction.write(folder)  # type: ignore[attr-defined]
            path = Path(folder) / "points3D.bin"  # COLMAP passes over what its streams did not take
            path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(OutputError, match="make room"):
        save_model(pycolmap, Cut(), tmp_path / "0")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    check_model(pycolmap, tmp_path)
    with pytest.raises(InputError, match="holds no model"):
        read_model(tmp_path)
