"""Markdown tables, and the generated blocks of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from experiments.reporting.provenance import write_text


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, first column left, the others right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def mean_and_spread(values: Sequence[float]) -> str:
    """Return mean ± standard deviation with four digits; a dash for no value."""
    if not values:
        return "–"
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def fill_block(name: str, body: str, page: Path) -> None:
    """Replace the text between the markers of a block on a page.

    Raises:
        ValueError: the page has no such block.
    """
    write_text(page, replace_block(page.read_text(encoding="utf-8"), name, body))


def replace_block(text: str, name: str, body: str) -> str:
    """``text`` with the block between ``<!-- name:begin -->`` and ``<!-- name:end -->`` set."""
    if not _pattern(name).search(text):
        raise ValueError(f"no block {name!r} between markers in the text")
    return _pattern(name).sub(lambda match: f"{match[1]}\n{body}\n\n{match[3]}", text)


def block(text: str, name: str) -> str:
    """Return the body of a block, stripped.

    Raises:
        ValueError: the text has no such block.
    """
    match = _pattern(name).search(text)
    if match is None:
        raise ValueError(f"no block {name!r} between markers in the text")
    return match[2].strip()


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}:begin -->\n)(.*?)(<!-- {name}:end -->)", re.DOTALL)
