from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import OutputError
from cyano.evaluation.methods.prediction import failed_prediction
from cyano.evaluation.methods.prediction_files import (
    PredictionFile,
    read_predictions,
    set_fingerprint,
    write_predictions,
)
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownHomography, PairSet
from cyano.processing.images import ImageSource
from cyano.types import ImageSize
from support.predictions import prediction

MADE_BY = {"weights": "w", "max_keypoints": 1024, "seed": None}


def written(path: Path) -> PredictionFile:
    made = prediction([(1.25, 2.5), (3000.1, 4)], [(5, 6), (7, 8)], scores=[0.25, 1], resized0=ImageSize(48, 64))
    made = replace(made, doubtful=np.array([[1, 0]]))
    content = PredictionFile(dict(MADE_BY), (made, failed_prediction("no such image")))
    write_predictions(path, content)
    return content


def test_a_round_trip_is_exact(tmp_path: Path) -> None:
    before = written(tmp_path / "p.npz")
    after = read_predictions(tmp_path / "p.npz", dict(MADE_BY))
    assert after is not None
    assert after.configuration == before.configuration
    for old, new in zip(before.predictions, after.predictions, strict=True):
        assert (old.frame0, old.frame1, old.error) == (new.frame0, new.frame1, new.error)
        for name in ("keypoints0", "keypoints1", "matches", "scores", "doubtful"):
            np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
            assert getattr(old, name).dtype == getattr(new, name).dtype


def test_nothing_is_there(tmp_path: Path) -> None:
    assert read_predictions(tmp_path / "p.npz", dict(MADE_BY)) is None


def test_another_configuration_is_refused_and_may_be_overwritten(tmp_path: Path) -> None:
    written(tmp_path / "p.npz")
    other = {**MADE_BY, "max_keypoints": 512}
    with pytest.raises(OutputError, match=r"max_keypoints was 1024 and is 512 now.*--overwrite"):
        read_predictions(tmp_path / "p.npz", other)
    assert read_predictions(tmp_path / "p.npz", other, overwrite=True) is None


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04"])
def test_a_damaged_file_is_refused_and_may_be_overwritten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(OutputError, match="cannot be read"):
        read_predictions(tmp_path / "p.npz", dict(MADE_BY))
    assert read_predictions(tmp_path / "p.npz", dict(MADE_BY), overwrite=True) is None


def fingerprint(image0: ImageSource, *, turns0: int = 0, H: float = 1.0) -> str:
    truth = KnownHomography(np.diag([1, 1, H]))
    return set_fingerprint(PairSet("s", [EvaluationPair("a", "b", image0, np.zeros((20, 20)), truth, turns0)]))


def test_the_fingerprint_is_of_the_images_and_their_turns(tmp_path: Path) -> None:
    black, white = np.zeros((20, 20)), np.ones((20, 20))
    assert fingerprint(black) == fingerprint(black.copy())
    assert fingerprint(black) == fingerprint(black, H=2.0)  # the truth does not decide the matches
    prints = {fingerprint(black), fingerprint(white), fingerprint(black, turns0=1), fingerprint("missing.png")}
    path = tmp_path / "a.png"
    for level in (10, 20):
        Image.fromarray(np.full((20, 20), level, np.uint8)).save(path)
        prints |= {fingerprint(path), fingerprint(str(path))}
    assert len(prints) == 6
