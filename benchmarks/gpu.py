"""What a GPU makes of Cyano, on one page: the same matches as a CPU, time of a pair, memory, and training.

Parity is that of the weights in the wheel on a stereo pair, against a CPU. Times are medians for a model of the default
configuration with random weights: of matching alone, from features that are there, and of whole pairs, from images,
with alignment; transformers' model, where it is installed, gets the same weights and the pixels of the same pairs.

usage: scripts/bench gpu [--device cuda] [--quick] [--save NAME]
       PYTHONPATH=tests python benchmarks/gpu.py ...   where the active environment has a CUDA build of PyTorch
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import gpu_parity
import gpu_training
import measuring
from cyano import Matcher, MatcherOptions, PairResult
from cyano.checkpoints import load
from cyano.checkpoints.loading import Networks
from cyano.errors import InputError
from cyano.hf import SuperGlueConfig, SuperPointConfig
from cyano.processing.resize import ResizeRule
from cyano.types import Features, ImageSize, ResizeMap, usable_device
from support.random_weights import pixel_values, random_model, small_config, stereo_pair

PRECISIONS = ("float32", "bfloat16")
OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Size:
    """How much is measured: pictures (H, W), keypoints, pairs a batch, runs that count and that do not, the network."""

    height: int = 480
    width: int = 640
    keypoints: tuple[int, ...] = (512, 1024, 2048, 4096)
    batches: tuple[int, ...] = (1, 16)
    repeats: int = 9
    warm_up: int = 3
    model: SuperGlueConfig | None = None
    images: int = 8


QUICK = Size(96, 128, (32, 64), (1, 2), 2, 1, small_config(), 2)


def facts(device: torch.device) -> dict[str, Any]:
    """What a figure depends on: the GPU, its driver, the build of PyTorch, and whether float32 is TF32."""
    found: dict[str, Any] = {"device": str(device), "torch": torch.__version__, "cuda": torch.version.cuda}
    if device.type != "cuda":
        return found
    properties = torch.cuda.get_device_properties(device)
    return found | {
        "gpu": properties.name,
        "memory_GiB": round(properties.total_memory / 2**30, 1),
        "capability": f"{properties.major}.{properties.minor}",
        "driver": driver(),
        "cudnn": torch.backends.cudnn.version(),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_products": torch.backends.cuda.matmul.allow_tf32,
    }


def driver() -> str:
    """Its version, as nvidia-smi has it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def as_modules(networks: Networks) -> Networks:
    """Networks that run as they do on a GPU, on a CPU as well: one with a hook is not taken for one as it was built."""
    copied = deepcopy(networks)
    for network in (copied.superpoint, copied.superglue):
        next(network.children()).register_forward_hook(nothing)
    return copied


def nothing(*_: object) -> None:
    """A hook."""


def measured(run: Callable[[], object], device: torch.device, size: Size) -> dict[str, Any]:
    """Median seconds of a run and MiB at the peak of its memory, or that there was not enough of it."""
    on_gpu = device.type == "cuda"
    wait: Callable[[], object] = (lambda: torch.cuda.synchronize(device)) if on_gpu else (lambda: None)
    seconds = []
    try:
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        for number in range(size.warm_up + size.repeats):
            wait()
            start = time.perf_counter()
            run()
            wait()
            seconds += [time.perf_counter() - start] if number >= size.warm_up else []
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"median_s": OUT_OF_MEMORY, "peak_MiB": None}
    peak = round(torch.cuda.max_memory_allocated(device) / 2**20) if on_gpu else None
    return {"median_s": round(statistics.median(seconds), 6), "peak_MiB": peak}


def random_features(count: int, channels: int, size: Size, seed: int, device: torch.device) -> Features:
    """Keypoints anywhere in a picture, with descriptors in any direction."""
    rng = np.random.default_rng(seed)
    frame = ResizeMap.identity(ImageSize(size.height, size.width))
    points = rng.uniform(4, (size.width - 5, size.height - 5), (count, 2))
    descriptors = rng.normal(size=(count, channels))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return Features(points, rng.uniform(0.01, 1, count), descriptors, frame).to(device)


