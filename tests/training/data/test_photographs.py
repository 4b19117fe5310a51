"""Photographs of a folder: their families, and manifests that say of which each is."""

from pathlib import Path

import pytest

from cyano.errors import InputError
from cyano.training.data.photographs import find_photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five files, each of a family of its own."""
    for name in "abcde":
        (tmp_path / f"{name}.png").touch()
    return tmp_path


def test_files_of_one_source_stay_together(folder: Path) -> None:
    rows = [f"{name}.png,{source}" for name, source in zip("abcde", ("x#1", "x#2", "y|1", "y|2", "y"), strict=True)]
    (folder / "manifest.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["file,source", *rows]).encode())
    train, aside = ([path.stem for path in paths] for paths in find_photographs(folder, 0.4))
    assert sorted([train, aside]) == [["a", "b"], ["c", "d", "e"]]


@pytest.mark.parametrize("text", ["source,licence\nx,CC0\n", "file,source\na.png\n", "file,source\n,x\n", ""])
def test_rows_without_a_file_or_a_source_say_nothing(folder: Path, text: str) -> None:
    before = find_photographs(folder, 0.4)
    (folder / "below").mkdir()
    (folder / "below" / "manifest.csv").write_text(text)
    assert find_photographs(folder, 0.4) == before


def test_a_manifest_that_cannot_be_read_is_named(folder: Path) -> None:
    manifest = folder / "manifest.csv"
    manifest.write_bytes("file,source\na.png,Zürich\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"manifest\.csv is not text in UTF-8 .*; save it as CSV in UTF-8, or rename"):
        find_photographs(folder)
    manifest.write_text(f"file,source\na.png,{'x' * 200_000}\n")
    with pytest.raises(InputError, match=r"manifest\.csv cannot be read as CSV .*; save it as CSV in UTF-8, or rename"):
        find_photographs(folder)
