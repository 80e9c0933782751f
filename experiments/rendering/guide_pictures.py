"""Pictures of docs/view.md and docs/gis.md: the page in a browser, and results as a GIS shows them.

``python -m experiments.rendering.guide_pictures`` makes them from a simulated scene; it needs
Chromium (named by CHROME, or in PATH), playwright, and the extras `geo` and `vector`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lren_tf import datasets
from lren_tf.cli import main as lren_tf_main

DOCS = Path(__file__).parents[2] / "docs"
SCENE = {"height": 120, "width": 150, "bands": 60, "seed": 12, "anomalies": 14}
TRANSFORM = (28.0, 6.0, 500000.0, 6.0, -28.0, 4500000.0)


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(folder / "harbour.tif")
        code = lren_tf_main([
            "detect", str(folder / "harbour.tif"), "--detector", "rx", "--set", "ridge=1e-3",
            "--false-alarm-rate", "1e-3", "--vector", "gpkg", "--view", "--out", str(folder),
        ])  # fmt: skip
        if code:
            raise SystemExit(code)
        photograph(folder / "harbour_view.html")
        draw_maps(folder)


def write_scene(path: Path) -> None:
    """Write the simulated scene as a GeoTIFF in UTM, turned, with wavelengths."""
    import rasterio
    from rasterio.transform import Affine

    cube = datasets.simulate(**SCENE).cube
    rows, columns, bands = cube.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=columns, count=bands, dtype="float32",
        crs="EPSG:32633", transform=Affine(*TRANSFORM),
    ) as image:  # fmt: skip
        image.write(np.moveaxis(cube, -1, 0))
        for band, wavelength in enumerate(np.linspace(420, 2400, bands), 1):
            image.set_band_description(band, f"{wavelength:.0f} nm")


def photograph(page: Path) -> None:
    """Write what a browser shows of a page: all of it, and a detection close by."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    chrome = os.environ.get("CHROME") or next(filter(None, map(shutil.which, names)), None)
    if chrome is None:
        raise SystemExit("no Chromium in PATH; name one by CHROME")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chrome, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1360, "height": 900})
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-ready=true]", timeout=60_000)
        tab.wait_for_timeout(1000)
        tab.screenshot(path=DOCS / "view_page.png", full_page=True)
        tab.locator("#rows tr").nth(2).click()
        for _ in range(2):
            tab.locator("#zoom-in").click()
        tab.wait_for_timeout(1000)
        tab.screenshot(path=DOCS / "view_detection.png", full_page=True)
        browser.close()


def draw_maps(folder: Path) -> None:
    """Write the score map with its style and the detections' polygons, on the map's coordinates."""
    import pyogrio.raw
    import rasterio
    import shapely

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(1, 2)
    with rasterio.open(folder / "harbour_score.tif") as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stops, colours = style_of(folder / "harbour_score.qml")
        shown = np.interp(image.read(1), stops, np.linspace(0, 1, len(stops)))
        palette = LinearSegmentedColormap.from_list("qml", colours)
        rows, columns = np.mgrid[: shown.shape[0] + 1, : shown.shape[1] + 1]
        corners = image.transform * (columns, rows)
        for each in axes:
            each.pcolormesh(*corners, shown, cmap=palette)
            each.set_aspect("equal")
    axes[0].set_title("harbour_score.tif with harbour_score.qml", fontsize=9)
    axes[1].set_title("with polygons of harbour_detections.gpkg", fontsize=9)
    for shape in shapely.from_wkb(pyogrio.raw.read(folder / "harbour_detections.gpkg",
                                                   layer="polygons")[2]):  # fmt: skip
        for part in shape.geoms:
            axes[1].plot(*part.exterior.xy, color="#ff00ff", lw=1.2)
    for each in axes:
        each.tick_params(labelsize=7)
        each.ticklabel_format(useOffset=False, style="plain")
    figure.savefig(DOCS / "gis_layers.png", dpi=110, metadata={"Software": None})


def style_of(path: Path) -> tuple[list[float], list[str]]:
    """Values and colours of a style for QGIS."""
    items = ElementTree.parse(path).findall(".//colorrampshader/item")
    return [float(each.get("value")) for each in items], [each.get("color") for each in items]


if __name__ == "__main__":
    main()
