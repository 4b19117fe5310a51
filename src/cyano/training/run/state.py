"""Where a stage stands: a file that is whole or absent, and from which the next step is the same step."""

from __future__ import annotations

import fcntl
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cyano.atomic import tidy, write_atomically
from cyano.checkpoints.files import read_saved
from cyano.errors import InputError, OutputError
from cyano.reading import read_json, refusing
from cyano.records import current_names

__all__ = ["STATE_FILE", "StageState", "alone_in", "claim_folder", "load_state", "read_state", "save_state"]

STATE_FILE = "state.pt"
RECORD_FILE = "stage.json"
LOCK_FILE = "lock"

_ANEW = "delete it to start this stage anew"
_KEYS = {"model", "optimiser", "step", "seconds", "random"}


@dataclass(frozen=True)
class StageState:
    """What a checkpoint says of its stage.

    Attributes:
        step: steps done; data is a function of the step, so this is the position in the data too.
        seconds: time spent in training so far, pauses left out.
    """

    step: int = 0
    seconds: float = 0.0


def save_state(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, state: StageState) -> None:
    """Write the checkpoint of a stage, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(
        {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": state.step,
            "seconds": state.seconds,
            "random": torch.get_rng_state(),
        },
        buffer,
    )
    write_atomically(folder / STATE_FILE, buffer.getvalue())


def load_state(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> StageState:
    """Bring model, optimiser and torch's generator to where the checkpoint left them; a fresh state if none is there.

    Raises:
        InputError: the file is damaged or of another network.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return StageState()
    content = read_state(path)
    with refusing(path, _ANEW):
        model.load_state_dict(content["model"])
        optimiser.load_state_dict(content["optimiser"])
        torch.set_rng_state(content["random"])
        return StageState(int(content["step"]), float(content["seconds"]))


def read_state(path: Path) -> dict[str, Any]:
    """What `save_state` wrote.

    Raises:
        InputError: the file is damaged or something else.
    """
    content = read_saved(path, remedy=_ANEW, error=InputError)
    if not isinstance(content, dict) or not content.keys() >= _KEYS or not isinstance(content["model"], dict):
        raise InputError(f"{path} is not the checkpoint of a stage; {_ANEW}")
    return content


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a stage's folder: two of them would overwrite each other's checkpoints.

    The system lets go of the lock when the process ends, however it does.

    Args:
        folder: of the stage; it is made.

    Raises:
        OutputError: another process trains there, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What is there is neither emptied nor, if it is a link to somewhere else, followed.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(folder / LOCK_FILE, flags, 0o644), "r+")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}; check its parent folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"another process is training in {folder}; wait for it, or stop it") from error
        tidy(folder, {STATE_FILE, RECORD_FILE}.__contains__)
        yield


def _differences(name: str, before: Any, now: Any) -> list[str]:
    """One text for each value that differs, of tables in tables by their keys."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [f"{name}: {before} -> {now}"]
    keys = sorted(before.keys() | now.keys())
    return [text for key in keys for text in _differences(f"{name}.{key}", before.get(key), now.get(key))]


def claim_folder(folder: Path, record: dict[str, Any], options: object = None) -> None:
    """Note what a stage's folder is made with, or refuse to go on in a folder that was made with something else.

    Args:
        folder: of the stage; it is made.
        record: whatever decides the result, as JSON values. `steps` may be raised later, the rest may not change.
            `start`, the digest of the weights that the stage goes on from, is not compared if the note lacks it.
        options: the dataclass whose values are `record["options"]`. In a note from before an option was there it has
            its default, and one that was renamed has its old name.

    Raises:
        OutputError: the folder holds the work of another configuration.
        InputError: nobody can tell whose work it holds, for the note is damaged.
    """
    path = folder / RECORD_FILE
    wanted = json.loads(json.dumps(record, sort_keys=True))
    if path.exists():
        found = read_json(path, remedy="use a new folder, or delete this one")
        if isinstance(found.get("options"), dict) and is_dataclass(options) and not isinstance(options, type):
            usual = json.loads(json.dumps(asdict(type(options)())))
            found["options"] = {**usual, **current_names(options, found["options"])}
        found.setdefault("start", wanted.get("start"))
        changed = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k) and k != "steps")
        if changed:
            shown = "; ".join(text for key in changed for text in _differences(key, found.get(key), wanted.get(key)))
            raise OutputError(f"{folder} was begun with another configuration ({shown}); use a new folder or delete it")
    write_atomically(path, (json.dumps(wanted, indent=2, sort_keys=True) + "\n").encode())
