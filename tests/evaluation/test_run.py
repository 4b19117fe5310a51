"""The two loops: who reads what how often, what is kept, what fails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyano.errors import InputError, OutputError
from cyano.evaluation.methods.method import Found
from cyano.evaluation.scores.estimators import Estimators, estimator_names
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownHomography, KnownPose, PairSet
from cyano.evaluation.suite import EvaluateOptions, evaluate, to_dict, write_report
from cyano.processing.images import LoadedImage
from cyano.types import Features, ResizeMap

SHIFT = np.array([[1.0, 0, 4], [0, 1, 2], [0, 0, 1]])
GRID = torch.tensor([(x, y) for x in range(10, 60, 10) for y in range(10, 40, 10)], dtype=torch.float32)


class Seen:
    """Finds the same grid in every image, moved by the brightness of its first pixel; counts what it sees."""

    def __init__(self) -> None:
        self.count = 0

    def extract(self, image: LoadedImage, turns: int) -> Features:
        self.count += 1
        moved = GRID + (torch.tensor([4.0, 2.0]) if image.grey[0, 0] > 0.5 else 0)
        count = len(moved)
        return Features(moved, torch.ones(count), torch.zeros(count, 1), ResizeMap.identity(image.size))


class RowByRow:
    """Matches the i-th keypoint with the i-th."""

    def __init__(self, name: str, extractor: Seen, seed: int = 0) -> None:
        self.name = name
        self.extractor = extractor
        self.record = {"seed": seed}
        self.count = 0

    def match(self, features0: Features, features1: Features) -> Found:
        self.count += 1
        rows = np.arange(len(features0))
        return Found(np.stack([rows, rows], axis=1), np.ones(len(rows), np.float32))


def images(folder: Path, names: Sequence[str] = ("dark", "light")) -> PairSet:
    """Pairs of the first image with the others."""
    folder.mkdir(exist_ok=True)
    for name in names:
        level = 0 if name == "dark" else 255
        Image.fromarray(np.full((48, 64), level, np.uint8)).save(folder / f"{name}.png")
    pairs = [
        EvaluationPair(names[0], name, folder / f"{names[0]}.png", folder / f"{name}.png", KnownHomography(SHIFT))
        for name in names[1:]
    ]
    return PairSet("planes", pairs)


def test_an_image_is_seen_once_and_methods_share_what_was_seen(tmp_path: Path) -> None:
    shared, own = Seen(), Seen()
    methods = [RowByRow("a", shared), RowByRow("b", shared), RowByRow("c", own)]
    planes = images(tmp_path / "images", ("dark", "light", "bright", "white"))
    told: Counter[str] = Counter()
    report = evaluate([planes], methods, EvaluateOptions(tmp_path), on_pair=lambda text: told.update([text]))
    assert (shared.count, own.count) == (4, 4)
    assert [result.method for result in report.results] == ["a", "b", "c"]
    assert all(result.values["MMA@1"] == 100 for result in report.results)
    assert sum(told.values()) == 3 * (1 + 3)


def test_predictions_are_used_again_and_metrics_need_no_images(tmp_path: Path) -> None:
    planes, options = images(tmp_path / "images"), EvaluateOptions(tmp_path)
    first = evaluate([planes], [RowByRow("a", Seen())], options)
    again = RowByRow("a", Seen())
    # Another threshold: the metrics are made anew, the predictions are not.
    second = evaluate([planes], [again], EvaluateOptions(tmp_path, Estimators(homography_px=1)))
    assert (again.count, again.extractor.count) == (0, 0)
    assert second.results[0].values == first.results[0].values


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    planes, options = images(tmp_path / "images"), EvaluateOptions(tmp_path)
    evaluate([planes], [RowByRow("a", Seen())], options)
    with pytest.raises(OutputError, match="seed was 0 and is 1 now"):
        evaluate([planes], [RowByRow("a", Seen(), seed=1)], options)
    again = RowByRow("a", Seen(), seed=1)
    evaluate([planes], [again], EvaluateOptions(tmp_path, overwrite=True))
    assert again.count == 1
    changed = images(tmp_path / "images", ("light", "dark"))
    with pytest.raises(OutputError, match="images_sha256"):
        evaluate([changed], [again], options)


def test_a_broken_image_fails_its_pairs_and_the_rest_goes_on(tmp_path: Path) -> None:
    planes = images(tmp_path / "images", ("dark", "light", "bright"))
    (tmp_path / "images" / "bright.png").write_bytes(b"\x89PNG broken")
    report = evaluate([planes], [RowByRow("a", Seen())], EvaluateOptions(tmp_path))
    (result,) = report.results
    assert result.num_pairs == 1
    assert [(failure.name1, "bright.png" in failure.reason) for failure in result.failures] == [("bright", True)]
    assert report.num_failures == 1
    write_report(report, tmp_path)
    assert "planes, a: dark bright: " in (tmp_path / "report.md").read_text()


def test_what_the_report_holds(tmp_path: Path) -> None:
    planes = images(tmp_path / "images")
    report = evaluate(
        [planes], [RowByRow("a", Seen(), seed=7)], EvaluateOptions(tmp_path), skipped={"surf": "nobody has it"}
    )
    files = {path.name for path in write_report(report, tmp_path)}
    assert files == {"report.md", "report.json", "recall_homography.png", "match_accuracy.png"}
    for name in ("recall_homography.png", "match_accuracy.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
    document = json.loads((tmp_path / "report.json").read_text())
    assert document == json.loads(json.dumps(to_dict(report)))
    assert document["methods"]["a"] == {"seed": 7}
    (pair,) = document["results"][0]["judged"]
    assert (pair["name0"], pair["name1"], pair["values"]["matches"]) == ("dark", "light", len(GRID))
    assert pair["errors"]["dlt"] == pytest.approx(0, abs=1e-3)
    assert document["estimators"]["pose_px"] == 1
    assert {"torch", "poselib", "cyano"} <= document["versions"].keys()
    assert document["skipped"] == {"surf": "nobody has it"}
    text = (tmp_path / "report.md").read_text()
    for said in (
        "OpenCV RANSAC",
        "| planes | 1 | a |",
        "surf: nobody has it",
        "![match_accuracy.png](match_accuracy.png)",
    ):
        assert said in text


def test_the_mean_over_the_pose_sets(tmp_path: Path) -> None:
    """Two sets whose pairs fail to give a pose: the mean is that of their AUCs, 0, and not of other kinds."""
    planes = images(tmp_path / "images")
    K = np.diag([50.0, 50.0, 1.0])
    T = np.eye(4)
    T[0, 3] = 1
    pair = planes.pairs[0]
    posed = [
        PairSet(name, [EvaluationPair("dark", "light", pair.image0, pair.image1, KnownPose(K, K, T))])
        for name in ("p", "q")
    ]
    report = evaluate([planes, *posed], [RowByRow("a", Seen())], EvaluateOptions(tmp_path))
    by_set = [result.auc["poselib"][1] for result in report.results if result.kind == "pose"]
    assert report.mean_pose_auc("a", "poselib") == pytest.approx(np.mean(by_set))
    assert "Mean over the pose sets (p, q)" in write_report(report, tmp_path)[0].read_text()
    with pytest.raises(InputError, match="no set with poses"):
        report.mean_pose_auc("b", "poselib")


def test_names_meet_once(tmp_path: Path) -> None:
    planes, method = images(tmp_path / "images"), RowByRow("a", Seen())
    for sets, methods, message in (
        ([planes, planes], [method], "planes"),
        ([planes], [method, method], "methods with the same name"),
        ([], [method], "no sets"),
        ([planes], [], "no methods"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(sets, methods, EvaluateOptions(tmp_path))


def test_estimators_are_checked() -> None:
    assert estimator_names(["opencv"]) == ("opencv",)
    with pytest.raises(InputError, match="estimators are some of"):
        Estimators(())
    with pytest.raises(InputError, match="threshold_px"):
        Estimators(pose_px=0)
    with pytest.raises(InputError, match="seed"):
        Estimators(seed=-1)
