"""The licence stays with the weights, wherever they go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from cyano import SuperGlueForKeypointMatching, SuperPointForKeypointDetection, weights
from cyano.checkpoints import CATALOGUE, load
from cyano.checkpoints.cards import CARD_FILE, Origin, keep_card, licence_of

SMALL = weights.default_folder()
LICENCE = CATALOGUE[weights.DEFAULT].licence


def test_a_saved_model_has_the_card_and_the_licence(tmp_path: Path) -> None:
    SuperGlueForKeypointMatching.from_pretrained().save_pretrained(tmp_path / "first")
    SuperGlueForKeypointMatching.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    for folder in (tmp_path / "first", tmp_path / "second"):
        assert load(folder).licence == LICENCE
        for name in (CARD_FILE, "SOURCES.md"):
            assert (folder / name).read_bytes() == (SMALL / name).read_bytes()


def test_half_precision_keeps_the_card(tmp_path: Path) -> None:
    SuperGlueForKeypointMatching.from_pretrained(dtype="float16").save_pretrained(tmp_path / "half")
    assert (tmp_path / "half" / CARD_FILE).read_bytes() == (SMALL / CARD_FILE).read_bytes()


def test_a_model_that_was_trained_on_keeps_the_licence_and_not_the_numbers(tmp_path: Path) -> None:
    model = SuperGlueForKeypointMatching.from_pretrained()
    with torch.no_grad():
        model.bin_score += 1
    model.save_pretrained(tmp_path / "tuned")
    card = (tmp_path / "tuned" / CARD_FILE).read_text()
    assert card.startswith("---\nlicense: apache-2.0\n---\n")
    assert "Made from cyano-small" in card
    assert load(tmp_path / "tuned").licence == LICENCE


def test_the_detector_alone_keeps_the_licence(tmp_path: Path) -> None:
    SuperPointForKeypointDetection.from_pretrained().save_pretrained(tmp_path / "detector")
    assert load(tmp_path / "detector").licence == LICENCE


def test_a_card_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text("mine")
    keep_card(tmp_path, Origin(weights.DEFAULT, SMALL), changed=False)
    assert (tmp_path / CARD_FILE).read_text() == "mine"


def test_a_copy_without_its_card_is_known_by_its_digest(tmp_path: Path) -> None:
    shutil.copy(SMALL / "model.safetensors", tmp_path)
    origin = Origin(str(tmp_path), tmp_path)
    assert licence_of(origin) == LICENCE
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    assert licence_of(origin) is None


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\n---\n# x", "Apache-2.0"),  # as the catalogue spells it
        ("---\nlicense: other\nlicense_name: 'my terms'\n---\n", "my terms"),
        ("# x\n\nlicense: mit\n", None),
        ("---\nlicense:\n---\n", None),
        ("", None),
    ],
)
def test_a_card_states_the_licence_in_its_head(tmp_path: Path, card: str, licence: str | None) -> None:
    (tmp_path / CARD_FILE).write_text(card)
    assert licence_of(Origin("x", tmp_path)) == licence


def test_terms_of_the_hub_survive_a_conversion(tmp_path: Path) -> None:
    """Weights in the hub's cache are known by their folder, though only their path is asked for."""
    folder = tmp_path / "models--magic-leap-community--superglue_outdoor" / "snapshots" / "0123"
    folder.mkdir(parents=True)
    origin = Origin(str(folder), folder)
    expected = CATALOGUE["magic-leap-community/superglue_outdoor"].licence
    assert licence_of(origin) == expected
    keep_card(tmp_path, origin, changed=False)
    assert licence_of(Origin("copy", tmp_path)) == expected
    assert "license: other" in (tmp_path / CARD_FILE).read_text()
