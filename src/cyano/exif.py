"""What a photograph's EXIF says, in whatever state the file is: a fact that is damaged costs no other."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from PIL import ExifTags, Image, UnidentifiedImageError

from cyano.errors import MissingExtraError
from cyano.reading import PARSER_ERRORS, without_warnings

__all__ = [
    "OPENING_ERRORS",
    "PILLOW_ERRORS",
    "ExifFacts",
    "facts_in",
    "facts_of",
    "open_image",
    "orientation_and_focal",
]

PILLOW_ERRORS = PARSER_ERRORS
"""What Pillow's decoders and parsers raise on damaged files, but for `DecompressionBombError`: they have no base class
of their own."""

OPENING_ERRORS: tuple[type[Exception], ...] = (*PILLOW_ERRORS, Image.DecompressionBombError)

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")  # those of the readable formats that carry EXIF

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_FILM_MM = 36.0
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""FocalPlaneResolutionUnit (CIPA DC-008: inches if absent, or centimetres; cameras also write the other two)."""
_SENSOR_MM = (1.0, 100.0)  # longest side; beyond that the numbers are not those of a sensor

_BELOW = (1, 3)
"""Values of GPSAltitudeRef (CIPA DC-008, table of GPS attributes) for heights below the reference."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class ExifFacts:
    """What is known of a photograph.

    Attributes:
        orientation: of the stored pixels, 1 (upright) to 8.
        focal_35mm: focal length in mm on 35 mm film: FocalLengthIn35mmFilm, or FocalLength on a sensor of the size that
            FocalPlaneXResolution tells, whose longest side then counts as that of the film; None where neither is
            there.
        position: degrees north, degrees east, and metres above the reference (0 if unknown); None where the camera had
            no fix.
    """

    orientation: int = 1
    focal_35mm: float | None = None
    position: tuple[float, float, float] | None = None

    @property
    def is_turned(self) -> bool:
        """Whether the picture is displayed in another orientation than its pixels are stored in."""
        return self.orientation in range(2, 9)

    @property
    def is_sideways(self) -> bool:
        """Whether rows of the stored pixels are columns of the picture."""
        return self.orientation in range(5, 9)


def open_image(file: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    """Open an encoded image of one of these of Pillow's formats, or of HEIC by pillow-heif; nothing is decoded yet.

    Args:
        file: at its beginning.
        formats: as Pillow names them.

    Raises:
        MissingExtraError: it is HEIC, and pillow-heif is not installed.
        Exception: one of `PILLOW_ERRORS` or `DecompressionBombError`.
    """
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError:
        file.seek(0)
        head = file.read(12)
        if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS:
            raise
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise MissingExtraError(
            "HEIC images are read with pillow-heif: pip install pillow-heif, or convert them to JPEG"
        ) from error
    file.seek(0)
    image: Image.Image = HeifImageFile(file)  # not registered with Pillow, whose settings are the program's
    return image


def facts_of(image: Image.Image) -> ExifFacts:
    """The facts of an open image; warnings of Pillow's are the caller's."""
    return ExifFacts(
        _fact(lambda: _orientation(image), 1),
        _fact(lambda: _focal_35mm(image), None),
        _fact(lambda: _position(image), None),
    )


def facts_in(path: str | os.PathLike[str]) -> ExifFacts:
    """The facts of a file, whose pixels are not decoded; those of an unknown photograph where it cannot be read."""
    try:
        if not os.path.isfile(path):
            return ExifFacts()
        with open(path, "rb") as file, without_warnings(), open_image(file, _FORMATS) as image:
            return facts_of(image)
    except OPENING_ERRORS:
        return ExifFacts()


def orientation_and_focal(image: Image.Image) -> tuple[int, float | None]:
    """(orientation, focal length in mm on 35 mm film) of `facts_of`."""
    facts = facts_of(image)
    return facts.orientation, facts.focal_35mm


def _fact(find: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return find()
    except PILLOW_ERRORS:
        return otherwise


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _focal_35mm(image: Image.Image) -> float | None:
    tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    told = _positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))  # zero says "unknown"
    if told is not None:
        return told
    focal, sensor = _positive(tags.get(ExifTags.Base.FocalLength)), _sensor_mm(tags, image)
    return None if focal is None or sensor is None else focal * _FILM_MM / sensor


def _sensor_mm(tags: Mapping[int, Any], image: Image.Image) -> float | None:
    """The longest side of the sensor, from how many of the photograph's own pixels it has to a millimetre."""
    unit = _UNIT_MM.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    across = _positive(tags.get(ExifTags.Base.FocalPlaneXResolution))
    down = _positive(tags.get(ExifTags.Base.FocalPlaneYResolution)) or across
    width = _positive(tags.get(ExifTags.Base.ExifImageWidth)) or image.width
    height = _positive(tags.get(ExifTags.Base.ExifImageHeight)) or image.height
    if unit is None or across is None or down is None:
        return None
    longest = max(width / across, height / down) * unit
    return longest if _SENSOR_MM[0] <= longest <= _SENSOR_MM[1] else None


def _positive(value: object) -> float | None:
    """A number that means something; None for zero, which says "unknown", and for all that is none."""
    number = float(value) if isinstance(value, numbers.Real) else 0.0
    return number if math.isfinite(number) and number > 0 else None


def _position(image: Image.Image) -> tuple[float, float, float] | None:
    tags = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    GPS = ExifTags.GPS
    north = _degrees(tags[GPS.GPSLatitude], tags[GPS.GPSLatitudeRef], "NS", 90)
    east = _degrees(tags[GPS.GPSLongitude], tags[GPS.GPSLongitudeRef], "EW", 180)
    up = _fact(lambda: _height(tags.get(GPS.GPSAltitude, 0), tags.get(GPS.GPSAltitudeRef, 0)), 0.0)
    return None if north == east == 0 else (north, east, up)  # as cameras without a fix write


def _degrees(parts: Any, reference: Any, letters: str, limit: int) -> float:
    """Degrees, minutes and seconds, the latter two where given, with the sign of the hemisphere.

    Raises:
        ValueError: they are no angle, or of no hemisphere.
    """
    fields = [float(part) for part in (parts if isinstance(parts, tuple) else (parts,))]
    value = sum((field / 60.0**power for power, field in enumerate(fields)), 0.0)
    letter = reference.decode("ascii", "replace") if isinstance(reference, bytes) else str(reference)
    sign = 1 - 2 * letters.index(letter.strip("\0 ").upper()[:1] or "?")
    if not 0 <= value <= limit:  # NaN, too
        raise ValueError(f"{value} degrees")
    return sign * value


def _height(metres: Any, reference: Any) -> float:
    """Metres above the reference; 0 where they make no sense, for a height is not worth losing a position."""
    below = (reference[0] if isinstance(reference, bytes) and reference else reference) in _BELOW
    value = float(metres)
    if not math.isfinite(value):
        return 0.0
    return -value if below else value
