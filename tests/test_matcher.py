from __future__ import annotations

import copy
import multiprocessing
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.utils import prune

from cyano.checkpoints.loading import Networks, load
from cyano.errors import ImageError, InputError, WeightsError
from cyano.matcher import Matcher, match
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.superglue import SuperGlue
from cyano.models.transport import log_transport
from cyano.options import MatcherOptions
from cyano.processing.assignment import mutual_matches
from cyano.processing.batching import pad
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult
from cyano.types import Features, ImageSize
from support.networks import random_superglue, random_superpoint

OPTIONS = MatcherOptions(resize=ResizeRule.longest(320), max_keypoints=300)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.from_pretrained(options=OPTIONS, device="cpu")


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    return np.asarray(skimage_data.astronaut())[:400, :500].copy()


def _shifted(image: np.ndarray, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Two crops of one image; a point (x, y) of the first is at (x - dx, y - dy) in the second."""
    height, width = image.shape[0] - abs(dy), image.shape[1] - abs(dx)
    return image[:height, :width], image[dy : dy + height, dx : dx + width]


def test_a_shift_is_found(matcher: Matcher, photograph: np.ndarray) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    result = matcher.match(image0, image1)
    assert len(result) > 50
    offset = result.keypoints0 - result.keypoints1
    # Original pixels; the detector at 320 px localises to about one resized pixel, 1.5 original ones.
    assert np.abs(np.median(offset, axis=0) - (48, 32)).max() < 1.0
    assert (np.abs(offset - (48, 32)).max(axis=1) < 5).mean() > 0.7
    assert result.keypoints0.dtype == result.keypoints1.dtype == result.scores.dtype == np.float32


def test_original_pixels_whatever_the_sizes(matcher: Matcher, photograph: np.ndarray) -> None:
    """The same picture twice as wide and high, and squeezed: coordinates follow each image's own pixels."""
    large = np.asarray(Image.fromarray(photograph).resize((1000, 500), Image.Resampling.BICUBIC))  # from 500 x 400
    result = matcher.match(photograph, large)
    assert len(result) > 50
    expected = (result.keypoints0 + 0.5) * (2, 1.25) - 0.5
    error = np.abs(result.keypoints1 - expected)
    # At 320 px a pixel of the network is 3.1 pixels of the larger image; the weights are right to about one.
    assert np.median(error) < 4
    assert result.image1.size == ImageSize(500, 1000)
    assert result.keypoints1[:, 0].max() > 500  # x really runs along the width


def test_every_kind_of_image_gives_the_same_result(matcher: Matcher, photograph: np.ndarray, tmp_path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photograph).save(path)
    other = photograph[:, ::-1].copy()
    expected = matcher.match(photograph, other)
    sources = [
        path,
        str(path),
        path.read_bytes(),
        Image.open(path),
        torch.from_numpy(photograph).permute(2, 0, 1),
        photograph.astype(np.float32) / 255,
    ]
    for source in sources:
        result = matcher.match(source, other)
        np.testing.assert_allclose(result.keypoints0, expected.keypoints0, atol=1e-4)
        assert np.array_equal(result.matches.matches0, expected.matches.matches0)


def test_features_once_then_many_matches(matcher: Matcher, photograph: np.ndarray) -> None:
    """Unequal counts, in one call, are the pairs one by one and what match gives."""
    images = [photograph, photograph[:80, :90], np.rot90(photograph).copy(), np.full((64, 64), 90, np.uint8)]
    features = matcher.extract(images)
    assert len({len(f) for f in features}) > 2
    pairs = [(features[0], features[1]), (features[1], features[2]), (features[3], features[0]), (features[3],) * 2]
    together = matcher.match_features(pairs)
    for pair, result in zip(pairs, together, strict=True):
        alone = matcher.match_features([pair])[0]
        assert np.array_equal(result.matches.matches0, alone.matches.matches0)
        assert np.array_equal(result.matches.scores0, alone.matches.scores0)
    direct = matcher.match(images[0], images[1])
    assert np.array_equal(direct.keypoints0, together[0].keypoints0)
    assert np.array_equal(direct.keypoints1, together[0].keypoints1)
    assert np.array_equal(direct.scores, together[0].scores)


def test_matches_of_a_known_warp_are_exact_once_aligned(photograph: np.ndarray) -> None:
    """A turn, a zoom and other light: half a pixel by the has no matcher, a tenth of one with the two pictures."""
    warp = np.array([[0.95, -0.2, 60.0], [0.2, 0.95, -20.0]])
    image0 = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)
    image1 = cv2.convertScaleAbs(cv2.warpAffine(image0, warp, (500, 400), flags=cv2.INTER_CUBIC), alpha=0.7, beta=40)
    errors = {}
    for align in (True, False):
        options = MatcherOptions(max_keypoints=500, align=align)
        result = match(image0, image1, options=options, device="cpu")
        assert len(result) > 100
        assert (result.scores.min() < 0.2) == align  # a quarter of the threshold is enough for what is confirmed
        away = np.linalg.norm(result.keypoints0 @ warp[:, :2].T + warp[:, 2] - result.keypoints1, axis=1)
        errors[align] = np.median(away), (away > 3).mean()
    assert errors[True][0] < 0.12 < errors[False][0]
    assert errors[True][1] < errors[False][1]


