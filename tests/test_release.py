"""One version, a description that a package index renders, and weights that are ready for the hub."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import cyano
from cyano.checkpoints import load_folder
from cyano.weights import SHIPPED, shipped_folder

ROOT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


def _metadata(folder: Path) -> str:
    """The METADATA that the wheel of a copy of the project would have."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools writes the metadata")
    program = "from setuptools.build_meta import prepare_metadata_for_build_wheel as run; print(run('.'))"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    (path,) = folder.glob("*.dist-info/METADATA")
    return path.read_text()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What metadata are made of."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src/cyano").mkdir(parents=True)
    shutil.copy(ROOT / "src/cyano/__init__.py", tmp_path / "src/cyano")
    return tmp_path


def test_there_is_one_version(project: Path) -> None:
    assert f"\nVersion: {cyano.__version__}\n" in _metadata(project)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == cyano.__version__
    assert f"\n## {cyano.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_links_of_the_description_are_absolute_once_there_is_an_address(project: Path) -> None:
    settings = project / "pyproject.toml"
    address = "https://example.org/cyano"
    settings.write_text(settings.read_text() + f'\n[project.urls]\nRepository = "{address}"\n')
    description = _metadata(project).partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)]+)\)", description)
    assert f"{address}/blob/HEAD/docs/results.md" in {target.partition("#")[0] for target in targets}
    assert f"{address}/raw/HEAD/docs/images/matches.jpg" in targets
    assert all(re.match("[a-z]+:|#", target) for target in targets)


def _check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What scripts/release_check.py says."""
    command = [sys.executable, "scripts/release_check.py", *map(str, arguments)]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


def test_lowest_versions_are_series(tmp_path: Path) -> None:
    """A bound such as 4.10 names a series: no 4.10 itself need exist, as none of OpenCV does."""
    assert _check("--bounds", tmp_path / "lowest.txt").returncode == 0
    lowest = {each.name: each for each in map(Requirement, (tmp_path / "lowest.txt").read_text().splitlines())}
    assert lowest["opencv-python-headless"].specifier.contains("4.10.0.84")
    assert not lowest["opencv-python-headless"].specifier.contains("4.11.0.86")
    assert lowest["poselib"].specifier.contains("2.0.4")


def test_a_wheel_that_lacks_a_file_or_has_another_is_refused(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "."], check=False, cwd=ROOT / "src", capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout: git lists the files")
    names = [*listed.stdout.splitlines(), "cyano/native/kernels.so", "cyano-0.dist-info/METADATA"]
    for change, code in (([], 0), (["cyano/py.typed"], 1), (["cyano/stray.txt"], 1)):
        wheel = tmp_path / "cyano.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in set(names) ^ set(change):
                archive.writestr(name, "")
        found = _check("--wheels", wheel)
        assert found.returncode == code, found.stderr
        assert all(name in found.stderr for name in change)


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_are_ready_for_the_hub(name: str) -> None:
    """The card's head has what the hub reads, and the folder what `from_pretrained` needs."""
    folder = shipped_folder(name)
    _, head, text = (folder / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(head)
    assert card["license"] == "apache-2.0"
    assert card["library_name"] == "cyano"
    assert card["pipeline_tag"] == "keypoint-detection"
    assert {"image-matching", "superglue"} <= set(card["tags"])
    assert text.lstrip().startswith(f"# {name}\n")
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= {path.name for path in folder.iterdir()}
    assert load_folder(folder) is not None


def test_workflows_call_what_exists() -> None:
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert [path.stem for path in workflows] == ["docs", "lint", "release", "tests", "wheels"]
    for path in workflows:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                for script in re.findall(r"scripts/[\w.]+", step.get("run", "")):
                    assert (ROOT / script).is_file(), f"{path.name}: {script}"
