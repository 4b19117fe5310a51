"""Everything that decides the features and the matches of a collection, and its record in the stores."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from cyano import __version__
from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.loading import Networks
from cyano.errors import InputError, WeightsError
from cyano.geometry import RobustOptions
from cyano.matcher import Matcher
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig
from cyano.options import MatcherOptions
from cyano.processing.images import MIN_SIDE
from cyano.processing.keypoint_maps import frame_margin
from cyano.processing.masks import is_list, read_masks
from cyano.store import Configuration, FeatureStore, MatchStore, Precision

__all__ = ["Recipe"]

DEFAULT_OPTIONS = MatcherOptions()


@dataclass(frozen=True, eq=False)
class Recipe:
    """Networks and options: plain values, which may be sent to any process.

    Attributes:
        networks: from `cyano.checkpoints.load`.
        options: how to match; neither rotations nor views are searched, for features are those of the image as it is.
        device: where workers run, for example "cpu" or "cuda".
        masks: folder of masks, a list of them, or a mask for all images, black where no keypoints are wanted; see
            `find_mask`. All images need one. None for no masks.
        batch_size: pairs per batch on a GPU.
        feature_precision: of stored descriptors.
        match_precision: of stored scores.

    Raises:
        WeightsError: the weights are a detector's alone.
        InputError: the options search rotations or views, the device is none, or there are no masks or no list of them.

    Example:
        >>> recipe = Recipe(networks, cyano.MatcherOptions(max_keypoints=200), masks=None)
        >>> recipe.features(Path("run/store")).count(), recipe.has_matches(Path("run/store"), None)
        (6, False)
        >>> recipe.feature_configuration()["max_keypoints"], recipe.matcher().options.max_keypoints
        (200, 200)
    """

    networks: Networks
    options: MatcherOptions = DEFAULT_OPTIONS
    device: str = "cpu"
    masks: Path | None = None
    batch_size: int = 8
    feature_precision: Precision = "float16"
    match_precision: Precision = "float16"

    def __post_init__(self) -> None:
        for name in ("rotations", "views"):
            if getattr(self.options, name) != "off":
                raise InputError(f"features are extracted once per image, without {name}; use {name}='off'")
        if self.masks is not None and not self.masks.exists():
            raise InputError(f"{self.masks}: there is no such folder or file; masks are a folder or one image")
        if self.masks is not None and is_list(self.masks):
            read_masks(self.masks)  # checks it
        try:
            torch.device(self.device)
        except RuntimeError as error:
            raise InputError(f"there is no device {self.device!r}; 'cpu' and 'cuda' are usual") from error
        self._in_force()

    def _in_force(self) -> tuple[SuperPointConfig, SuperGlueConfig]:
        superglue = self.networks.superglue
        if superglue is None:
            raise WeightsError(f"{self.networks.source} has no matcher; matching needs a SuperGlue as well")
        return self.options.over(self.networks.superpoint.config, superglue.config)

    @property
    def usual_threshold(self) -> float:
        """Least probability of a match; those below wait for their geometry."""
        return self._in_force()[1].matching_threshold

    def matcher(self) -> Matcher:
        """The networks on their device, ready to run.

        Raises:
            InputError: this machine lacks the device, or the batch size is not positive.
        """
        # The network's images are checked before they are resized, after which they may be smaller than that.
        limits = replace(self.options.limits, min_side=min(self.options.limits.min_side, MIN_SIDE))
        options = replace(self.options, limits=limits)
        return Matcher(self.networks, options, device=self.device, batch_size=self.batch_size)

    def feature_configuration(self) -> Configuration:
        """What decides features, with the values in force."""
        detection, _ = self._in_force()
        resize = self.options.resize
        return {
            "version": __version__,
            "detector_sha256": weights_digest(self.networks.superpoint),
            "device": torch.device(self.device).type,
            "precision": self.options.precision,
            "longest_side": resize.longest_side,
            "exact_size": None if resize.size is None else f"{resize.size.height}x{resize.size.width}",
            "allow_upscale": resize.allow_upscale,
            "max_keypoints": detection.max_keypoints,
            "keypoint_threshold": detection.keypoint_threshold,
            "nms_radius": detection.nms_radius,
            "border_removal": detection.border_removal_distance,
            "localisation": detection.keypoint_localisation,
            "frame_margin": frame_margin(detection),
            "subpixel": self.options.subpixel,
            "masks": self.masks is not None,
            "stretch": self.options.stretch,
        }

    def match_configuration(self, verification: RobustOptions | None) -> Configuration:
        """What decides matches, with the values in force: all that decides features, and more.

        Args:
            verification: how matches are verified; None if they are not.

        Example:
            >>> set(recipe.feature_configuration()) < set(recipe.match_configuration(None))
            True
        """
        _, assignment = self._in_force()
        robust = {}
        if verification is not None:
            robust = asdict(replace(verification, threshold_px=verification.threshold_for("fundamental")))
        return {
            **self.feature_configuration(),
            "feature_precision": self.feature_precision,
            "matcher_sha256": weights_digest(self.networks.superglue),
            "match_threshold": assignment.matching_threshold,
            "confirmed_threshold": self.options.confirmed_threshold(assignment),
            "sinkhorn_iterations": assignment.sinkhorn_iterations,
            "tolerance": 0.0,  # of an option that there was, so that stores of before stay valid
            "verification": None if verification is None else "fundamental",
            **{f"verification_{name}": value for name, value in robust.items()},
            **({} if self.options.layers is None else {"layers": self.options.layers}),
        }

    def features(self, root: Path, *, force: bool = False) -> FeatureStore:
        """The store of the features below `root`.

        Args:
            root: folder of the stores.
            force: begin anew beside results of other options.

        Raises:
            OutputError: there are features of other options only, or nothing can be written there.
        """
        return FeatureStore(root, self.feature_configuration(), precision=self.feature_precision, force=force)

    def matches(self, root: Path, verification: RobustOptions | None, *, force: bool = False) -> MatchStore:
        """The store of the matches below `root`, of one verification or of none; otherwise as `features`.

        Example:
            >>> recipe.matches(Path("run/store"), collection.verification).count()
            15
        """
        return MatchStore(root, self.match_configuration(verification), precision=self.match_precision, force=force)

    def has_matches(self, root: Path, verification: RobustOptions | None) -> bool:
        """Whether there is such a store already; nothing is made."""
        return MatchStore.exists(root, self.match_configuration(verification), precision=self.match_precision)
