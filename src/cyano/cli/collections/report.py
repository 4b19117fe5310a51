"""What the commands on a collection print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cyano.cli.output import error_console, plain_line, print_facts, print_json, print_notes, result_console

if TYPE_CHECKING:
    from cyano.collection import Collection, Reconstruction
    from cyano.engine import Summary
    from cyano.formats import DatabaseSummary, ModelSummary

__all__ = [
    "Facts",
    "database_facts",
    "model_document",
    "model_facts",
    "model_files",
    "stage_document",
    "stage_facts",
    "tell",
    "tell_reconstruction",
    "view_files",
]

Facts = list[tuple[str, str]]


def stage_document(summary: Summary) -> dict[str, Any]:
    """A stage in JSON."""
    return {**vars(summary), "failures": [vars(failure) for failure in summary.failures]}


def stage_facts(name: str, summary: Summary) -> Facts:
    """A stage in a line, and in another one what waits for it."""
    counts = f"{summary.kept + summary.done} of {summary.total}, {summary.kept} reused"
    counts += f", {len(summary.failures)} failed" if summary.failures else ""
    facts = [(name, f"{counts}; {summary.seconds:.1f} s")]
    if summary.blocked:
        some = ", ".join(summary.absent[:3]) + (" ..." if len(summary.absent) > 3 else "")
        facts.append(("waiting", f"{summary.blocked} pairs for features of {some} (cyano extract)"))
    return facts


def database_facts(database: DatabaseSummary) -> Facts:
    """A database in a line."""
    verified = f"{database.verified_pairs} verified with {database.inlier_matches} matches"
    moved = f"; {database.moved_keypoints} keypoints aligned" if database.moved_keypoints else ""
    placed = f"; {database.positions} positions from EXIF" if database.positions else ""
    return [("database", f"{database.images} images, {database.pairs} pairs, {verified}{moved}{placed}")]


def model_facts(model: ModelSummary) -> Facts:
    """A model in a few lines, the verdict first."""
    facts = [
        ("verdict", model.verdict),
        ("points", f"{model.points}, mean track length {model.mean_track_length:.1f}"),
        ("reprojection error", f"{model.mean_reprojection_error:.2f} px (mean)"),
    ]
    more = f"{model.models - 1} more models, of images that do not connect, are beside it"
    return facts + ([("models", more)] if model.models > 1 else [])


def model_files(collection: Collection) -> Facts:
    """Where the largest model and what it is looked at with are."""
    return view_files(collection.out)


def view_files(out: Path) -> Facts:
    """The same in a folder of results."""
    from cyano.collection import ModelViews

    views = ModelViews.within(out)
    files = {
        "model": out / "sparse" / "0",
        "viewer": views.page,
        "picture": views.picture,
        "point cloud": views.points,
    }
    return [(name, str(path)) for name, path in files.items()]


def model_document(model: ModelSummary) -> dict[str, Any]:
    """A model in JSON."""
    return {**vars(model), "sound": model.sound, "verdict": model.verdict}


def tell(
    title: str,
    facts: Facts,
    document: dict[str, Any],
    stages: Sequence[Summary],
    notes: Sequence[str],
    as_json: bool,
    *,
    model: ModelSummary | None = None,
    reasons: Mapping[str, Mapping[str, str]] | None = None,
    status: int = 0,
) -> None:
    """Print facts, notes, failures and faults of a model, and end with status 3 if there are any of the last two.

    Or with `status`, if that is larger.

    Args:
        title: of the facts.
        facts: for people.
        document: for `as_json`.
        stages: whose failures are listed.
        notes: what the user should know.
        as_json: whether stdout has the document.
        model: with its faults.
        reasons: by what became of images ("not added") their names and why; failures among them are not listed again.
        status: see above.

    Raises:
        typer.Exit: with that status.
    """
    failures = [failure for stage in stages for failure in stage.failures]
    if as_json:
        print_json({**document, "notes": list(notes)})
    print_facts(result_console(as_json), title, facts)
    print_notes(notes)
    listed = [(what, name, reason) for what, images in (reasons or {}).items() for name, reason in images.items()]
    known = {(name, reason) for _, name, reason in listed}
    failed = [("failed", " ".join(failure.item), failure.reason) for failure in failures]
    listed += [line for line in failed if line[1:] not in known]
    listed += [] if model is None else [("taken out", *line) for line in model.taken_out.items()]
    for line in listed:
        plain_line(error_console(), ": ".join(line), style="red")
    for doubt in [] if model is None else model.doubts:
        plain_line(error_console(), f"doubtful: {doubt}", style="red")
    status = max(status, *(stage.exit_status for stage in stages), 0)
    if model is not None and not model.sound:
        status = max(status, 3)
    if status:
        raise typer.Exit(status)


def tell_reconstruction(done: Reconstruction, collection: Collection, as_json: bool) -> None:
    """Print what became of a collection."""
    files = [("database", str(collection.database)), *model_files(collection)]
    facts = [
        *stage_facts("images", done.extraction),
        ("pairs", done.choice.method),
        *stage_facts("matched", done.matching),
        *([] if done.alignment is None else stage_facts("aligned", done.alignment)),
        *database_facts(done.database),
        *model_facts(done.model),
        ("mapping", f"{done.seconds:.1f} s"),
        *files,
    ]
    document = {
        "format": "cyano-reconstruct-1",
        "images": stage_document(done.extraction),
        "pairs": done.choice.method,
        "matched": stage_document(done.matching),
        "aligned": None if done.alignment is None else stage_document(done.alignment),
        "database": vars(done.database),
        "model": model_document(done.model),
        "mapping_seconds": done.seconds,
        "files": dict(files),
    }
    tell(f"reconstruction of {collection.images}", facts, document, done.stages, done.notes, as_json, model=done.model)
