"""Relative links of every Markdown file and notebook lead to a file, and to a heading in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (".github", "benchmarks", "docs", "experiments", "notebooks", "release", "tests")
LINK = re.compile(r"\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})[^\n]*\n.*?^\1\2[`~]*\s*$", re.MULTILINE | re.DOTALL)


def pages() -> list[str]:
    """Every Markdown file and notebook of the repository."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += [p for kind in ("*.md", "*.ipynb") for p in (ROOT / folder).rglob(kind)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def markdown(path: Path) -> str:
    """The text of a file, without its blocks of code."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return FENCE.sub("", text)


def targets(text: str) -> Iterator[str]:
    """Links and pictures but those to other sites."""
    for found in LINK.finditer(text):
        target = found[1] or found[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(text: str) -> set[str]:
    """Anchors of the headings; the second of one name ends in -1, and so on."""
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", shown.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def broken(path: Path) -> list[str]:
    """Links of a file that lead nowhere."""
    text = markdown(path)
    found = []
    for target in targets(text):
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(markdown(there))):
            found.append(target)
    return found


@pytest.mark.parametrize("page", pages())
def test_links_and_anchors_resolve(page):
    assert not broken(ROOT / page)


def test_all_kinds_of_files_are_there():
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "notebooks/1_own_scene.ipynb",
            "experiments/tables/table2.md"} <= set(pages())  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](gone.md)", ["gone.md"]),
        ("![a](gone.png)", ["gone.png"]),
        ('<img src="gone.png">', ["gone.png"]),
        ('[a](here.md "title")', []),
        ("[a](https://example.org/gone)", []),
        ("# A `b` c!\n[a](#a-b-c)", []),
        ("# A\n# A\n[a](#a-1) [b](#a-2)", ["#a-2"]),
        ("[a](here.md#gone)", ["here.md#gone"]),
        ("```text\n[a](gone.md)\n```\n", []),
    ],
)
def test_what_is_broken(tmp_path, text, found):
    (tmp_path / "here.md").write_text("# One\n")
    (tmp_path / "page.md").write_text(text)
    assert broken(tmp_path / "page.md") == found


def test_a_link_of_a_notebook(tmp_path):
    cell = {"cell_type": "markdown", "source": ["[a](gone", ".md)"]}
    (tmp_path / "page.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert broken(tmp_path / "page.ipynb") == ["gone.md"]