def test_padded_batches_of_modules_are_the_pairs_one_by_one() -> None:
    """The route of a GPU, run on the CPU: the modules in padded batches against the fast form."""
    networks = Networks(random_superpoint(), random_superglue(), "random", None)
    options = MatcherOptions(max_keypoints=120, keypoint_threshold=0.0)
    fast, padded = Matcher(networks, options), Matcher(networks, options, batch_size=3)
    padded._assigner.network = networks.superglue
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 255, size).astype(np.uint8) for size in [(80, 96), (64, 48), (40, 40), (96, 96)]]
    features = fast.extract(images)
    pairs = [(a, b) for a in features for b in features]
    for result, expected in zip(padded.match_features(pairs), fast.match_features(pairs), strict=True):
        assert np.array_equal(result.matches.matches0, expected.matches.matches0)
        # Probabilities; float32 sums in another order.
        np.testing.assert_allclose(result.matches.scores0, expected.matches.scores0, atol=1e-4)


def test_a_flat_image_has_no_matches_of_the_usual_types(matcher: Matcher, photograph: np.ndarray) -> None:
    flat = np.full((100, 120, 3), 128, np.uint8)
    full = matcher.match(photograph, photograph)
    for result in (matcher.match(flat, photograph), matcher.match(photograph, flat), matcher.match(flat, flat)):
        assert len(result) == 0
        assert result.keypoints0.shape == result.keypoints1.shape == (0, 2)
        assert result.scores.shape == (0,)
        assert result.indices.shape == (0, 2)
        for name in ("keypoints0", "keypoints1", "scores", "indices"):
            assert getattr(result, name).dtype == getattr(full, name).dtype
        for name in ("matches0", "matches1", "scores0", "scores1"):
            assert getattr(result.matches, name).dtype == getattr(full.matches, name).dtype


def test_probabilities_are_those_of_the_matches(photograph: np.ndarray) -> None:
    matcher = Matcher.from_pretrained(options=replace(OPTIONS, align=False), device="cpu")
    features = matcher.extract(_shifted(photograph, 48, 32))
    (result,) = matcher.match_features([(features[0], features[1])])
    chances = matcher.probabilities(*features)
    assert chances.shape == (len(features[0]) + 1, len(features[1]) + 1)
    rows = chances[tuple(result.indices.T)]
    assert np.abs(rows - result.scores).max() < 1e-6  # one float32 exponential of the same numbers
    assert np.array_equal(chances[result.indices[:, 0], :-1].argmax(axis=1), result.indices[:, 1])
    assert np.abs(chances[:, :-1].sum(axis=0)[:5] - 1).max() < 0.02  # the transport ends near its marginals
    nobody = matcher.extract([np.full((64, 64), 90, np.uint8)])[0]
    assert matcher.probabilities(features[0], nobody).shape == (len(features[0]) + 1, 1)


