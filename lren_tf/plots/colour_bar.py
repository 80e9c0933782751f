"""Colour bars of maps: decades of the false-alarm rate, or scores."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lren_tf.plots.style import DECADES_LABEL, LABEL, TICK

LAST_DECADE = 4
"""Decades that the colours span. What lies beyond the fourth is extrapolated in a scene of usual
size, and all of it is worth a look."""


def colour_bar(
    figure: Figure,
    picture: AxesImage,
    axes: Axes | list[Axes],
    linear_label: str,
    *,
    decades: bool,
    under: bool = False,
) -> None:
    """Draw the colour bar of a picture.

    Args:
        figure: the figure.
        picture: one of those that share the colours.
        axes: beside which it stands.
        linear_label: of scores.
        decades: whether the colours are decades of the false-alarm rate.
        under: below the axes instead of to the right.
    """
    height = figure.get_size_inches()[1]
    label = DECADES_LABEL if decades else linear_label
    if not under and height < 3.6:
        label = label.replace(" (", "\n(")  # on one line it would be longer than the bar
    bar = figure.colorbar(
        picture,
        ax=axes,
        location="bottom" if under else "right",
        fraction=0.06,
        pad=0.02,
        aspect=max(30.0, 4.5 * height),  # a tall figure does not need a broad bar
        extend="max" if decades else "neither",
    )
    if decades:
        bar.set_ticks(range(LAST_DECADE + 1), labels=_decade_labels())
    bar.set_label(label, fontsize=LABEL)
    bar.ax.tick_params(labelsize=TICK)


def _decade_labels() -> list[str]:
    """1 in 10, 1 in 100, … with a thin space between thousands."""
    numbers = [f"{10**decade:,}" for decade in range(LAST_DECADE + 1)]
    return ["all", *(f"1 in {number.replace(',', chr(0x2009))}" for number in numbers[1:])]
