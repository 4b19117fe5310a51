"""The live page in a browser: it draws, takes keys, and asks nobody but its own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cyano.checkpoints.loading import Networks
from cyano.live import LiveSession
from cyano.video import open_source
from support.live import live_options

pytest.importorskip("fastapi", reason="the extra page serves")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright steers the browser")


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    yield page
    page.close()


def test_the_page_shows_frames_and_takes_keys(page: Any, folder: Path, serve: Any, networks: Networks) -> None:
    session = LiveSession(open_source(folder), live_options(networks))
    server = serve(session)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://{server.host}/live")
    session.start()
    expect = playwright.expect
    expect(page.locator("#state")).to_have_text("the source has ended", timeout=60_000)
    expect(page.locator("#frame")).to_have_text("5", timeout=60_000)
    assert int(page.inner_text("#matches")) > 10
    drawn = "document.getElementById('view').getContext('2d').getImageData(80, 60, 1, 1).data[3]"
    assert page.evaluate(drawn) == 255
    page.keyboard.press("k")
    expect(page.locator("#toggle-points")).to_have_attribute("aria-pressed", "true", timeout=60_000)
    assert session.latest().keypoints
    page.keyboard.press("f")
    expect(page.locator("#match-value")).to_have_text("0.25", timeout=60_000)
    page.keyboard.press("q")
    assert server.quit.wait(60)
    assert {url.split("/")[2] for url in asked} == {server.host}
    assert not complaints  # what the Content-Security-Policy forbids would be told here
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
