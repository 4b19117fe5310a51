"""Pairs of a reconstructed place: which are drawn, their frames, and labels against the depth that rendered them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyano.errors import InputError
from cyano.formats.colmap.tracks import TrackedModel
from cyano.geometry.camera import Camera
from cyano.geometry.lens import LensCamera
from cyano.geometry.tracked_views import ScenePoints, TrackedView, track_truth
from cyano.geometry.truth import Visibility
from cyano.synthesis.scenes.posed import PosedView
from cyano.synthesis.scenes.posed_frames import FramePair, PosedFrame
from cyano.training.data.material import _check_shares
from cyano.training.data.photographs import Photographs
from cyano.training.data.places import OVERLAP, Place, read_places
from cyano.training.data.real_views import NOTHING_REAL, RealViews
from cyano.training.data.views import ViewOptions, ViewSource
from cyano.types import ImageSize, ResizeMap
from support.walk import render_walk

SIZE = ImageSize(240, 320)


def band(count: int = 12, step: int = 25, wide: int = 100, size: ImageSize = SIZE) -> TrackedModel:
    """Cameras that go along a wall; neighbours share 75 % of their points, the next ones 50 %, then 25 % and none."""
    rng = np.random.default_rng(0)
    points = step * (count - 1) + wide
    places = np.column_stack([np.arange(points) * 0.03, rng.uniform(-1, 1, points), rng.uniform(3.9, 4.1, points)])
    lens = LensCamera.from_pinhole(Camera(300.0, 300.0, (size.width - 1) / 2, (size.height - 1) / 2, size))
    views = []
    for number in range(count):
        rows = np.arange(step * number, step * number + wide)
        T = np.eye(4)
        T[0, 3] = -places[rows, 0].mean()
        blank = TrackedView(lens, T, rows, np.zeros((wide, 2)))
        views.append(TrackedView(lens, T, rows, blank.project(places[rows])[0]))
    names = tuple(f"{number:02d}.png" for number in range(count))
    return TrackedModel(names, tuple(views), ScenePoints(places, np.tile((0.0, 0.0, -1.0), (points, 1))))


def written(folder: Path, model: TrackedModel, darkest: int = 0) -> list[Path]:
    """An image of its own grey for each view."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in model.names]
    for number, (path, view) in enumerate(zip(paths, model.views, strict=True)):
        Image.fromarray(np.full((view.size.height, view.size.width), darkest + 10 * number, np.uint8)).save(path)
    return paths


def test_pairs_are_drawn_evenly_over_their_overlap() -> None:
    place = Place([Path(name) for name in band().names], band())
    shares = {round(float(share), 2) for share in place.overlaps[np.triu_indices(12, 1)]}
    assert shares == {0.75, 0.5, 0.25, 0.0}
    assert len(place.pairs) == 10 + 9  # of shares 0.5 and 0.25; neighbours share too much
    rng = np.random.default_rng(0)
    drawn = [place.draw(rng, 2) for _ in range(600)]
    overlaps = np.array([place.overlaps[first, second] for first, second in drawn])
    # Of 600 draws with probability a half, all counts within four standard deviations, which are 12.
    assert abs((overlaps == 0.25).sum() - 300) < 50
    assert ((overlaps == 0.25) | (overlaps == 0.5)).all()
    assert {first < second for first, second in drawn} == {True, False}


def test_of_three_views_every_two_are_worth_a_pair() -> None:
    place = Place([Path(name) for name in band().names], band(step=15))
    rng = np.random.default_rng(0)
    for _ in range(50):
        chosen = place.draw(rng, 3)
        assert len(set(chosen)) == len(chosen) == 3
        shares = place.overlaps[np.ix_(chosen, chosen)][np.triu_indices(3, 1)]
        assert ((shares >= OVERLAP[0]) & (shares <= OVERLAP[1])).all()
    two = Place([Path(name) for name in band(2, step=50).names], band(2, step=50))
    assert sorted(two.draw(rng, 3)) == [0, 1]


