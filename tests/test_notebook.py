"""The quickstart notebook runs and shows what its text promises."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.notebooks import read_cells, shown

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"


def test_the_quickstart_runs_and_shows_pictures_and_tables() -> None:
    pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    matched, arrays, pose, inliers, errors, many = shown(NOTEBOOK)
    assert "matches of" in matched["text/html"]
    assert "data:image/jpeg;base64," in matched["text/html"]
    for display in (matched, inliers, errors):
        picture = np.asarray(Image.open(io.BytesIO(display["image/png"])).convert("RGB"))
        assert picture.std() > 20  # not blank
    assert "array" in arrays["text/plain"]
    # Rectified: no rotation, and camera 1 to the right.
    assert float(re.findall(r"([\d.]+) degrees", pose["text/html"])[0]) < 0.5
    assert "camera 1 is right of camera 0" in pose["text/html"]
    assert min(int(count) for count in re.findall(r"\d+", many["text/plain"])) > 100


def test_its_links_lead_somewhere() -> None:
    text = "".join(line for cell in read_cells(NOTEBOOK) for line in cell["source"])
    targets = re.findall(r"\]\(([^)#]+)", text)
    assert targets
    for target in targets:
        assert (NOTEBOOK.parent / target).exists(), target
