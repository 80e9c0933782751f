"""Style of all figures: canvas, type sizes, colours, line styles."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lren_tf.errors import InputError

DPI = 150
"""Dots per inch of every figure."""

SCORE_LABEL = "score (higher = more anomalous)"
"""Label of scores as they are."""
UNIT_SCORE_LABEL = "normalised score (higher = more anomalous)"
"""Label of scores that are normalised to [0, 1]."""
DECADES_LABEL = "estimated false-alarm rate (share of background)"
"""Label of scores in decades."""

# Okabe and Ito's palette, told apart under every common colour vision, but for its yellow and
# black (too faint on white; reads as an axis); a wine darker than all of them is added. Line
# styles change along with the colour, so that curves lying on each other all show and grey
# prints can be read.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
"""Colours of curves, in turn."""
LINE_STYLES = ("-", "--", "-.", ":")
"""Line styles of curves, in turn."""
ANOMALY_COLOUR = "#CC3311"  # a red and a blue that differ in lightness too
"""Colour of boxes of anomalies."""
BACKGROUND_COLOUR = "#0077BB"
"""Colour of boxes of the background."""
NO_DATA_COLOUR = "#9E9E9E"
"""Colour of pixels without data."""

TITLE, LABEL, TICK = 10, 9, 8  # points

Layout = Literal["constrained", "compressed", "tight"]
"""Layouts of Matplotlib that make room for labels."""


def new_figure(width: float, height: float, layout: Layout = "constrained") -> Figure:
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def wrapped(label: str, width: float) -> str:
    """``label`` broken at blanks to fit ``width`` inches of `LABEL`-sized type."""
    return textwrap.fill(label, max(6, int(width / 0.08)), break_long_words=False)


def need_some(items: Mapping[str, object], name: str) -> None:
    if not items:
        raise InputError(f"{name} is empty; expected at least one labelled entry; pass one.")


def line_styles(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and line style of each label, different for the first 28."""
    # 7 colours and 4 styles have no common divisor, so every pair comes up.
    return {
        label: {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": LINE_STYLES[i % len(LINE_STYLES)],
        }
        for i, label in enumerate(labels)
    }
