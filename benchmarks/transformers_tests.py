"""transformers' own tests of SuperGlue and SuperPoint, run on Cyano's classes.

usage: scripts/bench transformers_tests DIR [--theirs] [--save NAME] [pytest's options]

DIR is the folder `tests` of a checkout of transformers, of the version that is installed; nothing of it comes with
Cyano. Of that folder, transformers' source distribution holds the files that all models share. A failure that
docs/transformers.md lists by the name of its test, with the reason, is expected; every other one is a fault, and gives
an exit status of 1. What their tests import has to be there: accelerate, parameterized, datasets. With --theirs,
transformers' own classes are tested, for comparison.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import re
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import transformers

import measuring
from cyano import hf
from cyano.checkpoints import config_keys
from cyano.hf.configuration import _Config
from cyano.hf.image_processor import ImageProcessor
from cyano.hf.pretrained import PretrainedModel

MODELS = ("superglue", "superpoint")
OF_MODELS = {
    "_can_set_attn_implementation": staticmethod(lambda: False),
    "_can_set_experts_implementation": staticmethod(lambda: False),
    "_keep_in_fp32_modules": frozenset(),
    "_keep_in_fp32_modules_strict": frozenset(),
    "_keys_to_ignore_on_load_missing": None,
    "_supports_sdpa": False,
    "base_model_prefix": "",
    "can_generate": staticmethod(lambda: False),
    "supports_gradient_checkpointing": False,
}
"""What the tests ask of transformers' own base class. The answer is no, as for its own SuperGlue and SuperPoint."""

OF_CONFIGURATIONS = {
    "base_model_tp_plan": None,
    "get_text_config": lambda self, **_: self,
    "sub_configs": {},
}
"""Likewise of configurations."""

DOCUMENT = Path(__file__).parent.parent / "docs" / "transformers.md"


def ours(name: str) -> object | None:
    """Cyano's class of that name; the variants of the processors by back end are one class here."""
    short = name.removesuffix("Fast").removesuffix("Pil")
    return getattr(hf, short) if short in hf.__all__ and not short.startswith("BatchFeature") else None


def put_in_place() -> None:
    """Let transformers' names mean Cyano's classes, in this process."""
    packages = tuple(f"transformers.models.{model}" for model in MODELS)
    for package in packages:
        for _, name, _ in pkgutil.iter_modules(importlib.import_module(package).__path__):
            with suppress(ImportError):  # a processor of a back end that is not installed, which no test can use either
                importlib.import_module(f"{package}.{name}")
    for module in [m for name, m in sys.modules.items() if name == "transformers" or name.startswith(packages)]:
        for name in [name for name in dir(module) if ours(name) is not None]:
            setattr(module, name, ours(name))
    ImageProcessor.valid_kwargs = ImageProcessor  # type: ignore[attr-defined]  # who is asked for its settings
    for kind, answers in ((PretrainedModel, OF_MODELS), (_Config, OF_CONFIGURATIONS)):
        for name, answer in answers.items():
            if not hasattr(kind, name):  # what Cyano has answers for itself
                setattr(kind, name, answer)
    hf.SuperGlueConfig.sub_configs = {"keypoint_detector_config": hf.SuperPointConfig}  # type: ignore[attr-defined]
    strict = config_keys._check_range

    def lenient(key: str, value: object) -> None:
        if key != "encoder_hidden_sizes":
            strict(key, value)

    # Their tiny detector has two blocks, which Cyano refuses: its positions would be wrong.
    config_keys._check_range = lenient


def _message(report: Any) -> str:
    """What went wrong, in one line that is the same in every run."""
    crash = getattr(report, "reprcrash", None)
    line = str(report).strip().splitlines()[-1] if crash is None else crash.message.splitlines()[0]
    return re.sub(re.escape(tempfile.gettempdir()) + r"/\w+", "FOLDER", line)[:200]


class Results:
    """A pytest plug-in that counts tests, but not their parts, by outcome, and keeps what went wrong."""

    def __init__(self) -> None:
        """Nothing has run yet."""
        self._ended: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def outcomes(self, part: str = "") -> dict[str, int]:
        """How many of the tests of which the name has this part ended how; one has failed if any part of it has."""
        ended = {**self._ended, **dict.fromkeys(self.failures, "failed")}
        return dict(sorted(Counter(outcome for name, outcome in ended.items() if part in name).items()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test, or of what has to be made before it."""
        if report.when == "call" or report.outcome != "passed":
            self._ended[report.nodeid] = report.outcome  # that of the whole test comes last
        if report.failed:
            self.failures.setdefault(report.nodeid, _message(report.longrepr))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported has failed as a whole."""
        if report.failed:
            self.failures[report.nodeid] = _message(report.longrepr)


def main() -> int:
    """Run, and say what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--theirs", action="store_true", help="test transformers' own classes")
    parser.add_argument("--save", help="name of a file in benchmarks/results")
    arguments, options = parser.parse_known_args()
    folder = arguments.folder.resolve()
    files = [str(file) for model in MODELS for file in sorted((folder / "models" / model).glob("test_*.py"))]
    if not files:
        parser.error(f"{folder} holds no tests of {' and '.join(MODELS)}; give the folder tests of transformers")
    if not arguments.theirs:
        put_in_place()
    os.chdir(folder.parent)
    sys.path.insert(0, str(folder.parent))
    results = Results()
    pytest.main(["-q", "-c", os.devnull, "--rootdir", str(folder.parent), *options, *files], plugins=[results])
    listed = set(re.findall(r"`(test_\w+)`", DOCUMENT.read_text(encoding="utf-8")))
    faults = {name: why for name, why in results.failures.items() if not listed & _names(name)}
    print(results.outcomes(), f"of transformers {transformers.__version__}")
    for name, why in results.failures.items():
        print("FAIL " if name in faults else "known", name, "-", why)
    if arguments.save:
        kinds = ("image_processing", "modeling")
        counted = {"all": results.outcomes(), **{kind: results.outcomes(f"test_{kind}_") for kind in kinds}}
        measuring.save(arguments.save, 0, {**counted, "failures": results.failures})
    return 1 if faults else 0


def _names(test: str) -> set[str]:
    """What a test may be called by: its function's name, with and without the number of its parameters."""
    function = test.rsplit("::", maxsplit=1)[-1].split("[", maxsplit=1)[0]
    return {function, re.sub(r"_\d+(_.*)?$", "", function)}


if __name__ == "__main__":
    sys.exit(main())
