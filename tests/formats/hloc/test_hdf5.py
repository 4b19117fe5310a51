"""HDF5 files that were not made to be read: one clear error each, and nothing outside of them is touched."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.errors import CyanoError, InputError, OutputError
from cyano.formats import export_features, import_features, read_features
from cyano.store import FeatureStore
from support.stores import CONFIGURATION, NAMES, image

h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra collections")

COUNT = 6
Change = Callable[[Any, Path], None]


def _replace(name: str, **how: Any) -> Change:
    def change(group: Any, _: Path) -> None:
        del group[name]
        group.create_dataset(name, **how)

    return change


def _external_storage(group: Any, secret: Path) -> None:
    _replace("keypoints", shape=(COUNT, 2), dtype="f4", external=[(str(secret), 0, COUNT * 8)])(group, secret)


def _virtual(group: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((COUNT, 2), "f4")
    layout[...] = h5py.VirtualSource(str(secret), "x", (COUNT, 2))
    del group["keypoints"]
    group.create_virtual_dataset("keypoints", layout)


def _linked(link: Callable[[Path], Any]) -> Change:
    def change(group: Any, secret: Path) -> None:
        del group["keypoints"]
        group["keypoints"] = link(secret)

    return change


def _circle(group: Any, _: Path) -> None:
    group["again"] = group.file["/"]


def _named_type(group: Any, _: Path) -> None:
    group["type"] = np.dtype("f4")


def _attribute(value: Any) -> Change:
    def change(group: Any, _: Path) -> None:
        group.attrs["cyano_frame"] = value

    return change


FLOATS = np.zeros((COUNT, 2), np.float32)
CHANGES: dict[str, tuple[Change, str]] = {
    "external link": (_linked(lambda secret: h5py.ExternalLink(str(secret), "x")), "link to somewhere else"),
    "soft link": (_linked(lambda _: h5py.SoftLink("/folder/a.jpg/scores")), "link to somewhere else"),
    "external storage": (_external_storage, "lies in other files"),
    "virtual": (_virtual, "lies in other files"),
    "circle": (_circle, "in a cycle"),
    "named type": (_named_type, "neither a group nor an array"),
    "400 TB": (_replace("keypoints", shape=(5 * 10**13, 2), dtype="f4"), "declares 400,000,000,000,000 bytes"),
    "400 TB in chunks": (
        _replace("keypoints", shape=(5 * 10**13, 2), dtype="f4", chunks=(64, 2), compression="gzip"),
        "declares 400,000,000,000,000 bytes",
    ),
    "bomb": (
        _replace("keypoints", data=np.zeros((10**6, 2), np.float32), chunks=(10**6, 2), compression="gzip"),
        "declares 8,000,000 bytes",
    ),
    "filter": (_replace("keypoints", data=FLOATS.astype("i4"), chunks=True, scaleoffset=0), "in an unknown way"),
    "no shape": (_replace("keypoints", data=h5py.Empty("f4")), "has the shape None|declares"),
    "scalar": (_replace("keypoints", data=np.float32(1)), r"has the shape \(\)"),
    "three columns": (_replace("keypoints", data=np.zeros((COUNT, 3), np.float32)), r"instead of \(any, 2\)"),
    "other count": (_replace("scores", data=np.zeros(COUNT + 1, np.float32)), r"instead of \(6\)"),
    "rows of descriptors": (_replace("descriptors", data=np.zeros((COUNT, 8), np.float32)), r"instead of \(any, 6\)"),
    "text": (_replace("scores", data=np.full(COUNT, b"x")), "not floating point"),
    "references": (_replace("scores", shape=(COUNT,), dtype=h5py.ref_dtype), "not floating point|declares"),
    "objects": (_replace("scores", data=["x"] * COUNT), "not floating point"),
    "compound": (_replace("scores", data=np.zeros(COUNT, [("x", "f4")])), "not floating point"),
    "integers": (_replace("scores", data=np.arange(COUNT)), "not floating point"),
    "long": (_replace("keypoints", data=FLOATS.astype(np.longdouble)), "is of float128"),
    "NaN": (_replace("keypoints", data=FLOATS * np.nan), "not finite"),
    "too large": (_replace("keypoints", data=np.full((COUNT, 2), 1e300)), "not finite"),
    "size": (_replace("image_size", data=np.array([0, 5])), "in whole pixels from 1, not 0"),
    "fraction": (_replace("image_size", data=np.array([4.5, 5])), "in whole pixels from 1, not 4.5"),
    "frame": (_attribute(np.arange(4)), "cannot be understood"),
    "frame of text": (_attribute("x" * 100), "cannot be understood"),
    "frame of another image": (_attribute(np.array([1, 2, 3, 4, 0])), "cannot be understood"),
}


def _file(tmp_path: Path) -> Path:
    store = FeatureStore(tmp_path / "store", CONFIGURATION)
    store.write([image("folder/a.jpg", COUNT), image("folder/b.jpg", COUNT)])
    export_features(store, tmp_path / "features.h5")
    return tmp_path / "features.h5"


@pytest.mark.parametrize("name", CHANGES)
def test_is_refused(name: str, tmp_path: Path) -> None:
    change, message = CHANGES[name]
    path, secret = _file(tmp_path), tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = FLOATS
    secret.chmod(0)  # for a reader that is not root, following would be another error
    with h5py.File(path, "r+") as file:
        change(file["folder/a.jpg"], secret)
    with pytest.raises(InputError, match=message):
        import_features(path, tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_a_missing_array_and_files_without_features(tmp_path: Path) -> None:
    path = _file(tmp_path)
    with h5py.File(path, "r+") as file:
        file["folder/a.jpg/other"] = file["folder/a.jpg/keypoints"]
        del file["folder/a.jpg/keypoints"]
    assert [image.name for image in read_features(path)] == ["folder/b.jpg"]
    with h5py.File(path, "r+") as file:
        file["folder/a.jpg/keypoints"] = np.zeros((COUNT, 3), np.float32)
    with pytest.raises(InputError, match=r"folder/a\.jpg/keypoints has the shape"):
        list(read_features(path))
    with h5py.File(path, "r+") as file:
        del file["folder"]
        file["a.jpg/global_descriptor"] = np.zeros(8)
    with pytest.raises(InputError, match="holds no keypoints"):
        import_features(path, tmp_path / "imported")
    with pytest.raises(InputError, match="there is no file"):
        list(read_features(tmp_path))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is not an HDF5 file"):
        list(read_features(path))


def test_nested_too_deep(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file.create_group("/".join("g" * 70))
    with pytest.raises(InputError, match="too deep"):
        list(read_features(tmp_path / "deep.h5"))


def test_damaged_bytes_give_a_typed_error_or_features(tmp_path: Path) -> None:
    path = _file(tmp_path)
    sound, rng = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(sound)
        for place in rng.integers(0, len(sound), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(sound) + 1)] if rng.random() < 0.3 else damaged)
        try:
            outcomes.add(len(list(read_features(path))))
        except CyanoError as error:
            outcomes.add(type(error).__name__)
    assert "InputError" in outcomes


def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: the system refuses in the midst of a write."""
    store = FeatureStore(tmp_path / "store", CONFIGURATION)
    store.write([image(name, 200) for name in NAMES])
    path = tmp_path / "x.h5"
    export_features(store, path)
    size, sound = path.stat().st_size, len(list(read_features(path)))
    path.unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in [0, 100, *range(1000, size, size // 7), size - 1]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OutputError, match=r"x\.h5 cannot be written: the disk is full .*; make room"):
                export_features(store, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert sorted(inner.name for inner in tmp_path.iterdir()) == ["store"]
    export_features(store, path)
    assert len(list(read_features(path))) == sound == len(NAMES)
