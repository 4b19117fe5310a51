"""What the native kernels save: a match from JPEG bytes to aligned matches, with them and by torch alone, in turns.

usage: scripts/bench native [--repeats N] [--threads N] [--save NAME]

Each contender is a process of its own, since the kernels are chosen once for a process; one computes while the others
wait. Told are wall and processor time of `Matcher.match` with the weights of the wheel, and of the alignment of its
matches; against torch's float32 the median ratio of runs that took turns, and the matches that both have within 0.1 px.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

import measuring
from cyano.native import library

CONTENDERS = {
    "torch, float32": ("0", "float32"),
    "torch, mixed": ("0", "mixed"),
    "avx2, float32": ("avx2", "float32"),
    "avx512, float32": ("avx512", "float32"),
    "best, float32": ("", "float32"),
    "best, mixed": ("", "mixed"),
}
SAME_PX = 0.1


def jpegs() -> tuple[bytes, bytes]:
    """The stereo pair of scikit-image at 640x480."""
    import skimage.data
    from PIL import Image

    pictures = []
    for image in skimage.data.stereo_motorcycle()[:2]:
        file = io.BytesIO()
        Image.fromarray(image).resize((640, 480)).save(file, "JPEG", quality=92)
        pictures.append(file.getvalue())
    return pictures[0], pictures[1]


def serve(connection: Connection, kernels: str, precision: Any, threads: int) -> None:
    """A contender: each request is one match; the answer is its times, and its matches at first."""
    os.environ[library.VARIABLE] = kernels
    import torch

    from cyano import Matcher, MatcherOptions
    from cyano.processing.aligned_matches import align_matches

    torch.set_num_threads(threads)
    matcher, pictures = Matcher.from_pretrained(options=MatcherOptions(precision=precision)), jpegs()
    result = matcher.match(*pictures)
    features = matcher.extract(pictures)
    found = matcher._assign([(features[0], features[1])])[0]
    connection.send((library.status(), result.keypoints0, result.keypoints1))
    works = (lambda: matcher.match(*pictures), lambda: align_matches(*features, found, 0.2))
    while connection.recv():
        connection.send(measuring.timed(works))


def same_share(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    """Matches that both have, over those that either has."""
    rows, others = np.hstack(one), np.hstack(other)
    apart = np.abs(rows[:, None] - others[None]).max(2).min(1)
    both = int((apart < SAME_PX).sum())
    return both / (len(rows) + len(others) - both)


def main() -> None:
    """Start the contenders, let them take turns, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    threads, there = arguments.threads, (*library.available(), "", "0")
    wanted = {name: (*kind, threads) for name, kind in CONTENDERS.items() if kind[0] in there}
    measured = measuring.in_turns(wanted, serve, arguments.repeats)
    first = next(iter(measured))
    table = {}
    for name, ((status, *matches), rounds) in measured.items():
        walls, cpus, align_walls, align_cpus = (list(column) for column in zip(*rounds, strict=True))
        row: dict[str, Any] = {
            "kernels": status,
            "match": measuring.summary(walls),
            "match_cpu": measuring.summary(cpus),
            "alignment": measuring.summary(align_walls),
            "alignment_cpu": measuring.summary(align_cpus),
            "matches": len(matches[0]),
            "same_matches": round(same_share((matches[0], matches[1]), measured[first][0][1:]), 4),
        }
        for column, place in (("wall", 0), ("cpu", 1)):
            ratios = [a[place] / b[place] for a, b in zip(rounds, measured[first][1], strict=True)]
            row[f"{column}_over_torch_float32"] = round(statistics.median(ratios), 3)
        table[name] = row
        print(name, json.dumps(row))
    if arguments.save:
        measuring.save(arguments.save, 0, {"threads": arguments.threads, "contenders": table})


if __name__ == "__main__":
    main()
