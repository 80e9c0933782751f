"""Index page of a batch: one HTML file that links the results, with a thumbnail of each scene."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from lren_tf.runtime.files import atomic_path

_THUMBNAIL_PIXELS = 480
_COLUMNS = {
    "scene": "scene", "time": "time", "size": "size", "detections": "detections",
    "detected_pixels": "pixels", "auc_pd_pf": "AUC(Pd,Pf)", "seconds": "seconds",
}  # fmt: skip
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; }
table { border-collapse: collapse; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.failed td { background: #fdecea; }
img { max-width: 240px; height: auto; display: block; }
"""


class Card(NamedTuple):
    """Row of a scene in the table of scenes, and its picture if any."""

    row: dict[str, Any]
    picture: Path | None


def index_page(cards: Sequence[Card], folder: Path) -> str:
    """The page; failed scenes stand first.

    Thumbnails that are missing or older than their pictures are made on the way.

    Args:
        cards: one for each scene.
        folder: of the page, to which its links are relative.
    """
    failed = [card for card in cards if card.row["status"] == "failed"]
    done = [card for card in cards if card.row["status"] != "failed"]
    heading = f"{len(cards)} scene{'' if len(cards) == 1 else 's'}: {len(done)} done"
    heading += f", {len(failed)} failed" if failed else ""
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in _COLUMNS.values())
    rows = [_failed(card.row) for card in failed] + [_done(card, folder) for card in done]
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f"<title>lren-tf batch</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{heading}</h1>\n"
        f"<p>Detections: {sum(card.row['detections'] or 0 for card in cards)}, "
        f"{sum(card.row['detected_pixels'] or 0 for card in cards)} pixels. "
        "The same as a table: <a href='scenes.csv'>scenes.csv</a>.</p>\n"
        f"<table>\n<tr><th></th>{titles}</tr>\n"
        + "\n".join(rows)
        + "\n</table>\n</body>\n</html>\n"
    )


def thumbnail(picture: Path) -> Path:
    """The small picture beside a picture, made if it is missing or older.

    Raises:
        InputError: it cannot be written.
    """
    path = picture.with_name(f"{picture.stem}_thumbnail.png")
    if path.exists() and os.stat(path).st_mtime_ns >= os.stat(picture).st_mtime_ns:
        return path
    from PIL import Image

    with Image.open(picture) as image, atomic_path(path) as temporary:
        image.thumbnail((_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
        image.save(temporary, format="PNG")
    return path


def _failed(row: dict[str, Any]) -> str:
    text = f"<b>{_text(row['scene'])}</b> failed: {_text(row['reason'])}"
    return f"<tr class='failed'><td></td><td colspan='{len(_COLUMNS)}'>{text}</td></tr>"


def _done(card: Card, folder: Path) -> str:
    row = {**card.row, "size": "{rows} × {columns} × {bands}".format(**card.row)}
    small = ""
    if card.picture is not None:
        address = _href(thumbnail(card.picture), folder)
        image = f"<img loading='lazy' alt='{_text(row['scene'])}' src='{address}'>"
        small = _link(card.picture, folder, image)
    cells = [f"<td>{_link(folder / row['report'], folder, _text(row['scene']))}</td>"]
    for name in list(_COLUMNS)[1:]:
        value = row[name]
        if isinstance(value, float):
            value = f"{value:.4f}" if name == "auc_pd_pf" else f"{value:.1f}"
        number = " class='number'" if name not in ("time", "size") else ""
        cells.append(f"<td{number}>{_text(value)}</td>")
    return f"<tr><td>{small}</td>{''.join(cells)}</tr>"


def _link(path: Path, folder: Path, content: str) -> str:
    return f"<a href='{_href(path, folder)}'>{content}</a>"


def _href(path: Path, folder: Path) -> str:
    """A relative address; the bytes of a name that is no text are kept."""
    return quote(os.fsencode(os.path.relpath(path, folder).replace(os.sep, "/")))


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return html.escape(text.encode("utf-8", "backslashreplace").decode())
