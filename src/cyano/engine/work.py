"""What engines know of the work: a stage that may be sent anywhere, its worker in one process, and receipts.

A worker does a unit in steps. An engine asks it to `load` steps ahead of the network, in threads, to `compute` them
where the network is, and to `save` the unit behind it. What goes wrong with one image or pair costs that one only.
Doing a unit twice does no harm, and what the store has already is passed over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from cyano.engine.plan import ImagePair, Unit, names_of
from cyano.errors import CyanoError, InputError
from cyano.store import ShardStore

__all__ = ["Engine", "Failure", "MissingFeaturesError", "Outcome", "Receipt", "Stage", "Worker", "failed"]

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")
L = TypeVar("L")


@dataclass(frozen=True)
class Failure:
    """An image or a pair that cannot be done.

    Attributes:
        item: the name of the image, or the two of the pair.
        reason: for people.
        attempts: how often it was tried.

    Example:
        >>> written = Path("scene/torn.png").write_bytes(b"no image")
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> failure = run_stage(stage, ["torn.png"]).failures[0]
        >>> failure.item, failure.attempts
        (('torn.png',), 1)
    """

    item: tuple[str, ...]
    reason: str
    attempts: int = 1


@dataclass(frozen=True)
class Receipt:
    """What became of a unit.

    Attributes:
        unit: its id.
        done: how many of its items are in the store.
        failures: the items that cannot be done.
        blocked: how many of its pairs wait for features.
        absent: the images that they wait for.

    Example:
        >>> receipt = Receipt("0123456789abcdef", done=7, failures=(Failure(("torn.png",), "it ends in the middle"),))
        >>> receipt.done, len(receipt.failures)
        (7, 1)
    """

    unit: str
    done: int
    failures: tuple[Failure, ...] = ()
    blocked: int = 0
    absent: frozenset[str] = frozenset()


class MissingFeaturesError(InputError):
    """A pair cannot be matched yet, for images without features; that is no fault of the pair."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"there are no features of {' and '.join(names)}; extract them first")
        self.names = tuple(names)


class Outcome(NamedTuple, Generic[K, T]):
    """What the network made of an item.

    Attributes:
        key: of the item.
        result: the rest of the work, done behind the network; raises if the item cannot be done.
    """

    key: K
    result: Callable[[], T]


def failed(key: K, error: Exception) -> Outcome[K, Any]:
    """The outcome of an item that cannot be done."""
    return Outcome(key, partial(_raise, error))


def _raise(error: Exception) -> NoReturn:
    raise error


class Worker(ABC, Generic[K, L, T]):
    """A stage at work in one process: its networks, and its store.

    Attributes:
        store: where results go.
        ahead: how many steps are loaded before they are needed.

    Example:
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> worker = stage.worker()
        >>> step = worker.steps(["view0.png"])[0]
        >>> [outcome.key for outcome in worker.compute(step, worker.load(step))]
        ['view0.png']
    """

    store: ShardStore[K, T]
    ahead: ClassVar[int] = 1

    @abstractmethod
    def steps(self, keys: Sequence[K]) -> list[list[K]]:
        """Keys in parts that are loaded at a time; at least one part, if an empty one."""

    @abstractmethod
    def load(self, step: Sequence[K]) -> L:
        """Read what a step needs; called in several threads.

        Raises:
            CyanoError: the run cannot go on. What is wrong with one item is told by its outcome.
        """

    @abstractmethod
    def compute(self, step: Sequence[K], loaded: L) -> Iterator[Outcome[K, T]]:
        """Run the network; one outcome for each item of the step."""

    def save(self, unit: Unit[K], results: Sequence[tuple[K, Future[T]]]) -> Receipt:
        """Store the results of a unit as one shard, and tell of the rest.

        Args:
            unit: that was done.
            results: of those of its items that the store did not have.

        Raises:
            InputError: a result is not what the store takes.
            OutputError: they cannot be written.
        """
        items: list[T] = []
        failures: list[Failure] = []
        waiting: list[MissingFeaturesError] = []
        for key, result in results:
            try:
                items.append(result.result())
            except MissingFeaturesError as error:
                waiting.append(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other items
                failures.append(Failure(names_of(key), _reason(error)))
        self.store.write(items)
        absent = frozenset(name for error in waiting for name in error.names)
        done = len(unit.items) - len(failures) - len(waiting)
        return Receipt(unit.id, done, tuple(failures), len(waiting), absent)


def _reason(error: Exception) -> str:
    """An error in one line."""
    text = str(error) if isinstance(error, CyanoError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


class Stage(ABC, Generic[K, T]):
    """A stage as plain values that may be sent to any process: what goes in, what is done, what comes out.

    Example:
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("run/store"))
        >>> store = stage.open()
        >>> units = stage.plan(collection.names(), store.folder.name)
        >>> sum(len(unit.items) for unit in units), store.count()
        (6, 6)
        >>> receipts = list(LocalEngine().run(stage, units))  # nothing is left to do for stage.worker()
        >>> sum(receipt.done for receipt in receipts)
        6
    """

    @abstractmethod
    def open(self, *, force: bool = False) -> ShardStore[K, T]:
        """The store that the results go to.

        Args:
            force: begin anew beside results of other options.

        Raises:
            OutputError: there are results of other options only, or nothing can be written there.
        """

    @abstractmethod
    def plan(self, keys: Sequence[K], config_id: str) -> list[Unit[K]]:
        """All there is to do.

        Raises:
            InputError: a key is none.
        """

    @abstractmethod
    def worker(self) -> Worker[K, Any, T]:
        """Load the networks and open the stores, to work in this process.

        Raises:
            CyanoError: that cannot be done.
        """


class Engine(Protocol):
    """Something that does units, in whichever order and wherever.

    Example:
        >>> class Counting:
        ...     def run(self, stage, units):
        ...         for receipt in LocalEngine().run(stage, units):
        ...             print(receipt.done)
        ...             yield receipt
        >>> stage = ExtractImages(recipe, Path("scene").absolute(), Path("store"))
        >>> run_stage(stage, ["view0.png"], engine=Counting()).done
        1
        1
    """

    def run(self, stage: Stage[K, T], units: Sequence[Unit[K]]) -> Generator[Receipt, None, None]:
        """Do all units.

        Returns:
            A receipt for each, once its results are stored. Receipts of a unit that had to be divided add up.

        Raises:
            CyanoError: the work cannot go on. What is stored stays, and running again goes on from there.
        """
