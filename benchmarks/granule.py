"""A granule of the size of EMIT's as three kinds of file: seconds and memory of a detection.

The same simulated reflectances, float32, lie as ENVI BIL without compression, as a GeoTIFF in
tiles, and as netCDF in compressed chunks. ``lren-tf detect`` with its defaults, the preset
``robust``, and with RX runs on each in a process of its own: seconds of the whole process, and the
largest RssAnon that was seen of it, so that pages of a mapped file do not count.

``python -m benchmarks.granule`` writes ``benchmarks/results/granule.json``; with ``--shape`` it
prints only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import numpy.typing as npt
import rasterio
import spectral

from benchmarks.record import keep, print_table
from experiments.reporting.provenance import ROOT
from lren_tf import datasets, load_map, metrics
from lren_tf.runtime.peak_memory import anonymous_bytes

SHAPE = (1280, 1242, 285)
"""Lines, samples and bands of a granule of EMIT."""
TILE = 256
DETECTORS = ("lren", "rx")
_INTERVAL_S = 0.02

Cube = npt.NDArray[np.float32]


def envi(cube: Cube, folder: Path) -> Path:
    """Write an ENVI image, BIL."""
    header = folder / "granule.hdr"
    spectral.envi.save_image(str(header), cube, interleave="bil")
    return header


def geotiff(cube: Cube, folder: Path) -> Path:
    """Write a GeoTIFF of compressed tiles that hold all bands of a pixel together."""
    height, width, bands = cube.shape
    path = folder / "granule.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=bands, dtype="float32",
        tiled=True, blockxsize=TILE, blockysize=TILE, interleave="pixel", compress="deflate",
        zlevel=1, bigtiff="yes", crs="EPSG:32611",
        transform=rasterio.Affine(60.0, 0.0, 500000.0, 0.0, -60.0, 4000000.0),
    ) as image:  # fmt: skip
        for row in range(0, height, TILE):
            strip = cube[row : row + TILE]
            window = rasterio.windows.Window(0, row, width, len(strip))
            image.write(np.ascontiguousarray(strip.transpose(2, 0, 1)), window=window)
    return path


def netcdf(cube: Cube, folder: Path) -> Path:
    """Write netCDF with chunks of all bands, compressed as EMIT's are."""
    path = folder / "granule.nc"
    with h5netcdf.File(path, "w") as file:
        file.dimensions = dict(zip(("downtrack", "crosstrack", "bands"), cube.shape, strict=True))
        variable = file.create_variable(
            "reflectance", tuple(file.dimensions), np.float32, compression="gzip",
            compression_opts=1, chunks=(*(min(64, side) for side in cube.shape[:2]), cube.shape[2]),
        )  # fmt: skip
        for row in range(0, len(cube), 64):
            variable[row : row + 64] = cube[row : row + 64]
    return path


FORMS = {"ENVI BIL": envi, "GeoTIFF, deflated tiles": geotiff, "netCDF, deflated chunks": netcdf}


def measured(scene: Path, detector: str, truth: np.ndarray) -> dict[str, Any]:
    """Seconds and memory of ``lren-tf detect``, and how well it detects."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "lren_tf", "detect", str(scene), "--detector", detector,
             "--out", f"{out}/map"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        largest = 0
        while process.poll() is None:
            largest = max(largest, anonymous_bytes(process.pid) or 0)
            time.sleep(_INTERVAL_S)
        seconds = time.perf_counter() - start
        if process.returncode:
            assert process.stderr is not None
            raise SystemExit(process.stderr.read()[-2000:])
        score = load_map(next(Path(out).glob("map/*_score.npy")))
    return {
        "seconds": seconds,
        "peak_anonymous_bytes": largest,
        "auc_pd_pf": float(metrics.auc_pd_pf(score, truth)),
    }


def main() -> None:
    """Measure; write what is of the full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, metavar=("LINES", "SAMPLES", "BANDS"))
    shape = tuple(parser.parse_args().shape or SHAPE)
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        scene = datasets.simulate(*shape, seed=1, endmembers=20)
        cube, truth = scene.cube.astype(np.float32), scene.truth
        assert truth is not None
        paths = {form: write(cube, Path(folder)) for form, write in FORMS.items()}
        del scene, cube
        for form, path in paths.items():
            raw = path.with_suffix(".img") if path.suffix == ".hdr" else path
            for detector in DETECTORS:
                case = {"form": form, "detector": detector, "bytes": raw.stat().st_size}
                cases.append(case | measured(path, detector, truth))
                print(cases[-1], flush=True)
    print_table(
        " × ".join(map(str, shape)),
        [
            (
                f"{c['detector']}, {c['form']}",
                f"{c['seconds']:.0f} s, {c['peak_anonymous_bytes'] / 2**30:.2f} GiB, "
                f"AUC {c['auc_pd_pf']:.4f}",
            )
            for c in cases
        ],
    )
    if shape == SHAPE:
        keep({"benchmark": "granule", "shape": shape, "cases": cases})


if __name__ == "__main__":
    main()
