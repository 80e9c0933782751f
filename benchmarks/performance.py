"""The tables and the figure of ``docs/performance.md``, from the benchmarks' JSON files.

``python -m benchmarks.performance`` draws them again without measuring anything.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from benchmarks import tables
from experiments.reporting.markdown import fill_block
from experiments.reporting.provenance import ROOT
from lren_tf import plots
from lren_tf.plots.style import new_figure

PAGE = ROOT / "docs" / "performance.md"
FIGURE = ROOT / "docs" / "performance_growth.png"

_FROM: dict[str, tuple[str, Callable[[tables.Record], str]]] = {
    "settled": ("solver", tables.settled_table),
    "growth": ("scaling", tables.growth_table),
    "scenes": ("scaling", tables.scenes_table),
    "machines": ("scaling", tables.machines_table),
    "granule": ("granule", tables.granule_table),
    "batch": ("batch", tables.batch_table),
    "memory": ("memory", tables.memory_table),
    "workers": ("distribution", tables.workers_table),
    "trials": ("trials", tables.trials_table),
    "precision": ("precision", tables.precision_table),
}
"""Blocks of the page: the benchmark each is made of, and how."""


def blocks(results: Path = tables.RESULTS) -> dict[str, str]:
    """The blocks whose benchmark was run, by name."""
    found = {"cost": tables.cost_table(), "against": tables.against_table(results)}
    found["large"] = tables.large_scenes_table(tables.read("large_scenes", results))
    for name, (benchmark, table) in _FROM.items():
        record = tables.read(benchmark, results)
        if record is not None:
            found[name] = table(record)
    return found


def growth_figure(scaling: tables.Record) -> Figure:
    """Time per pixel and epoch over the pixels of a scene, and over its bands."""
    figure = new_figure(8.0, 3.2)
    over_pixels, over_bands = figure.subplots(1, 2, sharey=True)
    small = scaling["side"] ** 2
    reference = median(t for case in scaling["cases"] for t in case["beside_us"])
    cases = [case for case in scaling["cases"] if case["pixels"] != small]
    for limited, marker, label in (
        (False, "o", "held in memory"),
        (True, "s", "in bounded memory"),
    ):
        chosen = [case for case in cases if bool(case["memory_limit"]) is limited]
        x = [case["pixels"] for case in chosen]
        y = [case["us_per_pixel_and_epoch"] for case in chosen]
        if not limited:
            x, y = [small, *x], [reference, *y]
        over_pixels.plot(x, y, marker=marker, color=plots.COLOURS[int(limited)], label=label)
    over_pixels.axhline(
        1.3 * reference, color="grey", linestyle=":", label=f"1.3 times {small:,} pixels"
    )
    over_pixels.set_xscale("log")
    over_pixels.set_xlabel(f"pixels ({scaling['bands']} bands)")
    over_pixels.set_ylabel("µs per pixel and epoch")
    over_pixels.legend(fontsize=8)
    of_bands = [case for case in scaling["cases"] if case["pixels"] == small]
    over_bands.plot(
        [case["bands"] for case in of_bands],
        [case["us_per_pixel_and_epoch"] for case in of_bands],
        marker="o", color=plots.COLOURS[0],
    )  # fmt: skip
    over_bands.set_xlabel(f"bands ({small:,} pixels)")
    for axes in (over_pixels, over_bands):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    return figure


def fill(page: Path = PAGE) -> None:
    """Set every block of the page whose benchmark was run, and draw the figure."""
    for name, body in blocks().items():
        fill_block(name, body, page)
    scaling = tables.read("scaling")
    if scaling is not None:
        plots.save(growth_figure(scaling), FIGURE)


if __name__ == "__main__":
    fill()
    print(f"wrote {PAGE}")
