"""Docstrings begin with what they name or do: a noun or a verb."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLAUSES = frozenset({
    "What", "Which", "Who", "Whose", "How", "Why", "Where", "When", "Whether", "That", "Those",
    "This", "Its", "Their", "If", "So", "As", "Of", "For", "By", "From", "Before", "After",
    "With", "In", "To", "At", "On", "Than", "Because", "Since", "Until", "While", "Nothing",
    "Both", "Not", "There", "Here", "Also", "Says", "Stands",
})  # fmt: skip
"""Words that begin a clause or refer to something said before."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of the docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        named = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        first = [None] if named else [ast.Pass()]
        for before, statement in zip([*first, *body], body, strict=False):
            if before is None or isinstance(before, (ast.Assign, ast.AnnAssign)):
                value = getattr(statement, "value", None)
                if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
                    yield statement.lineno, str(value.value)


def clauses(source: str) -> list[tuple[int, str]]:
    """Line and first word of the docstrings that begin with a clause."""
    first = ((line, text.split()[0].rstrip(":,.")) for line, text in docstrings(source) if text)
    return [(line, word) for line, word in first if word in CLAUSES]


def test_every_docstring_begins_with_a_noun_or_a_verb():
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in sorted((ROOT / "lren_tf").rglob("*.py"))
        for line, word in clauses(path.read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""What it is."""', [(1, "What")]),
        ('"""Thing."""\nA = 1\n"""Of it."""', [(3, "Of")]),
        ('def f():\n    """As g."""', [(2, "As")]),
        ('class A:\n    """Return."""\n    x: int\n    """Whether: so."""', [(4, "Whether")]),
        ('"""Thing."""\nf()\n"""Which is no docstring."""', []),
    ],
)
def test_clauses_are_found_wherever_a_docstring_is(source, found):
    assert clauses(source) == found
