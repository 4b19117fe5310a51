"""Groups of views: the truths between them fit together."""

from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.geometry.truth import Visibility
from cyano.synthesis.scenes import SceneOptions
from cyano.training.data.photographs import Photographs
from cyano.training.data.views import ViewOptions, ViewSource
from support.photographs import write_photographs


@pytest.mark.parametrize("scenes", [0.0, 1.0])
def test_the_way_by_another_view_leads_to_the_same_place(tmp_path: Path, scenes: float) -> None:
    photographs = Photographs(sorted(write_photographs(tmp_path, 3).glob("*.png")))
    source = ViewSource(photographs, ViewOptions(height=120, width=160, scenes=scenes, difficulty=0.2, any_rotation=0))
    rng = np.random.default_rng(2)
    apart = []
    for _ in range(3):
        group = source.draw_group(rng, 3)
        assert [image.shape for image in group.images] == [(120, 160)] * 3
        assert [valid.shape for valid in group.valid] == [(120, 160)] * 3
        middle = rng.uniform(0, (159, 119), (800, 2))
        back, onward = group.truths[0, 1].to_image0(middle), group.truths[1, 2].to_image1(middle)
        seen = (back.visibility == Visibility.VISIBLE) & (onward.visibility == Visibility.VISIBLE)
        straight = group.truths[0, 2].to_image1(back.points[seen])
        both = straight.visibility == Visibility.VISIBLE
        apart.append(np.linalg.norm(onward.points[seen][both] - straight.points[both], axis=1))
    apart = np.concatenate(apart)
    assert len(apart) > 50
    # Depth is read between pixels, on slanted surfaces thrice; homographies are exact.
    assert np.median(apart) < (0.1 if scenes else 1e-6)


def test_a_pair_is_two_views_of_a_group(tmp_path: Path) -> None:
    source = ViewSource(Photographs(sorted(write_photographs(tmp_path, 3).glob("*.png"))), ViewOptions(64, 96))
    pair, group = source.draw(np.random.default_rng(1)), source.draw_group(np.random.default_rng(1), 2)
    assert np.array_equal(pair.images[1], group.images[1])
    assert pair.truth.to_image1(np.array([[5.0, 6.0]])).points.tolist() == pytest.approx(
        group.truths[0, 1].to_image1(np.array([[5.0, 6.0]])).points, nan_ok=True
    )


def test_groups_say_what_they_show(tmp_path: Path) -> None:
    photographs = Photographs(sorted(write_photographs(tmp_path, 2).glob("*.png")))
    rng = np.random.default_rng(0)
    source = ViewSource(photographs, ViewOptions(64, 96, scenes=0))
    groups = [source.draw_group(rng, 2) for _ in range(6)]
    assert {group.shown for group in groups} == {"photograph 0", "photograph 1"}
    assert all(group.shown == f"photograph {group.origin.number}" for group in groups)
    scenes = ViewSource(photographs, ViewOptions(64, 96, scenes=1.0, difficulty=0.2))
    first, second, again = (scenes.draw_group(np.random.default_rng(seed), 2).shown for seed in (0, 1, 0))
    assert first == again != second


@pytest.mark.parametrize("overlap", [(0.5, 0.5), (0.6, 0.4), (-0.1, 0.5), (0.5, 1.1)])
def test_an_overlap_that_no_scene_can_have_is_refused(overlap: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="overlap is"):
        SceneOptions(overlap=overlap)
    with pytest.raises(InputError, match="overlap is"):
        ViewOptions(overlap=overlap)
