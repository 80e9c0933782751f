"""Events of MkDocs: contents, made pages, and links of the guides."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from experiments.rendering.site import contents, notebooks, pictures
from experiments.rendering.site.repository import ROOT, rewritten


def on_config(config: Any) -> Any:
    """Set the contents."""
    config.nav = contents.navigation()
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is made or lies outside of `docs/`; the home page is the README."""
    for file in [file for file in files if file.src_uri == "README.md"]:
        files.remove(file)
    for page, text in contents.made_pages().items():
        files.append(File.generated(config, page, content=text))
    for file, path in contents.linked_files().items():
        files.append(File.generated(config, file, abs_src_path=str(ROOT / path)))
    for path in pictures.files():
        files.append(File.generated(config, f"pictures/{path.name}", abs_src_path=str(path)))
    for file, content in notebooks.files().items():
        files.append(File.generated(config, file, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a guide, which are paths of the repository."""
    if page.file.generated_by is None:
        return rewritten(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)
    return markdown
