from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cyano.cli.collections import pair_options as flags
from cyano.pairs import PairOptions

app = typer.Typer()


@app.command()
def command(
    method: flags.MethodOption = "exhaustive",
    window: flags.Window = None,
    quadratic: flags.Quadratic = None,
    loop_every: flags.LoopEvery = None,
    top_k: flags.TopK = None,
    min_score: flags.MinScore = None,
    max_distance: flags.MaxDistance = None,
    max_angle: flags.MaxAngle = None,
    poses: flags.Poses = None,
    pair_list: flags.PairList = None,
    clusters: flags.Clusters = 64,
) -> None:
    """What a command on a collection does with its options."""
    sequence = {"window": window, "quadratic": quadratic, "loop_every": loop_every}
    alike = {"top_k": top_k, "min_score": min_score}
    near = {"max_distance": max_distance, "max_angle": max_angle, "poses": poses}
    print(flags.pair_options(method, **sequence, **alike, **near, pair_list=pair_list))


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", PairOptions()),
        ("--pairs sequential --window 5 --quadratic", PairOptions("sequential", window=5, quadratic=True)),
        ("--pairs sequential --loop-every 9 --top-k 3", PairOptions("sequential", loop_every=9, top_k=3)),
        ("--pairs retrieval --top-k 3 --min-score 0.1", PairOptions("retrieval", top_k=3, min_score=0.1)),
        ("--pairs spatial --max-distance 20", PairOptions("spatial", max_distance=20.0)),
        ("--pairs spatial --poses p --max-angle 9", PairOptions("spatial", poses=Path("p"), max_angle=9.0)),
        ("--pairs list --pair-list p.txt", PairOptions("list", pair_list=Path("p.txt"))),
    ],
)
def test_flags_become_options(line: str, options: PairOptions) -> None:
    run = CliRunner().invoke(app, line.split())
    assert run.exit_code == 0, run.output
    assert run.output.strip() == str(options)


@pytest.mark.parametrize(
    ("given", "fact"),
    [
        ({"method": "retrieval", "window": 3}, "--window has no effect with --pairs retrieval; .*--pairs sequential"),
        ({"method": "exhaustive", "pair_list": Path("p")}, "--pair-list has no effect with --pairs exhaustive"),
        ({"top_k": 5}, "--top-k goes with --pairs sequential or retrieval or spatial; give --pairs as well"),
        ({"method": "list"}, "needs --pair-list"),
        ({"method": "spatial", "max_angle": 5.0}, "--max-angle needs --poses"),
        ({"method": "sequential", "top_k": 5}, "only if --loop-every"),
        ({"method": "retrieval", "top_k": 0}, "top_k is a whole number"),
    ],
)
def test_wrong_combinations_name_the_flag(given: dict[str, object], fact: str) -> None:
    with pytest.raises(typer.BadParameter, match=fact):
        flags.pair_options(**given)  # type: ignore[arg-type]
