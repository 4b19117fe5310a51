"""Homographic adaptation: what it labels, where, and that it can be stopped and goes on."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cyano.errors import InputError, OutputError
from cyano.models.superpoint import DenseFeatures, SuperPoint, SuperPointConfig
from cyano.training.data.photographs import Photographs, find_photographs
from cyano.training.stages.labels import AdaptationOptions, adapt, label_photographs, read_labels
from support.photographs import write_photographs

OPTIONS = AdaptationOptions(warps=8, longest=240, threshold=0.01)


class BlobDetector:
    """Fires where the picture is bright: its heat map is the picture."""

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        return DenseFeatures(images[:, 0], images.new_zeros(1, 1, 1, 1))


@pytest.mark.parametrize("longest", [240, 120])
def test_labels_lie_on_the_blobs_in_pixels_of_the_photograph(longest: int) -> None:
    true = np.array([[60.3, 50.0], [150.0, 90.6], [120.5, 130.2]])
    y, x = np.mgrid[:180, :240]
    picture = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * 2.0**2)) for a, b in true).astype(np.float32)
    options = AdaptationOptions(warps=8, longest=longest, threshold=0.05)
    labels = adapt(BlobDetector(), picture, options, np.random.default_rng(0))  # type: ignore[arg-type]
    assert len(labels) == 3
    distance = np.linalg.norm(labels[:, None, :2] - true, axis=2).min(axis=1)
    # Interpolation and the window of the centroid cost a few tenths of a view's pixel.
    assert distance.max() < 0.35 * max(240 / longest, 1)


def detector() -> SuperPoint:
    torch.manual_seed(0)
    return SuperPoint(SuperPointConfig((4, 4, 8, 16), decoder_hidden_size=16, descriptor_decoder_dim=16))


def test_labelling_goes_on_where_it_was_stopped_and_refuses_other_options(tmp_path: Path) -> None:
    paths, aside = find_photographs(write_photographs(tmp_path / "images", 3), validation=0)
    assert aside == []
    photographs, folder = Photographs(paths), tmp_path / "labels"
    label_photographs(detector(), photographs, OPTIONS, folder, seed=0)
    whole = [read_labels(folder, photographs, i) for i in range(3)]
    next(folder.glob("000001_*.npz")).unlink()
    done: list[int] = []
    label_photographs(detector(), photographs, OPTIONS, folder, seed=0, on_photograph=lambda i, _: done.append(i))
    assert done == [1]
    assert all(np.array_equal(read_labels(folder, photographs, i), whole[i]) for i in range(3))
    with pytest.raises(OutputError, match="another configuration"):
        label_photographs(detector(), photographs, OPTIONS, folder, seed=1)


def test_shares_are_the_whole_and_the_same_labels(tmp_path: Path) -> None:
    paths, _ = find_photographs(write_photographs(tmp_path / "images", 3), validation=0)
    photographs, alone, shared = Photographs(paths), tmp_path / "alone", tmp_path / "shared"
    label_photographs(detector(), photographs, OPTIONS, alone, seed=0)
    done: list[int] = []
    for share in ((1, 2), (0, 2)):
        label_photographs(
            detector(), photographs, OPTIONS, shared, 0, share=share, on_photograph=lambda i, _: done.append(i)
        )
    assert done == [1, 0, 2]
    for i in range(3):
        assert np.array_equal(read_labels(shared, photographs, i), read_labels(alone, photographs, i))


def test_a_damaged_photograph_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_photographs(tmp_path / "images", 2)
    (folder / "b001.png").write_bytes(b"not an image")
    photographs = Photographs(sorted(folder.glob("*.png")))
    found: list[tuple[int, int]] = []
    label_photographs(detector(), photographs, OPTIONS, tmp_path / "l", 0, on_photograph=lambda *a: found.append(a))
    assert found[1] == (1, -1)
    assert "b001.png" in caplog.text
    with pytest.raises(InputError, match="no labels"):
        read_labels(tmp_path / "l", photographs, 1)
    assert photographs.draw(np.random.default_rng(0))[0] == 0


def test_families_stay_together(tmp_path: Path) -> None:
    for name in ("door_1.png", "door_2.png", "tree_1.png", "tree_2.png", "car_1.png", "car_2.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((16, 16), np.uint8))
    trained, aside = find_photographs(tmp_path, 0.3)
    assert len(aside) == 2
    assert aside[0].name.split("_")[0] == aside[1].name.split("_")[0]
    assert sorted(trained + aside) == sorted(tmp_path.glob("*.png"))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photographs"):
        find_photographs(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        find_photographs(tmp_path / "missing")
