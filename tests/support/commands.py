"""Run the command line in this process, and images for it to work on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from cyano.cli.main import app

SHIFT = (12, 6)
"""Image 1 shows what image 0 does, so many pixels further left and up."""


def run(*arguments: str | Path, cwd: Path | None = None, columns: int = 200, told: str | None = None) -> Result:
    """`cyano ARGUMENTS`, on a wide screen, in the folder `cwd`, with what it is `told` on its standard input."""
    before = Path.cwd()
    try:
        os.chdir(cwd or before)
        return CliRunner().invoke(app, [str(argument) for argument in arguments], told, env={"COLUMNS": str(columns)})
    finally:
        os.chdir(before)


def output(result: Result) -> Any:
    """The JSON document on stdout, after a run that succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def shifted_photographs(folder: Path, height: int = 180, width: int = 240) -> tuple[Path, Path]:
    """Two crops of one photograph, `SHIFT` apart: x1 = x0 - 12, y1 = y0 - 6."""
    from skimage import data

    whole = Image.fromarray(data.astronaut()).resize((width + SHIFT[0], height + SHIFT[1]), Image.Resampling.BICUBIC)
    paths = folder / "a.png", folder / "b.png"
    whole.crop((0, 0, width, height)).save(paths[0])
    whole.crop((SHIFT[0], SHIFT[1], SHIFT[0] + width, SHIFT[1] + height)).save(paths[1])
    return paths


def flat_image(path: Path, height: int = 120, width: int = 160) -> Path:
    """An image without a single keypoint."""
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)
    return path
