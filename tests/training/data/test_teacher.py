"""Another network's features as lessons: in the right place, in the student's axes, only where they are seen."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cyano.checkpoints.loading import load
from cyano.errors import InputError
from cyano.geometry.transforms import warp_points
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superpoint import SuperPointConfig
from cyano.processing.descriptors import sample_descriptors
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NOTHING_REAL
from cyano.training.data.teacher import Teacher, one_a_cell, student_axes, teacher_axes
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.run.schedule import Schedule
from cyano.training.stages.joint import JointOptions, JointStage, taught_loss
from cyano.types import ImageSize
from support.commands import run
from support.photographs import write_photographs
from support.recipes import DETECTOR_AND_MATCHER as RECIPE

h5py = pytest.importorskip("h5py", reason="hloc's files need h5py")

CONFIG = SuperPointConfig((4, 8, 16, 16), decoder_hidden_size=32, descriptor_decoder_dim=32)
COUNT, CHANNELS = 60, 48


def write_features(path: Path, folder: Path, descriptors: dict[str, np.ndarray] | None = None) -> None:
    """Random keypoints in images said to be twice as large as the photographs are."""
    with h5py.File(path, "w") as file:
        for number, image in enumerate(sorted(folder.rglob("*.png"))):
            rng = np.random.default_rng(number)
            name = image.relative_to(folder).as_posix()
            group = file.require_group(name)
            own = rng.normal(size=(CHANNELS, COUNT)) if descriptors is None else descriptors[name].T
            group["keypoints"] = rng.uniform((0, 0), (479, 359), (COUNT, 2)).astype(np.float32)
            group["scores"] = rng.uniform(0, 1, COUNT).astype(np.float32)
            group["descriptors"] = own.astype(np.float16)
            group["image_size"] = np.array([480, 360])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "images" / "near", 3)
    write_features(tmp_path / "features.h5", tmp_path / "images")
    return tmp_path


def test_a_lesson_is_in_pixels_of_the_photograph_the_surest_keypoint_first(folder: Path) -> None:
    teacher = Teacher.open(folder / "features.h5", folder / "images")
    teacher = pickle.loads(pickle.dumps(teacher))
    (first, *_) = teacher.taught(sorted((folder / "images").rglob("*.png")))
    lesson = teacher.lesson(first, ImageSize(180, 240))
    with h5py.File(folder / "features.h5") as file:
        group = file["near/a000.png"]
        order = np.argsort(-group["scores"][()])
        expected = (group["keypoints"][()][order].astype(np.float64) + 0.5) / 2 - 0.5  # pixel centres map to centres
        rows = group["descriptors"][()].T[order].astype(np.float64)
    assert np.allclose(lesson.keypoints, expected, atol=1e-9)
    assert (np.diff(lesson.scores) <= 0).all()
    assert np.allclose(lesson.descriptors, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)


def test_files_that_teach_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"none of the photographs.*'near/a000\.png'"):
        Teacher.open(folder / "features.h5", folder).taught([folder / "images" / "near" / "a000.png"])
    with h5py.File(folder / "empty.h5", "w"):
        pass
    with pytest.raises(InputError, match="holds no keypoints"):
        Teacher.open(folder / "empty.h5", folder)
    (folder / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="not an HDF5 file"):
        Teacher.open(folder / "text.h5", folder)


def test_a_teacher_that_is_the_student_in_other_axes_is_turned_back(folder: Path) -> None:
    superpoint = fresh_superpoint(CONFIG, seed=0)
    with torch.no_grad():
        superpoint.descriptor_decoder.conv_descriptor_b.weight[16:] = 0  # the half that the matcher wants empty
    photographs = Photographs(sorted((folder / "images").rglob("*.png")))
    teacher = Teacher.open(folder / "features.h5", folder / "images")
    student, said = FastSuperPoint(superpoint), {}
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(CHANNELS, CHANNELS)))[0][:32]
    for number, path in enumerate(photographs.paths):
        lesson = teacher.lesson(path, ImageSize(180, 240))
        dense = student(torch.from_numpy(photographs[number])[None, None])
        own = sample_descriptors(dense.descriptors[0], torch.from_numpy(lesson.keypoints).float()).numpy()
        said[path.relative_to(folder / "images").as_posix()] = own
    with h5py.File(folder / "features.h5", "r+") as file:
        for name, rows in said.items():
            places = np.argsort(np.argsort(-file[name]["scores"][()]))  # lessons are in the order of the scores
            file[name]["descriptors"][...] = (rows @ turn)[places].T.astype(np.float16)
    teacher = Teacher.open(folder / "features.h5", folder / "images")
    axes = student_axes(teacher, photographs, superpoint)
    assert axes.shape == (CHANNELS, 32)
    assert not axes[:, 16:].any()
    for rows in said.values():
        turned = (rows @ turn) @ axes.double().numpy()
        assert np.allclose(turned, rows, atol=0.01)  # descriptors in float16, on the weakest of 16 axes too


def test_a_student_that_knows_nothing_takes_the_teachers_axes(folder: Path) -> None:
    photographs = Photographs(sorted((folder / "images").rglob("*.png")))
    with h5py.File(folder / "features.h5", "r+") as file:
        for path in photographs.paths:
            file[path.relative_to(folder / "images").as_posix()]["descriptors"][40:] = 0  # channels without use
    teacher = Teacher.open(folder / "features.h5", folder / "images")
    same = fresh_superpoint(replace(CONFIG, descriptor_decoder_dim=CHANNELS), seed=0)
    axes = teacher_axes(teacher, photographs, same)
    assert torch.equal(axes, torch.eye(CHANNELS))
    used = same.descriptor_decoder.conv_descriptor_b.weight.abs().amax((1, 2, 3)) > 0
    assert used.tolist() == [True] * 40 + [False] * 8
    narrow = fresh_superpoint(CONFIG, seed=0)
    axes = teacher_axes(teacher, photographs, narrow)
    taught = [teacher.lesson(path, ImageSize(180, 240)).descriptors for path in photographs.paths]
    rows = torch.from_numpy(np.concatenate(taught))
    moments = (rows @ axes).double().T @ (rows @ axes).double()
    largest = torch.linalg.eigvalsh(rows.double().T @ rows.double()).flip(0)[:32]
    assert torch.allclose(moments, torch.diag(largest), atol=1e-3)  # descriptors in float16; moments are about 5
    wide = fresh_superpoint(replace(CONFIG, descriptor_decoder_dim=64), seed=0)
    assert torch.equal(teacher_axes(teacher, photographs, wide), torch.eye(CHANNELS, 64))


def test_a_cell_asks_for_its_first_keypoint_alone() -> None:
    keypoints = np.array([[3.0, 3.0], [9.0, 2.0], [6.0, 7.0], [-3.0, 4.0], [15.6, 15.4], [20.0, 20.0]])
    size = ImageSize(16, 24)  # two rows of three cells; the third keypoint shares the first's, two lie outside
    assert one_a_cell(keypoints, size, 1.0).tolist() == [0, 1, 4]
    assert one_a_cell(keypoints[[4, 4, 0]] - 0.2, size, 1.0).tolist() == [0, 2]
    assert one_a_cell(keypoints, size, 1 / 6).tolist() == [0]
    assert one_a_cell(np.zeros((0, 2)), size, 1.0).shape == (0,)


def test_the_loss_is_zero_once_the_student_says_what_the_teacher_says() -> None:
    maps = torch.nn.functional.normalize(torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    points = torch.tensor([[11.5, 11.5], [35.5, 35.5], [0.0, 0.0]]).expand(2, 3, 2)
    counts = torch.tensor([[True, True, False], [False, False, False]])
    own = sample_descriptors(maps[0], points[0, :2])
    targets = torch.zeros(2, 3, 8)
    targets[0, :2] = own
    batch = {"taught_points": points, "taught": targets, "taught_counts": counts}
    loss, cosine = taught_loss(maps.unbind(), batch, torch.tensor(50.0))
    between = float(own[0] @ own[1])
    expected = np.log1p(np.exp(50 * (between - 1)))  # two-way cross-entropy, by hand
    assert float(loss) == pytest.approx(expected, abs=1e-5)
    assert float(cosine) == pytest.approx(1, abs=1e-6)
    targets[0, :2] = -own
    assert float(taught_loss(maps.unbind(), batch, torch.tensor(50.0))[0]) > 4 - 1e-5  # twice one less minus one
    nothing = {**batch, "taught_counts": torch.zeros(2, 3, dtype=torch.bool)}
    assert float(taught_loss(maps.unbind(), nothing, torch.tensor(50.0))[0]) == 0


def test_views_are_taught_at_the_photographs_keypoints_and_scenes_are_not(folder: Path) -> None:
    photographs = Photographs(sorted((folder / "images").rglob("*.png")))
    teacher = Teacher.open(folder / "features.h5", folder / "images")
    superpoint = fresh_superpoint(CONFIG, seed=0)
    axes = torch.eye(CHANNELS)[:, :32]
    options = JointOptions(height=96, width=128, adverse=0.5, tilt=40, taught=20)
    schedule = Schedule(steps=10, batch_size=2, bfloat16=False)

    def stage(options: JointOptions) -> JointStage:
        return JointStage("joint-1", superpoint, photographs, None, options, schedule, 0, NOTHING_REAL, teacher, axes)

    photo = stage(options)
    batch = photo.batch(np.random.default_rng(0))
    assert batch["taught_points"].shape == (4, 20, 2)
    assert batch["taught_counts"].any(1).all()
    views = photo._views.draw(np.random.default_rng(0))  # the first thing that a pair draws
    lesson = teacher.lesson(photographs.paths[views.origin.number], ImageSize(180, 240))
    for side in (0, 1):
        counts = batch["taught_counts"][side]
        moved = warp_points(views.origin.maps[side], lesson.keypoints)
        distances = np.linalg.norm(batch["taught_points"][side][counts].numpy()[:, None] - moved, axis=2)
        assert distances.min(1).max() < 1e-4
        wanted = torch.from_numpy(lesson.descriptors[distances.argmin(1)][:, :32])
        assert torch.allclose(batch["taught"][side][counts], torch.nn.functional.normalize(wanted, dim=1), atol=1e-6)
    scenes = stage(JointOptions(height=96, width=128, scenes=1.0, taught=20)).batch(np.random.default_rng(0))
    assert not scenes["taught_counts"].any()
    loss, figures = photo.loss(photo.module, batch)
    loss.backward()
    assert set(figures) >= {"teacher", "cosine"}
    assert photo.record()["teacher"] == teacher.digest


def test_a_detector_is_trained_by_a_teacher_on_the_command_line(folder: Path) -> None:
    recipe = folder / "recipe.toml"
    labels = RECIPE[RECIPE.index("[rounds.labels]") : RECIPE.index("[rounds.options]")]
    recipe.write_text(RECIPE.replace(labels, "").replace("validation = 0.2", "validation = 0.0"))
    arguments = ["train", "detector", folder / "images", "--run", folder / "run", "--recipe", recipe, "--device", "cpu"]
    result = run(*arguments, "--teacher", folder / "features.h5")
    assert result.exit_code == 0, result.output
    assert "teaches 3 of them" in result.output
    assert '"cosine"' in (folder / "run" / "joint-1" / "log.jsonl").read_text()
    untaught = run(*arguments)
    assert untaught.exit_code == 1  # the folder belongs to a run with a teacher
    assert "teacher" in untaught.output


def test_a_detector_without_shapes_knows_what_it_was_taught(folder: Path) -> None:
    """No stage of shapes, none of labels; without a teacher there is nothing to begin with."""
    recipe = folder / "recipe.toml"
    shapes = RECIPE[RECIPE.index("[shapes.options]") : RECIPE.index("[[rounds]]")]
    labels = RECIPE[RECIPE.index("[rounds.labels]") : RECIPE.index("[rounds.options]")]
    text = RECIPE.replace(shapes, "").replace(labels, "").replace("validation = 0.2", "validation = 0.0")
    recipe.write_text(text)
    arguments = ["train", "detector", folder / "images", "--run", folder / "run", "--recipe", recipe, "--device", "cpu"]
    untaught = run(*arguments)
    assert untaught.exit_code == 1
    assert "or a teacher by --teacher" in untaught.output
    assert run(*arguments, "--teacher", folder / "features.h5").exit_code == 0
    assert not (folder / "run" / "shapes").exists()
    assert (folder / "run" / "detector" / "model.safetensors").is_file()
    # A deeper matcher gives its first layers to begin with.
    deep = 'gnn_layers_types = ["self", "cross", "self", "cross"]'
    recipe.write_text(text.replace('gnn_layers_types = ["self", "cross"]', deep))
    matcher = ["train", "matcher", folder / "images", "--recipe", recipe, "--device", "cpu"]
    assert run(*matcher, "--run", folder / "deep", "--from", folder / "run" / "detector").exit_code == 0
    recipe.write_text(text)
    shallow = run(*matcher, "--run", folder / "shallow", "--from", folder / "deep" / "model")
    assert shallow.exit_code == 0, shallow.output
    networks = load(folder / "shallow" / "model")
    assert networks.superglue is not None
    assert len(networks.superglue.gnn.layers) == 2
