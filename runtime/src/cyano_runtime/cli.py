"""The program `cyano-rt`: match two images, extract the features of one, say what is installed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyano.concise import json_text
from cyano.errors import CyanoError, InputError
from cyano_runtime import __version__

if TYPE_CHECKING:
    from cyano_runtime.matcher import Matcher
    from cyano_runtime.options import ResizeRule

__all__ = ["main"]


class _UsageError(InputError):
    """The command line asks for what cannot be."""


_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program on these arguments, or on those of the process.

    Exit codes: 0 done; 1 error (one line on stderr); 2 usage error; 130 interrupted.
    """
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except CyanoError as error:
        print(f"error: {error}".encode("utf-8", "replace").decode(), file=sys.stderr)  # noqa: T201 - the program's own
        raise SystemExit(2 if isinstance(error, _UsageError) else 1) from error
    except KeyboardInterrupt as error:
        raise SystemExit(130) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cyano-rt",
        description="Image matching without torch: SuperPoint keypoints and SuperGlue matches by networks in ONNX.",
        epilog="Exit codes: 0 done; 1 error (one line on stderr); 2 usage error; 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"cyano-rt {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    match = commands.add_parser("match", help="match two images", description="Match two images: A and B.")
    match.add_argument("a", metavar="A", help="the first image")
    match.add_argument("b", metavar="B", help="the second image")
    match.add_argument("--json", action="store_true", dest="as_json", help="print the matches as JSON")
    match.add_argument("--save-json", metavar="FILE", type=Path, help="write the matches as JSON")
    match.add_argument("--npz", metavar="FILE", type=Path, help="write all keypoints and the assignment for NumPy")
    match.add_argument("--picture", metavar="FILE", type=Path, help="write a picture of the matches (.png, .jpg)")
    match.add_argument("--match-threshold", metavar="X", type=float, help="least probability of a match [the weights']")
    match.add_argument("--no-align", action="store_true", help="leave keypoints where each image has them")
    match.set_defaults(run=_match)

    extract = commands.add_parser("extract", help="features of one image", description="Keypoints of one image.")
    extract.add_argument("image", metavar="IMAGE", help="the image")
    extract.add_argument("--out", "-o", metavar="FILE", type=Path, required=True, help="archive for NumPy (.npz)")
    extract.set_defaults(run=_extract)

    for command in (match, extract):
        _add_common(command)

    env = commands.add_parser("env", help="versions and engines, for bug reports", description="What is installed.")
    env.add_argument("--json", action="store_true", dest="as_json", help="print as JSON")
    env.set_defaults(run=_env)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    """Options of all commands that read images."""
    names = ("auto", "openvino", "onnxruntime", "opencv")
    command.add_argument("--engine", choices=names, default="auto", help="what computes the networks [auto]")
    command.add_argument("--weights", "-w", metavar="DIR", help="folder of `cyano export` [the one included]")
    command.add_argument("--resize", metavar="N|WxH", help="longer side, or size, in pixels; -1 for none [640]")
    command.add_argument("--max-keypoints", metavar="N", type=int, help="strongest of each image [1024]")
    command.add_argument("--threads", metavar="N", type=int, help="of the engine [its own choice]")
    command.add_argument("--no-stretch", action="store_true", help="leave dark 16-bit images as they are")


def _match(given: argparse.Namespace) -> None:
    """Match, write, tell."""
    if given.picture is not None and given.picture.suffix.lower() not in _PICTURES:
        raise _UsageError(f"pictures are written as {', '.join(_PICTURES)}, not as {given.picture.name}")
    _refuse_clashes((given.a, given.b), given.picture, given.save_json, given.npz)
    matcher, loaded = _matcher(given, match_threshold=given.match_threshold, align=not given.no_align)
    start = time.perf_counter()
    result = matcher.match(given.a, given.b)
    seconds = time.perf_counter() - start
    if given.picture is not None:
        from cyano.atomic import write_atomically
        from cyano.viz.encoding import image_bytes

        write_atomically(given.picture, image_bytes(result.draw_image(), given.picture.suffix))
    if given.save_json is not None:
        result.save_json(given.save_json)
    if given.npz is not None:
        result.save_npz(given.npz)
    if given.as_json:
        record = {"weights": matcher.weights.name, "engine": matcher.engine, "seconds": round(seconds, 4)}
        _say(json_text({**result.to_dict(), **record}), end="")
        return
    rows = [
        ("keypoints", f"{len(result.image0.keypoints)} and {len(result.image1.keypoints)}"),
        ("matches", str(len(result))),
        ("time", f"{seconds:.2f} s by {matcher.engine}, and {loaded:.2f} s to load"),
        ("weights", f"{matcher.weights.name} ({matcher.weights.licence or 'licence unknown'})"),
    ]
    files = [("picture", given.picture), ("JSON", given.save_json), ("npz", given.npz)]
    _tell(f"{given.a} : {given.b}", rows + [(what, str(path)) for what, path in files if path is not None])


def _extract(given: argparse.Namespace) -> None:
    """Extract and write."""
    _refuse_clashes((given.image,), given.out)
    matcher, _ = _matcher(given)
    features = matcher.extract(given.image)
    features.save_npz(given.out)
    _tell(given.image, [("keypoints", str(len(features))), ("npz", str(given.out))])


def _env(given: argparse.Namespace) -> None:
    """What a bug report should say."""
    import platform
    from importlib import metadata

    from cyano_runtime import engines
    from cyano_runtime.exported import Export

    weights = Export.read()
    facts: dict[str, Any] = {
        "cyano-runtime": __version__,
        "from": str(Path(__file__).parent),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "numpy": metadata.version("numpy"),
        "pillow": metadata.version("pillow"),
        **engines.available(),
        "engine": engines.chosen("auto") if any(engines.available().values()) else None,
        "cache": None if (cache := engines.cache_folder()) is None else str(cache),
        "weights": f"{weights.name} ({weights.licence})",
    }
    if given.as_json:
        _say(json_text(facts), end="")
    else:
        _tell("cyano-rt env", [(name, "not installed" if value is None else value) for name, value in facts.items()])


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Options that the library refuses are usage errors: exit code 2."""
    try:
        yield
    except InputError as error:
        raise _UsageError(str(error)) from error


def _refuse_clashes(inputs: Sequence[str], *outputs: Path | None) -> None:
    """Refuse to write two files into one, or over an input."""
    from cyano.atomic import refuse_clashes

    with _usage_errors():
        refuse_clashes(inputs, [path for path in outputs if path is not None])


@_usage_errors()
def _matcher(given: argparse.Namespace, **options: Any) -> tuple[Matcher, float]:
    """A matcher with the options of the command, and the seconds that it took to load."""
    start = time.perf_counter()
    from cyano_runtime.matcher import Matcher
    from cyano_runtime.options import ResizeRule, RuntimeOptions

    chosen = RuntimeOptions(
        resize=ResizeRule() if given.resize is None else _resize(given.resize, ResizeRule),
        max_keypoints=given.max_keypoints,
        stretch=not given.no_stretch,
        threads=given.threads,
        **options,
    )
    matcher = Matcher(given.weights, given.engine, options=chosen)
    return matcher, time.perf_counter() - start


def _resize(text: str, rule: type[ResizeRule]) -> ResizeRule:
    """The rule of `--resize`."""
    try:
        return rule.from_flags([int(number) for number in text.lower().split("x")])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"--resize takes -1, the longest side, or WxH, in pixels; not {text!r}") from error


def _tell(title: str, rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows) + 2
    _say("\n".join([title, *(f"{name.ljust(width)}{value}" for name, value in rows)]))


def _say(text: str, end: str = "\n") -> None:
    """Print; names of files that are no text have question marks."""
    print(text.encode("utf-8", "replace").decode(), end=end)  # noqa: T201 - the program's own output
