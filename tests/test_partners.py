"""Results for many thresholds from one run of the networks, against a matcher that is built for each."""

from __future__ import annotations

import numpy as np
import pytest

from cyano.checkpoints import load
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.partners import partners, result_of, with_threshold


@pytest.mark.parametrize("align", [True, False])
def test_thresholds_choose_what_a_matcher_of_theirs_finds(align: bool) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    networks, options = load(), MatcherOptions(max_keypoints=128, align=align)
    matcher = Matcher(networks, options)
    photograph = data.astronaut()
    features = matcher.extract([photograph[20:200, 0:240], photograph[30:210, 25:265]])
    known = partners(matcher, *features)
    for threshold in (None, 0.02, 0.2, 0.5, 0.9):
        own = MatcherOptions(max_keypoints=128, align=align, match_threshold=threshold)
        (expected,) = Matcher(networks, own).match_features([(features[0], features[1])])
        chosen = matcher if threshold is None else with_threshold(matcher, threshold)
        found = result_of(chosen, *features, known)
        assert np.array_equal(found.indices, expected.indices)
        assert np.array_equal(found.scores, expected.scores)
        assert np.array_equal(found.keypoints1, expected.keypoints1)
        assert (found.doubtful is None) == (expected.doubtful is None)
        if found.doubtful is not None and expected.doubtful is not None:
            assert np.array_equal(found.doubtful.matches0, expected.doubtful.matches0)
        assert chosen.options == own
    assert matcher.options == options  # it is as it was
