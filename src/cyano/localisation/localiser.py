"""Where was this photograph taken? From the photograph and a map to a pose, or to an honest no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cyano.errors import InputError
from cyano.formats.absolute_pose import Intrinsics
from cyano.formats.known_cameras import KnownCamera
from cyano.localisation.cameras import intrinsics_of
from cyano.localisation.map import Map
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import CameraSource, Localisation
from cyano.localisation.photographs import Photograph
from cyano.localisation.search import Search
from cyano.matcher import Matcher
from cyano.processing.images import ImageSource
from cyano.types import Features

__all__ = ["Localiser"]

_DEFAULTS = LocaliseOptions()


class Localiser:
    """Localises photographs in one map; networks are built once. For one thread at a time.

    localiser = Localiser(Map.open(Path("model"), Recipe(load())))
    for found in localiser.localise_all(["a.jpg", "b.jpg"]):
        print(found.name, found.status, found.message)
    """

    def __init__(self, place: Map, options: LocaliseOptions = _DEFAULTS, matcher: Matcher | None = None) -> None:
        """Prepare.

        Args:
            place: the map.
            options: how.
            matcher: that of the map's recipe; None builds it.

        Raises:
            InputError: this machine lacks the device of the map's recipe.
        """
        self.map = place
        self.options = options
        self.matcher = matcher or place.recipe.matcher()

    def localise_all(self, images: Iterable[ImageSource], camera: KnownCamera | None = None) -> Iterator[Localisation]:
        """One after the other, in the order of the images; see `localise`.

        A photograph that cannot be used is an outcome, too, of the status "not usable".
        """
        for image in images:
            try:
                yield self.localise(image, camera)
            except InputError as error:
                name = str(image) if isinstance(image, str) or hasattr(image, "__fspath__") else "image"
                yield Localisation.failed(name, "not usable", str(error))

    def localise(self, image: ImageSource, camera: KnownCamera | None = None) -> Localisation:
        """Localise one photograph.

        The pose is that of the photograph as it is displayed: EXIF's orientation is applied.

        Args:
            image: what `Matcher.extract` takes: a path, bytes, a PIL image, an array or a tensor.
            camera: its intrinsics, for the pixels as they are stored, scaled where they are for another size; None
                takes those of the map's images of the same camera, or of EXIF, or estimates them.

        Raises:
            ImageError: the photograph cannot be read.
            InputError: the camera is of a picture of another shape, or none of COLMAP's.
        """
        photograph = Photograph.read(image, self.matcher)
        intrinsics = self.intrinsics(photograph, camera)
        search = Search(self.map, self.matcher, self.options, photograph)
        if not len(photograph.features):
            return search.failed("no keypoints", "the photograph has no keypoints: it is plain, dark or blurred")
        return search.run(self._candidates(photograph.features), intrinsics)

    def intrinsics(self, photograph: Photograph, camera: KnownCamera | None) -> list[tuple[Intrinsics, CameraSource]]:
        """What to try; see `intrinsics_of`."""
        return intrinsics_of(self.map, photograph, camera)

    def _candidates(self, features: Features) -> list[str]:
        """The images of the map to match first."""
        if len(self.map.names) <= max(self.options.all_up_to, self.options.top_k):
            return self.map.names
        return self.map.most_alike(features.descriptors.cpu().numpy(), self.options.top_k)
