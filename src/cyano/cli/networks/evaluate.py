"""`cyano evaluate`: how good weights are, beside the baselines, on sets with known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.markdown import print_markdown
from cyano.cli.networks import evaluate_localisation as localisation
from cyano.cli.output import busy, counted, error_console, plain_line, print_json, result_console

if TYPE_CHECKING:
    from cyano.checkpoints.loading import Networks
    from cyano.checkpoints.lone_matcher import LoneMatcher
    from cyano.evaluation.suite import EvaluationReport, PairSet
    from cyano.localisation_evaluation import LocalisationReport

__all__ = ["HELP", "evaluate"]

HELP = """Evaluate weights and baselines on image pairs with ground truth, under one protocol.

ROOT is a set or contains sets: a folder with pairs.txt (poses, format of match_pairs), pairs_h.txt (name0 name1 H), \
pairs_c.txt (name0 name1 FILE of x0 y0 x1 y1 lines), or HPatches scenes.

More sets: motorcycle, a stereo pair (if scikit-image is installed); generated, procedural scenes (without ROOT, or if \
named by --sets); stress, photographs under controlled changes (with --photographs, or if named); localisation, \
images of sets with poses localised in maps of the others (if named; sets are folders with frames.txt, without ROOT a \
rendered scene), with its report in OUT/localisation/report.md.

Matches are written to OUT/predictions and reused for the same weights, options and images. OUT/report.md, \
OUT/report.json and the plots are made from them.

\b
cyano evaluate data/eval --out results
cyano evaluate data/eval --weights my_run/model --methods cyano,mutual-nn,sift --sets fox,oxford --out results
cyano evaluate --sets stress --photographs my_photographs --out results
cyano evaluate data/eval --sets localisation --out results

Exit codes: 0 done; 1 error; 2 usage error; 3 some pairs failed (each is reported) and the rest is done."""

PROTOCOL = "Protocol"
DEFAULT_METHODS = "cyano,mutual-nn,sift"
SOME_FAILED = 3
"""The exit code when some pairs failed and the rest is done."""

Root = Annotated[Path | None, typer.Argument(metavar="[ROOT]", help="The folder with the sets.", show_default=False)]
Methods = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help="cyano, cyano-views (with --views auto), cyano-unaligned (no refinement), mutual-nn (mutual nearest "
        "neighbours, same keypoints), sift, sift-superglue (a matcher trained on SIFT), aliked-lightglue and xfeat (if "
        "installed).",
        rich_help_panel=PROTOCOL,
    ),
]
Sets = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="These sets only.", show_default="all", rich_help_panel=PROTOCOL),
]
Photographs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of photographs for the set stress, searched recursively.",
        show_default="six of scikit-image",
        rich_help_panel=PROTOCOL,
    ),
]
NumPhotographs = Annotated[
    int,
    typer.Option(help="Number of photographs used, evenly spaced; 17 pairs each.", min=1, rich_help_panel=PROTOCOL),
]
Folds = Annotated[
    int,
    typer.Option(
        help="localisation: every N-th image is a query in a map of the others.",
        min=2,
        rich_help_panel=PROTOCOL,
    ),
]
EstimatorNames = Annotated[
    str,
    typer.Option(
        "--estimators",
        metavar="A,B",
        help="poselib, opencv (MAGSAC++), opencv-ransac (as in the published tables).",
        rich_help_panel=PROTOCOL,
    ),
]
PoseThreshold = Annotated[
    float,
    typer.Option(help="Inlier threshold of poses (px, resized images).", rich_help_panel=PROTOCOL),
]
HomographyThreshold = Annotated[
    float,
    typer.Option(help="Inlier threshold of homographies (px, resized images).", rich_help_panel=PROTOCOL),
]
FundamentalThreshold = Annotated[
    float,
    typer.Option(
        help="Inlier threshold of fundamental matrices (px, images of at most 1024 px).",
        rich_help_panel=PROTOCOL,
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="DIR", help="Folder of the results; created if missing.", rich_help_panel=PROTOCOL
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace predictions of other options.", rich_help_panel=PROTOCOL),
]
Resize = Annotated[
    list[int] | None,
    typer.Option(
        metavar="W [H]",
        help="Input size of all methods: longest side (smaller images are enlarged), or width and height, or -1.",
        show_default="640",
        rich_help_panel=shared.MATCHING,
    ),
]
MaxKeypoints = Annotated[
    int,
    typer.Option(
        help="Maximum number of keypoints per image; -1 for all. SIFT always has 2048.", rich_help_panel=shared.MATCHING
    ),
]


def evaluate(
    root: Root = None,
    *,
    weights: shared.Weights = None,
    methods: Methods = DEFAULT_METHODS,
    out: Out = Path("evaluation"),
    sets: Sets = None,
    photographs: Photographs = None,
    num_photographs: NumPhotographs = 6,
    estimators: EstimatorNames = "poselib,opencv,opencv-ransac",
    pose_threshold: PoseThreshold = 1.0,
    homography_threshold: HomographyThreshold = 3.0,
    fundamental_threshold: FundamentalThreshold = 1.5,
    folds: Folds = 5,
    seed: shared.Seed = 0,
    overwrite: Overwrite = False,
    resize: Resize = None,
    max_keypoints: MaxKeypoints = 1024,
    keypoint_threshold: shared.KeypointThreshold = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    sinkhorn_iterations: shared.SinkhornIterations = None,
    layers: shared.Layers = None,
    device: shared.Device = "auto",
    as_json: shared.AsJson = False,
) -> None:
    """Parse, evaluate, write and print the report; the help is `HELP`."""
    shared.existing_folder(root, "ROOT")
    shared.existing_folder(photographs, "--photographs")
    with busy("loading"):
        from cyano.evaluation import suite

    matching = shared.matcher_options(
        resize or [640], max_keypoints, keypoint_threshold, nms_radius, match_threshold, sinkhorn_iterations, layers
    )
    place = shared.checked_device(device)
    with shared.usage_errors():
        judging = suite.Estimators(
            suite.estimator_names(_listed(estimators)),
            pose_threshold,
            homography_threshold,
            fundamental_threshold,
            seed=seed,
        )
        wanted = suite.method_names(_listed(methods))
    names = None if sets is None else _listed(sets)
    localised = None
    if names is not None and localisation.LOCALISATION in names:
        names.remove(localisation.LOCALISATION)
        localised = localisation.evaluated(
            root, weights, matching, place, out, folds=folds, seed=seed, overwrite=overwrite
        )
        if not names:
            _tell(None, localised, out, as_json)
            return
    stress = _Stress(photographs, num_photographs, seed)
    chosen, skipped = _sets(root, names, stress)
    networks, sift_matcher = _networks(wanted, weights)
    built, absent = suite.build_methods(wanted, networks, matching, place, sift_matcher)
    options = suite.EvaluateOptions(out, judging, overwrite)
    total = sum(len(pair_set.pairs) for pair_set in chosen) * (1 + len(built))
    with counted("evaluating", total) as step:
        report = suite.evaluate(chosen, built, options, skipped={**skipped, **absent}, on_pair=lambda _: step())
    suite.write_report(report, out)
    _tell(report, localised, out, as_json)


def _listed(text: str) -> list[str]:
    """The names in a list with commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _networks(methods: Sequence[str], weights: str | None) -> tuple[Networks | None, LoneMatcher | None]:
    """The networks, and the matcher of SIFT's features, if a method needs them."""
    from cyano.checkpoints import load, load_matcher
    from cyano.evaluation.suite import OF_NETWORKS

    with busy("loading the networks"):
        networks = load(weights) if set(OF_NETWORKS) & set(methods) else None
        return networks, load_matcher(weights, "sift") if "sift-superglue" in methods else None


