"""What can go wrong, in the user's words: every message states the fact and the remedy.

    CyanoError
    ├── InputError (ValueError)          an argument, an option or a file's content is not usable
    │   └── ImageError                   an image cannot be read, or is too small or not an image
    │       └── LargeImageError          it has more bytes or pixels than the limits allow
    ├── WeightsError (OSError)           weights are missing, damaged, of another network, or cannot be fetched
    ├── OutputError (OSError)            a result cannot be written, or would overwrite another configuration's
    └── MissingExtraError (ImportError)  an optional package is absent; the message names the extra to install

A program catches `CyanoError` for all of them; each also is the built-in error that a caller would expect.
"""

from __future__ import annotations

__all__ = [
    "CyanoError",
    "ImageError",
    "InputError",
    "LargeImageError",
    "MissingExtraError",
    "OutputError",
    "WeightsError",
]


class CyanoError(Exception):
    """The root of all errors that Cyano raises on purpose.

    Example:
        >>> try:
        ...     cyano.match("a.jpg", "missing.jpg", device="cpu")
        ... except cyano.CyanoError as error:
        ...     print(type(error).__name__)
        ImageError
    """


class InputError(CyanoError, ValueError):
    """An argument, an option or the content of a file is not usable.

    Example:
        >>> try:
        ...     cyano.MatcherOptions(max_keypoints=0)
        ... except cyano.InputError as error:
        ...     message = str(error)
    """


class ImageError(InputError):
    """An image cannot be read, or its size or its values are out of bounds.

    Example:
        >>> try:
        ...     cyano.match("a.jpg", b"no image", device="cpu")
        ... except cyano.ImageError as error:
        ...     message = str(error)
    """


class LargeImageError(ImageError):
    """An image has more bytes or pixels than the limits allow; see `cyano.processing.decode.ImageLimits`.

    Example:
        >>> from cyano.processing.decode import ImageLimits
        >>> try:
        ...     cyano.Matcher(networks, cyano.MatcherOptions(limits=ImageLimits(max_pixels=1000))).extract(["a.jpg"])
        ... except LargeImageError as error:
        ...     message = str(error)
    """


class WeightsError(CyanoError, OSError):
    """Weights are missing, damaged, belong to another network, or cannot be fetched.

    Example:
        >>> try:
        ...     cyano.Matcher.from_pretrained("no-such-folder")
        ... except cyano.WeightsError as error:
        ...     message = str(error)
    """


class OutputError(CyanoError, OSError):
    """A result cannot be written where it should go, or would overwrite a different one.

    Example:
        >>> try:
        ...     cyano.match("a.jpg", "b.jpg", device="cpu").save_json("no/such/folder/matches.json")
        ... except cyano.OutputError as error:
        ...     message = str(error)
    """


class MissingExtraError(CyanoError, ImportError):
    """An optional package is absent; the message names the extra that brings it.

    Example:
        >>> issubclass(cyano.MissingExtraError, ImportError)
        True
    """
