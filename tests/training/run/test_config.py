"""Recipes: every key is known, every value is checked."""

from importlib import resources
from pathlib import Path

import pytest

from cyano.errors import InputError
from cyano.training.run.config import RECIPES, read_config
from cyano.training.run.schedule import Schedule


@pytest.mark.parametrize("name", RECIPES)
def test_packaged_recipes_can_be_read(name: str) -> None:
    config = read_config(name)
    assert config.matcher
    if config.features == "superpoint":
        assert config.rounds or name in {"base", "place"}  # whose detector is that of other weights
        assert config.superglue.hidden_size == config.superpoint.descriptor_decoder_dim


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = resources.files("cyano.training").joinpath("recipes", "minutes.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 400", "stepps = 400", "did you mean 'steps'"),
        ("keypoints = 128", 'keypoints = "many"', "keypoints should be int"),
        ("steps = 400", "steps = true", "steps should be int"),
        ("steps = 400", "batch_size = 4", "incomplete"),
        ("\nhidden_size = 64", "\nhidden_size = 32", "have to be the same"),
        ("steps = 400", "steps = 0", "at least 1"),
        ("seed = 0", "seed = ", "cannot be read as TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_config(changed(tmp_path, old, new))


def test_a_missing_file_lists_the_recipes() -> None:
    with pytest.raises(InputError, match="small, base, tiny"):
        read_config("enormous")


def test_the_learning_rate_rises_stays_and_falls() -> None:
    schedule = Schedule(steps=100, learning_rate=1.0, warmup_steps=10, constant=0.5, final=0.1)
    assert schedule.rate(0) == pytest.approx(0.1)
    assert schedule.rate(9) == schedule.rate(50) == 1
    assert schedule.rate(75) == pytest.approx(0.55)
    assert schedule.rate(100) == pytest.approx(0.1)


def test_a_round_may_leave_its_labels_out_and_names_are_checked(tmp_path: Path) -> None:
    config = read_config("small")
    assert config.rounds[0].labels is None
    assert config.superpoint.keypoint_localisation == "structure"
    assert {read_config(name).superpoint.keypoint_threshold for name in ("small", "base", "minutes", "tiny")} == {1e-6}
    assert read_config("minutes").rounds[0].labels is not None
    text = resources.files("cyano.training").joinpath("recipes", "small.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"structure"', '"edges"'))
    with pytest.raises(InputError, match="keypoint_localisation is one of 'probability', 'structure', not 'edges'"):
        read_config(path)


def test_a_recipe_may_have_the_old_name_of_an_option(tmp_path: Path) -> None:
    text = resources.files("cyano.training").joinpath("recipes", "small.toml").read_text(encoding="utf-8")
    assert "unrelated = 0.06" in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("unrelated = 0.06", "strangers = 0.06"))
    assert read_config(path) == read_config("small")
    path.write_text(text.replace("unrelated = 0.06", "unrelated = 0.06\nstrangers = 0.06", 1))
    with pytest.raises(InputError, match="unknown key 'strangers'"):
        read_config(path)
