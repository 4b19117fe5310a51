"""`cyano export`: the networks as ONNX graphs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import busy, print_facts, print_json, result_console

if TYPE_CHECKING:
    from cyano.types import ImageSize

__all__ = ["HELP", "export"]

HELP = """Write the networks as ONNX graphs, for programs without PyTorch; each is compared with its network first.

\b
cyano export onnx
cyano export onnx --runtime-check onnxruntime,openvino,opencv
cyano export fixed --size 640x480 --max-keypoints 1024

Writes detector.onnx, matcher.onnx, pair.onnx and export.json, which describes their inputs and outputs."""


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    *,
    weights: shared.Weights = None,
    parts: Annotated[str, typer.Option(metavar="NAMES", help="Graphs to write.")] = "detector,matcher,pair",
    max_keypoints: Annotated[int, typer.Option(help="Rows of keypoints per image, padding included.")] = 1024,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Size of all images, for engines that need static shapes.")
    ] = "dynamic",
    precision: Annotated[Literal["float32", "float16"], typer.Option(help="Type of the stored weights.")] = "float32",
    opset: Annotated[int, typer.Option(help="ONNX operator set.")] = 20,
    keypoints: Annotated[
        Literal["fixed", "dynamic"], typer.Option(help="dynamic: detector.onnx outputs no padding.")
    ] = "fixed",
    mask: Annotated[
        bool, typer.Option("--mask", help="detector.onnx takes a mask of where keypoints may be; no pair.onnx.")
    ] = False,
    runtime_check: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Engines to compare with the networks: onnxruntime,opencv,openvino."),
    ] = "onnxruntime",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder.")] = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, export, print; the help is `HELP`."""
    with busy("exporting"):
        from cyano.checkpoints import load
        from cyano.export import ExportOptions, export_networks

        with shared.usage_errors():
            options = ExportOptions(
                parts=_names(parts),
                max_keypoints=max_keypoints,
                size=_size(size),
                precision=precision,
                opset=opset,
                keypoints=keypoints,
                mask=mask,
                runtime_check=_names(runtime_check),
            )
        done = export_networks(load(weights), folder, options, overwrite=overwrite)
    if as_json:
        print_json(done.record)
        return
    rows = [("folder", str(folder)), ("licence", str(done.record["weights"]["licence"]))]
    for part, graph in done.record["graphs"].items():
        agreed = ", ".join(done.record["parity"][part])
        rows.append((graph["file"], f"{graph['bytes'] / 1e6:.1f} MB, {graph['nodes']} nodes, checked in {agreed}"))
    print_facts(result_console(as_json), "exported", rows)


def _names(text: str) -> Any:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _size(text: str) -> ImageSize | None:
    """The size that 640x480 means, None for "dynamic"."""
    from cyano.errors import InputError
    from cyano.types import ImageSize

    numbers = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if numbers is None and text != "dynamic":
        raise InputError(f"size is dynamic, or width and height such as 640x480, not {text!r}")
    return None if numbers is None else ImageSize(int(numbers[2]), int(numbers[1]))
