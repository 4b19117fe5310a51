from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cyano import weights
from cyano.checkpoints import CATALOGUE, HubOptions, load, verify
from cyano.checkpoints.catalogue import entry
from cyano.errors import WeightsError


def test_the_packaged_weights_are_unharmed() -> None:
    result = verify()
    assert result.verified is True
    assert set(result.checksums) == {"config.json", "model.safetensors", "preprocessor_config.json"}


def test_a_changed_byte_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(weights.default_folder(), copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    monkeypatch.setattr(weights, "default_folder", lambda: copy)
    with pytest.raises(WeightsError, match=r"model\.safetensors is not the file that was released"):
        verify()


def test_nothing_is_claimed_where_nothing_is_pinned(tmp_path: Path) -> None:
    name = "magic-leap-community/superpoint"
    snapshot = tmp_path / "models--magic-leap-community--superpoint" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (snapshot / "model.safetensors").write_bytes(b"x")
    result = verify(name, HubOptions(cache_dir=tmp_path, local_files_only=True))
    assert result.verified is None
    assert list(result.checksums) == ["model.safetensors"]


def test_licences_are_honest() -> None:
    free = [item.name for item in CATALOGUE.values() if item.commercial_use]
    assert free == [*weights.SHIPPED, "runs/base/model"]
    for name in weights.SHIPPED:
        card = (weights.shipped_folder(name) / "README.md").read_text()
        assert entry(name).licence == "Apache-2.0"
        assert "Apache License 2.0" in card
        assert "](SOURCES.md)" in card
        assert "| github:" in (weights.shipped_folder(name) / "SOURCES.md").read_text()


@pytest.mark.parametrize("name", weights.SHIPPED)
def test_what_ships_is_as_released(name: str) -> None:
    assert verify(name).verified
    assert load(name).licence == "Apache-2.0"


def test_unknown_names() -> None:
    with pytest.raises(WeightsError, match="known are cyano-small"):
        verify("cyano-huge")