def test_masks_keep_keypoints_out(matcher: Matcher, photograph: np.ndarray) -> None:
    mask = np.zeros(photograph.shape[:2], np.uint8)
    mask[:, 250:] = 255
    result = matcher.match(photograph, photograph, mask0=mask)
    assert len(result) > 10
    assert result.image0.keypoints[:, 0].min() > 249
    assert result.image1.keypoints[:, 0].min() < 249
    with pytest.raises(ImageError, match="400"):
        matcher.match(photograph, photograph, mask0=mask[:50])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotations_are_searched_and_mapped_back(photograph: np.ndarray, turns: int) -> None:
    options = replace(OPTIONS, rotations="auto", few_matches=10_000)
    turned = np.ascontiguousarray(np.rot90(photograph, turns))
    result = Matcher.from_pretrained(options=options, device="cpu").match(photograph, turned)
    assert len(result) > 200
    height, width = photograph.shape[:2]
    x, y = result.keypoints0.T
    expected = {1: (y, width - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (height - 1 - y, x)}[turns]
    # The turned-back image is the same up to rounding, so its keypoints are the same pixels.
    assert np.median(np.abs(result.keypoints1 - np.stack(expected, axis=1))) < 0.1


def test_options_lie_over_the_weights_values() -> None:
    matcher = Matcher.from_pretrained(options=MatcherOptions(), device="cpu")
    assert (matcher.assignment.matching_threshold, matcher.detection.max_keypoints) == (0.2, 1024)
    options = MatcherOptions(max_keypoints=7, match_threshold=0.0, nms_radius=0, sinkhorn_iterations=3)
    matcher = Matcher.from_pretrained(options=options, device="cpu")
    assert matcher.assignment.matching_threshold == 0
    for threshold, confirmed in ((None, 0.05), (0.4, 0.4)):
        options = MatcherOptions(match_threshold=threshold)
        assert Matcher.from_pretrained(options=options, device="cpu").confirmed_threshold == pytest.approx(confirmed)
    assert matcher.assignment.sinkhorn_iterations == 3
    assert (matcher.detection.max_keypoints, matcher.detection.nms_radius) == (7, 0)


@pytest.mark.parametrize("cpu", [True, False])
def test_the_first_layers_alone_are_a_model_of_so_many_layers(photograph: np.ndarray, cpu: bool) -> None:
    """Both forms; the oracle reads the states after that layer in the one run of all layers."""
    networks = load(None)
    superglue = networks.superglue
    assert superglue is not None
    options = replace(OPTIONS, layers=4, align=False, match_threshold=0.05)
    shallow = Matcher(networks, options, device="cpu")
    assert isinstance(shallow._assigner.network, FastSuperGlue)
    if not cpu:
        shallow._assigner.network = superglue.first_layers(4)
    features = shallow.extract(_shifted(photograph, 48, 32))
    found = shallow.match_features([tuple(features)])[0]
    states: list[tuple[torch.Tensor, torch.Tensor]] = []
    with torch.inference_mode():
        superglue.propagate(*(pad([each]) for each in features), states=states)
        scores = superglue.similarity(*states[3])
        log_assignment = log_transport(scores, superglue.bin_score, superglue.config.sinkhorn_iterations)
    expected = mutual_matches(log_assignment, 0.05).matches0[0]
    pairs = [(i, int(j)) for i, j in enumerate(expected) if j >= 0]
    assert len(pairs) > 50
    assert [tuple(row) for row in found.indices.tolist()] == pairs  # rounding decides no match of a clear shift
    assert len(superglue.gnn.layers) == 12  # the networks stay whole


def test_the_first_layers_of_a_network_that_somebody_has_changed(photograph: np.ndarray) -> None:
    """Hooks of the layers that are run fire; a pruned layer, whose weights are computed, is run as it is."""
    networks = load(None)
    assert networks.superglue is not None
    layers, fired = networks.superglue.gnn.layers, []
    for number in (0, 11):
        layers[number].register_forward_hook(lambda *_, number=number: fired.append(number))
    prune.l1_unstructured(layers[1].mlp[1], "weight", amount=1)
    matcher = Matcher(networks, replace(OPTIONS, layers=4), device="cpu")
    assert len(matcher.match(*_shifted(photograph, 48, 32))) > 50
    assert set(fired) == {0}


def test_more_layers_than_there_are_is_told() -> None:
    with pytest.raises(InputError, match="12 layers, not 13"):
        Matcher.from_pretrained(options=MatcherOptions(layers=13), device="cpu")


@pytest.mark.parametrize(
    "bad",
    [
        {"max_keypoints": -2},
        {"max_keypoints": 1.5},
        {"max_keypoints": 0},
        {"few_matches": -1},
        {"resize": 640},
        {"match_threshold": "x"},
        {"keypoint_threshold": -0.1},
        {"keypoint_threshold": float("nan")},
        {"match_threshold": 1.5},
        {"nms_radius": -1},
        {"sinkhorn_iterations": 0},
        {"layers": 0},
        {"precision": "float16"},
        {"rotations": "yes"},
    ],
)
def test_bad_options_name_themselves(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        MatcherOptions(**bad)  # type: ignore[arg-type]


def test_a_detector_alone_cannot_match() -> None:
    with pytest.raises(WeightsError, match="has no matcher"):
        Matcher(Networks(random_superpoint(), None, "some/detector", None))


def test_misuse_is_told_in_plain_words(matcher: Matcher) -> None:
    networks = Networks(random_superpoint(), random_superglue(), "random", None)
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        Matcher(networks, device="abacus")
    with pytest.raises(InputError, match="batch_size"):
        Matcher(networks, batch_size=0)
    with pytest.raises(InputError, match="takes a list of images"):
        matcher.extract("a.png")
    foreign = Matcher(networks).extract([np.zeros((64, 64), np.uint8)])[0]
    with pytest.raises(InputError, match="128 channels, not of 32"):
        matcher.match_features([(foreign, foreign)])


def test_masks_must_be_as_many_as_images(matcher: Matcher, photograph: np.ndarray) -> None:
    with pytest.raises(InputError, match="2 images need as many masks"):
        matcher.extract([photograph, photograph], masks=[None])


def test_the_one_call_function_is_the_object_used_once(matcher: Matcher, photograph: np.ndarray) -> None:
    result = match(photograph, photograph, options=OPTIONS, device="cpu")
    assert isinstance(result, PairResult)
    assert np.array_equal(result.keypoints0, matcher.match(photograph, photograph).keypoints0)


def test_mixed_precision_keeps_the_keypoints_and_nearly_all_matches(photograph: np.ndarray) -> None:
    other = np.ascontiguousarray(photograph[20:, 30:])
    options = replace(OPTIONS, align=False)  # which moves keypoints of image 1 by sums of matches
    exact = match(photograph, other, options=options, device="cpu")
    mixed = match(photograph, other, options=replace(options, precision="mixed"), device="cpu")
    assert np.array_equal(mixed.image0.keypoints, exact.image0.keypoints)
    assert np.array_equal(mixed.image1.keypoints, exact.image1.keypoints)
    # 98 % is what is promised of it; trained weights give 99.9 % and more on real pairs.
    assert (mixed.matches.matches0 == exact.matches.matches0).mean() >= 0.98
    assert not np.array_equal(mixed.matches.scores0, exact.matches.scores0)  # it really computes otherwise


def test_own_weights_fill_up_and_a_threshold_of_the_user_cuts(photograph: np.ndarray) -> None:
    """In a dark and blurred picture, of which a threshold of 0.005 leaves little."""
    picture = (cv2.GaussianBlur(photograph, (0, 0), 2) * 0.3).astype(np.uint8)

    def features(threshold: float | None) -> Features:
        options = replace(OPTIONS, keypoint_threshold=threshold)
        return Matcher.from_pretrained(options=options, device="cpu").extract([picture])[0]

    filled, cut = features(None), features(0.005)
    assert len(filled) == OPTIONS.max_keypoints
    above = filled.scores > 0.005
    assert 0 < int(above.sum()) < len(filled) / 2
    assert sorted(cut.keypoints.tolist()) == sorted(filled.keypoints[above].tolist())


def test_options_do_not_change_the_networks() -> None:
    superglue = random_superglue()
    before = superglue.config
    Matcher(Networks(random_superpoint(), superglue, "random", None), MatcherOptions(sinkhorn_iterations=3))
    assert superglue.config == before
    assert isinstance(superglue, SuperGlue)


def _same(result: PairResult, expected: PairResult) -> None:
    assert len(expected) > 20
    assert np.array_equal(result.keypoints0, expected.keypoints0)
    assert np.array_equal(result.keypoints1, expected.keypoints1)
    assert np.array_equal(result.scores, expected.scores)


def test_autocast_changes_nothing(matcher: Matcher, photograph: np.ndarray) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    expected = matcher.match(image0, image1)
    features = matcher.extract([image0, image1[:200, :200]])
    of_features = matcher.match_features([tuple(features)])[0]
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype):
            _same(matcher.match(image0, image1), expected)
            _same(Matcher.from_pretrained(options=OPTIONS, device="cpu").match(image0, image1), expected)
            _same(matcher.match_features([tuple(matcher.extract([image0, image1[:200, :200]]))])[0], of_features)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda matcher: pickle.loads(pickle.dumps(matcher))])
