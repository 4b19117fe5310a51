"""The matcher's stage: it starts as descriptor matching and learns to do better; gradients reach everything."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cyano.errors import InputError
from cyano.geometry import invert_rigid
from cyano.geometry.truth import DepthTruth
from cyano.models.assignment_loss import UNMATCHED, assignment_loss
from cyano.models.superglue import KeypointSet, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig
from cyano.models.transport import log_transport
from cyano.synthesis.scenes import SceneOptions, sample_pair
from cyano.training.data.features import FeatureExtractor
from cyano.training.data.pair_store import PairStore
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NOTHING_REAL, RealViews, read_posed
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.run.loop import Batch
from cyano.training.run.schedule import Schedule
from cyano.training.stages.matcher import MatcherStage, PairOptions
from cyano.types import ImageSize
from support.overfitting import mutual_nearest, overfit
from support.photographs import write_photographs

CONFIG = SuperGlueConfig(
    hidden_size=32,
    keypoint_encoder_sizes=(16,),
    gnn_layers_types=("self", "cross", "self", "cross"),
    num_attention_heads=2,
    sinkhorn_iterations=20,
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> MatcherStage:
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), 6)
    torch.manual_seed(0)
    superpoint = SuperPoint(SuperPointConfig((4, 4, 8, 16), decoder_hidden_size=16, descriptor_decoder_dim=32))
    return MatcherStage(
        fresh_superglue(CONFIG, seed=0),
        FeatureExtractor(superpoint, count=48),
        Photographs(sorted(folder.glob("*.png"))),
        PairOptions(height=120, width=160, keypoints=48, scenes=0.25, difficulty=0.2, perspective=0.1, any_rotation=0),
        Schedule(steps=10, batch_size=6, bfloat16=False),
        seed=0,
    )


def test_another_detector_is_another_stage(stage: MatcherStage) -> None:
    torch.manual_seed(1)
    other = FeatureExtractor(SuperPoint(SuperPointConfig((4, 4, 8, 16), 16, 32)), count=48)
    changed = MatcherStage(stage.superglue, other, stage._views.photographs, stage.options, stage.schedule, 0)
    assert changed.record() != stage.record()


def test_a_batch_is_a_function_of_the_generator_and_is_not_padded(stage: MatcherStage) -> None:
    first, again = stage.batch(np.random.default_rng(7)), stage.batch(np.random.default_rng(7))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["positions0"].shape == (6, 48, 2)
    assert first["descriptors1"].shape == (6, 48, 32)
    assert first["matches0"].dtype == torch.int64
    assert int((first["matches0"] >= 0).sum()) > 5  # an untrained detector repeats little
    for matches0, matches1 in zip(first["matches0"], first["matches1"], strict=True):
        rows = torch.nonzero(matches0 >= 0)[:, 0]
        assert torch.equal(matches1[matches0[rows]], rows)


def _set(batch: Batch, side: int):
    return KeypointSet(*(batch[f"{name}{side}"] for name in ("positions", "scores", "descriptors")))


def test_overfitting_beats_mutual_nearest_neighbours(stage: MatcherStage) -> None:
    batch = stage.batch(np.random.default_rng(2))
    losses, figures = overfit(stage, batch)
    assert losses[-1] < 0.5 * losses[0]
    assert float(figures["precision"]) > mutual_nearest(batch) + 0.2
    assert float(figures["recall"]) > 0.6


def test_gradients_reach_every_parameter(stage: MatcherStage) -> None:
    superglue = fresh_superglue(CONFIG, seed=1)
    with torch.no_grad():  # zero layers at the start pass no gradient to what lies before them
        for parameter in superglue.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    batch = stage.batch(np.random.default_rng(3))
    assignment_loss(superglue(_set(batch, 0), _set(batch, 1)), batch["matches0"], batch["matches1"]).backward()
    # A key's bias adds the same to all scores of a query, which the softmax takes out again.
    still = [n for n, p in superglue.named_parameters() if "key.bias" not in n and not p.grad.abs().max() > 0]
    assert still == []


def test_gradients_through_the_transport_match_finite_differences() -> None:
    scores = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    bin_score = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    mask0 = torch.tensor([[True] * 4, [True, True, False, True]])
    labels0, labels1 = torch.tensor([[0, -1, 2, -2], [1, -1, -2, 0]]), torch.tensor([[0, -1, 2], [3, 0, -1]])

    def loss(s: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return assignment_loss(log_transport(s, b, 8, mask0), labels0, labels1)

    assert torch.autograd.gradcheck(loss, (scores, bin_score))


def test_padding_does_not_reach_the_loss() -> None:
    generator = torch.Generator().manual_seed(1)
    scores, bin_score = torch.randn(1, 5, 4, generator=generator), torch.tensor(1.0)
    labels0, labels1 = torch.tensor([[0, -1, 2, -2, -1]]), torch.tensor([[0, -1, 2, -1]])
    plain = assignment_loss(log_transport(scores, bin_score, 20), labels0, labels1)
    padded = torch.nn.functional.pad(scores, (0, 3, 0, 2), value=9.0)
    mask0, mask1 = torch.arange(7)[None] < 5, torch.arange(7)[None] < 4
    wide0 = torch.nn.functional.pad(labels0, (0, 2), value=-2)
    wide1 = torch.nn.functional.pad(labels1, (0, 3), value=-2)
    # Both sum the same numbers in another order.
    assert torch.allclose(
        assignment_loss(log_transport(padded, bin_score, 20, mask0, mask1), wide0, wide1), plain, atol=1e-5
    )


def write_posed_scene(folder: Path) -> Path:
    """A rendered pair in the plain layout."""
    pair = sample_pair([], np.random.default_rng(0), SceneOptions(size=ImageSize(96, 128), difficulty=0.1))
    for kind in ("color", "depth"):
        (folder / kind).mkdir()
    for name, image, depth in (("0", pair.image0, pair.truth.depth0), ("1", pair.image1, pair.truth.depth1)):
        cv2.imwrite(str(folder / "color" / f"{name}.jpg"), (image * 255).astype(np.uint8))
        cv2.imwrite(str(folder / "depth" / f"{name}.png"), (np.asarray(depth) * 1000).clip(0, 65535).astype(np.uint16))
    np.savetxt(folder / "K.txt", pair.truth.camera0.matrix.reshape(1, 9))
    poses = np.eye(4), invert_rigid(pair.truth.T_0to1)
    (folder / "poses.txt").write_text("".join(f"{i} {' '.join(map(str, T.ravel()))}\n" for i, T in enumerate(poses)))
    (folder / "pairs3d.txt").write_text("0 1\n")
    return folder


def test_posed_images_join_by_their_share(stage: MatcherStage, tmp_path: Path) -> None:
    folder = write_posed_scene(tmp_path)
    posed = read_posed([folder])
    options = PairOptions(height=96, width=128, keypoints=32, scenes=0, posed=1)
    only = MatcherStage(
        stage.superglue, stage._extract, stage._views.photographs, options, stage.schedule, 0, RealViews(posed)
    )
    pair = only._views.draw(np.random.default_rng(0))
    assert [image.shape for image in pair.images] == [(96, 128), (96, 128)]
    assert isinstance(pair.truth, DepthTruth)
    with pytest.raises(InputError, match="no posed scene"):
        read_posed([tmp_path / "nothing"])


def with_options(stage: MatcherStage, **changes: object) -> MatcherStage:
    options = replace(stage.options, **changes)
    return MatcherStage(stage.superglue, stage._extract, stage._views.photographs, options, stage.schedule, 0)


def test_three_views_make_three_pairs(stage: MatcherStage) -> None:
    three = with_options(stage, views=3)
    pairs = three._made(np.random.default_rng(1))
    (first, second), (again, third), (second_again, third_again) = (
        (pair["positions0"], pair["positions1"]) for pair in pairs
    )
    assert torch.equal(first, again)
    assert torch.equal(second, second_again)
    assert torch.equal(third, third_again)
    batch = three.batch(np.random.default_rng(1))
    assert batch["matches0"].shape == batch["scores0"].shape == (6, 42)  # two groups; of 48, an eighth stays away


def test_assignments_are_supervised_on_the_way(stage: MatcherStage) -> None:
    """After every second layer but the last, which has its own; a weight of 0 leaves them out."""
    for changed, depths in (({}, ()), ({"early_every": 2}, (2,)), ({"early_every": 1}, (1, 2, 3))):
        options = replace(stage.options, **changed)
        other = MatcherStage(stage.superglue, stage._extract, stage._views.photographs, options, stage.schedule, seed=0)
        assert other.module.depths == depths
        _, figures = other.loss(other.module, other.batch(np.random.default_rng(0)))
        assert ("early" in figures) == bool(depths)
    silent = replace(stage.options, early_every=1, early_weight=0.0)
    none = MatcherStage(stage.superglue, stage._extract, stage._views.photographs, silent, stage.schedule, seed=0)
    assert none.module.depths == ()


def test_views_of_stored_pairs_are_two() -> None:
    with pytest.raises(InputError, match="views"):
        PairOptions(views=1)
    with pytest.raises(InputError, match="stored"):
        PairOptions(views=3, stored=10)


def test_unrelated_pairs_do_not_match(stage: MatcherStage) -> None:
    plain = stage.batch(np.random.default_rng(0))
    batch = with_options(stage, unrelated=1.0).batch(np.random.default_rng(0))
    assert torch.equal(batch["descriptors0"], plain["descriptors0"])
    assert torch.equal(batch["descriptors1"], plain["descriptors1"].roll(3, 0))  # half of the six pairs away
    assert (batch["matches0"] == UNMATCHED).all()
    assert (batch["matches1"] == UNMATCHED).all()
    some = with_options(stage, unrelated=0.3).batch(np.random.default_rng(4))
    assert 0 < int((some["matches0"] == UNMATCHED).all(1).sum()) < 6


def test_unrelated_sides_of_a_batch_of_one_thing_are_of_another(stage: MatcherStage) -> None:
    """Six pairs of four views are one group; the second sides of unrelated pairs are of the group that comes next."""
    plain = with_options(stage, views=4).batch(np.random.default_rng(4))
    batch = with_options(stage, views=4, unrelated=1.0).batch(np.random.default_rng(4))
    assert torch.equal(batch["descriptors0"], plain["descriptors0"])
    assert (batch["matches0"] == UNMATCHED).all()
    for strange in batch["positions1"]:
        assert not any(torch.equal(strange, own) for own in plain["positions1"])


def of_things(
    stage: MatcherStage, count: int, real: RealViews = NOTHING_REAL, store: PairStore | None = None, **options: object
) -> MatcherStage:
    """The stage with so many of its photographs."""
    photographs = Photographs(stage._views.photographs.paths[:count])
    options = replace(stage.options, scenes=0, **options)
    return MatcherStage(stage.superglue, stage._extract, photographs, options, stage.schedule, 0, real, store)


def test_pairs_of_one_thing_stay_as_they_are(stage: MatcherStage, tmp_path: Path) -> None:
    """Of one photograph, and of one posed scene: their keypoints would be labelled unmatched, and match."""
    posed = RealViews(read_posed([write_posed_scene(tmp_path)]))
    for count, real, posed_share in ((1, NOTHING_REAL, 0.0), (6, posed, 1.0)):
        plain, asked = (
            of_things(stage, count, real, posed=posed_share, unrelated=share).batch(np.random.default_rng(4))
            for share in (0.0, 1.0)
        )
        assert (plain["matches0"] != UNMATCHED).any()
        assert all(torch.equal(asked[name], value) for name, value in plain.items())


def test_unrelated_sides_show_another_thing(stage: MatcherStage) -> None:
    """Of two photographs, the pair half of the batch away often shows the same one."""
    two = of_things(stage, 2, unrelated=1.0)
    rng = np.random.default_rng(1)
    pairs = [pair for _ in range(6) for pair in two._drawn(rng)]
    plain, batch = of_things(stage, 2).batch(np.random.default_rng(1)), two.batch(np.random.default_rng(1))
    assert "shown" not in batch
    assert (batch["matches0"] == UNMATCHED).all()
    shown = [int(pair["shown"]) for pair in pairs]
    assert any(own == other for own, other in zip(shown[:3], shown[3:], strict=True))
    for own, descriptors in zip(shown, batch["descriptors1"], strict=True):
        (other,) = (i for i, each in enumerate(plain["descriptors1"]) if torch.equal(each, descriptors))
        assert shown[other] != own


def test_stored_pairs_say_what_they_show_and_those_that_do_not_stay(stage: MatcherStage, tmp_path: Path) -> None:
    stored = of_things(stage, 6, store=PairStore(tmp_path, 12), stored=12, unrelated=1.0)
    for _ in range(2):  # made, then read
        assert (stored.batch(np.random.default_rng(1))["matches0"] == UNMATCHED).all()
    for path in tmp_path.rglob("*.npz"):
        with np.load(path) as arrays:
            older = {name: array for name, array in arrays.items() if name != "shown"}
        np.savez(path, **older)
    plain = of_things(stage, 6, store=PairStore(tmp_path, 12), stored=12).batch(np.random.default_rng(1))
    again = stored.batch(np.random.default_rng(1))
    assert all(torch.equal(again[name], value) for name, value in plain.items())
