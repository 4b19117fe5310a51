"""The link that results have to their images."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from cyano.collection.links import link_images
from cyano.errors import OutputError


def test_the_link_is_to_the_images_of_the_last_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        for _ in range(2):
            link_images(tmp_path / "out", tmp_path / name)
            assert (tmp_path / "out" / "images").resolve() == tmp_path / name
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["images"]


def test_a_folder_of_images_stays(tmp_path: Path) -> None:
    (tmp_path / "out" / "images").mkdir(parents=True)
    link_images(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out" / "images").is_symlink()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSPC])
def test_without_links_there_is_none_and_a_full_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(Path, "symlink_to", refused)
    if number == errno.ENOSPC:
        with pytest.raises(OutputError, match="images cannot be made: refused; check the folder"):
            link_images(tmp_path, tmp_path)
    else:
        link_images(tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())