@dataclass(frozen=True)
class _Stress:
    """Of what the stress set is made."""

    folder: Path | None
    count: int
    seed: int

    def made(self) -> PairSet:
        from cyano.evaluation import suite
        from cyano.training.data.photographs import find_photographs

        with busy("changing photographs"):
            if self.folder is None:
                return suite.stress_set(suite.pictures_of_skimage(self.count), self.seed)
            paths, _ = find_photographs(self.folder, validation=0)
            return suite.stress_set(suite.chosen_photographs(self.folder, paths, self.count), self.seed)


def _sets(root: Path | None, names: list[str] | None, stress: _Stress) -> tuple[list[PairSet], dict[str, str]]:
    """The sets that are asked for, and why the stereo pair is not among them.

    Raises:
        typer.BadParameter: a name that is none of a set.
    """
    from cyano.errors import CyanoError
    from cyano.evaluation import suite

    found = [] if root is None else suite.find_sets(root)
    skipped = {}
    if suite.GENERATED_SET in (names or ()) or (names is None and root is None):
        found.append(suite.generated_set())
    if suite.STRESS_SET in (names or ()) or (names is None and stress.folder is not None):
        found.append(stress.made())
    if names is None or suite.STEREO_SET in names:
        try:
            found.append(suite.stereo_set())
        except CyanoError as error:
            if root is None or names is not None:
                raise
            skipped[suite.STEREO_SET] = str(error)
    unknown = sorted(set(names or ()) - {pair_set.name for pair_set in found})
    if unknown:
        always = (suite.STEREO_SET, suite.GENERATED_SET, suite.STRESS_SET, localisation.LOCALISATION)
        known = ", ".join(dict.fromkeys([*(pair_set.name for pair_set in found), *always]))
        raise typer.BadParameter(f"--sets: there is no set {', '.join(unknown)}; there are {known}")
    return [pair_set for pair_set in found if names is None or pair_set.name in names], skipped


def _tell(report: EvaluationReport | None, localised: LocalisationReport | None, out: Path, as_json: bool) -> None:
    """Print the tables, or the JSON document, in which localisation has a place of its own beside pairs.

    Raises:
        typer.Exit: with code 3, if some pairs or photographs failed.
    """
    from cyano.evaluation import suite

    if as_json:
        print_json(_document(report, localised))
    failures = 0 if localised is None else localisation.tell(localised, out, as_json)
    if report is not None:
        console = result_console(as_json)
        print_markdown(console, suite.to_markdown(report))
        plain_line(console, f"wrote {out / 'report.md'}, {out / 'report.json'} and the plots beside them")
        if report.num_failures:
            plain_line(error_console(), f"{report.num_failures} pairs failed, see the report", style="red")
        failures += report.num_failures
    if failures:
        raise typer.Exit(SOME_FAILED)


def _document(report: EvaluationReport | None, localised: LocalisationReport | None) -> dict[str, object]:
    from cyano.evaluation import suite

    pairs = {} if report is None else suite.to_dict(report)
    if localised is None:
        return pairs
    from cyano.localisation_evaluation import to_dict

    return {**pairs, "localisation": to_dict(localised)} if pairs else to_dict(localised)
