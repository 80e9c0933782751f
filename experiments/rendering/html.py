"""HTML from the Markdown that `render` writes: tables, paragraphs, headings, bold and code.

Everything is escaped, and there are no links: what comes out needs nothing from elsewhere.
Other Markdown stays as it was typed.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

_RULE = re.compile(r":?-+:?")


def to_html(text: str) -> str:
    """``text`` as HTML blocks."""
    blocks = []
    kinds = groupby(text.splitlines(), key=_kind)
    for kind, group in kinds:
        lines = list(group)
        if kind == "table":
            blocks.append(_table([_cells(line) for line in lines]))
        elif kind == "heading":
            blocks += [f"<h4>{inline(line.lstrip('#').strip())}</h4>" for line in lines]
        elif kind == "text":
            blocks.append(f"<p>{inline(' '.join(line.strip() for line in lines))}</p>")
    return "\n".join(blocks)


def inline(text: str) -> str:
    """One line of text with ``**bold**`` and ```code``` as HTML."""
    # Code is taken out first: asterisks in it mean themselves.
    parts = re.split(r"`([^`]+)`", escape(text.replace("\0", "").replace(r"\|", "|")))
    code = parts[1::2]
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", "\0".join(parts[::2]))
    for span in code:
        bold = bold.replace("\0", f"<code>{span}</code>", 1)
    return bold


def table(header: list[str], rows: list[list[str]], left: frozenset[int] = frozenset({0})) -> str:
    """A table of HTML cells that can scroll sideways; columns in ``left`` are not numbers."""

    def cell(tag: str, index: int, html: str, scope: str = "") -> str:
        align = "" if index in left else ' class="number"'
        return f"<{tag}{scope}{align}>{html}</{tag}>"

    head = "".join(cell("th", i, html, ' scope="col"') for i, html in enumerate(header))
    body = "\n".join(
        "<tr>"
        + "".join(
            cell("td", i, html) if i else cell("th", i, html, ' scope="row"')
            for i, html in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="scroll"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    if line.startswith("|"):
        return "table"
    return "heading" if re.match("#+ ", line) else "text"


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _table(rows: list[list[str]]) -> str:
    header, body, left = rows[0], rows[1:], frozenset({0})
    if body and all(_RULE.fullmatch(cell) for cell in body[0]):
        left = frozenset(i for i, cell in enumerate(body[0]) if not cell.endswith(":"))
        body = body[1:]
    html = [[inline(cell) for cell in row] for row in (header, *body)]
    return table(html[0], html[1:], left)
