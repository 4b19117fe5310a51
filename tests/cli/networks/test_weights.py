"""`cyano weights`: the licence everywhere, numbers against the file, conversion against the source."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from cyano import weights
from cyano.checkpoints import CATALOGUE, load
from cyano.checkpoints.magicleap import to_original
from support.commands import output, run

FOLDER = weights.default_folder()


def test_list_shows_licences() -> None:
    document = output(run("weights", "list", "--json"))
    assert [entry["name"] for entry in document["weights"]] == list(CATALOGUE)
    assert all(entry["licence"] for entry in document["weights"])
    shown = run("weights", "list", columns=80).stdout
    for entry in document["weights"]:  # unbroken, to be copied
        assert re.search(rf"^{entry['name']}$", shown, re.MULTILINE)
    assert "non-commercial" in shown
    assert "cyano-small" in shown
    assert "runs/base/model" in shown  # not in the wheel, and where it is
    assert "in Cyano's repository" in shown


def test_info_tells_what_is_in_the_file() -> None:
    document = output(run("weights", "info", "cyano-small", "--json"))
    content = (FOLDER / "model.safetensors").read_bytes()
    assert document["sha256"]["model.safetensors"] == hashlib.sha256(content).hexdigest()
    assert document["bytes"]["model.safetensors"] == len(content)
    tensors = load_file(FOLDER / "model.safetensors")
    trained = [t for n, t in tensors.items() if "running" not in n and "num_batches" not in n]
    assert sum(document["parameters"].values()) == sum(tensor.numel() for tensor in trained)
    assert document["licence"] == CATALOGUE["cyano-small"].licence
    assert document["licence"] in run("weights", "info", "cyano-small").stdout


def test_info_leaves_folders_aside(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "more.json").mkdir()
    assert "more.json" not in output(run("weights", "info", tmp_path, "--json"))["sha256"]


def test_original_files_convert_to_the_folder_they_came_from(tmp_path: Path) -> None:
    tensors = load_file(FOLDER / "model.safetensors")
    superpoint, superglue = to_original(tensors)
    (tmp_path / "elsewhere").mkdir()
    torch.save(superpoint, tmp_path / "elsewhere" / "superpoint_v1.pth")
    torch.save(superglue, tmp_path / "superglue_outdoor.pth")
    command = ("weights", "convert", tmp_path / "superglue_outdoor.pth", tmp_path / "out")
    missing = run(*command)
    assert missing.exit_code == 1
    assert "superpoint_v1.pth" in missing.stderr
    done = run(*command, "--superpoint", tmp_path / "elsewhere" / "superpoint_v1.pth")
    assert done.exit_code == 0
    assert "unknown" in done.stdout  # a .pth file does not state its licence
    converted = load_file(tmp_path / "out" / "model.safetensors")
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name], tensors[name]) for name in tensors)


def test_half_the_bytes_load_as_float32(tmp_path: Path) -> None:
    assert run("weights", "convert", FOLDER, tmp_path / "half", "--half").exit_code == 0
    halved = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in halved.values() if value.is_floating_point()} == {torch.float16}
    networks, whole = load(tmp_path / "half"), load(FOLDER)
    assert networks.superglue is not None
    assert whole.superglue is not None
    expected = whole.superglue.state_dict()
    for name, value in networks.superglue.state_dict().items():
        assert value.dtype == expected[name].dtype
        # float16 has eleven bits: half of the last one, and what is below its smallest number.
        torch.testing.assert_close(value, expected[name], rtol=2**-11, atol=2**-25)


def test_weights_beyond_float16_are_not_halved(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "large")
    tensors = load_file(FOLDER / "model.safetensors")
    name = next(name for name in tensors if name.endswith("running_var"))
    tensors[name][0] = 7e4  # the largest float16 is 65,504
    save_file(tensors, tmp_path / "large" / "model.safetensors")
    result = run("weights", "convert", tmp_path / "large", tmp_path / "half", "--half")
    assert result.exit_code == 1
    assert f"{name.removeprefix('keypoint_detector.')} has values beyond those of float16" in " ".join(
        result.stderr.split()
    )
    assert not (tmp_path / "half").exists()


def test_converting_over_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    result = run("weights", "convert", "cyano-small", tmp_path)
    assert result.exit_code == 1
    assert "overwrite" in result.stderr
    assert run("weights", "convert", "cyano-small", tmp_path, "--overwrite").exit_code == 0


def test_a_detector_beside_a_folder_is_wrong_use(tmp_path: Path) -> None:
    result = run("weights", "convert", "cyano-small", tmp_path / "out", "--superpoint", "superpoint_v1.pth")
    assert result.exit_code == 2
    assert "--superpoint" in result.stderr


def test_verify() -> None:
    document = output(run("weights", "verify", "--json"))
    assert document["verified"] is True
    unknown = run("weights", "verify", "nobody")
    assert unknown.exit_code == 1
    assert "cyano-small" in unknown.stderr