def test_copies_match_alike(matcher: Matcher, photograph: np.ndarray, copied: object) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    _same(copied(matcher).match(image0, image1), matcher.match(image0, image1))


def test_a_matcher_works_in_a_spawned_process(matcher: Matcher, photograph: np.ndarray) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        _same(pool.apply(matcher.match, (image0, image1)), matcher.match(image0, image1))


def test_features_of_other_programs_match_alike(matcher: Matcher, photograph: np.ndarray) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    features = matcher.extract([image0, image1])
    expected = matcher.match_features([tuple(features)])[0]
    parts = ("keypoints", "scores", "descriptors")
    wide = [replace(each, **{name: getattr(each, name).double().numpy() for name in parts}) for each in features]
    _same(matcher.match_features([tuple(wide)])[0], expected)
    learned = [replace(each, **{name: getattr(each, name).clone().requires_grad_() for name in parts}) for each in wide]
    _same(matcher.match_features([tuple(learned)])[0], expected)


def test_what_is_no_pair_of_features_is_refused(matcher: Matcher, photograph: np.ndarray) -> None:
    one = matcher.extract([photograph])[0]
    for bad in (None, 3, (one, one), [one, one], [(one,)], [(one, one, one)], [(one, {})], [("a.jpg", "b.jpg")]):
        with pytest.raises(InputError, match="list of pairs of Features"):
            matcher.match_features(bad)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="read 0 extras of each keypoint, not 2"):
        matcher.match_features([(one, replace(one, extras=torch.zeros(len(one), 2)))])
    assert matcher.match_features([]) == []


