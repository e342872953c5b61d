"""A page in a real, headless Chromium that has no network, with everything it complains of.

>>> with browser() as chromium, opened(chromium, path, width=390, height=844) as page:  # doctest: +SKIP
...     page.tab.title(), page.problems
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PHONE, DESK = (390, 844), (1280, 900)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Page:
    """An open page.

    Attributes:
        tab: playwright's page.
        problems: console errors, uncaught exceptions, and requests that failed or went beyond the file.
    """

    tab: Any
    problems: list[str] = field(default_factory=list)

    @property
    def overflow(self) -> int:
        """Pixels by which the body is wider than the window."""
        script = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - window.innerWidth"
        return int(self.tab.evaluate(script))


@contextmanager
def browser() -> Iterator[Any]:
    """The Chromium of this machine; without one the test is skipped, or fails where MTBENCH_REQUIRE_BROWSER is set."""
    lacking = pytest.fail if os.environ.get("MTBENCH_REQUIRE_BROWSER") else pytest.skip
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        lacking("no Chromium is installed: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacking("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(
    chromium: Any,
    path: Path,
    *,
    width: int,
    height: int,
    within: Path | None = None,
    after: str = "",
    **settings: Any,
) -> Iterator[Page]:
    """A file in a new window; requests for anything else are refused, and noted.

    Args:
        within: a folder whose other files the page may ask for as well.
        after: what follows in the address, such as ``#part``.
        settings: of the window, such as ``color_scheme="dark"`` and ``java_script_enabled=False``.
    """
    context = chromium.new_context(viewport={"width": width, "height": height}, offline=True, **settings)
    page = Page(context.new_page())
    address = path.resolve().as_uri() + after
    ours = ("data:image/", f"{within.resolve().as_uri()}/") if within else ("data:image/",)

    def route(call: Any) -> None:
        if call.request.url in (address, "data:,") or call.request.url.startswith(ours):
            call.continue_()
        else:
            page.problems.append(f"asks for {call.request.url}")
            call.abort()

    context.route("**/*", route)
    page.tab.on("console", lambda said: page.problems.append(said.text) if said.type in ("error", "warning") else None)
    page.tab.on("pageerror", lambda error: page.problems.append(str(error)))
    page.tab.on("requestfailed", lambda request: page.problems.append(f"failed: {request.url[:100]}"))
    page.tab.on("dialog", lambda dialog: (page.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        page.tab.goto(address)
        yield page
    finally:
        context.close()
