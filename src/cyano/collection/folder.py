"""A folder of images and a folder of results, in which all stages work.

OUT/store          features, matches, exact keypoints (docs/decisions/0008-store.md), and codebooks
OUT/database.db    for COLMAP, and database.json: what it holds and what it was made from
OUT/sparse         models, the largest in 0, and sparse.json
OUT/model.*        what the largest model is looked at with: see `write_views`
OUT/images         a link to the folder of the images, see `link_images`
OUT/hloc           features.h5 and matches.h5, if asked for, and hloc.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cyano.engine import (
    AlignImages,
    ExtractImages,
    MatchPairs,
    Recipe,
    VerifyPairs,
    find_images,
    passed_over,
    readable_suffixes,
)
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.geometry import RobustOptions
from cyano.pairs.checks import some
from cyano.store import FeatureStore, MatchStore

__all__ = ["VERIFICATION", "Collection"]

VERIFICATION = RobustOptions(threshold_px=4.0)
"""COLMAP's own threshold, in pixels of the original images. What is a little off is sorted out by the mapper."""


@dataclass(frozen=True, eq=False)
class Collection:
    """A folder of images, a folder of results, and everything that decides features and matches.

    Attributes:
        images: the folder of the images; those in folders below count, too.
        out: the folder of the results, not inside of `images`.
        recipe: networks and options.
        verification: see `MatchPairs`; None leaves it to COLMAP, in the database.
        listed: the images that count; None for all in the folder.

    Raises:
        InputError: `out` is inside of `images`, where its pictures would be taken for images.

    Example:
        >>> collection = Collection(Path("scene"), Path("run"), recipe)
        >>> collection.names()[:2], collection.notes(), collection.turned()
        (['view0.png', 'view1.png'], [], None)
        >>> features, matches, names = collection.stored()
        >>> len(names), matches.count()
        (6, 15)
    """

    images: Path
    out: Path
    recipe: Recipe
    verification: RobustOptions | None = VERIFICATION
    listed: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.out.resolve().is_relative_to(self.images.resolve()):
            raise InputError(f"{self.out} is inside the image folder; give a folder outside {self.images}")

    @property
    def store(self) -> Path:
        """Features and matches."""
        return self.out / "store"

    @property
    def database(self) -> Path:
        """COLMAP's database."""
        return self.out / "database.db"

    @property
    def sparse(self) -> Path:
        """The folder of the models."""
        return self.out / "sparse"

    @property
    def hloc(self) -> Path:
        """The folder of hloc's files."""
        return self.out / "hloc"

    @property
    def hloc_features(self) -> Path:
        """Hloc's file of features alone."""
        return self.out / "features.h5"

    def names(self) -> list[str]:
        """The names of the images; see `find_images`."""
        if self.listed is not None:
            return list(self.listed)
        return find_images(self.images, readable_suffixes())

    def extraction(self) -> ExtractImages:
        """The stage from images to features.

        Example:
            >>> collection.extraction().open().count()
            6
        """
        # Workers on other machines may stand in other folders.
        return ExtractImages(self.recipe, self.images.absolute(), self.store.absolute())

    def matching(self) -> MatchPairs:
        """The stage from features to matches.

        Example:
            >>> collection.matching().open().count()  # pairs
            15
        """
        return MatchPairs(self.recipe, self.store.absolute(), self.verification)

    def verifying(self) -> VerifyPairs:
        """The stage from matches that were stored without geometry to those with it.

        Example:
            >>> unverified = Collection(Path("scene"), Path("fast"), recipe, verification=None)
            >>> unverified.verifying().verification.threshold_px
            4.0
        """
        return VerifyPairs(self.recipe, self.store.absolute(), self.verification or VERIFICATION)

    def aligning(self, names: Sequence[str]) -> AlignImages:
        """The stage from the verified matches of these images to exact keypoints.

        Raises:
            InputError: matches are not verified; or see `AlignImages.of`.

        Example:
            >>> features, matches, names = collection.stored()
            >>> collection.aligning(names).open().count()
            6
        """
        if self.verification is None:
            raise InputError("refinement needs verified matches; verify them, or leave alignment out")
        images, root = self.images.absolute(), self.store.absolute()
        return AlignImages.of(self.recipe, images, root, self.verification, names)

    def stored(self) -> tuple[FeatureStore, MatchStore, list[str]]:
        """Both stores, and the images that have features.

        Raises:
            InputError: there are none yet.
            OutputError: there are results of other options only.
        """
        features, matches, names = self.extraction().open(), self.matching().open(), self.names()
        absent = set(features.missing(names))
        if len(absent) == len(names):
            raise InputError(f"no image of {self.images} has features in {self.out}; run `cyano extract` first")
        return features, matches, [name for name in names if name not in absent]

    def notes(self) -> list[str]:
        """What the user should know of the images: what was passed over, is turned by EXIF, or was stretched."""
        stretched = self.extraction().open().stretched_images()
        told = [
            f"{len(stretched)} images of 16 bits use a small part of their range ({some(stretched)}); their values "
            "were stretched over all of it (MatcherOptions.stretch)"
        ]
        turned = self.turned()
        return [
            *passed_over(self.images, readable_suffixes()),
            *([] if turned is None else [turned]),
            *(told if stretched else []),
        ]

    def turned(self) -> str | None:
        """A warning about images that EXIF turns, which COLMAP does not know of; None without such images."""
        turned = [name for name in self.names() if facts_in(self.images / name).is_turned]
        if not turned:
            return None
        return (
            f"EXIF turns {len(turned)} images ({some(turned)}), and COLMAP passes over that: poses and points are "
            "right, but colours of points and undistorted images are not; turn the files themselves to have both"
        )
