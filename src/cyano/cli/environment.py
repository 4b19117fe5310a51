"""`cyano env`: what a bug report should say of the machine."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cyano.cli.arguments import AsJson
from cyano.cli.output import busy, print_facts, print_json, result_console

__all__ = ["HELP", "env"]

HELP = """Print versions, hardware, PyTorch's configuration and weights, for bug reports.

\b
cyano env
cyano env --json > env.json"""

_PACKAGES = (
    *("torch", "numpy", "opencv-python-headless", "poselib", "pillow", "safetensors", "huggingface_hub", "matplotlib"),
    *("transformers", "h5py", "pycolmap", "scikit-learn", "scikit-image", "ray", "tensorboard", "fastapi", "uvicorn"),
)
_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "KMP_AFFINITY",
    "CYANO_NATIVE",
)


def env(as_json: AsJson = False) -> None:
    """Collect and print; the help is `HELP`."""
    with busy("looking"):
        document = _environment()
    if as_json:
        print_json(document)
        return
    rows: list[tuple[str, str]] = []
    for name, value in document.items():
        inner = value.items() if isinstance(value, dict) else [(name, value)]
        rows += [(key, "not installed" if text is None else str(text)) for key, text in inner]
    print_facts(result_console(as_json), "cyano env", rows)


def _environment() -> dict[str, Any]:
    import cyano

    return {
        "cyano": cyano.__version__,
        "from": str(Path(cyano.__file__).parent),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "processor": _processor(),
        "native kernels": _kernels(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "torch": _torch(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "weights": _weights(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Its name and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        name = found[1] if found else name
    except (OSError, UnicodeDecodeError):  # no Linux
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {usable} of {os.cpu_count()} cores"


def _kernels() -> str:
    from cyano.errors import InputError
    from cyano.native import library

    try:
        return library.status()
    except InputError as error:
        return str(error)


def _torch() -> dict[str, Any]:
    import torch

    built = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "threads": f"{torch.get_num_threads()} (inter-op {torch.get_num_interop_threads()})",
        "BLAS": built[1] if built else "unknown",
        "oneDNN": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
        "CUDA": torch.version.cuda or "none (a CPU build)",
        "devices": ", ".join(devices) or "cpu",
    }


def _weights() -> dict[str, Any]:
    from cyano import weights
    from cyano.checkpoints import verify

    states = {}
    for name in weights.SHIPPED:
        try:
            states[name] = f"as released, sha256 {verify(name).checksums['model.safetensors']}"
        except OSError as error:  # a WeightsError too
            states[name] = f"damaged: {error}"
    return states
