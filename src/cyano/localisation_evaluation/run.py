"""The evaluation of localisation: sets in, results in folders and numbers out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from cyano.collection.run import DEFAULT_RUN, Run
from cyano.engine import Recipe
from cyano.errors import InputError
from cyano.evaluation.provenance import Record as Provenance
from cyano.evaluation.provenance import library_versions
from cyano.formats.extras import load_pycolmap
from cyano.localisation import LocaliseOptions, Localiser
from cyano.localisation.output.records import Record
from cyano.localisation.output.results import Results
from cyano.localisation.queries import Query
from cyano.localisation.run import localise_queries
from cyano.localisation_evaluation.folds import Fold, Made, folds_of, make_map_a, make_map_b
from cyano.localisation_evaluation.judging import Judged, judge
from cyano.localisation_evaluation.matching import RememberingMatcher, UncalibratedLocaliser
from cyano.localisation_evaluation.sets import PosedSet

__all__ = [
    "ESTIMATED",
    "LocalisationReport",
    "ProtocolOptions",
    "SetTrials",
    "TrialName",
    "evaluate_localisation",
    "steps",
]

TrialName = Literal["map A", "map A, focal length estimated", "map A, not aligned", "map B", "other places"]

ESTIMATED: TrialName = "map A, focal length estimated"

_NOTHING: Mapping[str, str] = {}


class _Trial(NamedTuple):
    """A way to localise the queries of a fold."""

    name: TrialName
    slug: str
    map: Literal["A", "B"] = "A"
    align: bool = True
    calibrated: bool = True


_TRIALS = (
    _Trial("map A", "a"),
    _Trial(ESTIMATED, "a-estimated", calibrated=False),
    _Trial("map B", "b", map="B"),
    _Trial("map A, not aligned", "a-unaligned", align=False),
)
"""Those of the set's own photographs, in the order in which they share most matches."""

_ELSEWHERE = _Trial("other places", "elsewhere")


@dataclass(frozen=True)
class ProtocolOptions:
    """How localisation is evaluated.

    Attributes:
        folder: for maps and results; they are used again by a later run with equal options and images.
        folds: every such photograph is a query in the same maps.
        only: how many of the folds to do; None for all.
        localise: how.
        overwrite: replace results of other options.
        seed: of the maps.

    Example:
        >>> options = ProtocolOptions(Path("results"), folds=5, only=1)  # the first of five maps alone
    """

    folder: Path
    folds: int = 5
    only: int | None = None
    localise: LocaliseOptions = LocaliseOptions()  # noqa: RUF009 - it is frozen
    overwrite: bool = False
    seed: int = 0


