"""Labels of true matches on hand-made pairs."""

import numpy as np

from cyano.geometry.truth import HomographyTruth, Projection, Visibility
from cyano.training.data.groundtruth import match_labels
from cyano.types import ImageSize

SIZE = ImageSize(100, 200)


def shift(dx: float) -> HomographyTruth:
    return HomographyTruth(np.array([[1, 0, dx], [0, 1, 0], [0, 0, 1.0]]), SIZE, SIZE)


def test_matches_unmatched_and_ignored() -> None:
    keypoints0 = np.array([[50.0, 50.0], [60.0, 20.0], [70.0, 70.0], [195.0, 10.0], [20.0, 80.0]])
    #            2 px off          4 px off: ignored    nothing near   leaves the image
    keypoints1 = np.array([[62.0, 50.0], [74.0, 20.0], [5.0, 5.0]])
    matches0, matches1 = match_labels(keypoints0, keypoints1, shift(10))
    assert matches0.tolist() == [0, -2, -1, -1, -1]
    assert matches1.tolist() == [0, -2, -1]  # (5, 5) comes from beyond the left edge
    assert matches0.dtype == matches1.dtype == np.int64


def test_the_identity_matches_everything_once() -> None:
    keypoints = np.random.default_rng(0).uniform((0, 0), (199, 99), (40, 2))
    matches0, matches1 = match_labels(keypoints, keypoints, shift(0))
    assert np.array_equal(matches0, np.arange(40))
    assert np.array_equal(matches1, np.arange(40))


def test_only_one_of_two_rivals_matches_and_the_other_is_ignored() -> None:
    matches0, matches1 = match_labels(np.array([[50.0, 50.0], [52.0, 50.0]]), np.array([[50.5, 50.0]]), shift(0))
    assert matches0.tolist() == [0, -2]
    assert matches1.tolist() == [0]


def test_distances_are_judged_in_the_finer_image() -> None:
    halved = HomographyTruth(np.diag([0.5, 0.5, 1]), SIZE, SIZE)
    # 2 px in the small image are 4 px in the large one: too far for a match, too near for none.
    matches0, _ = match_labels(np.array([[50.0, 50.0]]), np.array([[27.0, 25.0]]), halved)
    assert matches0.tolist() == [-2]


def test_what_nobody_knows_is_ignored() -> None:
    class Unknown:
        def to_image1(self, points0: np.ndarray) -> Projection:
            return Projection(np.full(points0.shape, np.nan), np.full(len(points0), Visibility.UNKNOWN))

        to_image0 = to_image1

    matches0, matches1 = match_labels(np.ones((3, 2)), np.ones((2, 2)), Unknown())
    assert matches0.tolist() == [-2] * 3
    assert matches1.tolist() == [-2] * 2


def test_empty_sides() -> None:
    none = np.zeros((0, 2))
    for first, second in ((none, none), (none, np.ones((2, 2))), (np.ones((2, 2)), none)):
        matches0, matches1 = match_labels(first, second, shift(0))
        assert matches0.tolist() == [-1] * len(first)
        assert matches1.tolist() == [-1] * len(second)
        assert matches0.dtype == np.int64
