"""Files of the repository as pages of the site, and links between them.

A guide links to others, to pictures, and to files outside of `docs/` by paths of the repository. On
the site a guide stands at the top, everything else under its own path; a source file or a folder
becomes a page that shows it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[3]
LINK = re.compile(r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^)\s]+)(?P<after>\))")
WIDE = "---\nhide: [navigation]\n---\n\n"
"""Header of a page without the list of its neighbours."""
LANGUAGES = {".py": "python", ".cfg": "ini", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml"}
FENCE = re.compile(r"^(\s*)(`{3,})[^\n]*\n.*?^\1\2`*$\n?", re.MULTILINE | re.DOTALL)


def page_of(path: str) -> str:
    """The page or file of the site for a file or folder of the repository.

    Args:
        path: relative to the top of the repository.
    """
    if path in ("README.md", "docs/README.md"):
        return "index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"{path}/index.md"
    if path.endswith(".ipynb"):
        return path.removesuffix(".ipynb") + ".md"
    copied = (".md", ".png", ".svg", ".pdf", ".html")
    return path if path.endswith(copied) else f"{path}.md"


def rewritten(text: str, origin: str, page: str) -> str:
    """Markdown with the links of a file of the repository as links of a page of the site.

    Args:
        text: of the file, or a part of it.
        origin: path of the file in the repository.
        page: of the site that shows it.
    """

    def replaced(link: re.Match[str]) -> str:
        path, _, anchor = link["target"].partition("#")
        if not path:
            target = page if page == page_of(origin) else page_of(origin)
        else:
            target = page_of(_resolved(path, origin))
        hash_ = f"#{anchor}" if anchor else ""
        if target == page:
            return f"{link['before']}{hash_ or PurePosixPath(page).name}{link['after']}"
        way = os.path.relpath(target, PurePosixPath(page).parent.as_posix())
        return f"{link['before']}{way}{hash_}{link['after']}"

    return "".join(
        part if inside else LINK.sub(lambda m: m[0] if _is_address(m) else replaced(m), part)
        for part, inside in _parts(text)
    )


def linked(text: str, origin: str) -> Iterator[str]:
    """Paths of the repository that a Markdown file links to."""
    for part, inside in _parts(text):
        for link in () if inside else LINK.finditer(part):
            path = link["target"].partition("#")[0]
            if path and not _is_address(link):
                yield _resolved(path, origin)


def shown(path: str) -> str:
    """Markdown that shows a source file or lists a folder of the repository."""
    hidden = "---\nsearch:\n  exclude: true\n---\n\n"
    if not (ROOT / path).is_dir():
        language = LANGUAGES.get(Path(path).suffix, "text")
        text = (ROOT / path).read_text(encoding="utf-8")
        return f"{hidden}# {path}\n\n`````{language}\n{text}\n`````\n"
    names = sorted(PurePosixPath(name) for name in tracked(path))
    pictures = [name for name in names if name.suffix == ".png"]
    if pictures:
        figures = "\n".join(
            f"<figure markdown>[![{name.stem}]({name}){{ loading=lazy }}]({name})"
            f"<figcaption>{name.stem}</figcaption></figure>"
            for name in pictures
        )
        return f'{hidden}# {path}\n\n<div class="gallery" markdown>\n{figures}\n</div>\n'
    lines = "\n".join(f"- `{name}`" for name in names)
    return f"{hidden}# {path}\n\nFiles of this folder in the repository:\n\n{lines}\n"


@cache
def tracked(folder: str) -> tuple[str, ...]:
    """Names of the files of a folder that are part of the repository, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=ROOT / folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(line for line in listed.stdout.splitlines() if "/" not in line)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Text outside and inside of fenced blocks, in turn."""
    end = 0
    for block in FENCE.finditer(text):
        yield text[end : block.start()], False
        yield block[0], True
        end = block.end()
    yield text[end:], False


def _is_address(link: re.Match[str]) -> bool:
    return bool(re.match(r"[a-z]+:", link["target"]))


def _resolved(path: str, origin: str) -> str:
    found = os.path.normpath(PurePosixPath(origin).parent / path)
    return PurePosixPath(found).as_posix()
