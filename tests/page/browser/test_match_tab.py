"""A person's walk through the match tab, with the service behind it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import cyano
from support.browser import Watched
from support.commands import SHIFT

if TYPE_CHECKING:
    from page.browser.conftest import Opened


def _match(seen: Watched, folder: Path, second: str = "b.png") -> None:
    seen.page.set_input_files("#drop-0 input", folder / "a.png")
    seen.page.set_input_files("#drop-1 input", folder / second)
    seen.page.wait_for_selector("#match[data-state=result], #match[data-state=none]")
    seen.until("document.querySelector('#summary').textContent.match(/match/)")


def _drawn(seen: Watched) -> int:
    """How often the canvas was drawn, once it is done."""
    seen.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return int(seen.page.get_attribute("#view", "data-drawn") or 0)


def test_two_photographs_are_matched_by_themselves(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        seen.picture("match-empty")
        _match(seen, photographs)
        seen.picture("match-result")
        expected = cyano.match(photographs / "a.png", photographs / "b.png", device="cpu")
        assert page.text_content("#summary") == f"{len(expected)} matches"  # bit for bit those of the command

        asked, drawn = len(seen.requests), _drawn(seen)
        page.fill("#sure", "0.5")  # scores of at least 0.5
        assert page.text_content("#summary") == f"{int((expected.scores >= 0.5).sum())} matches"
        assert _drawn(seen) > drawn
        assert len(seen.requests) == asked  # the slider asks nobody

        page.fill("#sure", "1")
        page.check("#geometry input[value=homography]", force=True)
        verified, (model,) = expected.verified(cyano.PairResult.homography)
        sentence = f"{len(verified)} matches, {model.num_inliers} agree with one homography"
        seen.until("s => document.querySelector('#summary').textContent === s", arg=sentence)
        assert model.num_inliers > 50  # one shift explains them
        seen.picture("match-homography")

        for mode in ("swipe", "blink", "blend", "difference"):
            drawn = _drawn(seen)
            page.check(f"#overlay input[value={mode}]", force=True)
            seen.until("n => Number(document.querySelector('#view').dataset.drawn) > n", arg=drawn)
            seen.until("document.querySelector('#overlay-text').textContent.indexOf('Bringing') < 0")
            assert page.get_attribute("#overlay-text", "data-tone") != "bad"
            seen.picture(f"match-{mode}")


def test_one_match_and_its_alternatives(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        _match(seen, photographs)
        page.focus("#view")
        page.keyboard.press("ArrowRight")  # the surest match
        x, y, u, v = page.evaluate(
            "[...document.querySelectorAll('#tip div')].slice(0, 2).flatMap(d => d.textContent.slice(3).split(', '))"
        )
        shift = np.array([float(x) - float(u), float(y) - float(v)])
        assert np.abs(shift - SHIFT).max() < 1.0  # places are told to a tenth, and matched to less than a pixel
        page.keyboard.press("Enter")
        page.wait_for_selector(".partners button")
        assert page.locator(".partners button").count() == 3
        seen.picture("match-picked")
        page.keyboard.press("Escape")
        assert page.locator(".partners button").count() == 0


def test_what_is_taken_along(opened: Opened, photographs: Path, tmp_path: Path) -> None:
    with opened() as seen:
        page = seen.page
        _match(seen, photographs)
        page.click("text=Take it along")
        for kind in ("png", "json", "npz"):
            with page.expect_download() as download:
                page.click(f"#save-{kind}")
            download.value.save_as(tmp_path / f"matches.{kind}")
        expected = cyano.match(photographs / "a.png", photographs / "b.png", device="cpu")
        document = json.loads((tmp_path / "matches.json").read_text())
        assert document["keypoints1"] == expected.keypoints1.tolist()
        with np.load(tmp_path / "matches.npz") as archive:
            assert np.array_equal(archive["matches0"], expected.matches.matches0)
        with Image.open(tmp_path / "matches.png") as picture:
            assert picture.size == (page.evaluate("view.width"), page.evaluate("view.height"))

        page.check("#geometry input[value=fundamental]", force=True)
        page.click("text=Again with")
        page.select_option("#max-keypoints", "512")
        seen.until("document.querySelector('#as-command').textContent.includes('--fundamental')")
        page.click("#again")
        seen.until("document.querySelector('#as-command').textContent.includes('512')")
        command = page.text_content("#as-command")
        assert command == "cyano match a.png b.png --max-keypoints 512 --fundamental --threshold 1"
        seen.picture("match-everything-open")


def test_the_python_that_it_tells_runs(
    opened: Opened, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as seen:
        _match(seen, photographs)
        seen.page.check("#geometry input[value=homography]", force=True)
        seen.until("document.querySelector('#summary').textContent.includes('agree')")
        program, summary = seen.page.text_content("#as-python"), seen.page.text_content("#summary")
    monkeypatch.chdir(photographs)
    exec(compile(program or "", "as-python", "exec"), {})
    status, inliers = capsys.readouterr().out.split()[:2]
    assert status.lower().endswith("ok")
    assert f", {inliers} agree" in (summary or "")


def test_what_is_painted_has_no_keypoints(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        _match(seen, photographs)
        before = page.text_content("#summary")
        page.click("text=Again with")
        page.click("#brush")
        page.fill("#brush-size", "120")
        box = page.locator("#view").bounding_box()
        assert box is not None
        for height in (0.3, 0.45, 0.6, 0.75):  # most of the first photograph
            page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + height * box["height"])
            page.mouse.down()
            page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + height * box["height"], steps=3)
            page.mouse.up()
        seen.picture("match-brush")
        with page.expect_request("**/api/v1/matches") as request:
            page.click("#again")
        assert "mask0" in request.value.post_data_json
        page.wait_for_selector("#match[data-state=result], #match[data-state=none]")
        seen.until("t => !['Matching', t].includes(document.querySelector('#summary').textContent)", arg=before)
        found = int((page.text_content("#summary") or "0").split()[0].replace("No", "0"))
        assert found < 0.5 * int((before or "0").split()[0])


def test_the_example_by_keyboard_alone(opened: Opened) -> None:
    with opened() as seen:
        page = seen.page
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "example":
                break
        page.keyboard.press("Enter")
        page.wait_for_selector("#match[data-state=result]")
        seen.picture("match-example")
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.id || document.activeElement.value"))
        assert {"view", "sure", "fit", "change-0", "none", "off"} <= reached
        page.focus("#tab-match")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-collection"
        assert page.is_visible("#collection")


GIVE = """([kind, id, name, content]) => {
  const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], name, { type: "image/png" }));
  document.getElementById(id).dispatchEvent(kind === "drop"
    ? new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true }));
}"""


def test_dropped_and_pasted_photographs(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        contents = {name: base64.b64encode((photographs / name).read_bytes()).decode() for name in ("a.png", "b.png")}
        page.evaluate(GIVE, ["drop", "drop-1", "b.png", contents["b.png"]])
        page.wait_for_selector("#drop-1[data-filled=true]")
        seen.picture("match-one")
        page.evaluate(GIVE, ["paste", "intake", "a.png", contents["a.png"]])  # takes the place that is free
        page.wait_for_selector("#match[data-state=result]")
        assert page.inner_text("#change-0 .text") == "a.png"
        page.click("#swap")
        seen.until("document.querySelector('#change-0 .text').textContent === 'b.png'")
        page.wait_for_selector("#match[data-state=result]")


def test_without_a_camera_it_says_so(opened: Opened) -> None:
    with opened(size="phone") as seen:
        page = seen.page
        page.click("#drop-0 .drop-actions button")
        seen.until("/^(?!Waiting)./.test(document.querySelector('#shutter-text').textContent)")
        assert "camera" in page.inner_text("#shutter-text")
        assert page.is_disabled("#shutter-take")
        seen.picture("match-camera")
        assert not seen.grave()
        page.keyboard.press("Escape")
        assert page.is_hidden("#shutter")
