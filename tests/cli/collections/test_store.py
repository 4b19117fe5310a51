"""`cyano store`: what is told of damage, and what compaction leaves."""

from __future__ import annotations

import re
from pathlib import Path

from cyano.store import FeatureStore, MatchStore
from support.commands import output, run
from support.stores import CONFIGURATION, NAMES, PAIRS, image, pair


def test_verify_and_compact(tmp_path: Path) -> None:
    features, matches = FeatureStore(tmp_path, CONFIGURATION), MatchStore(tmp_path, CONFIGURATION)
    for name in NAMES:
        features.write([image(name, 5)])
    matches.write([pair(*names) for names in PAIRS])
    matches.quarantine.add(PAIRS[0], "killed its worker", 3)
    sound = output(run("store", "verify", tmp_path, "--json"))["stores"]
    assert [(store["kind"], store["items"], store["shards"]) for store in sound] == [
        ("features", len(NAMES), len(NAMES)),
        ("matches", len(PAIRS), 1),
    ]
    assert sound[1]["quarantined"] == [{"item": list(PAIRS[0]), "reason": "killed its worker", "attempts": 3}]
    name = min(features.sizes())
    (features.folder / name).write_bytes(b"torn")
    damaged = run("store", "verify", tmp_path)
    assert damaged.exit_code == 1
    assert name in damaged.stdout.replace("\n", "")
    assert re.search(r"verdict +1 damaged shards\n", damaged.stdout)
    assert "error: 1 damaged shards" in damaged.stderr
    again = run("store", "verify", tmp_path)
    assert again.exit_code == 0
    assert re.search(r"verdict +undamaged\n", again.stdout)
    compacted = output(run("store", "compact", tmp_path, "--json"))["stores"]
    assert (compacted[0]["shards_before"], compacted[0]["shards_after"]) == (len(NAMES) - 1, 1)
    assert compacted[0]["items"] == len(NAMES) - 1
    assert "1 -> 1" in run("store", "compact", tmp_path).stdout


def test_a_folder_without_a_store(tmp_path: Path) -> None:
    result = run("store", "verify", tmp_path)
    assert result.exit_code == 1
    assert "holds no store" in result.stderr
