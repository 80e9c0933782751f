"""Pictures of the gallery and of the pages of detectors, on simulated scenes.

``python -m experiments.rendering.site.pictures`` makes them in ``build/pictures``, unless those
that are there are younger than the package.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import lren_tf
from experiments.rendering.site.made import FOLDER, is_current, sources
from lren_tf import detectors, metrics, plots
from lren_tf.data.pseudo_colour import pseudo_colour
from lren_tf.data.scene import Scene

PICTURES = FOLDER / "pictures"
QUICK = ("rx", "lrx", "crd", "aed")
SCENES = {
    "clear targets": {"seed": 4, "anomalies": 12},
    "faint targets": {"seed": 9, "anomalies": 12, "fill": (0.1, 0.3)},
    "much noise": {"seed": 14, "anomalies": 12, "noise_snr_db": 15.0},
}
"""Title -> arguments of `datasets.simulate` beside the size."""
SIZE = (48, 64, 40)
RATE = 1e-2


def files() -> list[Path]:
    """The pictures and pages that have been made."""
    return sorted(path for path in PICTURES.glob("*") if path.suffix in (".png", ".html"))


def own_detectors() -> list[str]:
    """Detectors of this package, without those of plug-ins."""
    return [
        name
        for name in detectors.names()
        if detectors.detector_class(name).__module__.startswith("lren_tf.")
    ]


def scene(title: str) -> Scene:
    """One of the scenes."""
    return lren_tf.datasets.simulate(*SIZE, **SCENES[title])


class Scores:
    """Score maps of every detector, made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], np.ndarray] = {}

    def of(self, name: str, title: str) -> np.ndarray:
        """The map [H, W] of a detector with its defaults; LREN's preset is then `robust`."""
        if (name, title) not in self._made:
            self._made[name, title] = detectors.create(name).score(scene(title))
        return self._made[name, title]


def main() -> int:
    """Make what is not current."""
    stamp = PICTURES / "stamp"
    if is_current(stamp, [*sources(), Path(__file__)]):
        return 0
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    scores = Scores()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, figure in _figures(scores):
            plots.save(figure, PICTURES / f"{name}.png")
            print(f"build/pictures/{name}.png", flush=True)
        _view(scores).save(PICTURES / "view.html")
    stamp.touch()
    return 0


def _figures(scores: Scores) -> Iterator[tuple[str, Figure]]:
    first = next(iter(SCENES))
    shown = scene(first)
    colours = {title: pseudo_colour(scene(title)) for title in SCENES}
    for name in own_detectors():
        maps = {detectors.detector_class(name).title: scores.of(name, first)}
        yield name, plots.detection_panel(colours[first], shown.truth, maps)
    every = {detectors.detector_class(n).title: scores.of(n, first) for n in own_detectors()}
    every["LREN, robust"] = every.pop("LREN")  # its default preset
    calibrated = ["LREN, robust"]
    yield (
        "every_detector",
        plots.detection_grid([(first, colours[first], shown.truth, every)], calibrated=calibrated),
    )
    some = {title: _some(scores, title) for title in SCENES}
    rows = [(title, colours[title], scene(title).truth, some[title]) for title in SCENES]
    yield "scenes", plots.detection_grid(rows, calibrated=calibrated)
    curves = {
        title: {
            label: metrics.roc_curve(score, scene(title).truth)
            for label, score in some[title].items()
        }
        for title in SCENES
    }
    yield "roc", plots.roc_grid(curves)
    yield "separability", plots.separability_grid(_boxes(some))
    robust = scores.of("lren", first)
    cut = -np.log10(RATE)
    found = lren_tf.find_detections(robust, cut)
    yield "score", plots.score_map(robust, "LREN, robust", calibrated=True)
    yield "mask", plots.detection_panel(
        colours[first], shown.truth, {"LREN, robust": robust},
        masks={f"{RATE:.0%} of false alarms": found.mask == 1}, calibrated=calibrated,
    )  # fmt: skip


def _some(scores: Scores, title: str) -> dict[str, np.ndarray]:
    maps = {detectors.detector_class(name).title: scores.of(name, title) for name in QUICK}
    return {**maps, "LREN, robust": scores.of("lren", title)}


def _boxes(some: dict[str, dict[str, np.ndarray]]) -> dict:
    box: Callable = metrics.box_whisker
    return {
        title: {label: box(score, scene(title).truth) for label, score in maps.items()}
        for title, maps in some.items()
    }


def _view(scores: Scores) -> object:
    first = next(iter(SCENES))
    rx = detectors.create("rx")
    return lren_tf.view(
        scene(first), scores.of("rx", first), by=rx, false_alarm_rate=RATE, title="RX"
    )


if __name__ == "__main__":
    raise SystemExit(main())
