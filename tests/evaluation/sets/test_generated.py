"""The generated set: the same every time, and SIFT's matches agree with its truth."""

import cv2
import numpy as np

from cyano.evaluation.sets.generated import generated_set
from cyano.geometry.truth import DepthTruth, Visibility


def test_equal_seeds_give_equal_pixels_and_others_do_not() -> None:
    first, again, other = generated_set(1), generated_set(1), generated_set(1, seed=1)
    assert np.array_equal(first.pairs[0].image0, again.pairs[0].image0)
    assert not np.array_equal(first.pairs[0].image0, other.pairs[0].image0)
    assert first.kind == "depth"


def test_unambiguous_sift_matches_lie_where_depth_and_pose_put_them() -> None:
    pair = generated_set(4).pairs[0]  # an easy one
    truth = pair.truth
    assert isinstance(truth, DepthTruth)
    sift = cv2.SIFT_create(1500)
    (points0, rows0), (points1, rows1) = (
        (np.array([k.pt for k in found]), rows)
        for found, rows in (sift.detectAndCompute(image, None) for image in (pair.image0, pair.image1))
    )
    matches = [m for m, n in cv2.BFMatcher().knnMatch(rows0, rows1, k=2) if m.distance < 0.6 * n.distance]
    assert len(matches) > 30
    projected = truth.to_image1(points0[[m.queryIdx for m in matches]])
    visible = projected.visibility == Visibility.VISIBLE
    errors = np.linalg.norm(projected.points - points1[[m.trainIdx for m in matches]], axis=1)[visible]
    # SIFT itself is good to about half a pixel; repeated patterns give some wrong matches.
    assert np.median(errors) < 1
