"""How many matches are the same in float32 and mixed precision, on pairs of evaluation sets with the wheel's weights.

usage: scripts/bench precisions SETS [--sets fox,kitti00,...] [--pairs 10] [--save NAME]

SETS holds folders with a pairs.txt; of each set so many pairs are drawn. Matches are compared by their keypoints,
before alignment. The share is that of the matches that either precision finds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano import Matcher, MatcherOptions

SEED = 0
SETS = "fox,kitti00,lund_door,tum_fr2desk,barn,mobilebrick"


def drawn(folder: Path, count: int) -> list[tuple[Path, Path]]:
    """So many pairs of a set, or all that it has."""
    lines = [line.split() for line in (folder / "pairs.txt").read_text().splitlines() if line.strip()]
    order = np.random.default_rng(SEED).permutation(len(lines))[:count]
    return [(folder / lines[index][0], folder / lines[index][1]) for index in order]


def matched(matcher: Matcher, pair: tuple[Path, Path]) -> set[tuple[int, int]]:
    """The keypoints that belong together."""
    first, second = matcher.extract(pair)
    return {(int(i), int(j)) for i, j in matcher.match_features([(first, second)])[0].indices}


def main() -> None:
    """Match all pairs in both precisions, print the shares, and save them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="SETS")
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--pairs", type=int, default=10, metavar="N")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    exact, mixed = (
        Matcher.from_pretrained(options=MatcherOptions(precision=precision, align=False))
        for precision in ("float32", "mixed")
    )
    both = either = 0
    shares: list[float] = []
    for name in arguments.sets.split(","):
        for pair in drawn(arguments.folder / name, arguments.pairs):
            first, second = matched(exact, pair), matched(mixed, pair)
            both, either = both + len(first & second), either + len(first | second)
            if first | second:
                shares.append(len(first & second) / len(first | second))
    results: dict[str, Any] = {
        "pairs": len(shares),
        "matches of either": either,
        "same, % of these": round(100 * both / either, 2),
        "same in a pair, %, quantiles 0, 0.1, 0.5, 1": [
            round(100 * float(share), 2) for share in np.quantile(shares, (0, 0.1, 0.5, 1))
        ],
    }
    print(results)
    if arguments.save:
        print(measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
