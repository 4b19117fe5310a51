"""Who does what on a cluster, and what becomes of it when workers die.

A unit whose worker died is done again; after three deaths it is divided, until the item that kills workers stands
alone. That one then is a failure like others, with the reason. A worker is given two units at a time and does them in
order, so the first of them is to blame. Before anything is done again, its worker has to answer once more: whatever
became of the call that failed, it is over by then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cyano.engine.plan import Unit, names_of
from cyano.engine.work import Failure, Receipt
from cyano.errors import CyanoError

__all__ = ["Slot", "Supervisor"]

_WINDOW = 2  # units that a worker is given at a time
_PATIENCE_S = 60.0  # for a worker that died to come back, before another takes its place or the run ends
_POLL_S = 5.0
_PAUSE_S = 0.2  # before a worker that Ray cannot reach is asked again
_DEATHS = 10  # of a worker in a row without an answer, after which the fault is not in what it was given


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


class Slot:
    """Room for one worker: the actor, and what it was given."""

    def __init__(self, ray: Any, start: Callable[[], Any], stage: Sequence[Any]) -> None:
        """Start an actor.

        Args:
            ray: the module.
            start: gives a new actor.
            stage: in Ray's store, in a list.
        """
        self._ray = ray
        self._start = start
        self._stage = stage
        self.tasks: list[_Task] = []
        self.fallen: list[_Task] = []  # those whose call failed
        self.start()

    def start(self) -> None:
        """Take a new actor."""
        self.handle = self._start()
        self.ask()

    def ask(self) -> None:
        """Have the actor answer when it is there and all that it was given before is over."""
        self.since = time.monotonic()
        self.is_ready = False
        self.ask_again()

    def ask_again(self) -> None:
        """Ask once more, and wait no longer for it than since `ask`."""
        self.answer = self.handle.ready.options(max_task_retries=_DEATHS).remote(self._stage)

    def give(self, task: _Task) -> Any:
        """Have the actor do a task; the reference to its receipt."""
        task.is_first = not self.tasks
        self.tasks.append(task)
        return self.handle.run.remote(self._stage, task.unit)

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


class Supervisor:
    """One pass over some units."""

    def __init__(self, ray: Any, slots: Sequence[Slot], units: Sequence[Unit[Any]], attempts: int) -> None:
        self._ray = ray
        self._slots = slots
        self._attempts = attempts
        self._queue = deque(_Task(unit, attempts) for unit in units)
        self._flying: dict[Any, tuple[Slot, _Task]] = {}

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

    def _welcome(self, slot: Slot) -> Iterator[Receipt]:
        """An actor is there, for the first time or again."""
        errors = self._ray.exceptions
        try:
            self._ray.get(slot.answer)
        except errors.RayTaskError as error:
            raise _ours(error) from None
        except errors.ActorUnavailableError as error:  # so Ray says as well while an actor is slow to start again
            if time.monotonic() - slot.since > _PATIENCE_S:
                raise _unable(error) from error
            time.sleep(_PAUSE_S)
            slot.ask_again()
            return
        except errors.RayError as error:
            raise _unable(error) from error
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
        except errors.RayTaskError as error:  # nothing of Ray's: the run cannot go on
            raise _ours(error) from None
        except errors.RayError:
            slot.bury(task)
        else:
            slot.take_back(task)
            yield receipt

    def _again(self, slot: Slot) -> Iterator[Receipt]:
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


def _unable(error: Exception) -> CyanoError:
    """That there is no worker."""
    return CyanoError(f"a worker cannot start on the Ray cluster, or dies whenever it does: {error}")


def _ours(error: Any) -> Exception:
    """What a worker raised, without the coat that Ray gives it."""
    cause: Exception = error.cause if isinstance(error.cause, CyanoError) else error
    return cause
