"""Errors, recall and the similarity between frames, against closed forms and scikit-learn."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry import LensCamera, invert_rigid, rigid_motion
from cyano.localisation.output.records import FORMAT, MadeFrom, Record, RecordedCamera
from cyano.localisation_evaluation.judging import Judged, auc, judge, score
from cyano.localisation_evaluation.sets import PosedPhotograph
from cyano.localisation_evaluation.similarity import Similarity, similarity
from cyano.types import ImageSize


def turned(degrees: float) -> np.ndarray:
    return cv2.Rodrigues(np.radians(degrees) * np.array([0, 1.0, 0]))[0]


def test_a_similarity_is_found_from_poses_on_a_line() -> None:
    """Centres alone would leave the turn about the line open; the cameras' rotations do not."""
    rng = np.random.default_rng(0)
    true = Similarity(2.5, cv2.Rodrigues(rng.normal(size=3))[0], rng.normal(size=3))
    poses = {}
    for number in range(5):
        R = cv2.Rodrigues(rng.normal(size=3))[0]
        poses[str(number)] = rigid_motion(R, -R @ np.array([number, 0.0, 0.0]))
    truths = {name: true.pose(pose) for name, pose in poses.items()}
    found = similarity({**poses, "unknown": np.eye(4)}, truths)
    assert found.scale == pytest.approx(2.5, rel=1e-12)
    np.testing.assert_allclose(found.R, true.R, atol=1e-12)
    np.testing.assert_allclose(found.t, true.t, atol=1e-12)
    point = rng.normal(size=3)  # what a camera sees of a point stays, but for the unit
    moved = true.scale * true.R @ point + true.t
    seen, there = poses["3"] @ [*point, 1], truths["3"] @ [*moved, 1]
    np.testing.assert_allclose(there[:3], 2.5 * seen[:3], atol=1e-12)
    with pytest.raises(InputError, match="needs three"):
        similarity(dict(list(poses.items())[:2]), truths)


def test_errors_are_those_that_were_made() -> None:
    lens = LensCamera("PINHOLE", ImageSize(100, 200), (100.0, 100.0, 99.5, 49.5))
    truth = PosedPhotograph("q", lens, rigid_motion(turned(10), np.array([1.0, 2, 3])))
    R = turned(11)
    pose = rigid_motion(R, -R @ (truth.centre + np.array([0, 0.3, 0])))
    quaternion = (math.cos(math.radians(5.5)), 0.0, math.sin(math.radians(5.5)), 0.0)
    record = Record(
        FORMAT,
        "q",
        "ok",
        "",
        MadeFrom("", "", ""),
        confidence=0.9,
        quaternion=quaternion,
        translation=tuple(pose[:3, 3]),
        centre=tuple(invert_rigid(pose)[:3, 3]),
        direction=(0.0, 0.0, 1.0),
        camera=RecordedCamera("SIMPLE_PINHOLE", 200, 100, (105.0, 100.0, 50.0)),
        camera_source="estimated",
    )
    judged = judge(record, truth, Similarity.identity(), distance=10.0)
    assert judged.degrees == pytest.approx(1, abs=1e-6)
    assert judged.percent == pytest.approx(3, abs=1e-9)
    assert judged.focal_percent == pytest.approx(5)
    assert judged.right
    found = score([judged, Judged("other", None)])
    assert (found.queries, found.ok, found.wrong_but_ok) == (2, 1, 0)
    assert found.recall == (0, 0, 50, 50, 50)
    assert found.degrees == judged.degrees  # the lower one of the two in the middle
    assert found.focal_recall == 0


def test_auc_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the extra collections brings scikit-learn")
    rng = np.random.default_rng(0)
    right, wrong = rng.integers(2, 8, 40) / 8, rng.integers(0, 6, 30) / 8  # with ties
    expected = metrics.roc_auc_score([1] * 40 + [0] * 30, np.concatenate([right, wrong]))
    assert auc(right, wrong) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(auc([], wrong))
