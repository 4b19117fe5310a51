"""What each state says and how it looks: empty, waiting, failed, nothing found; small and large, light and dark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.browser import LOOKS, Watched

if TYPE_CHECKING:
    from page.browser.conftest import Opened

MATCHES = "**/api/v1/matches"


def _take(seen: Watched, folder: Path, second: str = "b.png") -> None:
    seen.page.set_input_files("#drop-0 input", folder / "a.png")
    seen.page.set_input_files("#drop-1 input", folder / second)


def _problem(status: int, title: str, detail: str) -> dict[str, Any]:
    body = {"type": "/api/v1/problems/busy", "title": title, "status": status, "detail": detail}
    return {"status": status, "content_type": "application/problem+json", "body": json.dumps(body)}


def test_no_matches_say_why(opened: Opened, photographs: Path) -> None:
    with opened(theme="dark") as seen:
        _take(seen, photographs, "flat.png")
        seen.page.wait_for_selector("#match[data-state=none]")
        assert "The second photograph has hardly any texture" in seen.page.inner_text("#verdict-card")
        seen.picture("match-none-dark")
        assert not seen.grave()


def test_what_is_no_photograph_is_refused(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        seen.page.set_input_files("#drop-0 input", photographs / "notes.txt")
        assert "notes.txt: not a photograph" in seen.page.inner_text("#drop-0 .problem")
        broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"not a picture"}
        seen.page.set_input_files("#drop-1 input", broken)  # type: ignore[arg-type]
        seen.page.wait_for_selector("#drop-1 .problem")
        assert "broken.png" in seen.page.inner_text("#drop-1 .problem")
        seen.picture("match-refused")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_problem(429, "Too many requests", "8 jobs wait already"), "8 jobs wait already"),
        (_problem(503, "It could not be computed", "the worker was stopped"), "A lower resolution"),
        (None, "Start it again"),
    ],
)
def test_errors_have_a_remedy(opened: Opened, photographs: Path, answer: dict[str, Any] | None, words: str) -> None:
    with opened(size="phone") as seen:
        page = seen.page
        page.route(MATCHES, lambda route: route.abort() if answer is None else route.fulfill(**answer))
        _take(seen, photographs)
        page.wait_for_selector("#match[data-state=error] #verdict-card:visible")
        assert words in page.inner_text("#verdict-card")
        seen.picture(f"match-error-{answer['status'] if answer else 'gone'}")
        page.unroute(MATCHES)
        page.click("#verdict-again")
        page.wait_for_selector("#match[data-state=result]")
        assert page.is_hidden("#verdict-card")


def test_photographs_that_were_forgotten_are_given_again(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        gone = [_problem(404, "Not found", "there is no such image")]
        # Not `times=1`: while Playwright ends its interception, the page's second request may hang.
        page.route(MATCHES, lambda route: route.fulfill(**gone.pop()) if gone else route.continue_())
        _take(seen, photographs)
        page.wait_for_selector("#match[data-state=result]")
        assert sum(address.endswith("/images") for address in seen.requests) == 4  # both of them twice


def test_waiting_is_told_and_can_be_ended(opened: Opened, photographs: Path) -> None:
    with opened() as seen:
        page = seen.page
        page.clock.install()
        held: list[Any] = []

        def hold(route: Any) -> None:  # it does not answer
            held.append(route)

        page.route(MATCHES, hold)
        _take(seen, photographs)
        page.wait_for_selector("#match[data-state=busy]")
        page.clock.run_for(7000)
        assert page.inner_text("#progress-title") == "Still matching"
        seen.picture("match-slow")
        page.click("#cancel")
        assert page.inner_text("#summary") == "Cancelled"
        held[0].abort()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_nothing_grave_and_nothing_sticks_out(opened: Opened, photographs: Path, size: str, theme: str) -> None:
    with opened(size=size, theme=theme) as seen:
        page = seen.page
        found = [seen.grave()]
        wide = [seen.is_as_wide_as_the_window()]
        seen.picture(f"{size}-{theme}-match-empty")
        _take(seen, photographs)
        page.wait_for_selector("#match[data-state=result]")
        page.check("#geometry input[value=pose]", force=True)
        for closed in page.query_selector_all("#match details:not([open]) > summary"):
            closed.click()
        seen.picture(f"{size}-{theme}-match")
        found.append(seen.grave())
        wide.append(seen.is_as_wide_as_the_window())
        page.click("#tab-collection")
        page.wait_for_selector("#scene[data-thumbnails=done]")
        seen.picture(f"{size}-{theme}-collection")
        found.append(seen.grave())
        wide.append(seen.is_as_wide_as_the_window())
        assert wide == [True] * 3
        assert [each for each in found if each] == []


def test_the_theme_is_switched_and_kept(opened: Opened) -> None:
    with opened() as seen:
        page = seen.page
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        page.click("#theme")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.reload()
        seen.until("document.documentElement.dataset.theme === 'dark'")
