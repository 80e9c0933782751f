"""Tables as pictures: how an area changes with a setting, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure

from lren_tf.errors import InputError
from lren_tf.plots.style import LABEL, NO_DATA_COLOUR, TICK, TITLE, new_figure

# Red below, white at, blue above the published value; told apart under every colour vision.
_DIFFERENCES = colormaps["RdBu"].with_extremes(bad=NO_DATA_COLOUR)

# Differences below this are those of rounding to four decimals: no scale is finer.
_FINEST = 1e-4


def sensitivity_heatmap(
    values: npt.ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    reference: npt.ArrayLike,
    *,
    measure: str = "AUC(Pd,Pf)",
    limit: float | None = None,
    title: str | None = None,
) -> Figure:
    """A number in each cell, its colour the distance to the published value of its column.

    Args:
        values: [settings, scenes]; NaN where a run gave none, drawn grey with a dash.
        rows: label of each setting.
        columns: name of each scene.
        reference: [scenes], the published value; NaN where there is none, and then the
            cells of that scene have no colour.
        measure: what the values are.
        limit: distance at which the colours end; None: the largest distance there is.
        title: of the figure.

    Raises:
        InputError: shapes that do not fit, an infinity, or a limit that is not above 0.
    """
    table, published = _checked(values, rows, columns, reference)
    distance = table - published
    largest = float(np.nanmax(np.abs(distance), initial=0.0))
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise InputError(f"limit is {limit!r}; expected a number above 0, or None.")
    end = max(largest, _FINEST) if limit is None else float(limit)
    wide = 0.075 * max(len(label) for label in rows)
    cell = max(1.15, 0.075 * max(len(name) for name in columns))
    figure = new_figure(wide + cell * len(columns) + 1.5, max(2.6, 0.28 * len(rows) + 1.1))
    axes = figure.add_subplot()
    # Grey where there is no value, white where there is nothing to compare one with.
    none = np.isnan(table)
    shown = np.where(np.isnan(distance), 0.0, distance)
    picture = axes.imshow(
        np.ma.array(shown, mask=none), cmap=_DIFFERENCES, vmin=-end, vmax=end, aspect="auto"
    )
    for (row, column), value in np.ndenumerate(table):
        axes.text(
            column, row, "–" if none[row, column] else f"{value:.4f}", ha="center", va="center",
            fontsize=TICK, color=_ink(float(shown[row, column] / end)),
        )  # fmt: skip
    axes.set_yticks(np.arange(len(rows)), list(rows), fontsize=TICK)
    heads = [
        f"{name}\n{'none published' if np.isnan(p) else f'published {p:.4f}'}"
        for name, p in zip(columns, published, strict=True)
    ]
    axes.set_xticks(np.arange(len(columns)), heads, fontsize=TICK)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    # Lines between the cells keep two of one colour apart.
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="0.8", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    if title is not None:
        axes.set_title(title, fontsize=TITLE)
    beyond = limit is not None and largest > end
    bar = figure.colorbar(picture, ax=axes, pad=0.02, extend="both" if beyond else "neither")
    bar.set_label(f"{measure} − published", fontsize=LABEL)
    bar.ax.tick_params(labelsize=TICK)
    return figure


def _ink(share: float) -> str:
    """Black or white, whichever is read better on this share of the scale, -1 to 1."""
    red, green, blue, _ = _DIFFERENCES(0.5 + 0.5 * float(np.clip(share, -1.0, 1.0)))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def _checked(
    values: npt.ArrayLike, rows: Sequence[str], columns: Sequence[str], reference: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    try:
        table = np.asarray(values, dtype=np.float64)
        published = np.asarray(reference, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"values or reference does not form one array of numbers ({error}); expected rows "
            "of equal length; pass NaN where there is no number."
        ) from error
    expected = (len(rows), len(columns))
    if table.shape != expected or published.shape != expected[1:] or table.size == 0:
        raise InputError(
            f"values has shape {table.shape} and reference {published.shape}; expected "
            f"{expected} and {expected[1:]}, the numbers of labels, each at least 1."
        )
    if np.isinf(table).any() or np.isinf(published).any():
        raise InputError(
            "values or reference holds an infinity; expected finite numbers, NaN for none."
        )
    return table, published