def pictures(size: Size) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The stereo pair, grey."""
    left, right = (np.asarray(each.convert("L")) for each in stereo_pair(size.height, size.width))
    return left, right


def cyano_rows(networks: Networks, device: torch.device, size: Size) -> Iterator[dict[str, Any]]:
    """Matching alone and whole pairs."""
    left, right = pictures(size)
    channels = networks.superglue.config.hidden_size
    for count in size.keypoints:
        sides = [random_features(count, channels, size, seed, device) for seed in (0, 1)]
        for precision in PRECISIONS:
            options = MatcherOptions(
                resize=ResizeRule.none(), max_keypoints=count, keypoint_threshold=0.0, precision=precision
            )
            for batch in size.batches:
                matcher = Matcher(as_modules(networks), options, device=device, batch_size=batch)
                row = {"library": "cyano", "precision": precision, "keypoints": count, "pairs": batch}
                alone = partial(matcher.match_features, [(sides[0], sides[1])] * batch)
                yield {**row, "from": "features", **measured(alone, device, size)}
                seen = len(matcher.extract([left])[0])
                whole = partial(match_images, matcher, [left, right] * batch)
                yield {**row, "keypoints": seen, "from": "images", **measured(whole, device, size)}


def match_images(matcher: Matcher, images: list[NDArray[np.uint8]]) -> list[PairResult]:
    """Every two images that follow each other are a pair."""
    found = matcher.extract(images)
    return matcher.match_features(zip(found[::2], found[1::2], strict=True))


def transformers_rows(folder: Path, device: torch.device, size: Size) -> Iterator[dict[str, Any]]:
    """Whole pairs by transformers, from pixels on the CPU to matches on the CPU; nothing where it is not installed."""
    try:
        import transformers
    except ImportError:
        return
    transformers.logging.set_verbosity_error()
    theirs = transformers.SuperGlueForKeypointMatching.from_pretrained(folder).to(device)
    pixels = pixel_values(stereo_pair(size.height, size.width))
    for count in size.keypoints:
        theirs.keypoint_detector.config.max_keypoints = count
        theirs.keypoint_detector.keypoint_decoder.max_keypoints = count
        for batch in size.batches:
            several = pixels.expand(batch, -1, -1, -1, -1).contiguous()
            seen = theirs(pixel_values=pixels.to(device)).mask[0, 0].sum().item()
            row = {"library": "transformers", "precision": "float32", "keypoints": int(seen), "pairs": batch}
            run = measured(partial(matches_of, theirs, several, device), device, size)
            yield {**row, "from": "images", **run}


def matches_of(theirs: Any, pixels: Tensor, device: torch.device) -> Tensor:
    """(B, 2, 2, N) on the CPU, of (B, 2, 3, H, W) on the CPU."""
    matches: Tensor = theirs(pixel_values=pixels.to(device)).matches.cpu()
    return matches


def layout_rows(networks: Networks, device: torch.device, size: Size) -> Iterator[dict[str, Any]]:
    """The detector alone, in both layouts."""
    grey = (
        torch.from_numpy(np.stack([pictures(size)[i % 2] for i in range(size.images)]))[:, None].to(device).float()
        / 255
    )
    for layout in (torch.contiguous_format, torch.channels_last):
        network: nn.Module = deepcopy(networks.superpoint).to(device).to(memory_format=layout)
        for precision in PRECISIONS:
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                run = measured(partial(network, grey), device, size)
            name = "channels last" if layout == torch.channels_last else "channels first"
            yield {"layout": name, "precision": precision, "images": size.images, **run}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of one form, in columns; times are told of one pair, image or step."""
    shown = []
    for row in rows:
        each = row.get("pairs") or row.get("images") or 1
        text = {name: "-" if value is None else str(value) for name, value in row.items()}
        if isinstance(row.get("median_s"), float):
            text["median_s"] = f"{1000 * row['median_s'] / each:.2f} ms each"
        shown.append(text)
    names = list(dict.fromkeys(name for row in shown for name in row))
    lines = [names, *([row.get(name, "-") for name in names] for row in shown)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def checked_device(name: str) -> torch.device:
    """The device, or an end with what to do."""
    try:
        return usable_device(name)
    except InputError as error:
        build = f"PyTorch {torch.__version__} is built " + (
            f"for CUDA {torch.version.cuda}, but finds no GPU: look at nvidia-smi and CUDA_VISIBLE_DEVICES"
            if torch.version.cuda
            else "without CUDA: install the build for your driver by the command that pytorch.org gives"
        )
        print(f"error: {error}\n{build}; --device cpu --quick tries the program without one", file=sys.stderr)
        raise SystemExit(2) from error


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether everything runs")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    device, size = checked_device(arguments.device), QUICK if arguments.quick else Size()
    torch.manual_seed(0)
    results: dict[str, Any] = {"device": facts(device)}
    print(json.dumps(results["device"]), flush=True)

    def told(name: str, rows: Iterator[dict[str, Any]]) -> None:
        results[name] = list(rows)
        print(f"\n{name}\n{table(results[name])}", flush=True)

    told("parity with a CPU", gpu_parity.rows(as_modules(load()), device, *pictures(size)))
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        config = size.model or SuperGlueConfig(
            keypoint_detector_config=SuperPointConfig(keypoint_threshold=1e-4).to_dict()
        )
        random_model(config, pixels=pixel_values(stereo_pair(size.height, size.width))).save_pretrained(folder)
        networks = load(folder)
        told("pairs", cyano_rows(networks, device, size))
        told("pairs by transformers", transformers_rows(Path(folder), device, size))
        told("detector", layout_rows(networks, device, size))
    timer = partial(measured, device=device, size=size)
    told("training", gpu_training.rows(device, list(pictures(size)), timer, arguments.quick))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, 0, results))


if __name__ == "__main__":
    main()
