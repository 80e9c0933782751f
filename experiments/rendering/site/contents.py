"""The pages of the site and their order, from the tables of `docs/README.md` and what is made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from experiments.rendering.site import detector_pages, notebooks, reference
from experiments.rendering.site.repository import ROOT, WIDE, linked, page_of, rewritten, shown

HEADINGS = {"For your own scenes:": "Guides", "For results and for the code:": "Results and code"}
"""Sections of docs/README.md -> tabs of the site."""


def guides() -> dict[str, list[str]]:
    """The guides of each tab, in the order of `docs/README.md`."""
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {tab: [] for tab in HEADINGS.values()}
    tab = ""
    for line in text.splitlines():
        tab = HEADINGS.get(line, tab)
        if row := re.match(r"\| \[[^\]]+\]\(([a-z_]+\.md)\)", line):
            found[tab].append(row[1])
    return found


def navigation() -> list[object]:
    """The contents of the site, as `nav` of MkDocs."""
    listed = guides()
    own = [name for name in listed["Guides"] if name != "detectors.md"]
    return [
        {"Home": "index.md"},
        {"Guides": own},
        {"Notebooks": _within("notebooks", notebooks.NAMES)},
        {"Detectors": ["detectors.md", *_within("detectors", detector_pages.names())]},
        {"Gallery": "gallery.md"},
        {"Reference": ["reference/index.md", *_reference()]},
        {"Results and code": [*listed["Results and code"], "cite.md", "changes.md"]},
    ]  # fmt: skip


def made_pages() -> dict[str, str]:
    """Markdown of every page that no file in `docs/` holds: page -> text."""
    pages = {
        "index.md": WIDE + rewritten(_read("README.md"), "README.md", "index.md"),
        "cite.md": citation(),
        "changes.md": rewritten(_read("CHANGELOG.md"), "CHANGELOG.md", "changes.md"),
        "gallery.md": detector_pages.gallery(),
        "reference/index.md": reference.index_page(),
    }
    pages |= {f"reference/{name}.md": reference.reference_page(name) for name in reference.pages()}
    pages |= {f"detectors/{name}.md": detector_pages.page(name) for name in detector_pages.names()}
    pages |= {f"notebooks/{name}.md": notebooks.page(name) for name in notebooks.NAMES}
    return pages | _linked_pages()


def linked_files() -> dict[str, str]:
    """Pictures and documents outside of `docs/` that pages show: file of the site -> path."""
    return {page_of(path): path for path in _all_linked() if not page_of(path).endswith(".md")}


def citation() -> str:
    """The page on how to cite, from `CITATION.cff`."""
    import yaml

    said = yaml.safe_load(_read("CITATION.cff"))
    paper = said["preferred-citation"]
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    return f"""# How to cite

{said["message"]}

```bibtex
@inproceedings{{jiang{paper["year"]}lren,
  author    = {{{" and ".join(names)}}},
  title     = {{{paper["title"]}}},
  booktitle = {{{paper["collection-title"]}}},
  volume    = {{{paper["volume"]}}},
  number    = {{{paper["issue"]}}},
  pages     = {{{paper["start"]}--{paper["end"]}}},
  year      = {{{paper["year"]}}},
  doi       = {{{paper["doi"]}}},
}}

@software{{lren_tf,
  author    = {{{{{said["authors"][0]["name"]}}}}},
  title     = {{{said["title"]}}},
  version   = {{{said["version"]}}},
  url       = {{{said["repository-code"]}}},
  license   = {{{said["license"]}}},
}}
```

The software is an independent reproduction and contains none of the authors' code. `CITATION.cff`
in the repository has the same fields for programs. For the other methods cite their papers: each of
the [detectors](detectors.md) names its source.
"""


def _reference() -> list[dict[str, str]]:
    modules = reference.modules()
    return [
        {f"lren_tf.{name}" if name in modules else name: f"reference/{name}.md"}
        for name in reference.pages()
    ]


def _within(folder: str, names: Iterable[str]) -> list[str]:
    return [f"{folder}/{name}.md" for name in names]


def _linked_pages() -> dict[str, str]:
    """Files and folders outside of `docs/` that pages link to, those of the linked ones too."""
    found = {}
    for path in _all_linked():
        page = page_of(path)
        if (
            not page.endswith(".md")
            or path.startswith(("docs/", "notebooks/"))
            or page == "index.md"
        ):
            continue
        whole = path.endswith(".md")
        found[page] = rewritten(_read(path), path, page) if whole else shown(path)
    return found


def _all_linked() -> set[str]:
    seen: set[str] = set()
    waiting = [
        "README.md",
        "CHANGELOG.md",
        *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    ]
    while waiting:
        path = waiting.pop()
        for target in linked(_read(path), path):
            if target in seen:
                continue
            seen.add(target)
            if target.endswith(".md"):
                waiting.append(target)
            elif (ROOT / target).is_dir():
                pictures = (ROOT / target).glob("*.png")
                seen |= {f"{target}/{picture.name}" for picture in pictures}
    return seen


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
