"""The methods by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from cyano.checkpoints.loading import Networks
from cyano.checkpoints.lone_matcher import LoneMatcher
from cyano.errors import InputError, MissingExtraError
from cyano.evaluation.methods.lightglue import AlikedFeatures, LightGlueMethod
from cyano.evaluation.methods.method import Method
from cyano.evaluation.methods.networks import MutualNearest, NetworkFeatures, SuperGlueMethod, ViewsMethod
from cyano.evaluation.methods.sift import SiftFeatures, SiftMethod
from cyano.evaluation.methods.sift_superglue import SiftSuperGlueMethod
from cyano.evaluation.methods.xfeat import XFeatFeatures, XFeatMethod
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule

__all__ = ["DEFAULT_MATCHING", "METHODS", "OF_NETWORKS", "MethodName", "build_methods", "method_names"]

MethodName: TypeAlias = Literal[
    "cyano", "cyano-views", "cyano-unaligned", "mutual-nn", "sift", "sift-superglue", "aliked-lightglue", "xfeat"
]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
OF_NETWORKS: tuple[MethodName, ...] = ("cyano", "cyano-views", "cyano-unaligned", "mutual-nn")
"""Those that need Cyano's own weights."""

DEFAULT_MATCHING = MatcherOptions(resize=ResizeRule.longest(640, allow_upscale=True), max_keypoints=1024)
"""The protocol of the project's tables: longest side 640, smaller images enlarged, at most 1024 keypoints."""


def method_names(names: Sequence[str]) -> list[MethodName]:
    """The names as those of methods.

    Raises:
        InputError: one is not, or there are none.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise InputError(f"methods are some of {', '.join(METHODS)}, not {', '.join(unknown) or 'none'}")
    return [method for name in names for method in METHODS if method == name]


def build_methods(
    names: Sequence[MethodName],
    networks: Networks | None,
    options: MatcherOptions = DEFAULT_MATCHING,
    device: str = "cpu",
    sift_matcher: LoneMatcher | None = None,
) -> tuple[list[Method], dict[str, str]]:
    """Build the methods of these names.

    Args:
        names: some of `METHODS`.
        networks: for those of `OF_NETWORKS`, which share the detector's features.
        options: for these and "sift-superglue"; the others see images of the same size. ALIKED gets as many keypoints,
            "sift" 2048, XFeat 4096, its own choice.
        device: where the networks run.
        sift_matcher: for "sift-superglue".

    Returns:
        The methods in the order of the names, and why some could not be built: a package is not installed.

    Raises:
        InputError: networks or the matcher are needed and not given.
        WeightsError: "cyano", "cyano-views" or "cyano-unaligned" is asked for and the weights are a detector's alone.
    """
    methods: list[Method] = []
    skipped: dict[str, str] = {}
    shared: NetworkFeatures | None = None
    for name in names:
        if name in OF_NETWORKS:
            if networks is None:
                raise InputError(f"the method {name} needs weights; give networks")
            shared = shared or NetworkFeatures(networks, options, device)
            if name == "mutual-nn":
                methods.append(MutualNearest(shared))
            elif name == "cyano-views":
                methods.append(ViewsMethod(networks, options, shared))
            else:
                methods.append(SuperGlueMethod(networks, options, shared, align=name == "cyano"))
        elif name == "sift":
            methods.append(SiftMethod(SiftFeatures(options.resize)))
        elif name == "sift-superglue":
            if sift_matcher is None:
                raise InputError("the method sift-superglue needs a matcher of SIFT features; give sift_matcher")
            methods.append(SiftSuperGlueMethod(sift_matcher, options, device))
        else:
            try:
                methods.append(_of_others(name, options, device))
            except MissingExtraError as error:
                skipped[name] = str(error)
    return methods, skipped


def _of_others(name: MethodName, options: MatcherOptions, device: str) -> Method:
    """A method of a package that Cyano does not bring.

    Raises:
        MissingExtraError: the package is not installed.
    """
    if name == "xfeat":
        return XFeatMethod(XFeatFeatures(options.resize, device))
    return LightGlueMethod(AlikedFeatures(options.resize, options.max_keypoints or -1, device))
