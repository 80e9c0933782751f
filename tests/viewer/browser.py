"""Headless Chromium for pages, or the reason why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """Path of a browser that starts; skips the test without one."""
    found = os.environ.get("CHROME") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium: none of " + ", ".join(NAMES) + " is in PATH, CHROME is not set")
    if subprocess.run([found, "--version"], capture_output=True, timeout=60).returncode:
        pytest.skip(f"no Chromium: {found} does not start")
    return found


@contextmanager
def opened(path: Path, width: int = 1500, height: int = 1000) -> Iterator[Any]:
    """A page that is ready, and on it `problems`: errors of its console, and requests it made."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.problems = []
        address = path.resolve().as_uri()
        page.on("pageerror", lambda error: page.problems.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: page.problems.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning") else None,
        )  # fmt: skip
        page.on(
            "request",
            lambda request: page.problems.append(f"request: {request.url[:99]}")
            if request.url != address and not request.url.startswith(("data:", "blob:")) else None,
        )  # fmt: skip
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]", timeout=60_000)
        yield page
        browser.close()
