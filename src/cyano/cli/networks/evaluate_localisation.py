"""What `cyano evaluate` does for the set `localisation`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyano.cli.markdown import print_markdown
from cyano.cli.output import busy, counted, error_console, plain_line, result_console

if TYPE_CHECKING:
    from cyano.localisation_evaluation import LocalisationReport
    from cyano.options import MatcherOptions

__all__ = ["LOCALISATION", "evaluated", "tell"]

LOCALISATION = "localisation"
"""The name by which it is asked for, and of its folder among the results."""


def evaluated(
    root: Path | None,
    weights: str | None,
    matching: MatcherOptions,
    device: str,
    out: Path,
    *,
    folds: int,
    seed: int,
    overwrite: bool,
) -> LocalisationReport:
    """Evaluate, and write the report into `out/localisation`.

    Args:
        root: folder of posed sets; None for a scene that is rendered.
        weights: as `cyano.checkpoints.load` takes them.
        matching: how maps and photographs are matched.
        device: where.
        out: of the results.
        folds: see `ProtocolOptions`.
        seed: likewise, and of the poses.
        overwrite: likewise.

    Raises:
        CyanoError: there are no posed sets, pycolmap is not installed, or nothing can be written.
    """
    from cyano.formats.extras import need_pycolmap

    need_pycolmap()
    with busy("loading"):
        from cyano.checkpoints import load
        from cyano.engine import Recipe
        from cyano.localisation import LocaliseOptions
        from cyano.localisation_evaluation import (
            ProtocolOptions,
            evaluate_localisation,
            find_posed_sets,
            generated_posed_set,
            steps,
            write_report,
        )

        recipe = Recipe(load(weights), matching, device)
    folder = out / LOCALISATION
    with busy("looking for sets"):
        sets, skipped = ([generated_posed_set(folder / "rendered")], {}) if root is None else find_posed_sets(root)
    options = ProtocolOptions(folder, folds=folds, localise=LocaliseOptions(seed=seed), overwrite=overwrite, seed=seed)
    with counted("localising", steps(sets, options)) as step:
        report = evaluate_localisation(sets, recipe, options, skipped=skipped, on_step=lambda _: step())
    write_report(report, folder)
    return report


def tell(report: LocalisationReport, out: Path, as_json: bool) -> int:
    """Print the tables; how much failed."""
    from cyano.localisation_evaluation import num_failures, to_markdown

    console = result_console(as_json)
    print_markdown(console, to_markdown(report))
    plain_line(console, f"wrote {out / LOCALISATION / 'report.md'} and report.json beside it")
    failures = num_failures(report)
    if failures:
        plain_line(error_console(), f"{failures} images or maps failed, see the report", style="red")
    return failures
