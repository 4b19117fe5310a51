"""The program as a whole: help, version, exit codes, errors, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cyano
from support.commands import run, shifted_photographs

PROGRAM = Path(sys.executable).with_name("cyano")


def program(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The installed program in a process of its own."""
    command = [str(PROGRAM), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_help_loads_no_heavy_package() -> None:
    command = [sys.executable, "-X", "importtime", str(PROGRAM), "pairs", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "cyano.cli.matching.pairs" in loaded  # the report is understood
    assert not loaded & {"torch", "numpy", "cv2", "matplotlib", "PIL", "huggingface_hub"}


def test_the_package_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "cyano", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"cyano {cyano.__version__}\n"


def test_the_help_of_every_command_loads_nothing_heavy() -> None:
    asked = """
import sys, typer
from cyano.cli.main import app
def walk(command, words):
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, [*words, name])
root = typer.main.get_command(app)
told = 0
for words in list(walk(root, [])):
    try:
        root.main([*words, "--help"], prog_name="cyano")
    except SystemExit as end:
        assert not end.code, words
    told += 1
heavy = {"torch", "numpy", "cv2", "matplotlib", "PIL", "huggingface_hub"} & set(sys.modules)
print("told", told, sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    said, count, heavy = done.stdout.splitlines()[-1].split(maxsplit=2)
    assert (said, heavy) == ("told", "[]")
    assert int(count) > 20


def test_matching_loads_what_it_needs_alone(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    command = [sys.executable, "-X", "importtime", str(PROGRAM), "match", str(a), str(b), "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert len(list((tmp_path / "out").glob("*_matches.png"))) == 1
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"torch", "cyano.matcher", "cyano.viz.fast"} <= loaded
    unneeded = {
        "matplotlib",
        "scipy",
        "sklearn",
        "h5py",
        "poselib",
        "huggingface_hub",
        "transformers",
        "ray",
        "skimage",
    }
    assert not loaded & (unneeded | {"torch._dynamo", "torch._inductor", "sympy", "rich.progress", "rich.markdown"})


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ((), "cyano match a.jpg b.jpg"),
        (("match",), "cyano match a.jpg b.jpg --pose --intrinsics0 1200,1200,960,540"),
        (("pairs",), "cyano pairs --input-pairs pairs.txt --viz --fast-viz --cache"),
        (("demo",), "cyano demo a.jpg b.jpg"),
        (("reconstruct",), "cyano reconstruct photos --out model"),
        (("extract",), "cyano extract photos --out model --shard 3/16"),
        (("match-all",), "cyano match-all photos --out model --pairs sequential --window 5"),
        (("colmap",), "cyano colmap photos --out model --hloc"),
        (("weights",), "cyano weights verify"),
        (("weights", "info"), "cyano weights info cyano-small"),
        (("weights", "convert"), "cyano weights convert superglue_indoor.pth indoor"),
    ],
)
def test_help_shows_examples(command: tuple[str, ...], example: str) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert example in result.stdout
    assert "\b" not in result.stdout


def test_version() -> None:
    assert run("--version").stdout == f"cyano {cyano.__version__}\n"


def test_an_error_is_one_line_on_stderr(tmp_path: Path) -> None:
    done = program("match", "absent.jpg", "absent.jpg", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: absent.jpg")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_wrong_use_is_two(tmp_path: Path) -> None:
    result = run("match", "a", "b", "--picure", "x.png", cwd=tmp_path)
    assert result.exit_code == 2
    assert "--picture" in result.stderr  # the nearest option is named


def test_unexpected_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cyano.cli.matching.report.match_images", broken)
    result = run("match", *shifted_photographs(tmp_path))
    assert isinstance(result.exception, ZeroDivisionError)


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cyano.cli.matching.report.match_images", interrupted)
    assert run("match", *shifted_photographs(tmp_path)).exit_code == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("arguments", [("--help",), ("weights", "list"), ("env", "--json")])
def test_output_to_a_full_disk_is_one_line(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", "from cyano.cli.main import main; main()", *arguments]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "error: the output cannot be written: No space left on device; make room for it\n"
