"""Maps that are damaged, empty, or have lost images: one line says so, or the rest is done and the loss is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.commands import output, run
from support.localised import FEW, Scene

COMMANDS = {
    "localise": ("localise", "QUERIES", "--map", "MAP", "--images", "IMAGES", "--out", "OUT", *FEW),
    "add": ("add", "QUERIES", "--to", "MAP", "--images", "IMAGES", "--out", "OUT", *FEW),
    "georeference": ("georeference", "MAP", "--positions", "POSITIONS", "--images", "IMAGES", "--out", "OUT"),
    "map": ("map", "MAP/sparse/0", "--images", "IMAGES", "--out", "OUT", *FEW),
}


@pytest.fixture
def places(scene: Scene, tmp_path: Path) -> dict[str, Path]:
    """A copy of the map with its images, photographs to add, positions, and the result's folder."""
    shutil.copytree(scene.model, tmp_path / "map", symlinks=True)
    shutil.copytree(scene.images, tmp_path / "images")
    lines = [f"view{number}.png {number} {number**2} {number % 2}" for number in range(6)]
    (tmp_path / "positions.txt").write_text("\n".join(lines))
    names = ("map", "images", "out")
    return {"QUERIES": scene.queries, "POSITIONS": tmp_path / "positions.txt"} | {
        name.upper(): tmp_path / name for name in names
    }


def arguments(command: str, places: dict[str, Path]) -> list[str]:
    """Of a command, with the paths in place of their names."""
    head = [each.split("/", 1) for each in COMMANDS[command]]
    return ["/".join([str(places.get(first, first)), *rest]) for first, *rest in head]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_the_model_that_is_cut_short_is_one_error(command: str, places: dict[str, Path]) -> None:
    path = places["MAP"] / "sparse" / "0" / "points3D.bin"
    path.write_bytes(path.read_bytes()[:-5])
    result = run(*arguments(command, places))
    assert result.exit_code == 1
    assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1
    assert "points3D.bin" in result.stderr.replace("\n", "")
    assert not places["OUT"].exists()


@pytest.mark.parametrize("command", ["localise", "add"])
def test_a_model_without_points_is_one_error(command: str, places: dict[str, Path]) -> None:
    without_points(places["MAP"])
    result = run(*arguments(command, places))
    assert result.exit_code == 1
    assert "has no points, which localisation needs" in result.stderr.replace("\n", " ")
    assert not places["OUT"].exists()


def test_an_image_of_the_map_that_is_gone_costs_its_alignment(places: dict[str, Path]) -> None:
    (places["IMAGES"] / "view1.png").unlink()
    for found in output(run(*arguments("localise", places), "--json"))["localisations"]:
        assert found["status"] == "ok"
        assert [each["name"] for each in found["candidates"] if not each["aligned"]] == ["view1.png"]
    shutil.rmtree(places["OUT"])
    result = run(*arguments("add", places), "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert set(document["model"]["added"]) == {path.name for path in places["QUERIES"].iterdir()}
    assert len(document["aligned"]["failures"]) == len(document["model"]["added"])
    assert "view1.png: there is no such file" in result.stderr.replace("\n", "")


def without_points(folder: Path) -> None:
    """Take all points out of a map's model."""
    import pycolmap

    model = pycolmap.Reconstruction(folder / "sparse" / "0")
    for number in list(model.points3D):
        model.delete_point3D(number)
    model.write(folder / "sparse" / "0")
