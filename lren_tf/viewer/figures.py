"""The figures of a page, made with Bokeh: two maps, spectra, contributions of the bands.

They are created without values; the page's script fills their sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lren_tf.errors import InputError

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure

# Okabe and Ito, told apart under every common colour vision.
COLOURS = {
    "pixel": "#D55E00", "mean": "#E69F00", "ring": "#009E73", "component": "#0072B2",
    "nearest": "#AA4499", "positive": "#D55E00", "negative": "#0072B2", "marked": "#FF00FF",
}  # fmt: skip
NO_DATA_COLOUR = "#9E9E9E"
_STRIPS = "removed"
LINES = (
    # source, legend, colour, dash, width
    ("pixel", "pixel", COLOURS["pixel"], "solid", 2.5),
    ("mean", "mean of its detection", COLOURS["mean"], "dashed", 2),
    ("ring", "ring around it", COLOURS["ring"], "dotdash", 2),
    ("component_mean", "nearest background group, mean", COLOURS["component"], "solid", 1.5),
    ("nearest", "nearest background pixel", COLOURS["nearest"], "dotted", 2),
)


def _bokeh() -> Any:
    try:
        import bokeh.models
        import bokeh.plotting
    except ImportError:
        raise InputError(
            "a page of detections needs bokeh, which is not installed; run "
            "pip install 'lren-tf[view]'."
        ) from None
    return bokeh


def check_bokeh() -> None:
    """Refuse at once what would be refused when a page is made.

    Raises:
        InputError: Bokeh is not installed.
    """
    _bokeh()


def figures_of(record: dict[str, Any]) -> dict[str, Figure]:
    """Return the figures of a page: ``picture``, ``score``, ``spectra``, ``contributions``.

    Args:
        record: of `lren_tf.viewer.contents.Contents`.

    Raises:
        InputError: Bokeh is not installed.
    """
    bokeh = _bokeh()
    ranges = {
        "x_range": bokeh.models.Range1d(0, record["columns"], name="columns"),
        "y_range": bokeh.models.Range1d(record["rows"], 0, name="rows"),
    }
    maps = {
        name: _map(bokeh, name, label, record, ranges)
        for name, label in (("picture", "pseudo-colour"), ("score", f"score: {record['title']}"))
    }
    _colour_bar(bokeh, maps["score"], record["lastDecade"])
    spectra = _bands_figure(bokeh, "spectra", record, None)
    _lines(bokeh, spectra, axis_of(record))
    contributions = _bands_figure(bokeh, "contributions", record, spectra.x_range)
    _bars(bokeh, contributions, axis_of(record))
    for made in (spectra, contributions):
        # Strips of removed bands have no height that a range could be made of.
        made.y_range.update(renderers=[each for each in made.renderers if each.name != _STRIPS])
    return {**maps, "spectra": spectra, "contributions": contributions}


def axis_of(record: dict[str, Any]) -> np.ndarray:
    """Return where each band is drawn ``[B]``: its wavelength in nanometres, or its number."""
    if record["wavelengths"] is None:
        return np.arange(record["bands"], dtype=np.float64)
    return np.asarray(record["wavelengths"], np.float64)


def _map(
    bokeh: Any, name: str, label: str, record: dict[str, Any], ranges: dict[str, Any]
) -> Figure:
    height = int(np.clip(600 * record["rows"] / record["columns"], 300, 640))
    made = bokeh.plotting.figure(
        name=name, title=label, sizing_mode="stretch_width", frame_height=height,
        tools="pan,wheel_zoom,box_zoom,reset", active_scroll="wheel_zoom",
        toolbar_location=None, x_axis_label="column", y_axis_label="row", **ranges,
    )  # fmt: skip
    made.grid.visible = False
    made.background_fill_color = NO_DATA_COLOUR
    whole = {"x": [0], "y": [0], "dw": [record["columns"]], "dh": [record["rows"]]}
    for what in ("image", "mask"):
        source = bokeh.models.ColumnDataSource(
            {**whole, "image": [np.zeros((1, 1), np.uint32)]}, name=f"{name}_{what}"
        )
        made.image_rgba(
            "image", x="x", y="y", dw="dw", dh="dh", source=source
        )
    marks = bokeh.models.ColumnDataSource({"x": [], "y": [], "text": []}, name=f"{name}_marks")
    made.text(
        "x", "y", text="text", source=marks, text_color="white", text_outline_color="black",
        text_font_size="13px", text_font_style="bold", x_offset=6, y_offset=-4,
    )  # fmt: skip
    chosen = bokeh.models.ColumnDataSource({"x": [], "y": []}, name=f"{name}_chosen")
    for colour, width in (("black", 4), ("white", 2)):  # seen on every ground
        made.scatter(
            "x", "y", source=chosen, marker="cross", size=22, line_color=colour, line_width=width
        )
    return made


def _colour_bar(bokeh: Any, of: Figure, last: int) -> None:
    mapper = bokeh.models.LinearColorMapper(palette="Cividis256", low=0, high=last)
    names = {decade: f"1 in {10**decade:,}" for decade in range(1, last + 1)}
    of.add_layout(
        bokeh.models.ColorBar(
            color_mapper=mapper, ticker=bokeh.models.FixedTicker(ticks=list(range(last + 1))),
            major_label_overrides={0: "all", **names}, title="share of the background above",
            orientation="horizontal",
        ),
        "below",
    )  # fmt: skip


def _bands_figure(bokeh: Any, name: str, record: dict[str, Any], x_range: Any) -> Figure:
    axis = axis_of(record)
    known = record["wavelengths"] is not None
    margin = 0.01 * (np.ptp(axis) or 1.0)
    if x_range is None:
        x_range = bokeh.models.Range1d(axis.min() - margin, axis.max() + margin)
    made = bokeh.plotting.figure(
        name=name, sizing_mode="stretch_width", height=300, x_range=x_range, title=name,
        tools="pan,box_zoom,reset", toolbar_location=None, output_backend="canvas",
        x_axis_label="wavelength (nm)" if known else "band",
        y_axis_label=record["unit"] if name == "spectra" else "contribution",
    )  # fmt: skip
    # As a glyph, not as boxes: there may be a hundred of them.
    width = widths_of(record)
    removed = np.flatnonzero(record["removed"])
    if removed.size:
        source = bokeh.models.ColumnDataSource(
            {
                "left": axis[removed] - width[removed] / 2,
                "right": axis[removed] + width[removed] / 2,
            },
            name=f"{name}_removed",
        )
        made.vstrip(
            x0="left", x1="right", source=source, fill_color="#767676", fill_alpha=0.35,
            line_color=None, hatch_pattern="diagonal_cross", hatch_color="#767676",
            hatch_alpha=0.4, name=_STRIPS,
        )  # fmt: skip
    return made


def widths_of(record: dict[str, Any]) -> np.ndarray:
    """Return how wide each band is drawn ``[B]``: half of the way to its neighbours."""
    axis = axis_of(record)
    order = np.argsort(axis, kind="stable")
    gaps = np.diff(axis[order])
    if not gaps.size:
        return np.ones(axis.size)
    typical = float(np.median(gaps)) or 1.0
    out = np.empty(axis.size)
    nearest = np.minimum(np.append(gaps, typical), np.insert(gaps, 0, typical))
    # Bands of two spectrometers may lie at one wavelength.
    out[order] = np.clip(nearest, 0.2 * typical, typical)
    return out


def _lines(bokeh: Any, made: Figure, axis: np.ndarray) -> None:
    # Never without values, of which a range of the figure could not be made.
    band = bokeh.models.ColumnDataSource(
        {"x": axis, "low": 0 * axis, "high": 0 * axis + 1}, name="component_range"
    )
    made.varea(
        x="x", y1="low", y2="high", source=band, fill_color=COLOURS["component"], fill_alpha=0.2,
        legend_label="nearest background group, 5 to 95 %",
    )  # fmt: skip
    for name, legend, colour, dash, width in LINES:
        source = bokeh.models.ColumnDataSource({"x": [], "y": []}, name=name)
        made.line(
            "x", "y", source=source, line_color=colour, line_dash=dash, line_width=width,
            legend_label=legend,
        )  # fmt: skip
    shown = made.legend[0]
    shown.click_policy = "hide"
    shown.label_text_font_size = "11px"
    shown.background_fill_alpha = 0.7
    # Above, so that bands of both figures stand below each other.
    shown.orientation = "horizontal"
    shown.ncols = 3
    made.add_layout(shown, "above")


def _bars(bokeh: Any, made: Figure, axis: np.ndarray) -> None:
    source = bokeh.models.ColumnDataSource(
        {"x": axis, "top": 0 * axis + 1, "width": 0 * axis, "colour": ["black"] * axis.size},
        name="bars",
    )
    made.vbar(
        x="x", top="top", width="width", source=source, fill_color="colour", line_color=None
    )
    made.add_layout(bokeh.models.Span(location=0, dimension="width", line_color="#444444"))
