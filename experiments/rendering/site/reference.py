"""Pages of the reference: every public name, from its docstring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import griffe

import lren_tf
from experiments.rendering.site.docstrings import markdown
from experiments.rendering.site.repository import ROOT

_INTRODUCTION = """\
      members: false
      show_root_heading: false
      show_root_toc_entry: false
"""
"""Options that show the docstring of a module without its members."""


@dataclass(frozen=True)
class Entry:
    """A public name.

    Attributes:
        name: as users write it, such as `lren_tf.io.load_map`.
        path: of its definition, such as `lren_tf.io.maps.load_map`.
        page: of the reference, without `.md`.
    """

    name: str
    path: str
    page: str

    @property
    def definition(self) -> griffe.Object:
        """Its definition, read from the source."""
        return _definition(self.path)


@cache
def package() -> griffe.Module:
    """The package as its source says, without importing it."""
    loader = griffe.GriffeLoader(search_paths=[ROOT], docstring_parser="google")
    found = loader.load("lren_tf", submodules=True)
    loader.resolve_aliases()
    assert isinstance(found, griffe.Module)
    return found


@cache
def entries() -> tuple[Entry, ...]:
    """Every public name but modules and the version, in the order of the pages."""
    return tuple(_entries())


def modules() -> dict[str, str]:
    """Public modules: name within the package -> path."""
    return dict(sorted(lren_tf._MODULES.items()))


def pages() -> list[str]:
    """Names of the pages of the reference but its contents, in their order."""
    return list(dict.fromkeys(entry.page for entry in entries()))


def _entries() -> Iterator[Entry]:
    for name, module in sorted(lren_tf._HOMES.items(), key=lambda pair: pair[0].lower()):
        yield Entry(f"lren_tf.{name}", _definition(f"{module}.{name}").path, name)
    for name in modules():
        own, _ = _exported(name)
        yield from own


def _exported(page: str) -> tuple[list[Entry], list[str]]:
    """Names of a public module that its page describes, and those that have a page of their own."""
    module = modules()[page]
    homes = {_definition(f"{home}.{name}").path: name for name, home in lren_tf._HOMES.items()}
    described = _definition(module)
    own, elsewhere = [], []
    # Where it is imported from: a function may have the name of its module.
    for member in described.exports or ():
        path = _definition(described.imports.get(member, f"{module}.{member}")).path
        if path in homes:
            elsewhere.append(homes[path])
        else:
            own.append(Entry(f"lren_tf.{page}.{member}", path, page))
    own.sort(key=lambda entry: entry.definition.is_attribute)  # constants come last
    return own, elsewhere


def _definition(path: str) -> griffe.Object:
    found = package()[path.removeprefix("lren_tf.")]
    return found.final_target if isinstance(found, griffe.Alias) else found


def reference_page(page: str) -> str:
    """Markdown of a page of the reference: a public name, or a public module and its names."""
    listed = [entry for entry in entries() if entry.page == page]
    if page not in modules():
        (entry,) = listed
        return _directive(entry)
    path = modules()[page]
    functions = "\n".join(map(_directive, listed))
    _, elsewhere = _exported(page)
    also = ", ".join(f"[`{name}`]({name}.md)" for name in elsewhere)
    more = f"Also here: {also}.\n\n" if also else ""
    introduction = f"::: {path}\n    options:\n{_INTRODUCTION}"
    return f"# lren_tf.{page}\n\n{introduction}\n{more}{functions}"


def index_page() -> str:
    """Markdown of the contents of the reference."""
    rows = [
        f"| [`{entry.name.removeprefix('lren_tf.')}`]({entry.page}.md#{entry.path}) | "
        f"{summary(entry)} |"
        for entry in entries()
    ]
    table = "\n".join(["| name | |", "| --- | --- |", *rows])
    return f"""# Reference

The public names of `lren_tf`: `import lren_tf`, then `lren_tf.load_scene`, `lren_tf.io.load_map`
and so on. Everything else may change without notice. Names are loaded on first use, so that
importing the package takes no time.

Shapes: H rows, W columns, L or B bands, N pixels, l latent units, k components, m atoms. Scores
are float32, higher is more anomalous, and NaN where a pixel holds no data. Rows, columns and bands
count from 0. Wavelengths are nanometres, probabilities and rates shares between 0 and 1.

{table}
"""


def summary(entry: Entry) -> str:
    """First sentence of a docstring, on one line of a table."""
    text = entry.definition.docstring.value if entry.definition.docstring else ""
    paragraph = " ".join(markdown(text.partition("\n\n")[0]).split()).replace("|", "\\|")
    return paragraph.partition(". ")[0].rstrip(".:")


def _directive(entry: Entry) -> str:
    alone = entry.page not in modules()
    return (
        f"::: {entry.path}\n    options:\n      heading: {entry.name}\n"
        f"      toc_label: {entry.name.rpartition('.')[2]}\n"
        f"      heading_level: {1 if alone else 2}\n"
        f"      inherited_members: {'true' if alone else 'false'}\n"
    )
