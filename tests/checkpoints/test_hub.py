from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cyano import weights
from cyano.checkpoints import HubOptions, resolve
from cyano.checkpoints.hub import is_hub_name
from cyano.errors import WeightsError


def test_the_default_weights() -> None:
    assert resolve() == resolve("cyano-small") == weights.default_folder()
    assert (resolve() / "model.safetensors").is_file()


def test_local_paths_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve("owner/name") == Path("owner/name")
    assert resolve(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("magic-leap-community/superglue_outdoor", True),
        ("owner/na.me", True),
        ("./owner/name", False),
        ("../name", False),
        ("~/name", False),
        ("/owner/name", False),
        ("a/b/c", False),
        ("name", False),
        ("owner/", False),
        ("weights/superglue_outdoor.pth", False),
        ("here/model", False),
        ("", False),
    ],
)
def test_which_names_mean_the_hub(name: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_hub_name(name) is expected


@pytest.mark.parametrize("name", ["./none", "here/model", "none.pth", Path("owner/name"), "cyano-smal", ""])
def test_a_wrong_path_is_not_asked_of_the_hub(
    name: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(WeightsError, match="there are no weights at"):
        resolve(name)


def test_the_cache_is_used_offline(tmp_path: Path) -> None:
    """A cache laid out as huggingface_hub does."""
    model = tmp_path / "models--owner--name"
    snapshot = model / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text("{}")
    found = resolve("owner/name", HubOptions(cache_dir=tmp_path, local_files_only=True))
    assert found.resolve() == snapshot.resolve()


def test_offline_without_a_cache(tmp_path: Path) -> None:
    for options in (HubOptions(cache_dir=tmp_path), HubOptions(cache_dir=tmp_path, local_files_only=True)):
        with pytest.raises(WeightsError, match="cannot be reached") as error:
            resolve("owner/name", options)
        assert "cyano-small" in str(error.value)  # the remedy


def test_the_environment_keeps_a_fresh_process_offline(tmp_path: Path) -> None:
    code = "from cyano.checkpoints import resolve; resolve('owner/name')"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "WeightsError: there is no folder owner/name here" in done.stderr


def test_a_token_does_not_show() -> None:
    assert "secret" not in repr(HubOptions(token="secret"))
