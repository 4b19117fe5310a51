"""One vocabulary, help that fits 80 columns, -q and -v, and missing files noticed before anything heavy is loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cyano import weights
from cyano.cli import arguments
from cyano.cli.command import fold_resize
from cyano.cli.main import app
from cyano.cli.markdown import table_lines
from support.commands import output, run, shifted_photographs


def _commands(group: object = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command by its path, the groups among them."""
    group = group or typer.main.get_command(app)
    found = [path]
    for name, command in getattr(group, "commands", {}).items():
        found += _commands(command, (*path, name))
    return found


COMMANDS = _commands()
IDS = [" ".join(path) or "cyano" for path in COMMANDS]


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_help_fits_80_columns_and_breaks_no_word(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(*path, "--help", columns=80).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"<\w+>|\{\w+\}|╭|int(eger)? range", shown)
    assert "-h, --help" in shown
    wide = run(*path, "--help", columns=100).stdout
    examples = re.compile(r"^ {2}cyano .*(?:\n {6}.*)*", re.MULTILINE)  # those are continued by a backslash
    narrow_words, wide_words = (examples.sub("", text).split() for text in (shown, wide))
    assert narrow_words == wide_words


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_errors_of_usage_show_the_usage_of_the_help(path: tuple[str, ...]) -> None:
    wrong = run(*path, "--absent")
    assert wrong.exit_code == 2
    assert wrong.stderr.splitlines()[0] == run(*path, "--help").stdout.splitlines()[0]


@pytest.mark.parametrize("path", [path for path in COMMANDS if path], ids=IDS[1:])
def test_one_name_for_one_thing(path: tuple[str, ...]) -> None:
    shown = run(*path, "--help").stdout
    for old in ("--out-dir", "--output-dir", "--force ", "--run "):
        assert old not in shown
    for long, short in (("--out", "-o"), ("--weights", "-w"), ("--quiet", "-q"), ("--verbose", "-v")):
        assert not re.search(rf" {long} ", shown) or re.search(rf"{short}, {long} ", shown)


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        (("match", "a", "b"), "--out-dir", "--out"),
        (("match", "a", "b"), "--out_dir", "-o"),
        (("demo",), "--out-dir", "--out"),
        (("pairs",), "--output_dir", "--out"),
        (("reconstruct", "x", "--out", "y"), "--force", "--overwrite"),
        (("train", "detector", "x"), "--run", "-o"),
        (("verify", "x"), "--out", "-o"),  # now verify-pairs
    ],
)
def test_old_spellings_still_parse(command: tuple[str, ...], old: str, new: str) -> None:
    program = typer.main.get_command(app)

    def parsed(flag: str) -> dict[str, object]:
        group, arguments = program, [*command, flag, *([] if flag in ("--force", "--overwrite") else ["there"])]
        while hasattr(group, "commands"):
            group, name = group.commands[arguments[0]], arguments.pop(0)
        settings = program.context_settings
        context = group.make_context(name, arguments, token_normalize_func=settings["token_normalize_func"])
        return {key: value for key, value in context.params.items() if value}

    assert parsed(old) == parsed(new)


def test_defaults_are_those_of_the_weights() -> None:
    columns = []
    for name in ("cyano-small", "cyano-tiny"):
        config = json.loads((weights.default_folder().with_name(name) / "config.json").read_text())
        detector = config["keypoint_detector_config"]
        column = {name: detector[name] for name in ("max_keypoints", "keypoint_threshold", "nms_radius")}
        columns.append(
            column | {"match_threshold": config["matching_threshold"], "sinkhorn": config["sinkhorn_iterations"]}
        )
    assert {name: tuple(column[name] for column in columns) for name in columns[0]} == arguments._OF_WEIGHTS
    assert "[default: 1024; 512 with cyano-tiny]" in " ".join(run("match", "--help").stdout.split())
    assert "[default: 0]" in run("match", "--help").stdout  # the seed


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ("--resize 640x480 a", "--resize 640 --resize 480 a"),
        ("--resize=640x480 a", "--resize=640 --resize 480 a"),
        ("--resize 640,480 a", "--resize 640 --resize 480 a"),
        ("--resize 640 640x480", "--resize 640 640x480"),  # an image of that name
        ("640x480 --resize 640", "640x480 --resize 640"),
    ],
)
def test_sizes_may_be_written_with_an_x(given: str, folded: str) -> None:
    assert fold_resize(given.split()) == folded.split()


def test_quiet_prints_nothing_but_json(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    quiet = run("match", a, b, "-q", cwd=tmp_path)
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (tmp_path / "a_b_matches.json").is_file()
    assert output(run("match", a, b, "-q", "--json", cwd=tmp_path))["format"] == "cyano-matches-1"
    assert run("match", a, "absent.png", "-q", cwd=tmp_path).stderr.startswith("error: absent.png")
    assert "matches" in run("match", a, b, cwd=tmp_path).stdout  # it does not last


def test_verbose_shows_the_traceback_of_an_error(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    b.write_bytes(b"")
    plain, verbose = run("match", a, b), run("match", a, b, "--verbose")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in verbose.stderr
    assert verbose.exit_code == plain.exit_code == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("match", "absent.jpg", "absent.jpg"), "absent.jpg: there is no such file"),
        (("match", ".", "absent.jpg"), "cyano reconstruct . --out DIR"),
        (("pairs", "--input-pairs", "absent.txt"), "absent.txt: there is no such file"),
        (("pairs",), "--input-pairs"),  # the original's default list, which is not here
        (("reconstruct", "absent", "-o", "out"), "absent: there is no such folder"),
        (("evaluate", "absent"), "absent: there is no such folder"),
        (("extract", "file", "-o", "out"), "file is a file, and IMAGES is a folder"),
        (("train", "matcher", "absent", "-o", "out"), "absent: there is no such folder"),
    ],
)
def test_what_is_not_there_is_noticed_before_torch_is_loaded(
    tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    (tmp_path / "file").write_text("")
    program = [sys.executable, "-X", "importtime", str(Path(sys.executable).with_name("cyano")), *command]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    error = " ".join(line for line in done.stderr.splitlines() if not line.startswith("import time"))
    assert said in error
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "cyano.cli.matching.match" in loaded
    assert not loaded & {"torch", "cv2", "matplotlib"}


def test_json_has_lists_in_one_line(tmp_path: Path) -> None:
    a, b = shifted_photographs(tmp_path)
    text = run("match", a, b, "--json").stdout
    document = json.loads(text)
    assert len(document["scores"]) > 30
    assert len(text.splitlines()) < 60


ROWS = [["set", "method", "AUC", "precision"], ["fox", "cyano", "81.0", "97.1"], ["fox", "sift", "70.8", "88"]]


def test_tables_stand_in_columns() -> None:
    assert table_lines(ROWS, 80) == [
        "set  method   AUC  precision",
        "fox   cyano  81.0       97.1",
        "fox    sift  70.8         88",
    ]


def test_tables_that_are_too_wide_are_turned() -> None:
    assert table_lines(ROWS, 26) == [
        "set          fox   fox",
        "method     cyano  sift",
        "AUC         81.0  70.8",
        "precision   97.1    88",
    ]
    assert table_lines(ROWS, 17) == [
        "set          fox",
        "method     cyano",
        "AUC         81.0",
        "precision   97.1",
        "",
        "set         fox",
        "method     sift",
        "AUC        70.8",
        "precision    88",
    ]