def test_images_fit_their_frame_and_points_follow(tmp_path: Path) -> None:
    model = band(4, step=50, size=ImageSize(320, 240))  # upright images in a lying frame
    place = Place(written(tmp_path, model), model)
    frame = ResizeMap(ImageSize(320, 240), ImageSize(120, 90))
    views = pickle.loads(pickle.dumps(place)).views([2, 1], ImageSize(120, 160))
    assert [image.shape for image in views.images] == [(120, 160)] * 2
    for image, valid, grey in zip(views.images, views.valid, (20, 10), strict=True):
        assert valid[:, :90].all()
        assert not valid[:, 90:].any()
        np.testing.assert_allclose(image, np.where(valid, grey / 255, 0.5), atol=1e-6)
    own0, own1 = (frame.to_network(model.views[each].keypoints) for each in (2, 1))
    found = views.truths[0, 1].to_image1(own0[:50])  # the first half of view 2 is the second one of view 1
    visible = found.visibility == Visibility.VISIBLE
    assert visible.mean() > 0.8  # some contradict: a third of the size brings neighbours near
    np.testing.assert_allclose(found.points[visible], own1[50:][visible], atol=1e-6)


def test_all_places_have_the_same_share(tmp_path: Path) -> None:
    large, small = band(12), band(3, step=60)
    places = [Place(written(tmp_path / "large", large), large), Place(written(tmp_path / "small", small, 150), small)]
    options = ViewOptions(height=120, width=160, scenes=0.0, reconstructed=1.0)
    source = ViewSource(None, options, RealViews(places=places))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    greys = [float(source.draw_group(rng, 2).images[0][60, 80]) * 255 for _ in range(200)]
    assert abs(sum(grey > 140 for grey in greys) - 100) < 4 * np.sqrt(50)  # four standard deviations


def test_labels_are_those_of_the_depth_that_rendered_the_place() -> None:
    """Tracks as structure from motion finds them: points of surfaces, each observed by most views that show it."""
    walk = render_walk(7)
    rng = np.random.default_rng(0)
    tracked = as_model(walk, rng)
    place = Place([Path(name) for name in tracked.names], tracked)
    compared, right, hidden, wrong = 0, 0, 0, 0
    for first, second in place.pairs:
        truth = track_truth(tracked.points, tracked.views[first], tracked.views[second])
        exact = walk[first].truth_with(walk[second])
        height, width = walk[first].image.shape
        asked = rng.uniform((4, 4), (width - 5, height - 5), (3000, 2))
        found, wanted = truth.to_image1(asked), exact.to_image1(asked)
        told = (found.visibility == Visibility.VISIBLE) & (wanted.visibility == Visibility.VISIBLE)
        compared += told.sum()
        right += (np.linalg.norm(found.points[told] - wanted.points[told], axis=1) < 1.5).sum()
        hidden += ((found.visibility == Visibility.HIDDEN) & (wanted.visibility != Visibility.UNKNOWN)).sum()
        wrong += ((found.visibility == Visibility.HIDDEN) & (wanted.visibility == Visibility.VISIBLE)).sum()
    assert compared > 1000
    assert right > 0.95 * compared
    assert hidden > 200
    assert wrong < 0.02 * hidden


def as_model(walk: list[PosedView], rng: np.random.Generator, each: int = 250) -> TrackedModel:
    """A model without errors: random points of each view, observed by two thirds of the views that show them."""
    places, sightings = [], []
    for view in walk:
        height, width = view.image.shape
        pixels = rng.uniform((2, 2), (width - 3, height - 3), (each, 2))
        x, y = np.rint(pixels).astype(int).T
        pixels = np.stack([x, y], axis=1).astype(float)
        depth = view.depth[y, x]
        rays = np.column_stack([view.camera.normalise(pixels), np.ones(each)]) * depth[:, None]
        world = (rays - view.T_world_to_camera[:3, 3]) @ view.T_world_to_camera[:3, :3]
        shows = [other.depth is view.depth or _shows(view, other, pixels) for other in walk]
        observed = np.stack([np.broadcast_to(show, each) & (rng.random(each) < 0.67) for show in shows], axis=1)
        kept = (observed.sum(axis=1) >= 3) & (depth > 0)
        places.append(world[kept])
        sightings.append(observed[kept])
    points, seen = np.concatenate(places), np.concatenate(sightings)
    centres = np.stack([np.linalg.inv(view.T_world_to_camera)[:3, 3] for view in walk])
    rays = centres[None] - points[:, None]
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    views = []
    for number, view in enumerate(walk):
        rows = np.flatnonzero(seen[:, number])
        lens = LensCamera.from_pinhole(view.camera)
        blank = TrackedView(lens, view.T_world_to_camera, rows, np.zeros((len(rows), 2)))
        views.append(TrackedView(lens, blank.T_world_to_camera, rows, blank.project(points[rows])[0]))
    return TrackedModel(
        tuple(f"view{number}.png" for number in range(len(walk))),
        tuple(views),
        ScenePoints(points, (rays * seen[..., None]).sum(axis=1)),
    )


