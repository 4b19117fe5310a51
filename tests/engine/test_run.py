"""Both stages in this process and in shares: what comes out, what may go wrong, and that kills cost nothing."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.engine import ExtractImages, LocalEngine, RayEngine, Share, Summary, find_images, run_stage
from cyano.errors import InputError, OutputError, WeightsError
from cyano.matcher import Matcher
from cyano.store import MatchStore, StoredImage
from support import collection
from support.collection import (
    aligning,
    all_pairs,
    assert_same_content,
    assert_same_keypoints,
    extraction,
    matching,
    recipe,
    run_all,
)
from support.stores import image as made_up


def test_features_and_matches_are_those_of_the_matcher(images: Path, undisturbed: Path) -> None:
    names = find_images(images)
    matcher = recipe().matcher()
    stored = extraction(images, undisturbed).open().read(names)
    for name, image in zip(names, stored, strict=True):
        (features,) = matcher.extract([images / name])
        expected = StoredImage.of(name, image.content, features)
        assert image.frame == expected.frame
        np.testing.assert_array_equal(image.scores, expected.scores)
        np.testing.assert_array_equal(image.descriptors, expected.descriptors.astype(np.float16))
        # Resized first and mapped back after, positions may miss by the rounding of float32.
        np.testing.assert_allclose(image.keypoints, expected.keypoints, atol=1e-4)
    by_name = {image.name: image.to_features() for image in stored}
    found = matching(undisturbed).open().read(all_pairs(names))
    models = 0
    for pair in found:
        (result,) = matcher.match_features([(by_name[pair.name0], by_name[pair.name1])])
        np.testing.assert_array_equal(pair.indices, result.indices)
        np.testing.assert_array_equal(pair.scores, result.scores.astype(np.float16))
        estimate = result.fundamental(collection.VERIFICATION)
        assert (pair.geometry is not None) == estimate.has_model
        if pair.geometry is not None:
            models += 1
            np.testing.assert_array_equal(pair.geometry.matrix, estimate.matrix)
            np.testing.assert_array_equal(pair.geometry.inliers, estimate.inliers)
    assert models > 3
    assert sum(len(pair.scores) for pair in found) > 100


def test_shares_make_the_same(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    names = find_images(images)
    for stage, keys in (
        (lambda: extraction(images, tmp_path), names),
        (lambda: matching(tmp_path), all_pairs(names)),
        (lambda: aligning(images, tmp_path), names),
    ):
        parts = [run_stage(stage(), keys, share=Share(index, 3)) for index in (2, 0, 1)]  # type: ignore[type-var]
        assert sum(part.done for part in parts) == len(keys)
    assert_same_content(images, tmp_path, undisturbed)
    assert_same_keypoints(images, tmp_path, undisturbed)


def test_a_share_tries_its_own_failures_again(images: Path, tmp_path: Path) -> None:
    """What another share could not do stays set apart."""
    folder = tmp_path / "images"
    shutil.copytree(images, folder)
    broken = collection.break_images(folder)
    names = find_images(folder)
    halves = [Share(index, 2) for index in (0, 1)]
    before = [run_stage(extraction(folder, tmp_path), names, share=half).failures for half in halves]
    assert sorted(failure.item for half in before for failure in half) == [(name,) for name in broken]
    assert not all(before)  # one of the shares has none of them
    again = [run_stage(extraction(folder, tmp_path), names, share=half, retry=True) for half in halves]
    store = extraction(folder, tmp_path).open()
    assert sorted(entry.item for entry in store.quarantine.entries()) == [(name,) for name in broken]
    assert [summary.failures for summary in again] == [
        tuple(replace(failure, attempts=1) for failure in half) for half in before
    ]


def test_a_second_run_has_nothing_to_do(images: Path, undisturbed: Path) -> None:
    seen: list[Summary] = []
    for summary in run_all(images, undisturbed, on_progress=seen.append, engine=RayEngine()):  # which is not started
        assert (summary.done, summary.kept, summary.exit_status) == (0, summary.total, 0)
    assert [summary.finished == summary.total for summary in seen] == [True, True, True]


def test_progress_is_told_after_each_unit(images: Path, tmp_path: Path) -> None:
    seen: list[Summary] = []
    run_stage(extraction(images, tmp_path), find_images(images), on_progress=seen.append)
    assert [summary.finished for summary in seen] == [0, 4, 8, 12]
    assert all(before.seconds <= after.seconds for before, after in pairwise(seen))


def test_broken_images_are_listed_and_the_rest_goes_on(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "images", tmp_path / "store"
    shutil.copytree(images, folder)
    broken = collection.break_images(folder)
    names = find_images(folder)
    for again in (False, True):
        extracted, matched, aligned = run_all(folder, root)
        assert [failure.item for failure in extracted.failures] == [(name,) for name in broken]
        assert all(str(folder / failure.item[0]) in failure.reason for failure in extracted.failures)
        assert (extracted.total, extracted.kept + extracted.done, extracted.exit_status) == (17, 12, 3)
        assert (matched.blocked, matched.failures, matched.exit_status) == (17 * 16 // 2 - 66, (), 3)
        assert matched.absent == tuple(broken)
        assert (aligned.total, aligned.exit_status) == (12, 0)
        assert (extracted.done == aligned.done == 0) == again
    for name in broken:
        (folder / name).write_bytes((images / "card.png").read_bytes())
    assert run_stage(extraction(folder, root), names).exit_status == 3  # not unless it is asked for
    for summary in run_all(folder, root, retry=True):
        assert (summary.exit_status, summary.finished) == (0, summary.total)
    for name in broken:
        (folder / name).unlink()
    kept = matching(root).open().read(all_pairs(find_images(images)))
    assert [pair.indices.tolist() for pair in kept] == [
        pair.indices.tolist() for pair in matching(undisturbed).open().read(all_pairs(find_images(images)))
    ]


def test_what_fails_costs_that_pair_only(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed / "features", tmp_path / "features")
    extraction(images, tmp_path).open().write([made_up("odd", channels=8)])
    names = [*find_images(images)[:4], "odd"]
    summary = run_stage(matching(tmp_path), all_pairs(names))
    assert [failure.item for failure in summary.failures] == sorted((name, "odd") for name in names[:-1])
    assert "channels" in summary.failures[0].reason
    assert (summary.done, summary.exit_status) == (6, 3)
    assert run_stage(matching(tmp_path), all_pairs(names)).failures == summary.failures


def test_names_do_not_lead_out_of_the_folder(images: Path, tmp_path: Path) -> None:
    odd = ["\udcff.png", "a\0b.png", "x" * 300 + ".png"]
    names = ["../a.png", str(images / "card.png"), "absent.png", "card.png", *odd]
    summary = run_stage(extraction(images, tmp_path), names)
    reasons = {failure.item[0]: failure.reason for failure in summary.failures}
    assert "is outside" in reasons["../a.png"]
    assert "is outside" in reasons[names[1]]
    assert "no such file" in reasons["absent.png"]
    assert "not valid UTF-8, which COLMAP needs; rename the file" in reasons[odd[0]]
    assert "null character" in reasons[odd[1]]
    assert "too long" in reasons[odd[2]]
    assert summary.done == 1


def test_changed_options_are_refused(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    shutil.copytree(undisturbed, tmp_path / "store")
    root, names = tmp_path / "store", find_images(images)
    other = extraction(images, root, keypoint_threshold=0.1)
    with pytest.raises(OutputError, match=r"keypoint_threshold was 0.005 and is 0.1 now.*--overwrite"):
        run_stage(other, names)
    with pytest.raises(OutputError, match="keypoint_threshold"):
        run_stage(matching(root, keypoint_threshold=0.1), all_pairs(names))
    with pytest.raises(OutputError, match="match_threshold"):
        run_stage(matching(root, match_threshold=0.5), all_pairs(names))
    with pytest.raises(OutputError, match="verification was fundamental"):
        run_stage(replace(matching(root), verification=None), all_pairs(names))
    assert run_stage(other, names[:1], force=True).done == 1
    assert run_stage(extraction(images, root), names).kept == len(names)  # beside, not instead


def test_recipes_that_are_none() -> None:
    networks = recipe().networks
    with pytest.raises(WeightsError, match="has no matcher"):
        replace(recipe(), networks=replace(networks, superglue=None))
    for search in ("rotations", "views"):
        with pytest.raises(InputError, match=f"{search}='off'"):
            recipe(**{search: "auto"})
    with pytest.raises(InputError, match="no device 'gpu'"):
        replace(recipe(), device="gpu")
    for engine, arguments in ((LocalEngine, {"threads": 0}), (RayEngine, {"workers": 0}), (RayEngine, {"cpus": 0})):
        with pytest.raises(InputError, match="at least"):
            engine(**arguments)  # type: ignore[operator]


def test_nothing_to_do(tmp_path: Path, images: Path) -> None:
    assert run_stage(matching(tmp_path), []).exit_status == 0
    assert run_stage(extraction(images, tmp_path), []).total == 0


def test_a_batch_that_fails_is_tried_one_by_one(
    images: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(undisturbed / "features", tmp_path / "features")
    worker = matching(tmp_path).worker()
    worker._batch = 8  # as on a GPU
    original = Matcher.match_features

    def limited(self: Matcher, pairs: list[Any]) -> Any:
        if len(pairs) > 1:
            raise RuntimeError("out of memory")
        return original(self, pairs)

    monkeypatch.setattr(Matcher, "match_features", limited)
    pairs = all_pairs(find_images(images)[:5])
    outcomes = list(worker.compute(pairs, worker.load(pairs)))
    assert [outcome.key for outcome in outcomes] == pairs
    assert all(outcome.result() for outcome in outcomes)


def test_results_that_cannot_be_written_end_the_run(
    images: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(undisturbed / "features", tmp_path / "features")
    pairs, stage = all_pairs(find_images(images)), matching(tmp_path)
    original = MatchStore.write
    left = [2]

    def full(self: MatchStore, items: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OutputError("no space left")
        original(self, items)

    with monkeypatch.context() as patch:
        patch.setattr(MatchStore, "write", full)
        with pytest.raises(OutputError, match="no space left"):
            run_stage(stage, pairs)
    assert 0 < stage.open().count() < len(pairs)
    assert run_stage(stage, pairs).exit_status == 0
    shutil.copytree(undisturbed / "features", tmp_path / "features", dirs_exist_ok=True)
    assert_same_content(images, tmp_path, undisturbed)


def test_kills_cost_nothing(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for lines in (2, 5, 2):  # during the extraction, and twice during the matching
        with collection.program(images, tmp_path) as program:
            assert program.stdout is not None
            for _ in range(lines):
                program.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.2)))
            program.kill()
        assert program.returncode == -signal.SIGKILL
    run_all(images, tmp_path)
    assert_same_content(images, tmp_path, undisturbed)
    assert_same_keypoints(images, tmp_path, undisturbed)


def test_an_interrupted_run_goes_on_from_there(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    with collection.program(images, tmp_path) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("4 "):
                break
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=60) == 130
    assert extraction(images, tmp_path).open().count() >= 4
    run_all(images, tmp_path)
    assert_same_content(images, tmp_path, undisturbed)
    assert_same_keypoints(images, tmp_path, undisturbed)


def test_an_image_that_is_gone_costs_those_that_are_laid_over_it(
    images: Path, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(images, tmp_path / "images")
    for kind in ("features", "matches"):
        shutil.copytree(undisturbed / kind, tmp_path / "store" / kind)
    stage = aligning(tmp_path / "images", tmp_path / "store")
    references = stage.references()
    uses = {name: {other for other, _, _ in references.of(name)} for name in references.names}
    gone = max(references.names, key=lambda name: sum(name in used for used in uses.values()))
    (tmp_path / "images" / gone).unlink()
    summary = run_stage(stage, references.names)
    hit = sorted(name for name, used in uses.items() if gone in {name, *used})
    assert 1 < len(hit) < len(references.names)
    assert [failure.item[0] for failure in summary.failures] == hit
    assert all("no such file" in failure.reason for failure in summary.failures)
    shutil.copy(images / gone, tmp_path / "images" / gone)
    assert run_stage(stage, references.names, retry=True).exit_status == 0
    assert_same_keypoints(tmp_path / "images", tmp_path / "store", undisturbed)


def test_stages_are_plain_values(images: Path, tmp_path: Path) -> None:
    import pickle

    copy = pickle.loads(pickle.dumps(extraction(images, tmp_path)))
    assert isinstance(copy, ExtractImages)
    assert copy.open().folder == extraction(images, tmp_path).open().folder