@dataclass(frozen=True, eq=False)
class SetTrials:
    """What became of a set.

    Attributes:
        name: of the set.
        photographs: in it.
        judged: by trial, each photograph once.
        notes: on maps that could not be made.

    Example:
        >>> trials = SetTrials("table", 10, {"map A": (Judged("new.png", None),)}, notes=("map B could not be made",))
        >>> list(trials.judged), len(trials.notes)
        (['map A'], 1)
    """

    name: str
    photographs: int
    judged: Mapping[TrialName, tuple[Judged, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LocalisationReport:
    """All numbers and what they were made with.

    Attributes:
        sets: in the order given.
        options: of the protocol.
        matching: everything that decides features and matches.
        versions: of the program and of the libraries that decide numbers.
        skipped: why a set is not there, by its name.

    Example:
        >>> trials = SetTrials("table", 10, {"map A": (Judged("new.png", None),)})
        >>> report = LocalisationReport((trials,), ProtocolOptions(Path("results")), matching={}, versions={})
        >>> len(report.sets), report.options.folds
        (1, 5)
    """

    sets: tuple[SetTrials, ...]
    options: ProtocolOptions
    matching: Provenance
    versions: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)


def steps(sets: Sequence[PosedSet], options: ProtocolOptions) -> int:
    """How often `evaluate_localisation` calls `on_step`.

    Example:
        >>> steps([], ProtocolOptions(Path("results")))
        0
    """
    own = sum(len(fold.queries) for posed in sets for fold in _folds(posed, options))
    return len(_TRIALS) * own + sum(len(posed.elsewhere) for posed in sets)


def evaluate_localisation(
    sets: Sequence[PosedSet],
    recipe: Recipe,
    options: ProtocolOptions,
    *,
    skipped: Mapping[str, str] = _NOTHING,
    on_step: Callable[[str], None] = lambda _: None,
) -> LocalisationReport:
    """Localise each photograph of each set in maps of the others, and photographs of other places.

    Map A has the set's own poses and points triangulated with them, map B is what `cyano reconstruct` makes of the
    photographs, with their cameras known, and is aligned to the set's poses.

    Args:
        sets: photographs with poses.
        recipe: networks and options of maps and queries.
        options: see there.
        skipped: why a set that was asked for is not among them, for the report.
        on_step: called once for each photograph of each trial.

    Raises:
        OutputError: results of other options are in the folder, or it cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> sets = [generated_posed_set(Path("table"))]  # doctest: +SKIP
        >>> options = ProtocolOptions(Path("results"), only=1)
        >>> report = evaluate_localisation(sets, recipe, options)  # doctest: +SKIP
        >>> score(report.sets[0].judged["map A"]).recall  # doctest: +SKIP
        (100.0, 100.0, 100.0, 100.0, 100.0)
    """
    aligning = RememberingMatcher.of(recipe)
    matchers = {True: aligning, False: aligning.unaligned(recipe)}
    found = []
    for posed in sets:
        part = _Evaluation(posed, recipe, options, matchers, on_step)
        judged: dict[TrialName, list[Judged]] = {}
        for fold in _folds(posed, options):
            for name, outcomes in part.fold(fold):
                judged.setdefault(name, []).extend(outcomes)
        if posed.elsewhere:
            judged[_ELSEWHERE.name] = part.elsewhere()
        photographs = {name: tuple(outcomes) for name, outcomes in judged.items()}
        found.append(SetTrials(posed.name, len(posed.photographs), photographs, tuple(part.notes)))
    record = recipe.match_configuration(None)
    versions = {**library_versions(), "pycolmap": str(load_pycolmap().__version__)}
    return LocalisationReport(tuple(found), options, dict(record), versions, dict(skipped))


def _folds(posed: PosedSet, options: ProtocolOptions) -> list[Fold]:
    return folds_of(posed.photographs, options.folds)[: options.only]


class _Evaluation:
    """One set."""

    def __init__(
        self,
        posed: PosedSet,
        recipe: Recipe,
        options: ProtocolOptions,
        matchers: Mapping[bool, RememberingMatcher],
        on_step: Callable[[str], None],
    ) -> None:
        self._posed, self._recipe, self._options, self._matchers = posed, recipe, options, matchers
        self._folder, self._on_step = options.folder / posed.name, on_step
        self.notes: list[str] = []

    def fold(self, fold: Fold) -> Iterator[tuple[TrialName, list[Judged]]]:
        """The trials of a fold."""
        maps = self._maps(fold)
        for trial in _TRIALS:
            yield trial.name, self._own(fold, trial, maps.get(trial.map))
        for matcher in self._matchers.values():
            matcher.forget()

    def _maps(self, fold: Fold) -> dict[str, Made]:
        """Those that can be made, by their letters."""
        posed, recipe, options = self._posed, self._recipe, self._options
        run: Run = replace(DEFAULT_RUN, force=options.overwrite)
        maps = {}
        try:
            maps["B"] = make_map_b(posed, fold, recipe, self._folder, seed=options.seed, run=run)
        except InputError as error:
            self._note(f"fold {fold.number}, map B: {error}")
        try:
            maps["A"] = make_map_a(posed, fold, recipe, self._folder)
        except InputError as error:
            self._note(f"fold {fold.number}, map A: {error}")
        return maps

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _own(self, fold: Fold, trial: _Trial, made: Made | None) -> list[Judged]:
        """The set's own photographs."""
        if made is None:
            for _ in fold.queries:
                self._on_step(f"{self._posed.name}: {trial.name}")
            return [Judged(truth.name, None) for truth in fold.queries]
        queries = [
            Query(each.name, self._posed.folder / each.name, each.camera if trial.calibrated else None)
            for each in fold.queries
        ]
        return [
            judge(record, truth, made.to_set, self._posed.distance)
            for truth, record in zip(fold.queries, self._localised(fold, trial, made, queries), strict=True)
        ]

    def elsewhere(self) -> list[Judged]:
        """Photographs of other places, in map A of the first fold."""
        fold = _folds(self._posed, self._options)[0]
        made = self._maps(fold).get("A")
        if made is None:
            return []
        queries = [Query("/".join(path.parts[-3:]), path) for path in self._posed.elsewhere]
        return [Judged(record.name, record) for record in self._localised(fold, _ELSEWHERE, made, queries)]

    def _localised(self, fold: Fold, trial: _Trial, made: Made, queries: Sequence[Query]) -> Iterator[Record]:
        """The records of photographs, from files where they are there."""
        kind = Localiser if trial.calibrated else UncalibratedLocaliser
        localiser = kind(made.map, self._options.localise, self._matchers[trial.align])
        out = self._folder / f"fold{fold.number}" / "localised" / trial.slug
        results = Results(out, localiser, overwrite=self._options.overwrite)
        for done in localise_queries(localiser, queries, results):
            self._on_step(f"{self._posed.name}: {trial.name}")
            yield done.record