@pytest.mark.parametrize(
    "options", [{"max_keypoints": True}, {"limits": 3}, {"resize": 640}, {"max_keypoints": "100"}, {"few_matches": 1.5}]
)
def test_options_of_another_kind_are_refused(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        MatcherOptions(**options)


def test_sides_and_counts_are_whole_numbers(matcher: Matcher, photograph: np.ndarray) -> None:
    for side in ("640", 640.5, float("nan"), (640,)):
        with pytest.raises(InputError, match="whole pixels"):
            ResizeRule.longest(side)  # type: ignore[arg-type]
    for count in ("x", 1.5, 0):
        with pytest.raises(InputError, match="batch_size"):
            Matcher(load(), batch_size=count)  # type: ignore[arg-type]
    for images in (None, 3):
        with pytest.raises(InputError, match="list of images"):
            matcher.extract(images)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="as many masks"):
        matcher.extract([photograph], masks=3)  # type: ignore[arg-type]


def test_networks_in_training_are_matched_with_as_trained(photograph: np.ndarray) -> None:
    image0, image1 = _shifted(photograph, 48, 32)
    networks = load()
    expected = Matcher(networks, OPTIONS).match(image0, image1)
    networks.superpoint.train()
    assert networks.superglue is not None
    networks.superglue.train()
    _same(Matcher(networks, OPTIONS).match(image0, image1), expected)
    assert networks.superglue.training


def test_networks_that_a_user_has_changed_run_as_they_are(photograph: np.ndarray) -> None:
    """Hooks fire, and a projection that gives nothing leaves no matches; unchanged modules agree with the fast form."""
    image0, image1 = _shifted(photograph, 48, 32)
    networks = load()
    expected = Matcher(networks, OPTIONS).match(image0, image1)
    calls: list[str] = []
    networks.superpoint.encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    hooked = Matcher(networks, OPTIONS).match(image0, image1)
    assert calls == ["encoder", "encoder"]
    assert len(set(map(tuple, hooked.keypoints0)) & set(map(tuple, expected.keypoints0))) > 0.95 * len(expected)
    networks.superglue.final_projection.final_proj = torch.nn.Sequential(torch.nn.Linear(128, 128), torch.nn.ReLU())
    torch.nn.init.zeros_(networks.superglue.final_projection.final_proj[0].weight)
    assert len(Matcher(networks, OPTIONS).match(image0, image1)) == 0
