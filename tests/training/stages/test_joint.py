"""The joint stage: places that correspond, targets where the labels are, losses that fall."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from cyano.errors import InputError
from cyano.geometry.transforms import warp_points
from cyano.geometry.truth import Visibility
from cyano.models.superpoint import SuperPointConfig
from cyano.synthesis.homographies import View
from cyano.synthesis.scenes import SceneOptions, sample_pair
from cyano.training.data.joint_pairs import ShownTruth, cells_shown, corresponding_cells, structure_found_again
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import RealViews
from cyano.training.data.views import ViewPair, two_views
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.run.config import Round
from cyano.training.run.schedule import Schedule, build_optimiser
from cyano.training.stages.joint import JointOptions, JointStage
from cyano.training.stages.labels import AdaptationOptions, label_photographs
from cyano.types import ImageSize
from support.photographs import write_photographs

CONFIG = SuperPointConfig((4, 8, 16, 16), decoder_hidden_size=32, descriptor_decoder_dim=32)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> JointStage:
    folder = tmp_path_factory.mktemp("joint")
    photographs = Photographs(sorted(write_photographs(folder / "images", 4).glob("*.png")))
    superpoint = fresh_superpoint(CONFIG, seed=0)
    options = AdaptationOptions(warps=2, longest=240, threshold=1e-5, max_points=100)
    label_photographs(superpoint, photographs, options, folder / "labels", seed=0)
    schedule = Schedule(steps=10, batch_size=3, bfloat16=False)
    joint = JointOptions(height=96, width=128, any_rotation=0, rotation=10, perspective=0.05)
    return JointStage("joint-1", superpoint, photographs, folder / "labels", joint, schedule, seed=0)


SIZE = ImageSize(64, 80)


def shown_by(H1: np.ndarray, *, valid: bool = True, images: Sequence[np.ndarray] | None = None) -> ShownTruth:
    """The truth of a photograph as it is and of another view of it."""
    whole = np.full((64, 80), valid)
    first, second = images or [np.zeros((64, 80), np.float32)] * 2
    return ShownTruth(two_views(View(first, whole, np.eye(3)), View(second, whole, H1)))


def test_places_correspond_and_corners_take_their_cells() -> None:
    H1 = np.array([[1, 0.1, -8], [-0.1, 1, 5], [0, 0, 1.0]])
    corners = np.array([[20.25, 30.75], [300.0, 10.0]])  # the second lies outside
    places, there, used = corresponding_cells(shown_by(H1), SIZE, corners, np.random.default_rng(0), 1000)
    assert places.shape == there.shape == (80, 2)
    assert np.allclose(places[3 * 10 + 2], corners[0])  # cell (2, 3) of 10 columns
    assert np.allclose(there[used], warp_points(H1, places)[used], atol=1e-4)  # float32
    assert used.sum() > 20
    inside = (there[used] >= 4) & (there[used] <= (75, 59))
    assert inside.all()


def test_nothing_corresponds_beyond_the_photograph() -> None:
    nothing = shown_by(np.eye(3), valid=False)
    assert not corresponding_cells(nothing, SIZE, np.zeros((0, 2)), np.random.default_rng(0), 1000)[2].any()
    assert not any(each.any() for each in cells_shown(nothing, SIZE))


def test_at_most_so_many_places_are_compared() -> None:
    used = corresponding_cells(shown_by(np.eye(3)), SIZE, np.zeros((0, 2)), np.random.default_rng(0), 10)[2]
    assert used.sum() == 10


def test_only_structure_that_both_views_show_is_a_target() -> None:
    y, x = np.mgrid[:64, :80]

    def picture(places: list[tuple[float, float]]) -> np.ndarray:
        bumps = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in places)
        return (0.2 + 0.5 * np.asarray(bumps)).astype(np.float32)

    H1 = np.array([[1, 0, 6.5], [0, 1, -3.25], [0, 0, 1.0]])
    first = picture([(20, 20), (50.4, 40), (30, 50)])
    second = picture([(26.5, 16.75), (56.9, 36.75), (39, 47.5), (10, 40)])  # the third is 3 pixels off, the fourth new
    truth = shown_by(H1, images=(first, second))
    corners = structure_found_again(torch.from_numpy(np.stack([first, second]))[:, None], truth)
    order = np.argsort(corners[0][:, 0])
    assert np.allclose(corners[0][order], [(20, 20), (50.4, 40)], atol=0.05)
    assert np.allclose(corners[1][order], [(26.5, 16.75), (56.9, 36.75)], atol=0.05)


def test_what_the_other_view_does_not_show_decides_nothing() -> None:
    # By hand: 5.5 pixels to the right and 3.25 up, so the last column and the first row of cells are gone, and the
    # first column and the last row of the other view's.
    shown0, shown1 = cells_shown(shown_by(np.array([[1, 0, 5.5], [0, 1, -3.25], [0, 0, 1.0]])), SIZE)
    expected = np.zeros((8, 10), dtype=bool)
    expected[1:, :9] = True
    assert np.array_equal(shown0, expected)
    assert np.array_equal(shown1, expected[::-1, ::-1])


def test_in_a_scene_with_depth_hidden_places_are_left_out() -> None:
    pair = sample_pair([], np.random.default_rng(0), SceneOptions(size=ImageSize(96, 128), difficulty=0.3))
    whole = np.ones((96, 128), dtype=bool)
    truth = ShownTruth(ViewPair((pair.image0, pair.image1), pair.truth, (whole, whole)))
    places, there, used = corresponding_cells(
        truth, ImageSize(96, 128), np.zeros((0, 2)), np.random.default_rng(1), 1000
    )
    exact = pair.truth.to_image1(places)
    assert 10 < used.sum() < len(used)
    assert np.allclose(there[used], exact.points[used], atol=0.01)  # float32 places, and depth between pixels
    assert (exact.visibility[used] == Visibility.VISIBLE).all()
    back = pair.truth.to_image0(there[used])
    assert np.nanmedian(np.linalg.norm(back.points - places[used], axis=1)) < 0.01  # there and back by the other depth


def test_places_at_the_border_and_empty_pictures_are_no_trouble() -> None:
    truth = shown_by(np.eye(3))
    corners = structure_found_again(torch.full((2, 1, 64, 80), 0.5), truth)
    assert [each.shape for each in corners] == [(0, 2), (0, 2)]
    noise = torch.rand(1, 1, 64, 80, generator=torch.Generator().manual_seed(0)).expand(2, 1, 64, 80)
    corners = structure_found_again(noise, truth)
    assert len(corners[0]) > 50
    assert np.array_equal(corners[0], corners[1])


def test_scenes_join_by_their_share_and_have_no_labels(stage: JointStage) -> None:
    options = replace(stage.options, scenes=1.0)
    photographs = stage._views.photographs
    batch = JointStage("joint-1", stage.superpoint, photographs, None, options, stage.schedule, seed=0).batch(
        np.random.default_rng(0)
    )
    assert int(batch["used"].sum()) > 20
    assert 0 < float(batch["valid"].float().mean()) < 1
    with pytest.raises(InputError, match="rounds without"):
        Round(options, stage.schedule, AdaptationOptions())


def test_without_labels_the_stage_learns_from_structure(stage: JointStage) -> None:
    free = JointStage(
        "joint-1", stage.superpoint, stage._views.photographs, None, stage.options, stage.schedule, seed=0
    )
    batch = free.batch(np.random.default_rng(3))
    assert batch["targets"].shape == (6, 65, 12, 16)
    assert float((batch["targets"][:, -1] < 0.9).float().mean()) > 0.02
    assert int(batch["used"].sum()) > 50


def test_the_targets_are_the_labels_in_each_view(stage: JointStage) -> None:
    batch = stage.batch(np.random.default_rng(3))
    assert batch["images"].shape == (6, 1, 96, 128)
    assert batch["targets"].shape == (6, 65, 12, 16)
    assert batch["valid"].shape == (6, 12, 16)
    assert torch.allclose(batch["targets"].sum(1), torch.ones(6, 12, 16), atol=1e-5)
    assert float((batch["targets"][:, -1] < 0.9).float().mean()) > 0.02
    assert all(torch.equal(batch[k], v) for k, v in stage.batch(np.random.default_rng(3)).items())


def test_both_losses_fall_on_one_batch(stage: JointStage) -> None:
    batch = stage.batch(np.random.default_rng(1))
    optimiser = build_optimiser(stage.module.parameters(), Schedule(steps=1, learning_rate=3e-3))
    figures = []
    for _ in range(60):
        optimiser.zero_grad()
        loss, told = stage.loss(stage.module, batch)
        loss.backward()
        optimiser.step()
        figures.append({name: float(value) for name, value in told.items()})
    assert figures[-1]["detector"] < 0.8 * figures[0]["detector"]
    assert figures[-1]["descriptor"] < 0.8 * figures[0]["descriptor"]
    assert figures[-1]["nearest_right"] > 2 * figures[0]["nearest_right"]
    assert all(parameter.grad is not None for parameter in stage.module.parameters())


def test_a_labelled_stage_takes_photographs_only(stage: JointStage) -> None:
    """Also where places are given, of which a round takes three tenths unless it says otherwise."""
    real = RealViews(places=["no place"])  # type: ignore[list-item]
    options = replace(stage.options, reconstructed=1.0)
    made = (stage.superpoint, stage._views.photographs, stage._labels, options, stage.schedule, 0)
    labelled = JointStage("joint-1", *made, real)
    own, plain = (each.batch(np.random.default_rng(3)) for each in (labelled, stage))
    assert all(torch.equal(own[name], value) for name, value in plain.items())
    assert labelled.record()["places"] == 0


@pytest.mark.parametrize(
    ("option", "value"), [("taught", -5), ("label_share", 7.0), ("label_share", -0.1), ("teacher_weight", -3.0)]
)
def test_what_a_teacher_cannot_have_is_refused(option: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{option} is a"):
        JointOptions(**{option: value})
