"""The HTML of a page: figures, values and script in one file."""

from __future__ import annotations

import base64
import html
import json
import zlib
from importlib import resources

import numpy as np

from lren_tf.records import plain
from lren_tf.version import __version__
from lren_tf.viewer.contents import Contents, evidence_names
from lren_tf.viewer.figures import COLOURS, axis_of, check_bokeh, figures_of, widths_of

_LITTLE = {"float64": "<f8", "float32": "<f4", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1"}


def page_html(contents: Contents) -> str:
    """Return the page of contents, one HTML document that loads nothing.

    Raises:
        InputError: Bokeh is not installed.
    """
    check_bokeh()
    from bokeh.embed import components
    from bokeh.palettes import Cividis256
    from bokeh.resources import Resources

    record = contents.record
    script, places = components(dict(figures_of(record)))
    values = {
        **record,
        "axis": axis_of(record),
        "widths": widths_of(record),
        "colours": COLOURS,
        "palette": Cividis256,
        "evidenceNames": evidence_names(record["detections"]),
        "arrays": {
            name: {"type": array.dtype.name, "shape": array.shape}
            for name, array in contents.arrays.items()
        },
    }
    parts = {
        "TITLE": html.escape(f"{record['name']}: {record['title']}"),
        "NAME": html.escape(record["name"]),
        "DETECTOR": html.escape(record["title"]),
        "SIZE": f"{record['rows']} × {record['columns']} pixels, {record['bands']} bands",
        "VERSION": html.escape(__version__),
        "NOTES": "".join(f"<li>{html.escape(note)}</li>" for note in record["notes"]),
        "STYLE": _asset("page.css"),
        "PICTURE": places["picture"],
        "SCORE": places["score"],
        "SPECTRA": places["spectra"],
        "CONTRIBUTIONS": places["contributions"],
        "VALUES": _in_script(json.dumps(plain(values), allow_nan=False)),
        "ARRAYS": "".join(_packed(name, each) for name, each in contents.arrays.items()),
        "BOKEH": "\n".join(
            f"<script>{code}</script>"
            for code in Resources(mode="inline", components=["bokeh"]).js_raw
        ),
        "FIGURES": script,
        "SCRIPT": f"<script>{_asset('page.js')}</script>",
    }
    # One pass, so that no value can be taken for the name of another.
    pieces = _asset("page.html").split("{{")
    found = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        found += [parts[name], rest]
    return "".join(found)


def _asset(name: str) -> str:
    return resources.files("lren_tf.viewer").joinpath(name).read_text("utf-8")


def _in_script(text: str) -> str:
    """Text that cannot end the element it stands in."""
    return text.replace("<", "\\u003c")


def _packed(name: str, array: np.ndarray) -> str:
    stored = np.ascontiguousarray(array, _LITTLE[array.dtype.name])
    text = base64.b64encode(zlib.compress(stored.tobytes(), 6)).decode("ascii")
    return f'<script type="application/octet-stream" id="array-{name}">{text}</script>\n'


