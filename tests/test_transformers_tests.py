"""The bench that runs transformers' own tests, on a tiny folder of tests in their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

PROCESSING = """
import unittest
from transformers import AutoImageProcessor, SuperGlueImageProcessor
from transformers.models.superglue.image_processing_pil_superglue import SuperGlueImageProcessorPil
from ...common import MODULE

class ProcessingTest(unittest.TestCase):
    def test_classes_are_cyanos(self):
        for each in (AutoImageProcessor, SuperGlueImageProcessor, SuperGlueImageProcessorPil):
            self.assertTrue(each.__module__.startswith(MODULE))

    def test_invalid_image_shape_in_input_0(self):
        self.fail("listed")

    @unittest.skip("for another time")
    def test_skipped(self):
        pass

    def test_in_parts(self):
        for part in range(3):
            with self.subTest(part):
                pass
"""
MODELING = """
import unittest
from transformers import SuperPointConfig, SuperPointForKeypointDetection

def test_two_blocks():
    model = SuperPointForKeypointDetection(SuperPointConfig(encoder_hidden_sizes=[4, 4]))
    assert not model.can_generate() and model.config.get_text_config(decoder=True) is model.config

class PartsTest(unittest.TestCase):
    def test_one_part_fails(self):
        for part in range(3):
            with self.subTest(part):
                self.assertNotEqual(part, 1)

def test_fails():
    assert SuperPointConfig().nms_radius == 3
"""


def _run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "transformers_tests.py"),
        str(folder),
        *options,
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_outcomes_are_counted_and_faults_told_from_known_failures(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    files = {"common.py": "MODULE = 'cyano.hf.'", "models/superglue/test_image_processing_superglue.py": PROCESSING}
    files["models/superpoint/test_modeling_superpoint.py"] = MODELING
    for package in ("", "models", "models/superglue", "models/superpoint"):
        files[f"{package}/__init__.py".removeprefix("/")] = ""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = _run(folder)
    assert "{'failed': 3, 'passed': 3, 'skipped': 1}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert "FAIL  tests/models/superpoint/test_modeling_superpoint.py::test_fails" in done.stdout
    # pytest's own summary names the test, too; where CI is set, with the reason
    assert done.stdout.count("FAIL  tests/models/superpoint/test_modeling_superpoint.py::PartsTest::") == 1
    assert "known tests/models/superglue/test_image_processing_superglue.py" in done.stdout
    (folder / "models/superpoint/test_modeling_superpoint.py").unlink()
    assert _run(folder).returncode == 0
    theirs = _run(folder, "--theirs")
    assert "::test_classes_are_cyanos - " in theirs.stdout
    assert theirs.returncode == 1


def test_a_folder_without_their_tests_is_told(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert done.returncode == 2
    assert "holds no tests of superglue and superpoint" in done.stderr
