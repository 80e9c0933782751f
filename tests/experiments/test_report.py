"""The report: complete, well-formed, needing nothing from elsewhere, and shown by a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from experiments.rendering import html as markup
from experiments.rendering import report
from experiments.rendering.captions import captions
from experiments.runs.run import REFERENCE, Workspace
from lren_tf.errors import InputError

TABLES = sorted(REFERENCE.tables.glob("*.md"))
FIGURES = sorted(REFERENCE.figures.glob("*.png"))
RESULTS = sorted(REFERENCE.records.glob("*/**/*.json"))
CAPTIONS = captions(REFERENCE)
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Refuses unbalanced tags; collects attributes, the text, and the text below each id."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []
        self.below: dict[str, list[str]] = {}

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data):
        if not {"style", "script", "title"} & {tag for tag, _ in self.open}:
            self.text.append(data)
            for _, name in self.open:
                if name is not None:
                    self.below.setdefault(name, []).append(data)

    def values(self, attribute: str) -> list[str | None]:
        return [value for _, name, value in self.attributes if name == attribute]

    def words(self, name: str | None = None) -> str:
        """All text, or that below the element of this id."""
        return " ".join(" ".join(self.text if name is None else self.below[name]).split())


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"never closed: {reader.open}"
    return reader


@pytest.fixture(scope="module")
def html() -> str:
    return report.page(REFERENCE)


@pytest.fixture(scope="module")
def shown(html) -> Reader:
    """The page, read once: it is long."""
    return read(html)


@pytest.fixture
def space(tmp_path) -> Workspace:
    """Somebody else's workspace: names that the captions do not know, and hostile content."""
    here = Workspace(tmp_path / "work <space>")
    here.tables.mkdir(parents=True)
    here.figures.mkdir()
    shutil.copy(FIGURES[0], here.figures / 'new "figure" & more.png')
    (here.tables / "new table.md").write_text(
        "## Heading\n**Bold** and `a**b|c` & <script>alert(1)</script>:\n\n"
        "| a | b |\n| --- | ---: |\n| x \\| y | <img src=http://example.org/x.png> |\n",
        encoding="utf-8",
    )
    folder = here.root / "results" / "study" / "scene"
    folder.mkdir(parents=True)
    record = {"status": "diverged", "error": "</details><b>epoch 3", "clean": False, "seed": 7}
    (folder / "rx_seed7.json").write_text(json.dumps(record), encoding="utf-8")
    return here


# --- the committed results ------------------------------------------------------------------


def test_the_page_is_well_formed_and_its_links_lead_somewhere(html):
    page = read(html)
    assert html.startswith("<!DOCTYPE html>")
    twice = [name for name, count in Counter(page.values("id")).items() if count > 1]
    assert not twice
    links = page.values("href")
    assert len(links) > len(TABLES) + len(FIGURES)
    assert {link.removeprefix("#") for link in links} <= set(page.values("id"))


def self_contained(html: str) -> bool:
    page = read(html)
    tags = {tag for tag, _, _ in page.attributes}
    styles = " ".join(re.findall(r"<style>.*?</style>", html, re.DOTALL))
    return (
        all(link.startswith("#") for link in page.values("href"))
        and all(source.startswith("data:image/png;base64,") for source in page.values("src"))
        and not {"script", "link", "iframe", "object", "embed", "base", "form"} & tags
        and not {"srcset", "data", "action", "style", "background"} & {a for _, a, _ in
                                                                       page.attributes}
        and not re.search(r"url\(|@import", styles)
        and not re.search(r"<script", html)
        and "default-src 'none'" in html
    )


