"""The engine on a Ray cluster: actors that hold the networks. Ray carries work and receipts; data go through the store.

Nothing relies on Ray for durability, nor on its retries; see `cyano.engine.supervision`.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cyano.engine.local import run_units
from cyano.engine.plan import ImagePair, Unit
from cyano.engine.supervision import Slot, Supervisor
from cyano.engine.work import Receipt, Stage, Worker
from cyano.errors import CyanoError, InputError, MissingExtraError

__all__ = ["RayEngine", "cluster"]

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")


@dataclass(frozen=True)
class RayEngine:
    """Workers in the processes of a Ray cluster.

    Token authentication is on unless RAY_AUTH_MODE says otherwise, with a token that only the user can read; usage
    statistics are off. A cluster that is started here has no dashboard and listens to this machine alone. If the
    program has connected to a cluster before, that one is used.

    Attributes:
        address: of an existing cluster, "auto" for the one that runs on this machine; None starts one here.
        workers: how many; None is as many as the cluster has room for.
        cpus: processor cores for each worker.
        gpus: GPUs for each worker; a fraction lets several share one.
        attempts: how often a unit, or an item alone, may kill its worker.
        threads: of each worker, that read ahead.

    Raises:
        InputError: a number is out of range.

    Example:
        >>> engine = RayEngine(address="auto", gpus=0.5)  # two workers on each GPU of the cluster
        >>> run_stage(stage, names, engine=engine)  # doctest: +SKIP
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1
    gpus: float = 0
    attempts: int = 3
    threads: int = 2

    def __post_init__(self) -> None:
        counts = (1 if self.workers is None else self.workers, self.attempts, self.threads)
        if min(counts) < 1 or self.cpus < 0 or self.gpus < 0 or not self.cpus + self.gpus:
            raise InputError(f"a Ray engine needs at least one worker, attempt and thread, and cores or GPUs: {self}")

    def run(self, stage: Stage[K, T], units: Sequence[Unit[K]]) -> Generator[Receipt, None, None]:
        """See `Engine.run`.

        Raises:
            MissingExtraError: Ray is not installed.
        """
        with cluster(self.address) as ray:
            count = min(self._room(ray) if self.workers is None else self.workers, len(units))
            actor = ray.remote(_Actor).options(
                num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=-1, max_task_retries=0
            )
            stage_in_store = [ray.put(stage)]
            slots = [Slot(ray, lambda: actor.remote(self.threads), stage_in_store) for _ in range(count)]
            try:
                yield from Supervisor(ray, slots, units, self.attempts).receipts()
            finally:
                for slot in slots:
                    slot.kill()

    def _room(self, ray: Any) -> int:
        resources = ray.cluster_resources()
        needs = {name: amount for name, amount in (("CPU", self.cpus), ("GPU", self.gpus)) if amount}
        room = min(int(resources.get(name, 0) / amount) for name, amount in needs.items())
        if room < 1:
            raise InputError(f"no worker with {needs} fits into a cluster with {resources}; ask for less, or add nodes")
        return room


@contextmanager
def cluster(address: str | None = None, **options: Any) -> Iterator[Any]:
    """The module ray, connected to a cluster; one that was started here ends with the context.

    Args:
        address: see `RayEngine`.
        options: more for `ray.init`.

    Raises:
        MissingExtraError: Ray is not installed.
        CyanoError: the cluster does not answer.
    """
    ray = _module(here=address is None)
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        options = {"address": "local", "include_dashboard": False, **options}
    else:
        options = {"address": address, **options}
    _keep_token_private()
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise CyanoError(f"Ray cannot be reached at {options['address']}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _module(*, here: bool = False) -> Any:
    """Ray, with authentication and without statistics unless the environment says otherwise: it looks when loaded.

    Args:
        here: whether it is to start a cluster for this machine alone, which then listens to this machine alone.

    Raises:
        MissingExtraError: it is not installed.
        CyanoError: it was loaded before, without authentication.
    """
    loaded = sys.modules.get("ray")
    if loaded is not None and "RAY_AUTH_MODE" not in os.environ and not loaded.is_initialized():
        raise CyanoError(
            "Ray was imported before its authentication could be switched on; set RAY_AUTH_MODE=token in the "
            "environment of the program (or =disabled, if nobody else is on the network)"
        )
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if here:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # so it is called on Linux as well
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(f"Ray is missing: pip install '.[ray]' in Cyano's folder ({error})") from error
    return ray


def _keep_token_private() -> None:
    """Have the token that whoever has it may run code with in a file of the user's alone; Ray's own is anybody's."""
    if os.environ.get("RAY_AUTH_MODE") != "token" or {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return
    path = Path.home() / ".ray" / "auth_token"
    with suppress(OSError):  # Ray tells what is wrong with it
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            path.chmod(path.stat().st_mode & 0o700)
            return
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))


class _Actor:
    """A worker in a process of Ray's."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._worker: Worker[Any, Any, Any] | None = None

    def ready(self, stage: Sequence[Any]) -> None:
        """Have the networks, and answer after all that was asked before."""
        self._prepared(stage)

    def run(self, stage: Sequence[Any], unit: Unit[Any]) -> Receipt:
        """Do a unit."""
        (receipt,) = run_units(self._prepared(stage), [unit], self._threads)
        return receipt

    def _prepared(self, stage: Sequence[Any]) -> Worker[Any, Any, Any]:
        """The worker, made after each start of the process. The stage is in a list, so that it is fetched just then."""
        if self._worker is None:
            self._worker = _module().get(stage[0]).worker()
        return self._worker
