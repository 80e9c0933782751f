"""The documentation site is built without a warning, is whole, and works from disk in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

from experiments.rendering.site import contents, detector_pages, reference
from tests.viewer.browser import chromium

ROOT = Path(__file__).parents[2]
MADE = ("experiments.rendering.site.pictures", "experiments.rendering.site.notebooks")
SCREENS = {
    "desktop": {"viewport": {"width": 1400, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
    "dark": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "dark"},
}
OPENED = (
    "index.html", "quickstart.html", "products.html", "estimators.html", "architecture.html",
    "detectors.html", "detectors/lren.html", "gallery.html", "cite.html", "reproduction.html",
    "reference/index.html", "reference/LREN.html", "reference/metrics.html",
    "notebooks/5_plugin_detector.html",
)  # fmt: skip

pytestmark = [pytest.mark.long, pytest.mark.processes, pytest.mark.timeout(3000)]


class Page(HTMLParser):
    """Anchors of a page, and the files that it links to, shows or loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.shown: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag in ("a", "link") and given.get("href"):
            self.targets.append(given["href"])
        if given.get("src"):
            self.targets.append(given["src"])
            self.loaded.append(given["src"])
        if given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(given["href"])

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as `make docs` builds it; what takes minutes is kept in build/."""
    folder = tmp_path_factory.mktemp("site")
    python = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": python, "TF_CPP_MIN_LOG_LEVEL": "3"}
    (ROOT / "build").mkdir(exist_ok=True)
    with FileLock(ROOT / "build" / "site.lock"):
        for module in MADE:
            subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=environment, check=True)
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env={**environment, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "WARNING -" not in built.stderr, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


def test_every_page_is_there(site):
    wanted = {f"reference/{name}.html" for name in reference.pages()}
    wanted |= {f"detectors/{name}.html" for name in detector_pages.names()}
    wanted |= {page.replace(".md", ".html") for page in contents.made_pages()}
    assert not [page for page in sorted(wanted) if not (site / page).is_file()]
    # Every entry of the reference has its anchor.
    for entry in reference.entries():
        assert entry.path in Page(site / f"reference/{entry.page}.html").anchors, entry.name


def test_no_internal_link_is_broken(site, pages):
    broken, checked = [], 0
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            checked += 1
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if there.is_dir():
                there /= "index.html"
            anchor = unquote(parts.fragment)
            # A detection's page finds its anchors by script.
            known = pages[there].anchors if there in pages else None
            if not there.is_file() or (anchor and known is not None and anchor not in known):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert checked > 2000
    assert not broken, "\n".join(sorted(set(broken)))


def test_nothing_is_loaded_from_outside(pages):
    loaded = [address for page in pages.values() for address in page.loaded]
    assert len(loaded) > 500
    assert not [address for address in loaded if urlsplit(address).netloc]


def test_no_markup_is_left_in_the_text(pages, site):
    """Roles and fields of docstrings, fences and links that were not read as such."""
    left = []
    for path, page in pages.items():
        if path.relative_to(site).parts[0] in ("reference", "detectors"):
            text = "".join(page.shown)
            signs = (":func:", ":class:", ":param ", ":mod:", ":data:", "](http", "```")
            left += [f"{path.name}: {sign}" for sign in signs if sign in text]
    assert not left


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_in_a_browser(site, browser, screen):
    """No error, no request to anything outside, no page wider than its window."""
    problems = []
    context = browser.new_context(**SCREENS[screen])
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: problems.append(f"{message.type}: {message.text}")
        if message.type in ("error", "warning") else None,
    )  # fmt: skip
    page.on(
        "request",
        lambda request: problems.append(f"request: {request.url[:99]}")
        if not request.url.startswith(("file:", "data:", "blob:", "about:")) else None,
    )  # fmt: skip
    for name in OPENED:
        page.goto((site / name).as_uri())
        page.wait_for_selector("h1")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > SCREENS[screen]["viewport"]["width"]:
            problems.append(f"{name} is {wide} pixels wide")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (screen != "dark")
    context.close()
    assert not problems


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_the_search_works_from_disk(site, browser, screen):
    context = browser.new_context(**SCREENS[screen])
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    if screen == "phone":
        page.click("label[for=__search].md-header__button")
    page.click("input.md-search__input")
    page.keyboard.type("georeference", delay=30)  # the search listens to keys
    page.wait_for_selector("a.md-search-result__link", timeout=30_000)
    found = page.locator("a.md-search-result__link")
    assert found.count() > 3
    address = found.first.get_attribute("href")
    assert address.startswith("file:") or not urlsplit(address).netloc
    found.first.click()
    page.wait_for_load_state()
    assert page.locator("h1").count() == 1 and "index.html" not in urlsplit(page.url).path
    context.close()


def test_the_menu_of_a_phone_leads_to_a_guide(site, browser):
    context = browser.new_context(**SCREENS["phone"])
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.click("label[for=__drawer].md-header__button")
    page.click("nav.md-nav--primary label.md-nav__link:has-text('Guides')")
    page.click("nav.md-nav--primary a.md-nav__link:has-text('Quick start') >> visible=true")
    page.wait_for_url("**/quickstart.html")
    context.close()