def test_the_page_needs_nothing_from_elsewhere(html):
    assert self_contained(html)
    assert not self_contained(html.replace("<h1>", '<img src="http://example.org/a.png"><h1>'))
    assert not self_contained(html.replace("<h1>", "<script>1</script><h1>"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_is_in_it_cell_by_cell(shown, path):
    words = shown.words(report._anchor(f"tables/{path.name}"))
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    for line in lines:
        if set(line) <= set("| :-"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        plain = " ".join(" ".join(cells).replace("`", "").replace("**", "").split())
        assert plain in words


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_every_figure_is_in_it_with_words_for_those_who_do_not_see_it(html, path):
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    before, _, after = html.partition(f'src="data:image/png;base64,{data}">')
    assert after
    (alt,) = re.findall(r'<img alt="([^"]*)" width="\d+" height="\d+" $', before)
    assert len(alt) > 80


def leaves(record: dict) -> list[tuple[str, object]]:
    """Names and values that are no objects themselves."""
    return [
        leaf
        for name, value in record.items()
        for leaf in (leaves(value) if isinstance(value, dict) else [(name, value)])
    ]


def test_every_run_is_in_it_with_all_that_its_record_holds(shown):
    missing = []
    for path in RESULTS:
        name = path.relative_to(REFERENCE.records).with_suffix("").as_posix()
        words = shown.words(report._anchor(f"run/{name}"))
        record = json.loads(path.read_text(encoding="utf-8"))
        expected = [record["commit"], record["time"]]
        for key, value in leaves(record):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            expected.append(" ".join(f"{key} {text}".split()))
        missing += [f"{name}: {text}" for text in expected if text not in words]
    assert len(RESULTS) > 600
    assert not missing, "\n".join(missing)


def test_captions_speak_of_files_and_studies_that_exist():
    found = {path.relative_to(REFERENCE.root).as_posix() for path in (*TABLES, *FIGURES)}
    assert set(CAPTIONS) == found
    studies = {path.relative_to(REFERENCE.records).parts[0] for path in RESULTS}
    assert {study for caption in CAPTIONS.values() for study in caption.studies} <= studies
    assert all(c.alt for name, c in CAPTIONS.items() if name.startswith("figures/"))


def test_captions_set_the_order_and_each_names_the_runs_behind_it(html):
    page = read(html)
    places = [html.index(f'<article id="{report._anchor(name)}">') for name in CAPTIONS]
    assert places == sorted(places)
    for name, caption in CAPTIONS.items():
        words = page.words(report._anchor(name))
        for path in RESULTS:
            place = path.relative_to(REFERENCE.records).with_suffix("")
            assert (place.as_posix() in words) == (place.parts[0] in caption.studies)


# --- any files ------------------------------------------------------------------------------


def test_unknown_files_appear_under_their_name_and_nothing_in_them_is_obeyed(space):
    html = report.page(space)
    page = read(html)
    assert self_contained(html)
    table = page.words(report._anchor("tables/new table.md"))
    assert table.startswith("tables/new table.md Heading Bold and a**b|c & <script>alert(1)")
    assert "x | y <img src=http://example.org/x.png>" in table
    assert "<strong>Bold</strong> and <code>a**b|c</code>" in html
    assert 'figures/new "figure" & more.png' in page.values("alt")
    run = page.words(report._anchor("run/study/scene/rx_seed7"))
    assert "diverged" in run and "</details><b>epoch 3" in run
    assert "1 run, 1 of them failed; seed 7; commit unknown + changes." in page.words()


def test_a_record_of_another_kind_is_shown_as_far_as_it_goes(space):
    odd = {
        "seed": [10, 9], "seconds": {"fit": 1.5, "score": None, "load": 2}, "metrics": [1],
        "versions": "none", "settings": {"window": {"inner": 3}}, "seeds": None,
    }  # fmt: skip
    folder = space.root / "results" / "other"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(odd), encoding="utf-8")
    (folder / "b.json").write_text("{}", encoding="utf-8")
    page = read(report.page(space))
    study = page.words(report._anchor("study/other"))
    assert "2 runs; seed [10, 9]; 4 s each; commit unknown." in study
    assert "a AUC(Pd,Pf) –, AUC(Pf,τ) –" in study
    assert "settings window: inner 3" in study


def test_seeds_are_listed_once_and_by_size():
    assert report._listed("seed", [10, 9, None, 10]) == "seeds 9, 10"
    assert report._listed("commit", ["b", "a", "b"]) == "commits b, a"
    assert report._listed("seed", [None]) == ""


def test_an_empty_workspace_gives_a_page_that_says_so(tmp_path):
    words = read(report.page(Workspace(tmp_path / "nothing"))).words()
    for sentence in ("no table and no figure yet", "no run yet", "No run is recorded"):
        assert sentence in words


def test_the_file_is_replaced_whole_or_not_at_all(space):
    path = report.write_report(space)
    assert path == space.root / "report.html"
    before = path.read_bytes()
    assert report.write_report(space).read_bytes() == before
    (space.root / "results" / "study" / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"bad.json is not JSON .*; expected"):
        report.write_report(space)
    assert path.read_bytes() == before
    assert sorted(p.name for p in space.root.iterdir()) == [
        "figures", "report.html", "results", "tables",
    ]  # fmt: skip


def test_what_is_no_record_and_no_picture_is_refused(space):
    odd = space.root / "results" / "study" / "list.json"
    odd.write_text("[1]", encoding="utf-8")
    with pytest.raises(InputError, match=r"list.json holds a list; expected the record of a run"):
        report.page(space)
    odd.unlink()
    (space.figures / "x.png").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"x.png is not a PNG picture; expected one"):
        report.page(space)


# --- Markdown -------------------------------------------------------------------------------


def test_a_table_aligns_its_numbers_to_the_right():
    html = markup.to_html("Before:\n| s | n |\n| --- | ---: |\n| a | 1 |\n| b | 2 |\nafter")
    assert html.startswith("<p>Before:</p>\n")
    assert html.endswith("<p>after</p>")
    assert html.count('<th scope="row">') == 2
    assert re.findall(r'class="number">(\w)', html) == ["n", "1", "2"]
    assert "---" not in html


def test_a_table_without_a_rule_keeps_all_its_rows():
    html = markup.to_html("| 1 |\n| 2 |")
    assert re.findall(r">(\d)<", html) == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\nb", "<p>a b</p>"),
        ("a\n\n\nb", "<p>a</p>\n<p>b</p>"),
        ("# A\n### `B`", "<h4>A</h4>\n<h4><code>B</code></h4>"),
        ("**a `x` b** ** c", "<p><strong>a <code>x</code> b</strong> ** c</p>"),
        ("`**a**` b", "<p><code>**a**</code> b</p>"),
        ("`<b>` & \"\0", "<p><code>&lt;b&gt;</code> &amp; &quot;</p>"),
        ("[a](http://example.org)", "<p>[a](http://example.org)</p>"),
        ("a ` b", "<p>a ` b</p>"),
        ("", ""),
    ],
)
def test_paragraphs_headings_bold_and_code(text, html):
    assert markup.to_html(text) == html


