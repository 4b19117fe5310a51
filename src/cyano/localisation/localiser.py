"""Where was this photograph taken? From the photograph and a map to a pose, or to an honest no."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cyano.errors import InputError
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.formats.priors import PositionPrior
from cyano.formats.rigs import Rig, RigCamera
from cyano.geometry import LensCamera
from cyano.localisation.map import Map
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import CameraSource, Localisation
from cyano.localisation.photograph.cameras import intrinsics_of
from cyano.localisation.photograph.features import Photograph
from cyano.localisation.photograph.search import Search
from cyano.localisation.rigs import Member, RigSearch
from cyano.matcher import Matcher
from cyano.processing.images import ImageSource
from cyano.types import Features

__all__ = ["Localiser"]

_DEFAULTS = LocaliseOptions()


class Localiser:
    """Localises photographs in one map; networks are built once. For one thread at a time.

    Example:
        >>> localiser = Localiser(Map.open(Path("run"), recipe))
        >>> for found in localiser.localise_all(["new.png", "scene/view0.png"]):
        ...     print(found.name, found.status)
        new.png ok
        scene/view0.png ok
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

    def localise_all(
        self, images: Iterable[ImageSource], camera: LensCamera | CameraEntry | None = None
    ) -> Iterator[Localisation]:
        """One after the other, in the order of the images; see `localise`.

        A photograph that cannot be used is an outcome, too, of the status "not usable".
        """
        for image in images:
            try:
                yield self.localise(image, camera)
            except InputError as error:
                name = str(image) if isinstance(image, str) or hasattr(image, "__fspath__") else "image"
                yield Localisation.failed(name, "not usable", str(error))

    def localise(
        self,
        image: ImageSource,
        camera: LensCamera | CameraEntry | None = None,
        mask: ImageSource | None = None,
        prior: PositionPrior | None = None,
    ) -> Localisation:
        """Localise one photograph.

        The pose is that of the photograph as it is displayed: EXIF's orientation is applied.

        Args:
            image: what `Matcher.extract` takes: a path, bytes, a PIL image, an array or a tensor.
            camera: its intrinsics, for the pixels as they are stored or displayed and at any size, see
                `LensCamera.displayed`; None takes those of the map's images of the same camera, or of EXIF, or
                estimates them.
            mask: an image of the photograph's size, black where it has no keypoints: people, cars, the sky.
            prior: where it was taken, about: only images of the map within `LocaliseOptions.prior_radius` count, and
                the pose is held to it by its deviations.

        Raises:
            ImageError: the photograph or its mask cannot be read.
            InputError: the camera is of a picture of another shape.

        Example:
            >>> from cyano.geometry import Camera, LensCamera
            >>> camera = LensCamera.from_pinhole(Camera(400, 400, 239.5, 179.5, ImageSize(360, 480)))
            >>> found = Localiser(Map.open(Path("run"), recipe)).localise("new.png", camera)
            >>> found.status, found.camera_source, found.T_world_to_camera.shape
            ('ok', 'given', (4, 4))
        """
        photograph = Photograph.read(image, self.matcher, mask)
        return self.localise_photograph(photograph, self.intrinsics(photograph, camera), prior)

    def localise_photograph(
        self,
        photograph: Photograph,
        intrinsics: Sequence[tuple[Intrinsics, CameraSource]],
        prior: PositionPrior | None = None,
    ) -> Localisation:
        """Localise a photograph whose keypoints are known.

        Args:
            photograph: with features of the map's recipe.
            intrinsics: what to try, the most trusted first; see `intrinsics_of`.
            prior: where it was taken; see `localise`.
        """
        among = None if prior is None else self.map.images_near(prior, self.options.prior_radius)
        search = Search(self.map, self.matcher, self.options, photograph, prior, among)
        if not len(photograph.features):
            return search.failed("no keypoints", "the image has no keypoints: it is textureless, dark or blurred")
        if among == []:
            words = f"no image of the map is within {self.options.prior_radius:g} of the known position"
            return search.failed("no candidates", words)
        return search.run(self._candidates(photograph.features, among), intrinsics)

    def intrinsics(
        self, photograph: Photograph, camera: LensCamera | CameraEntry | None
    ) -> list[tuple[Intrinsics, CameraSource]]:
        """What to try; see `intrinsics_of`."""
        return intrinsics_of(self.map, photograph, camera)

    def localise_rig(
        self,
        images: Mapping[str, ImageSource],
        rig: Rig,
        cameras: Mapping[str, LensCamera | CameraEntry | None] | None = None,
        masks: Mapping[str, ImageSource | None] | None = None,
    ) -> dict[str, Localisation]:
        """Localise photographs that the cameras of a rig took at one moment, all at once: they have one status.

        Args:
            images: by the names of the rig's cameras; some may lack theirs.
            rig: how the cameras are placed.
            cameras: intrinsics as for `localise`, before those of the rig.
            masks: as for `localise`.

        Returns:
            An outcome for each image. The poses are exactly those of the rig.

        Raises:
            ImageError: a photograph or its mask cannot be read.
            InputError: the rig has no camera of a name, or a camera is of a picture of another shape.

        Example:
            >>> back = np.diag([-1.0, 1.0, -1.0, 1.0])  # half a turn about the vertical axis
            >>> rig = Rig({"front": RigCamera(np.eye(4)), "back": RigCamera(back)})
            >>> found = Localiser(Map.open(Path("run"), recipe)).localise_rig({"front": "new.png"}, rig)
            >>> found["front"].status
            'ok'
        """
        if not images or not images.keys() <= rig.cameras.keys():
            raise InputError(
                f"there are images of the cameras {', '.join(map(repr, images))}, but the rig has the cameras "
                f"{', '.join(map(repr, rig.cameras))}"
            )
        cameras, masks = cameras or {}, masks or {}
        members = {
            name: self.member(image, rig.cameras[name], cameras.get(name), masks.get(name))
            for name, image in images.items()
        }
        return self.localise_members(members)

    def member(
        self, image: ImageSource, camera: RigCamera, known: LensCamera | CameraEntry | None, mask: ImageSource | None
    ) -> Member:
        """A photograph of a rig's camera, ready to be matched; see `localise_rig`."""
        photograph = Photograph.read(image, self.matcher, mask)
        intrinsics = self.intrinsics(photograph, known or camera.camera)
        return Member(Search(self.map, self.matcher, self.options, photograph), intrinsics, camera.T_rig_to_camera)

    def localise_members(self, members: Mapping[str, Member]) -> dict[str, Localisation]:
        """The outcomes of a rig's photographs; see `localise_rig`."""
        for member in members.values():
            features = member.search.photograph.features
            if len(features):
                member.explore(self._candidates(features))
        found = RigSearch(list(members.values()), self.options).run()
        return dict(zip(members, found, strict=True))

    def _candidates(self, features: Features, among: list[str] | None = None) -> list[str]:
        """The images of the map to match first."""
        names = self.map.names if among is None else among
        if len(names) <= max(self.options.all_up_to, self.options.top_k):
            return names
        return self.map.most_alike(features.descriptors.cpu().numpy(), self.options.top_k, among)
