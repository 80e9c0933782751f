"""The reference of the site has an entry for every public name, which says what it takes."""

from __future__ import annotations

import importlib

import griffe
import pytest

import lren_tf
from experiments.rendering.site import contents, detector_pages, reference
from experiments.rendering.site.docstrings import markdown
from lren_tf import detectors

ENTRIES = {entry.name: entry for entry in reference.entries()}
FIELDS = (":param ", ":return", ":raises ", ":type ")
"""Fields of docstrings in a style that the site does not read."""


def public() -> set[str]:
    """Every public name, as users write it, but modules and the version."""
    found = {f"lren_tf.{name}" for name in lren_tf.__all__} - {"lren_tf.__version__"}
    for name in lren_tf._MODULES:
        found.discard(f"lren_tf.{name}")
        homes = {id(getattr(lren_tf, home)) for home in lren_tf._HOMES}
        module = getattr(lren_tf, name)
        listed = {each for each in module.__all__ if id(getattr(module, each)) not in homes}
        found |= {f"lren_tf.{name}.{each}" for each in listed}
    return found


def sections(item: griffe.Object, kind: str) -> list:
    return [part for part in item.docstring.parsed if part.kind.value == kind]


def documented(item: griffe.Object) -> set[str]:
    """Arguments that a docstring describes; one line may describe several."""
    listed = [each for part in sections(item, "parameters") for each in part.value]
    return {name.strip(" *") for each in listed for name in each.name.split(",")}


def test_every_public_name_has_an_entry():
    assert set(ENTRIES) == public()


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_describes_what_the_name_is(name):
    module, _, attribute = name.rpartition(".")
    where = module.removeprefix("lren_tf").lstrip(".")
    meant = getattr(getattr(lren_tf, where) if where else lren_tf, attribute)
    home, _, own = ENTRIES[name].path.rpartition(".")
    assert getattr(importlib.import_module(home), own) is meant


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_it_takes(name):
    item = ENTRIES[name].definition
    assert item.docstring is not None and len(reference.summary(ENTRIES[name])) > 8
    assert not [field for field in FIELDS if field in item.docstring.value]
    if item.is_function:
        taken = {each.name.strip("*") for each in item.parameters}
        assert taken <= documented(item)


def test_the_arguments_of_classes_are_described():
    for name in ("LREN", "EpochLog", "InputError"):
        item = ENTRIES[f"lren_tf.{name}"].definition
        taken = {each.name.strip("*") for each in item.members["__init__"].parameters} - {"self"}
        assert taken <= documented(item), name


def test_named_tuples_describe_their_fields():
    """Fields without a docstring would be left out of the page."""
    tuples = [
        entry.definition for entry in ENTRIES.values()
        if entry.definition.is_class and "NamedTuple" in map(str, entry.definition.bases)
    ]  # fmt: skip
    assert len(tuples) > 4
    for item in tuples:
        said = item.docstring.value
        fields = [each for each in item.members.values() if "instance-attribute" in each.labels]
        missing = [f.name for f in fields if f.docstring is None and f.name not in said]
        assert fields and not missing, item.path


def test_functions_say_what_they_refuse():
    """Those that can be called with something wrong."""
    harmless = {
        "lren_tf.find_detections", "lren_tf.explain.strongest_bands",
        "lren_tf.datasets.names", "lren_tf.datasets.further_names",
        "lren_tf.detectors.names", "lren_tf.detectors.offered",
    }  # fmt: skip
    silent = {
        name for name, entry in ENTRIES.items()
        if entry.definition.is_function and not sections(entry.definition, "raises")
    }  # fmt: skip
    assert silent <= harmless


def test_the_contents_of_the_reference_name_them_all():
    text = reference.index_page()
    for name, entry in ENTRIES.items():
        assert f"`{name.removeprefix('lren_tf.')}`]({entry.page}.md#{entry.path})" in text
    assert ":func:" not in text and ":class:" not in text


def test_every_guide_and_detector_is_in_the_navigation():
    listed = str(contents.navigation())
    assert len(detector_pages.names()) == len(detectors._HOMES) == 14
    wanted = [f"detectors/{name}.md" for name in detector_pages.names()]
    wanted += [p.name for p in (reference.ROOT / "docs").glob("*.md") if p.name != "README.md"]
    assert {"estimators.md", "products.md"} <= set(wanted)
    assert not [page for page in wanted if f"'{page}'" not in listed]


@pytest.mark.parametrize("name", detector_pages.names())
def test_a_page_of_a_detector_shows_its_section(name):
    text = detector_pages.page(name)
    for part in ("**Use.**", "**Source.**", f"pictures/{name}.png", ":::"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Of :func:`a.b`.", "Of `a.b`."),
        ("A block. ::", "A block."),
        ("A block::", "A block:"),
        ("Of :class:`~lren_tf.Scene`.", "Of [`lren_tf.Scene`][lren_tf.data.scene.Scene]."),
    ],
)
def test_roles_become_markdown(text, shown):
    assert markdown(text, {"lren_tf.Scene": "lren_tf.data.scene.Scene"}) == shown
