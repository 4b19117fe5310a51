"""`cyano store`: the features, matches and refined keypoints that a collection's run keeps on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyano.cli.arguments import AsJson
from cyano.cli.command import Command, Group
from cyano.cli.output import busy, print_facts, print_json, result_console

if TYPE_CHECKING:
    from cyano.store import AnyStore

__all__ = ["app"]

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="""Verify and compact stored features, matches and refined keypoints.

\b
cyano store verify model/store
cyano store compact model/store""",
)

Store = Annotated[Path, typer.Argument(metavar="STORE", help="The folder with features and matches.")]


@app.command(cls=Command)
def verify(store: Store, as_json: AsJson = False) -> None:
    """Read every byte; damaged shards are set aside, to be made again by the next run (exit code 1).

    Database, model and hloc's files beside the store are compared with what they were when they were made.
    """
    with busy("verifying"):
        from cyano.collection.derived import check_derived
        from cyano.store import open_stores

        damages = [(opened, opened.verify()) for opened in open_stores(store)]
        documents = []
        for opened, damaged in damages:
            listed = [{"shard": str(damage.path), "reason": damage.reason} for damage in damaged]
            quarantined = [vars(entry) for entry in opened.quarantine.entries()]
            documents.append({**_described(opened), "damaged": listed, "quarantined": quarantined})
        changed = check_derived(store.resolve().parent)
    if as_json:
        listed = [{"file": str(damage.path), "reason": damage.reason} for damage in changed]
        print_json({"stores": documents, "changed": listed})
    else:
        for document in documents:
            rows = [(name, str(document[name])) for name in ("folder", "items", "shards", "bytes")]
            rows += [("damaged", entry["reason"]) for entry in document["damaged"]]
            rows += [
                ("quarantined", f"{' '.join(entry['item'])}: {entry['reason']} (attempts: {entry['attempts']})")
                for entry in document["quarantined"]
            ]
            rows = [("verdict", _verdict(document)), *rows]
            print_facts(result_console(as_json), document["kind"], rows)
        if changed:
            print_facts(result_console(as_json), "made from them", [("changed", damage.reason) for damage in changed])
    count = sum(len(damaged) for _, damaged in damages)
    if count:
        from cyano.errors import InputError

        raise InputError(
            f"{count} damaged shards in {store}; repeat the command that made them, it computes what is missing"
        )
    if changed:
        from cyano.errors import OutputError

        names = ", ".join(damage.path.name for damage in changed)
        raise OutputError(f"{names} beside {store}: changed since; repeat the command that made them")


@app.command(cls=Command)
def compact(store: Store, as_json: AsJson = False) -> None:
    """Merge small shards into few and remove what killed runs left; safe at any moment, also while others write."""
    with busy("compacting"):
        from cyano.store import open_stores

        outcomes = [(opened, opened.compact()) for opened in open_stores(store)]
        documents = [{**_described(opened), **vars(outcome)} for opened, outcome in outcomes]
    if as_json:
        print_json({"stores": documents})
        return
    for document in documents:
        shards = f"{document['shards_before']} -> {document['shards_after']}"
        size = f"{document['bytes_before']} -> {document['bytes_after']}"
        rows = [("folder", document["folder"]), ("items", str(document["items"])), ("shards", shards), ("bytes", size)]
        print_facts(result_console(as_json), document["kind"], rows)


def _verdict(document: dict[str, Any]) -> str:
    damaged = len(document["damaged"])
    return f"{damaged} damaged shards" if damaged else "undamaged"


def _described(store: AnyStore) -> dict[str, Any]:
    sizes = store.sizes()
    return {
        "kind": store.kind,
        "folder": str(store.folder),
        "items": store.count(),
        "shards": len(sizes),
        "bytes": sum(sizes.values()),
    }
