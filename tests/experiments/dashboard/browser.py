"""A real browser: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
ARTEFACTS = Path(os.environ.get("SPANLAB_ARTEFACTS", "runs/test-artefacts"))
"""Where screenshots go, for people to look at."""
SEEN_MS = 30_000
"""In which whatever is to come comes, on a machine that does much else."""


def present() -> bool:
    """Say whether there is all that a browser test needs."""
    return CHROMIUM is not None and importlib.util.find_spec("playwright") is not None


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start it without a window; without its sandbox, which root cannot have."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser, url: str, width: int = 1280, height: int = 800, dark: bool = False
) -> Iterator[Page]:
    """Open a page; whatever it complains of fails the test, but for what has no answer."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error" and "net::ERR" not in said.text and "status of" not in said.text
            else None
        ),
    )
    try:
        page.goto(url)
        yield page
        assert not complaints, complaints
    finally:
        context.close()


def keep(page: Page, name: str) -> None:
    """Take a screenshot for people to look at."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"dashboard-{name}.png")


def step_of(page: Page) -> int:
    """Return the step that the page shows as the last one."""
    said = page.locator("#now-step").inner_text()
    return int(said.split()[0]) if said[0].isdigit() else -1


def wait_for(page: Page, expression: str) -> None:
    """Wait until something is true on the page and shown there.

    Not by Playwright's own function, which evaluates text on the page: it lets nobody do that.
    """
    deadline = time.monotonic() + SEEN_MS / 1000
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never came true: {expression}"
        page.wait_for_timeout(50)
    page.evaluate("spanlab.shown()")
