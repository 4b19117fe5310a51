"""`cyano evaluate --sets localisation` on a rendered scene, whose poses are exact, through a lens with distortion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cyano.localisation import Localiser
from support.commands import output, run

FEW = ("--sets", "localisation", "--folds", "2", "--max-keypoints", "300", "--json")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def document(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = output(run("evaluate", *FEW, "--out", out))
    return found


def scores(document: dict[str, Any]) -> dict[str, Any]:
    (posed,) = document["sets"]
    return {name: trial["score"] for name, trial in posed["trials"].items()}


def test_each_photograph_is_localised_once_where_it_was_taken(document: dict[str, Any]) -> None:
    (posed,) = document["sets"]
    names = [each["name"] for each in posed["trials"]["map A"]["photographs"]]
    assert sorted(names) == [f"images/{number:03d}.png" for number in range(10)]
    found = scores(document)
    # 0.1 px of 400 are 0.014 degrees; with 300 keypoints a photograph, 0.008 and 0.08 % were measured. In map B the
    # frame is fitted by five cameras on an arc, and 0.05 degrees and 0.9 % were.
    assert found["map A"]["ok"] == found["map B"]["ok"] == found["map A, not aligned"]["ok"] == 10
    assert found["map A"]["recall"][0] == 100
    assert found["map A"]["degrees"] < 0.02
    assert found["map A"]["percent"] < 0.2
    assert found["map B"]["recall"][2] == 100
    # Unaligned keypoints lie between pixels of the detector, aligned ones where the map's are.
    assert found["map A"]["degrees"] < found["map A, not aligned"]["degrees"]


def test_a_focal_length_that_is_estimated_is_compared_with_the_true_one(document: dict[str, Any]) -> None:
    """The lens bends lines by 3 % at the corners, which a pinhole camera takes for another focal length."""
    found = scores(document)["map A, focal length estimated"]
    assert 0 < found["focal_percent"] < 8
    assert found["recall"][4] >= 50
    assert scores(document)["map A"]["focal_percent"] == 0


def test_other_places_are_not_localised(document: dict[str, Any]) -> None:
    (posed,) = document["sets"]
    elsewhere = posed["trials"]["other places"]
    assert elsewhere["score"]["queries"] == 3
    assert elsewhere["score"]["ok"] == 0
    assert posed["auc_of_confidence"] == 1


def test_a_second_run_makes_nothing_again(document: dict[str, Any], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was localised before")

    monkeypatch.setattr(Localiser, "localise", refuse)
    result = run("evaluate", *FEW, "--out", out)
    assert output(result) == document
    assert json.loads((out / "localisation" / "report.json").read_text()) == document
    assert "## Photographs of other places" in (out / "localisation" / "report.md").read_text()


def test_results_of_other_options_are_refused(document: dict[str, Any], out: Path) -> None:
    result = run("evaluate", *FEW, "--out", out, "--seed", "1")
    assert result.exit_code == 1
    assert "give another --out" in result.stderr.replace("\n", " ")


def test_a_folder_without_poses_is_refused_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    result = run("evaluate", tmp_path, *FEW, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "frames.txt" in result.stderr
    assert not (tmp_path / "out" / "localisation").exists()
