"""A browser that a person's walk through the page is done with, and what must not happen meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["CHROMIUM", "LOOKS", "Watched", "browser", "picture_folder", "watched"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
"""Debian's; nothing is downloaded."""

PICTURES_WANTED = "CYANO_PICTURES" in os.environ
"""Whether somebody wants to look at all states in all sizes and themes, in the folder that this names."""

SIZES = {"phone": (360, 740), "tablet": (768, 1024), "desk": (1280, 800)}

LOOKS = [("phone", "light"), ("tablet", "dark"), ("desk", "light")]
"""Sizes and themes that are tried."""
if PICTURES_WANTED:
    LOOKS = [(size, theme) for size in SIZES for theme in ("light", "dark")]

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",  # WebGL in software
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
_REPORT = "document.addEventListener('securitypolicyviolation', e => console.error('CSP: ' + e.violatedDirective))"


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield chromium
        chromium.close()


@dataclass(eq=False)
class Watched:
    """A page, and what happened to it.

    Attributes:
        page: the page.
        pictures: folder for screenshots, to be looked at.
        requests: all addresses that were asked for, but for the watch over the service's health.
        foreign: those of other origins.
        violations: of the content security policy.
        faults: exceptions of the page's scripts.
    """

    page: Page
    pictures: Path
    requests: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def until(self, expression: str, arg: Any = None) -> None:
        """Wait until a condition holds: Playwright's own waiting needs eval, which the page's policy forbids."""
        for _ in range(1200):
            if self.page.evaluate(expression, arg):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{expression} does not become true")

    def picture(self, name: str) -> None:
        """Keep a screenshot of the whole page."""
        self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)

    def is_as_wide_as_the_window(self) -> bool:
        """Whether nothing sticks out to the right."""
        wide: bool = self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        return wide

    def grave(self) -> list[str] | None:
        """What axe-core calls serious or critical in the page as it is now; None where axe-core is not installed."""
        if not _AXE.is_file():
            return None
        self.page.evaluate(_AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]


@contextmanager
def watched(
    chromium: Browser, address: str, pictures: Path, *, size: str = "desk", theme: str = "light", tab: str = ""
) -> Iterator[Watched]:
    """A fresh page of a server, watched; at the end nothing foreign was asked for and no policy was violated."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(60_000)
    context.add_init_script(_REPORT)
    seen = Watched(context.new_page(), pictures)
    own = urlsplit(address).netloc

    def note(asked: Any) -> None:
        if not asked.url.endswith("/health"):
            seen.requests.append(asked.url)
        if urlsplit(asked.url).scheme not in ("blob", "data") and urlsplit(asked.url).netloc != own:
            seen.foreign.append(asked.url)

    def hear(message: Any) -> None:
        if "CSP:" in message.text or "Content Security Policy" in message.text:
            seen.violations.append(message.text)

    seen.page.on("request", note)
    seen.page.on("console", hear)
    seen.page.on("pageerror", lambda error: seen.faults.append(str(error)))
    seen.page.goto(f"{address}#{tab}" if tab else address)
    yield seen
    context.close()
    told = (seen.foreign, seen.violations, seen.faults)
    assert told == ([], [], [])


def picture_folder(fallback: Path) -> Path:
    """Where screenshots go: the folder that CYANO_PICTURES names, or a temporary one."""
    folder = Path(os.environ.get("CYANO_PICTURES", fallback))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
