"""A person's walk through the collection tab: a reconstruction of a rendered scene, and photographs localised in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from support.localised import Scene

if TYPE_CHECKING:
    from page.browser.conftest import Opened


def test_images_model_and_a_photograph_in_it(opened: Opened, scene: Scene) -> None:
    with opened(tab="collection") as seen:
        page = seen.page
        page.wait_for_selector("#scene[data-thumbnails=done]")
        assert page.locator("#images button").count() == len(list(scene.images.iterdir()))
        assert "are in the model" in page.inner_text("#collection-summary")
        seen.picture("collection")

        page.fill("#image-search", "view2")
        page.click("#images button")
        assert page.inner_text("#selected-name") == "view2.png"
        page.wait_for_selector("#selected-view:visible")
        seen.picture("collection-selected")
        page.click("#selected-close")

        query = sorted(scene.queries.iterdir())[0]
        page.set_input_files("#drop-query input", query)
        page.wait_for_selector("#query-found .found")
        assert page.get_attribute("#query-found .found", "data-tone") == "good", page.inner_text("#query-found")
        seen.until("Number(document.querySelector('#scene').dataset.still) >= 2")  # the view has arrived
        seen.picture("collection-localised")


def test_points_are_coloured_and_limited_without_a_request(opened: Opened) -> None:
    with opened(tab="collection") as seen:
        page = seen.page
        page.wait_for_selector("#scene[data-thumbnails=done]")
        asked = len(seen.requests)
        for mode in ("track", "error", "photo"):
            page.check(f"#colours input[value={mode}]", force=True)
        page.fill("#least-track", "4")
        page.fill("#most-error", "1")
        page.fill("#frustum-size", "0.5")
        page.focus("#scene")
        for key in ("ArrowLeft", "ArrowUp", "+", "0"):
            page.keyboard.press(key)
        assert len(seen.requests) == asked


def test_a_square_of_the_matrix_shows_the_stored_matches(opened: Opened, scene: Scene) -> None:
    with opened(tab="collection") as seen:
        page = seen.page
        page.wait_for_selector("#scene[data-thumbnails=done]")
        page.focus("#matrix")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert "view0.png and view1.png" in page.inner_text("#pair-text")
        with page.expect_response("**/pairs/0/1") as answer:
            page.keyboard.press("Enter")
        told = answer.value.json()
        page.wait_for_selector("#match[data-state=result]:visible")
        seen.until("document.querySelector('#summary').textContent.includes('agree with one fundamental matrix')")
        assert page.inner_text("#change-0 .text") == "view0.png"
        assert page.inner_text("#summary").startswith(f"{len(told['scores'])} matches")
        assert f"stored in {scene.model.name}" in page.inner_text("#summary-more")
        assert not any(address.endswith("/matches") for address in seen.requests)  # nothing was matched
        seen.picture("match-stored")
        with page.expect_request("**/api/v1/matches"):
            page.evaluate("document.querySelector('#again-group').open = true")
            page.click("#again")
        seen.until("/ s on /.test(document.querySelector('#summary-more').textContent)")


def test_a_model_is_saved(opened: Opened, tmp_path: Path) -> None:
    with opened(tab="collection") as seen:
        page = seen.page
        page.wait_for_selector("#scene[data-thumbnails=done]")
        for name, head in (("ply", b"ply\n"), ("colmap", b"PK")):
            with page.expect_download() as download:
                page.click(f"#save-{name}")
            download.value.save_as(tmp_path / name)
            assert (tmp_path / name).read_bytes().startswith(head)
            assert download.value.suggested_filename.startswith("map_")


def test_without_a_collection_it_says_how_to_have_one(opened: Opened) -> None:
    with opened() as seen:
        none = json.dumps({"collections": []})
        seen.page.route(
            "**/api/v1/collections", lambda route: route.fulfill(body=none, content_type="application/json")
        )
        seen.page.click("#tab-collection")
        seen.page.wait_for_selector("#collection[data-state=empty]")
        assert "cyano reconstruct" in seen.page.inner_text("#collection")
        seen.picture("collection-empty")


def test_a_collection_that_cannot_be_read(opened: Opened) -> None:
    with opened(theme="dark") as seen:
        told = {
            "type": "/api/v1/problems/unavailable",
            "title": "It could not be computed",
            "status": 503,
            "detail": "the model is damaged",
        }
        problem = json.dumps(told)
        seen.page.route(
            "**/points.bin",
            lambda route: route.fulfill(status=503, body=problem, content_type="application/problem+json"),
        )
        seen.page.click("#tab-collection")
        seen.page.wait_for_selector("#collection[data-state=error]")
        assert "the model is damaged" in seen.page.inner_text("#collection")
        seen.picture("collection-error-dark")


def test_a_point_tells_which_images_see_it(opened: Opened) -> None:
    with opened(tab="collection") as seen:
        page = seen.page
        page.wait_for_selector("#scene[data-thumbnails=done]")
        page.fill("#frustum-size", "0")
        box = page.locator("#scene").bounding_box()
        assert box is not None
        for place in range(400):  # somewhere in the middle there is a point
            across, down = 0.3 + 0.02 * (place % 20), 0.3 + 0.02 * (place // 20)
            page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
            if page.is_visible("#selected-patches canvas"):
                break
        assert page.inner_text("#selected-name").startswith("A point, seen by")
        assert page.locator("#selected-patches canvas").count() >= 2  # a point takes two images at least
        seen.picture("collection-point")


def test_without_webgl_the_rest_works(opened: Opened) -> None:
    with opened() as seen:
        page = seen.page
        page.add_init_script("HTMLCanvasElement.prototype.getContext = (own => function (kind, ...rest) { return "
                             "kind.startsWith('webgl') ? null : own.call(this, kind, ...rest) })"
                             "(HTMLCanvasElement.prototype.getContext)")  # fmt: skip
        page.reload()
        page.click("#tab-collection")
        page.wait_for_selector("#scene-note:visible >> text=No 3-D here")
        page.click("#images button")
        page.wait_for_selector("#selected-view:visible")
        seen.picture("collection-without-webgl")