def _shows(view: PosedView, other: PosedView, pixels: np.ndarray) -> np.ndarray:
    return view.truth_with(other).to_image1(pixels).visibility == Visibility.VISIBLE


@pytest.mark.parametrize("inside", [".", "sparse", "sparse/0"])
def test_a_model_and_its_images_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    model = band()
    monkeypatch.setattr("cyano.training.data.places.read_tracks", lambda folder: model if folder == found else None)
    photographs, path = tmp_path / "photographs", tmp_path / "model"
    found = path / inside
    found.mkdir(parents=True)
    (found / "points3D.txt").write_text("")
    with pytest.raises(InputError, match=r"12 of 12 images of .*model are missing.*beside the model"):
        read_places([path], photographs)
    paths = written(photographs, model)
    aside = [paths[3], tmp_path / "photographs" / ".." / "photographs" / "04.png"]
    whole, part = *read_places([path], photographs), *read_places([path], photographs, aside)
    assert whole.paths == tuple(paths)
    assert part.paths == tuple(paths[:3] + paths[5:])
    assert part.model.names == model.names[:3] + model.names[5:]
    with pytest.raises(InputError, match="no two of the 2 images"):
        read_places([path], photographs, paths[2:])
    own = written(path / "images", model)
    assert read_places([path], photographs)[0].paths == tuple(own)


def test_shares_fit_what_is_given(tmp_path: Path) -> None:
    views = RealViews(places=[Place([Path(name) for name in band().names], band())])
    _check_shares(views, [ViewOptions(scenes=0.9, reconstructed=0.0), ViewOptions(scenes=0.7)])
    _check_shares(NOTHING_REAL, [ViewOptions(scenes=0.9)])
    with pytest.raises(InputError, match=r"scenes = 0.8, reconstructed = 0.3"):
        _check_shares(views, [ViewOptions(scenes=0.8)])
    for takers in ([], [ViewOptions(reconstructed=0.0)]):
        with pytest.raises(InputError, match="no stage of the recipe takes reconstructed images"):
            _check_shares(views, takers)


def test_what_is_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no reconstruction: give the folder"):
        read_places([tmp_path], tmp_path)
    model = band()
    paths = written(tmp_path / "images", model)
    wrong = Place(paths, band(size=ImageSize(250, 320)))
    with pytest.raises(InputError, match="is 320x240 pixels, and the model was made of 320x250"):
        wrong.views([0, 2], ImageSize(120, 160))


def test_a_photograph_of_a_place_shows_the_place(tmp_path: Path) -> None:
    model = band(4)
    place = Place(written(tmp_path / "place", model), model)
    Image.fromarray(np.full((240, 320), 200, np.uint8)).save(tmp_path / "other.png")
    (tmp_path / "link").symlink_to(tmp_path / "place")
    photographs = Photographs([tmp_path / "link" / "00.png", tmp_path / "other.png"])
    options = ViewOptions(height=120, width=160, scenes=0.0, reconstructed=0.5)
    source = ViewSource(photographs, options, RealViews(places=[place]))
    rng = np.random.default_rng(0)
    groups = [source.draw_group(rng, 2) for _ in range(40)]
    shown = {(None if group.origin is None else group.origin.number, group.shown) for group in groups}
    assert shown == {(None, "place 0"), (0, "place 0"), (1, "photograph 1")}


def test_places_with_images_in_common_are_one(tmp_path: Path) -> None:
    def place(*names: str) -> Place:
        model = band(3)
        paths = [tmp_path / name for name in names]
        return Place(paths, model)

    def frame(name: str) -> PosedFrame:
        return PosedFrame(tmp_path / name, tmp_path / "depth.png", None, None, np.eye(4))  # type: ignore[arg-type]

    posed = [FramePair(frame("scan/0.jpg"), frame("scan/1.jpg")), FramePair(frame("x/0.jpg"), frame("x/1.jpg"))]
    places = [place("a", "b"), place("c", "d"), place("e", "scan/1.jpg"), place("b", "c")]
    shown = RealViews(posed, places).shown
    numbers = {
        name: shown[tmp_path / name] for name in ("a", "b", "c", "d", "e", "scan/0.jpg", "scan/1.jpg", "x/0.jpg")
    }
    assert len({numbers[name] for name in "abcd"}) == 1
    assert numbers["e"] == numbers["scan/0.jpg"] == numbers["scan/1.jpg"]
    assert len(set(numbers.values())) == 3