# --- in a browser ---------------------------------------------------------------------------

# Counts in the page itself, once everything is loaded; only in a test's copy.
PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images];
  const wide = document.documentElement.scrollWidth > innerWidth;
  document.documentElement.dataset.verdict = JSON.stringify({
    images: images.length,
    broken: images.filter(image => !image.complete || image.naturalWidth === 0).length,
    wide, text: document.body.innerText.length,
    heading: document.querySelector("h1").getBoundingClientRect().height,
  });
});
</script>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Runs headless Chromium with these arguments on a file; returns what it prints."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROME") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium: none of " + ", ".join(names) + " is in PATH, CHROME is not set")
    # Some systems have a stand-in of this name that only says how to install it.
    if subprocess.run([found, "--version"], capture_output=True, timeout=60).returncode:
        pytest.skip(f"no Chromium: {found} does not start")

    def run(page: Path, *arguments: str) -> str:
        done = subprocess.run(
            [
                found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--disable-quic", "--hide-scrollbars",
                f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                *arguments, page.resolve().as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    return run


def verdict(browser, html: str, folder: Path, width: int) -> dict:
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(html)
    copy = folder / "probed.html"
    copy.write_text(policy.sub("", html).replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    dom = browser(copy, f"--window-size={width},900", "--dump-dom")
    (found,) = re.findall(r'data-verdict="([^"]*)"', dom)
    return json.loads(found.replace("&quot;", '"'))


@pytest.mark.parametrize("width", [1280, 600])
def test_a_browser_shows_every_image_and_the_text(browser, html, tmp_path, width):
    shown = verdict(browser, html, tmp_path, width)
    assert shown["images"] == len(FIGURES)
    assert shown["broken"] == 0
    assert shown["text"] > 2000
    assert shown["heading"] > 20
    assert shown["wide"] is False, "the page scrolls sideways"


def test_the_browser_would_see_a_broken_image(browser, html, tmp_path):
    broken = html.replace("base64,iVBOR", "base64,AAAAA", 1)
    assert verdict(browser, broken, tmp_path, 1280)["broken"] == 1


def test_a_screenshot_has_something_on_it(browser, html, tmp_path):
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    page.write_text(html, encoding="utf-8")
    browser(page, "--window-size=1280,2400", f"--screenshot={picture}")
    pixels = matplotlib.image.imread(picture)[..., :3]
    assert pixels.shape == (2400, 1280, 3)
    grey = pixels.mean(axis=2)
    paper = np.median(grey)
    # Text and pictures, not one colour: and in the upper part as well as in the lower.
    for part in np.array_split(grey, 3):
        assert 0.005 < np.mean(np.abs(part - paper) > 0.3) < 0.8
