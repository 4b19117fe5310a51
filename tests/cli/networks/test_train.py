"""`cyano train` from photographs to a model that transformers' form describes, on the smallest of recipes."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import typer
from PIL import Image

import cyano
from cyano.checkpoints import load
from cyano.checkpoints.lone_matcher import load_matcher
from cyano.cli.networks.train import _chosen, _stress_set
from cyano.errors import InputError
from support.commands import SHIFT, output, run, shifted_photographs
from support.photographs import write_photographs
from support.recipes import DETECTOR_AND_MATCHER as RECIPE


def test_every_stage_runs_and_a_second_call_only_loads(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 5)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "run"
    first = run("train", "detector", str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert load(out / "detector").superglue is None
    second = run("train", "matcher", str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu")
    assert second.exit_code == 0, second.output
    weights = load(out / "model").superglue.state_dict()
    result = cyano.match(*sorted(images.glob("*.png"))[:2], weights=out / "model", device="cpu")
    assert result.keypoints0.shape == result.keypoints1.shape
    again = run("train", "matcher", str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu")
    assert again.exit_code == 0, again.output
    assert all(
        np.array_equal(value, weights[name]) for name, value in load(out / "model").superglue.state_dict().items()
    )
    further = tmp_path / "further.toml"
    labels = RECIPE[RECIPE.index("[rounds.labels]") : RECIPE.index("[rounds.options]")]
    further.write_text(RECIPE.replace(labels, "").replace("width = 96\n", "width = 96\nscenes = 0.5\n"))
    new = ["--run", tmp_path / "further", "--recipe", further, "--from", out / "model", "--device", "cpu"]
    detector = tmp_path / "further" / "detector"
    assert run("train", "detector", str(images), *new).exit_code == 0
    trained = load(detector).superpoint.state_dict()
    assert run("train", "matcher", str(images), *new, "--detector", str(detector)).exit_code == 0
    both = load(tmp_path / "further" / "model")
    assert all(np.array_equal(value, trained[name]) for name, value in both.superpoint.state_dict().items())
    matcher = both.superglue.named_parameters()
    moved = [(value - weights[name]).abs().max() for name, value in matcher]
    assert 0 < max(moved) < 0.1  # gone on from the matcher that was there: two steps of the learning rate


def test_a_matcher_without_a_detector_is_told_the_remedy(tmp_path: Path) -> None:
    result = run("train", "matcher", tmp_path, "--run", tmp_path / "run", "--recipe", "minutes", "--device", "cpu")
    assert result.exit_code == 1
    assert f"cyano train detector {tmp_path} --out {tmp_path / 'run'}" in result.stderr
    assert "--from" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_matcher_goes_on_with_more_channels(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 5)
    recipe = tmp_path / "recipe.toml"
    options = ["--recipe", recipe, "--device", "cpu"]
    recipe.write_text(RECIPE)
    assert run("train", "detector", images, "--run", tmp_path / "narrow", *options).exit_code == 0
    assert run("train", "matcher", images, "--run", tmp_path / "narrow", *options).exit_code == 0
    wide = RECIPE.replace("descriptor_decoder_dim = 32", "descriptor_decoder_dim = 64")
    wide = wide.replace("hidden_size = 32", "hidden_size = 64").replace("heads = 2", "heads = 4")
    recipe.write_text(wide)
    further = ["--run", tmp_path / "wide", "--from", tmp_path / "narrow" / "model", *options]
    result = run("train", "matcher", images, *further)
    assert result.exit_code == 0, result.output
    model = load(tmp_path / "wide" / "model")
    assert (model.superpoint.config.descriptor_decoder_dim, model.superglue.config.hidden_size) == (64, 64)
    recipe.write_text(wide.replace("heads = 4", "heads = 2"))
    wrong = run("train", "matcher", images, *further[2:], "--run", tmp_path / "wrong")
    assert wrong.exit_code == 1
    assert "widens to 64 channels in 4 heads, not 2" in wrong.output


def test_the_model_is_the_mean_of_the_last_phases(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 5)
    recipe, out = tmp_path / "recipe.toml", tmp_path / "run"
    phase = SIFT_RECIPE[SIFT_RECIPE.index("[[matcher]]") :]
    recipe.write_text(SIFT_RECIPE.replace("seed = 0", "seed = 0\naveraged = 2") + 2 * phase)
    result = run("train", "matcher", str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu")
    assert result.exit_code == 0, result.output
    states = [torch.load(out / f"matcher-{number}" / "state.pt")["model"] for number in (1, 2, 3)]
    model = load_matcher(out / "model", "sift").superglue.state_dict()
    name = "final_projection.final_proj.weight"
    first, second, third = (state[f"superglue.{name}"] for state in states)
    assert not torch.equal(first, second)
    torch.testing.assert_close(model[name], (second + third) / 2)
    recipe.write_text(SIFT_RECIPE.replace("seed = 0", "seed = 0\naveraged = 2"))
    wrong = run("train", "matcher", str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu")
    assert wrong.exit_code == 1
    assert "averaged lies between 1 and" in wrong.output


SIFT_RECIPE = """
seed = 0
features = "sift"
validation = 0.2
[superglue]
input_size = 128
keypoint_extras = 3
hidden_size = 32
keypoint_encoder_sizes = [16]
gnn_layers_types = ["self", "cross"]
num_attention_heads = 2
sinkhorn_iterations = 10
[[matcher]]
[matcher.options]
height = 96
width = 128
keypoints = 32
scenes = 0.0
[matcher.schedule]
steps = 2
batch_size = 2
workers = 0
"""


def test_a_matcher_of_sift_needs_no_detector(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 5)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(SIFT_RECIPE)
    out, root = tmp_path / "run", tmp_path / "sets"
    options = ("--run", str(out), "--recipe", str(recipe))
    first = run("train", "matcher", str(images), *options, "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert not (out / "detector").exists()
    root.mkdir()
    shifted_photographs(root)
    (root / "pairs_h.txt").write_text(f"a.png b.png 1 0 {-SHIFT[0]} 0 1 {-SHIFT[1]} 0 0 1\n")
    methods = ("--methods", "sift,sift-superglue", "--resize", "240", "--max-keypoints", "128")
    evaluated = run("evaluate", root, "--weights", out / "model", *methods, "--out", tmp_path / "out", "--json")
    rows = {row["method"]: row for row in output(evaluated)["results"]}
    assert rows.keys() == {"sift", "sift-superglue"}
    assert rows["sift-superglue"]["failures"] == []
    assert run("train", "evaluate", str(root), *options).exit_code == 0
    watched = run("train", "evaluate", *options, "--photographs", str(images), "--sets", " stress,")
    assert watched.exit_code == 0, watched.output
    before, newest = [json.loads(line)["sets"] for line in (out / "curve.jsonl").read_text().splitlines()]
    assert {one["set"] for one in before} == {root.name}
    assert [(one["set"], one["method"], len(one["changes"])) for one in newest] == [
        ("stress", "sift-superglue", 17),
        ("stress", "sift", 17),
    ]
    nothing = run("train", "evaluate", *options)
    assert nothing.exit_code == 2
    assert "give ROOT or --photographs" in nothing.output
    further = ("--run", tmp_path / "further", *options[2:], "--from", out / "model", "--device", "cpu")
    again = run("train", "matcher", images, *further)
    assert again.exit_code == 0, again.output
    wrong = run("evaluate", root, "--weights", out / "model", "--methods", "cyano", "--out", tmp_path / "wrong")
    assert wrong.exit_code == 1
    assert "no detector" in wrong.output
    packaged = run("evaluate", root, "--methods", "sift-superglue", "--out", tmp_path / "wrong")
    assert packaged.exit_code == 1
    assert "no matcher of 'sift' features" in packaged.output


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    missing = run("train", "detector", str(tmp_path / "nothing"), "--run", str(tmp_path / "run"), "--recipe", "minutes")
    assert missing.exit_code == 1
    assert "no such folder" in missing.output
    absent = run("train", "evaluate", "--out", str(tmp_path / "rum"), "--photographs", str(tmp_path))
    assert absent.exit_code == 1
    assert "rum: there is no such folder; check --out" in absent.output


def test_a_stress_set_wants_photographs_that_are_kept_aside(tmp_path: Path) -> None:
    for number in range(3):  # one family
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / f"view{number}.png")
    with pytest.raises(InputError, match=r"held out.*a share of 0.05.*before the number stay together"):
        _stress_set(tmp_path, 0.05)


def test_sets_are_chosen_by_a_list_with_commas() -> None:
    sets = [SimpleNamespace(name=name) for name in ("fox", "wall", "stress")]
    assert [each.name for each in _chosen(sets, "stress, fox,")] == ["fox", "stress"]
    assert _chosen(sets, None) == sets
    with pytest.raises(typer.BadParameter, match="there are no sets foxes; choose --sets of fox, wall, stress"):
        _chosen(sets, "fox, foxes")
