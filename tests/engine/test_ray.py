"""The same work on a Ray cluster, with workers that die."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cyano.engine import ExtractImages, RayEngine, find_images, run_stage, supervision
from cyano.engine.ray import _keep_token_private, cluster
from cyano.errors import CyanoError, InputError
from support import collection
from support.collection import Deadly, DeadlyOnce, all_pairs, assert_same_content, assert_same_keypoints

pytestmark = [
    pytest.mark.ray,
    # Looked for and not imported: authentication is switched on before the import.
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"),
    pytest.mark.filterwarnings("ignore"),  # Ray's own warnings are not ours
]


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(collection.__file__).parents[1]))  # for its workers
        try:
            with cluster(num_cpus=2, object_store_memory=100 << 20) as module:
                yield module
        except CyanoError as error:
            if "cannot be reached at local" not in str(error):
                raise
            pytest.skip(f"no cluster starts on this machine: {error}")


def test_extraction_with_a_worker_that_dies_once(ray: Any, images: Path, undisturbed: Path, tmp_path: Path) -> None:
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert ray.util.get_node_ip_address() == "127.0.0.1"  # nobody else can reach it
    token = Path.home() / ".ray" / "auth_token"
    assert not token.exists() or token.stat().st_mode & 0o077 == 0
    names = find_images(images)
    stage = DeadlyOnce(collection.recipe(), images, tmp_path, names[5])
    summary = run_stage(stage, names, engine=RayEngine(workers=1))
    assert (tmp_path / "was deadly").exists()
    assert (summary.done, summary.exit_status) == (len(names), 0)
    shutil.copytree(undisturbed / "matches", tmp_path / "matches")
    assert_same_content(images, tmp_path, undisturbed)
    assert run_stage(collection.aligning(images, tmp_path), names, engine=RayEngine(workers=1)).done == len(names)
    assert_same_keypoints(images, tmp_path, undisturbed)


def test_a_pair_that_kills_its_worker_ends_alone(ray: Any, images: Path, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed / "features", tmp_path / "features")
    pairs = all_pairs(find_images(images))
    tiles = collection.matching(tmp_path).plan(pairs, "0" * 16)
    deadly = min(tiles, key=lambda tile: len(tile.items)).items[0]  # few deaths until it is alone: they take seconds
    stage = Deadly(collection.recipe(), tmp_path, collection.VERIFICATION, deadly)
    seen = []
    engine = RayEngine(workers=2, cpus=0.5, attempts=1)
    summary = run_stage(stage, pairs, engine=engine, on_progress=seen.append)
    assert [failure.item for failure in summary.failures] == [deadly]
    assert "worker died" in summary.failures[0].reason
    assert (summary.done, summary.finished, summary.exit_status) == (len(pairs) - 1, len(pairs), 3)
    assert [entry.item for entry in stage.open().quarantine.entries()] == [deadly]
    assert_same_content(images, tmp_path, undisturbed, without=[deadly])


def test_what_ends_a_run_is_told(ray: Any, images: Path, tmp_path: Path) -> None:
    names = find_images(images)
    elsewhere = replace(collection.recipe(), device="cuda:99")
    for stage, message in (
        (collection.Full(collection.recipe(), images, tmp_path / "full"), "no space left"),
        (ExtractImages(elsewhere, images, tmp_path / "elsewhere"), "device 'cuda:99' cannot be used"),
    ):
        with pytest.raises(CyanoError, match=message):
            run_stage(stage, names, engine=RayEngine(workers=1))


def test_workers_that_die_while_they_start_end_the_run(
    ray: Any, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_DEATHS", 1)
    monkeypatch.setattr(supervision, "_PATIENCE_S", 1.0)
    stage = collection.DeadlyStart(collection.recipe(), images, tmp_path)
    with pytest.raises(CyanoError, match="dies whenever it does"):
        run_stage(stage, find_images(images), engine=RayEngine(workers=1))


def test_a_cluster_without_room(ray: Any, images: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no worker with .*GPU"):
        run_stage(collection.extraction(images, tmp_path), find_images(images), engine=RayEngine(gpus=64))


@pytest.mark.parametrize("before", [None, 0o644])
def test_the_token_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / ".ray" / "auth_token"
    if before is not None:
        token.parent.mkdir()
        token.write_text("old")
        token.chmod(before)
    _keep_token_private()
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text()) == (64 if before is None else 3)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    token.unlink()
    _keep_token_private()
    assert not token.exists()
