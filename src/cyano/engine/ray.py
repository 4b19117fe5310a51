"""The engine on a Ray cluster: actors that hold the networks. Ray carries work and receipts; data go through the store.

Nothing relies on Ray for durability, nor on its retries. A unit whose worker died is done again; after three deaths it
is divided, until the item that kills workers stands alone. That one then is a failure like others, with the reason.
A worker is given two units at a time and does them in order, so the first of them is to blame. Before anything is done
again, its worker has to answer once more: whatever became of the call that failed, it is over by then.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from cyano.engine.local import run_units
from cyano.engine.plan import ImagePair, Unit, names_of
from cyano.engine.work import Failure, Receipt, Stage
from cyano.errors import CyanoError, InputError, MissingExtraError

__all__ = ["RayEngine", "cluster"]

_WINDOW = 2  # units that a worker is given at a time
_PATIENCE_S = 60.0  # for a worker that died to come back, before another takes its place
_POLL_S = 5.0

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")


@dataclass(frozen=True)
class RayEngine:
    """Workers in the processes of a Ray cluster.

    Token authentication is on unless RAY_AUTH_MODE says otherwise, usage statistics are off, and so is the dashboard
    of a cluster that is started here. If the program has connected to a cluster before, that one is used.

    Attributes:
        address: of an existing cluster, "auto" for the one that runs on this machine; None starts one here.
        workers: how many; None is as many as the cluster has room for.
        cpus: processor cores for each worker.
        gpus: GPUs for each worker; a fraction lets several share one.
        attempts: how often a unit, or an item alone, may kill its worker.
        threads: of each worker, that read ahead.

    Raises:
        InputError: a number is out of range.
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
            arguments = (ray.put(stage), self.threads)
            slots = [_Slot(ray, actor, arguments) for _ in range(count)]
            try:
                yield from _Run(ray, slots, units, self.attempts).receipts()
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
    ray = _module()
    if ray.is_initialized():
        yield ray
        return
    if address is None:
        options = {"address": "local", "include_dashboard": False, **options}
    else:
        options = {"address": address, **options}
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise CyanoError(f"Ray cannot be reached at {options['address']}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _module() -> Any:
    """Ray, with authentication and without statistics unless the environment says otherwise: it looks when loaded.

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
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(f"this engine needs Ray: pip install 'cyano[ray]' ({error})") from error
    return ray


class _Actor:
    """A worker in a process of Ray's."""

    def __init__(self, stage: Stage[Any, Any], threads: int) -> None:
        self._worker = stage.worker()
        self._threads = threads

    def ready(self) -> None:
        """Answer, after all that was asked before."""

    def run(self, unit: Unit[Any]) -> Receipt:
        """Do a unit."""
        (receipt,) = run_units(self._worker, [unit], self._threads)
        return receipt


@dataclass(eq=False)
class _Task:
    """A unit or a part of one.

    Attributes:
        unit: what is to be done.
        limit: so many deaths, and it is divided or given up.
        deaths: of workers, while they did it.
        is_first: of those that its worker was given; that is the one at work.
    """

    unit: Unit[Any]
    limit: int
    deaths: int = 0
    is_first: bool = False

    def halves(self, attempts: int) -> list[_Task]:
        """Both halves. One death is enough to divide them again: that something in them kills is known."""
        items = self.unit.items
        parts = (items[: len(items) // 2], items[len(items) // 2 :])
        return [_Task(Unit(self.unit.id, part), attempts if len(part) == 1 else 1) for part in parts]


class _Slot:
    """Room for one worker: the actor, and what it was given."""

    def __init__(self, ray: Any, actor: Any, arguments: tuple[Any, ...]) -> None:
        self._ray = ray
        self._actor = actor
        self._arguments = arguments
        self.tasks: list[_Task] = []
        self.fallen: list[_Task] = []  # those whose call failed
        self.start()

    def start(self) -> None:
        """Take a new actor."""
        self.handle = self._actor.remote(*self._arguments)
        self.ask()

    def ask(self) -> None:
        """Have the actor answer when it is there and all that it was given before is over."""
        self.answer = self.handle.ready.options(max_task_retries=-1).remote()
        self.since = time.monotonic()
        self.is_ready = False

    def give(self, task: _Task) -> Any:
        """Have the actor do a task; the reference to its receipt."""
        task.is_first = not self.tasks
        self.tasks.append(task)
        return self.handle.run.remote(task.unit)

    def take_back(self, task: _Task) -> None:
        """A task is done."""
        self.tasks.remove(task)
        if self.tasks:
            self.tasks[0].is_first = True

    def bury(self, task: _Task) -> None:
        """The call failed, and it is the actor's fault or the task's."""
        self.tasks.remove(task)
        self.fallen.append(task)
        task.deaths += task.is_first
        if self.is_ready:
            self.ask()

    def kill(self) -> None:
        """Have no actor any more."""
        self._ray.kill(self.handle)


class _Run:
    """One pass over some units."""

    def __init__(self, ray: Any, slots: Sequence[_Slot], units: Sequence[Unit[Any]], attempts: int) -> None:
        self._ray = ray
        self._slots = slots
        self._attempts = attempts
        self._queue = deque(_Task(unit, attempts) for unit in units)
        self._flying: dict[Any, tuple[_Slot, _Task]] = {}

    def receipts(self) -> Iterator[Receipt]:
        """Keep all workers busy until everything is done."""
        while self._queue or self._flying or any(slot.fallen for slot in self._slots):
            for slot in self._slots:
                while slot.is_ready and self._queue and len(slot.tasks) < _WINDOW:
                    task = self._queue.popleft()
                    self._flying[slot.give(task)] = (slot, task)
            answers = {slot.answer: slot for slot in self._slots if not slot.is_ready}
            ready, _ = self._ray.wait([*answers, *self._flying], num_returns=1, timeout=_POLL_S)
            for reference in ready:
                if reference in answers:
                    yield from self._welcome(answers[reference])
                else:
                    yield from self._landed(reference)
            for slot in self._slots:
                if slot.fallen and time.monotonic() - slot.since > _PATIENCE_S:
                    slot.kill()
                    slot.start()
                    yield from self._again(slot)

    def _welcome(self, slot: _Slot) -> Iterator[Receipt]:
        """An actor is there, for the first time or again."""
        try:
            self._ray.get(slot.answer)
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise CyanoError(f"a worker on the Ray cluster cannot start: {reason}") from error
        if slot.tasks:  # calls that fail with the actor that died, and are not back yet
            slot.ask()
            return
        slot.is_ready = True
        yield from self._again(slot)

    def _landed(self, reference: Any) -> Iterator[Receipt]:
        """A call is over, well or not."""
        slot, task = self._flying.pop(reference)
        errors = self._ray.exceptions
        try:
            receipt = self._ray.get(reference)
        except errors.RayTaskError as error:  # an exception of ours: the run cannot go on
            raise (error.cause if isinstance(error.cause, CyanoError) else error) from None
        except errors.RayError:
            slot.bury(task)
        else:
            slot.take_back(task)
            yield receipt

    def _again(self, slot: _Slot) -> Iterator[Receipt]:
        """Do again, in halves or not at all, what an actor died of."""
        for task in slot.fallen:
            if task.deaths < task.limit:
                self._queue.append(task)
            elif len(task.unit.items) > 1:
                self._queue.extend(task.halves(self._attempts))
            else:
                reason = f"its worker died {task.deaths} times, as from a lack of memory or a fault in a library"
                failure = Failure(names_of(task.unit.items[0]), reason, task.deaths)
                yield Receipt(task.unit.id, 0, (failure,))
        slot.fallen = []
