from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyano.errors import InputError
from cyano.pairs import retrieval
from cyano.retrieval import Codebook, VladOptions, describe_collection, global_descriptors, sample_descriptors, vlad


def twin(descriptors: np.ndarray, centroids: np.ndarray, normalisation: str) -> np.ndarray:
    """The definition, descriptor by descriptor and in float64."""
    sums = np.zeros(centroids.shape)
    for row in descriptors.astype(np.float64):
        nearest = int(((row - centroids) ** 2).sum(axis=1).argmin())
        sums[nearest] += row - centroids[nearest]
    for k, one in enumerate(sums):
        length = np.sqrt((one**2).sum())
        sums[k] = one / (length or 1) if normalisation == "intra" else np.sign(one) * np.sqrt(np.abs(one))
    whole = sums.reshape(-1)
    return whole / (np.sqrt((whole**2).sum()) or 1)


@pytest.mark.parametrize("normalisation", ["intra", "signed-root"])
def test_against_the_definition(normalisation: str) -> None:
    generator = np.random.default_rng(3)
    centroids = generator.normal(size=(5, 4)).astype(np.float32)
    descriptors = generator.normal(size=(50, 4)).astype(np.float32)
    found = vlad(descriptors, centroids, normalisation)
    assert (found.dtype, found.shape) == (np.float32, (20,))
    assert found == pytest.approx(twin(descriptors, centroids, normalisation), abs=1e-5)  # sums of 50 in float32


def test_by_hand() -> None:
    centroids = np.array([(0, 0), (10, 0), (50, 50)], np.float32)
    descriptors = np.array([(1, 0), (2, 0), (10, -4), (10, 0)], np.float32)
    # The sums of offsets are (3, 0), (0, -4) and nothing.
    assert vlad(descriptors, centroids).tolist() == pytest.approx([0.5**0.5, 0, 0, -(0.5**0.5), 0, 0])
    roots = np.array([3**0.5, 0, 0, -2, 0, 0]) / 7**0.5
    assert vlad(descriptors, centroids, "signed-root").tolist() == pytest.approx(roots.tolist())


def test_nothing_to_see_is_all_zero() -> None:
    centroids = np.array([(0.25, 0), (0.1, 0.7)], np.float32)
    assert vlad(np.empty((0, 2), np.float32), centroids).tolist() == [0] * 4
    assert vlad(centroids[[0, 1, 1, 1]], centroids).tolist() == [0] * 4  # exactly on centroids


ROWS = hnp.arrays(np.float32, st.tuples(st.integers(0, 8), st.just(3)), elements=st.floats(-4, 4, width=16))


@given(
    ROWS, hnp.arrays(np.float32, (3, 3), elements=st.floats(-4, 4, width=16)), st.sampled_from(["intra", "signed-root"])
)
def test_the_length_is_one_or_zero(rows: np.ndarray, centroids: np.ndarray, normalisation: str) -> None:
    length = float(np.linalg.norm(vlad(rows, centroids, normalisation)))
    assert length == 0 or length == pytest.approx(1, abs=1e-5)


def test_widths_have_to_agree() -> None:
    with pytest.raises(InputError, match=r"\(2, 3\) do not fit centroids \(4, 5\)"):
        vlad(np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32))
    codebook = Codebook(np.eye(3, dtype=np.float32), {})
    for wrong, fact in ((np.zeros((2, 4)), r"'a' are \(2, 4\), not \(N, 3\)"), (np.full((1, 3), np.nan), "not finite")):
        with pytest.raises(InputError, match=fact):
            global_descriptors(lambda _, wrong=wrong: wrong, ["a"], codebook)


def places(count: int, views: int) -> dict[str, np.ndarray]:
    """Images of places: each sees most of its place's descriptors, disturbed, and some that are anywhere."""
    generator = np.random.default_rng(4)
    images = {}
    for place in range(count):
        seen = generator.normal(size=(60, 16))
        for view in range(views):
            kept = seen[generator.permutation(60)[:45]] + 0.2 * generator.normal(size=(45, 16))
            rows = np.concatenate((kept, generator.normal(size=(10, 16))))
            images[f"{view}-{place}"] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    return images


@pytest.mark.parametrize("normalisation", ["intra", "signed-root"])
def test_images_of_one_place_are_found(normalisation: str) -> None:
    images = places(count=8, views=4)
    names = sorted(images)
    described = describe_collection(images.__getitem__, names, VladOptions(clusters=8, normalisation=normalisation))
    assert (described.dtype, described.shape) == (np.float16, (32, 8 * 16))
    pairs = retrieval(described, names, 3)
    assert len(pairs) == 8 * 6  # every two of the four views of every place, and nothing else
    assert all(pair.name0.split("-")[1] == pair.name1.split("-")[1] for pair in pairs)


def test_a_sample_is_bounded_fair_and_independent_of_the_order() -> None:
    sizes = {f"{index:02d}": size for index, size in enumerate([0, 3, 50, 50, 200, 9])}
    rows = {name: np.full((size, 2), int(name), np.float16) for name, size in sizes.items()}
    options = VladOptions(clusters=1, sample=60, images=6)
    sample = sample_descriptors(rows.__getitem__, sorted(rows), options)
    assert sample.dtype == np.float32
    counts = {name: int((sample[:, 0] == int(name)).sum()) for name in rows}
    assert counts == {"00": 0, "01": 3, "02": 10, "03": 10, "04": 10, "05": 9}

    different = {name: np.random.default_rng(int(name)).normal(size=(size, 2)) for name, size in sizes.items()}
    few = VladOptions(clusters=1, sample=20, images=4, seed=5)
    asked: list[str] = []
    first = sample_descriptors(lambda name: (asked.append(name), different[name])[1], sorted(sizes), few)
    assert len(set(asked)) == len(asked) == 4
    assert np.array_equal(first, sample_descriptors(different.__getitem__, sorted(sizes)[::-1], few))
    assert sample_descriptors(rows.__getitem__, []).shape == (0, 0)
    with pytest.raises(InputError, match=r"'b' are \(1, 3\), not \(N, 2\)"):
        sample_descriptors(lambda name: np.zeros((1, 2 if name == "a" else 3)), ["a", "b"], options)
