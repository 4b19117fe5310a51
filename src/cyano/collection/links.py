"""The link to the folder of the images, by which results are used without being told where these are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cyano.errors import OutputError

__all__ = ["link_images"]

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
"""What file systems without links say."""


def link_images(out: Path, images: Path) -> None:
    """Leave a link `out/images` to the folder of the images, in place of an older one.

    A folder of that name stays as it is; where there are no links, none is made.

        link_images(Path("model"), Path("photos"))

    Args:
        out: folder of results.
        images: that of the images.

    Raises:
        OutputError: it cannot be made.
    """
    link, target = out / "images", images.resolve()
    if link.resolve() == target or (link.is_dir() and not link.is_symlink()):
        return
    beside = out / f".images-{os.getpid()}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        beside.symlink_to(target, target_is_directory=True)
        beside.replace(link)
    except OSError as error:
        beside.unlink(missing_ok=True)
        if error.errno not in _NO_LINKS:
            raise OutputError(f"{link} cannot be made: {error.strerror or error}; check the folder") from error
