"""What a run trains on: photographs, and what was really taken, if at least one of its stages takes that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cyano.errors import InputError
from cyano.progress import Watcher
from cyano.training.data.photographs import Photographs, find_photographs
from cyano.training.data.real_views import RealSources, RealViews
from cyano.training.data.views import ViewOptions

__all__ = ["read_material"]


def read_material(
    images: Path, validation: float, real: RealSources, takers: Sequence[ViewOptions], watcher: Watcher
) -> tuple[Photographs, RealViews]:
    """The photographs to train on, and what else there is.

    Args:
        images: folder of photographs.
        validation: share of them to keep aside; see `find_photographs`.
        real: where posed images and reconstructions are.
        takers: what the stages see that can take those.
        watcher: is told what there is.

    Raises:
        InputError: something is missing or malformed, or given and not taken by any stage, or the shares of what is
            given are more than all.
        MissingExtraError: there are reconstructions, and pycolmap is not installed.
    """
    paths, aside = find_photographs(images, validation)
    watcher.say(f"{len(paths)} photographs to train on, {len(aside)} held out")
    views = real.read(images, aside)
    for place, model in zip(views.places, real.reconstructions, strict=True):
        watcher.say(f"{model}: {len(place.paths)} images, {len(place.pairs)} pairs")
    _check_shares(views, takers)
    return Photographs(paths), views


def _check_shares(views: RealViews, takers: Sequence[ViewOptions]) -> None:
    """What is given is taken, and takes no more than there is room for."""
    given = [share for share, what in (("posed", views.posed), ("reconstructed", views.places)) if what]
    for share in given:
        if not any(getattr(options, share) > 0 for options in takers):
            raise InputError(
                f"no stage of the recipe takes {share} images, which are given: write {share} = 0.3, for example, into "
                "[matcher.options], or into [rounds.options] of a round without [rounds.labels]"
            )
    for options in takers:
        shares = {share: getattr(options, share) for share in ("scenes", *given)}
        if sum(shares.values()) > 1:
            told = ", ".join(f"{share} = {value:g}" for share, value in shares.items())
            raise InputError(f"the shares of a stage's pairs add up to more than 1 ({told}); lower one of them")
