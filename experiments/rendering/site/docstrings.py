"""Docstrings as Markdown: roles and code blocks of Sphinx, as the docstrings use them.

An extension of griffe, which mkdocstrings loads by its path (`mkdocs.yml`).
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":[a-z]+:`~?(?P<target>[^`]+)`")


def markdown(text: str, links: dict[str, str] | None = None) -> str:
    """A docstring as Markdown.

    Args:
        text: of the docstring.
        links: path or public name -> path that the reference describes.
    """

    def replaced(role: re.Match[str]) -> str:
        target = role["target"]
        path = (links or {}).get(target)
        return f"`{target}`" if path is None else f"[`{target}`][{path}]"

    text = ROLE.sub(replaced, text)
    # `::` announces a code block; alone on its line it is not printed.
    text = re.sub(r"(?m)^([ \t]*)::[ \t]*$", "", text)
    return re.sub(r"(?m)(\S)[ \t]*::[ \t]*$", lambda m: m[1] if m[1] in ".:" else f"{m[1]}:", text)


class Markdown(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def __init__(self) -> None:
        super().__init__()
        from experiments.rendering.site.reference import entries

        self.links = {name: entry.path for entry in entries() for name in (entry.name, entry.path)}

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object that griffe has read."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value, self.links)
