"""Styles of maps for QGIS (`.qml`), which it applies to a raster of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from matplotlib import colormaps
from matplotlib.colors import to_hex

from lren_tf.evaluation.detections import BACKGROUND, DETECTED, NO_DATA

_MASK = (
    # value, colour, opacity, label
    (BACKGROUND, "#000000", 0, "background"),
    (DETECTED, "#ff00ff", 255, "detected"),
    (NO_DATA, "#9e9e9e", 128, "no data"),
)


def write_score_style(path: Path, stops: Sequence[tuple[float, str]]) -> None:
    """Write a style in which colours run from one value to the next.

    Args:
        path: the file; not atomic, so pass a temporary path.
        stops: values and their labels, two or more, rising.
    """
    values = [value for value, _ in stops]
    root, pipe = _document()
    renderer = ElementTree.SubElement(
        pipe, "rasterrenderer", type="singlebandpseudocolor", band="1", opacity="1",
        alphaBand="-1", nodataColor="", classificationMin=repr(values[0]),
        classificationMax=repr(values[-1]),
    )  # fmt: skip
    ElementTree.SubElement(renderer, "rasterTransparency")
    shader = ElementTree.SubElement(renderer, "rastershader")
    ramp = ElementTree.SubElement(
        shader, "colorrampshader", colorRampType="INTERPOLATED", clip="0",
        classificationMode="1", minimumValue=repr(values[0]), maximumValue=repr(values[-1]),
    )  # fmt: skip
    colours = colormaps["viridis"]
    for number, (value, label) in enumerate(stops):
        ElementTree.SubElement(
            ramp, "item", value=repr(value), label=label, alpha="255",
            color=to_hex(colours(number / (len(stops) - 1))),
        )  # fmt: skip
    _write(path, root)


def write_mask_style(path: Path) -> None:
    """Write a style of a mask: detections in one colour, the background transparent.

    Args:
        path: the file; not atomic, so pass a temporary path.
    """
    root, pipe = _document()
    renderer = ElementTree.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1",
        nodataColor="",
    )  # fmt: skip
    ElementTree.SubElement(renderer, "rasterTransparency")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for value, colour, opacity, label in _MASK:
        ElementTree.SubElement(
            palette, "paletteEntry", value=str(value), color=colour, alpha=str(opacity),
            label=label,
        )  # fmt: skip
    _write(path, root)


def _document() -> tuple[ElementTree.Element, ElementTree.Element]:
    root = ElementTree.Element(
        "qgis", version="3.22.0", styleCategories="Symbology", hasScaleBasedVisibilityFlag="0"
    )
    pipe = ElementTree.SubElement(root, "pipe")
    provider = ElementTree.SubElement(pipe, "provider")
    # Pixels as they are: a smoothed one has a score that nothing has computed.
    ElementTree.SubElement(
        provider, "resampling", zoomedInResamplingMethod="nearestNeighbour",
        zoomedOutResamplingMethod="nearestNeighbour", maxOversampling="2", enabled="false",
    )  # fmt: skip
    return root, pipe


def _write(path: Path, root: ElementTree.Element) -> None:
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    kind = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
    path.write_text(f"{kind}\n{text}\n", encoding="utf-8")
