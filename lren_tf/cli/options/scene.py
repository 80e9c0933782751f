"""Scene of a command: the options that read it, its description and its ground truth."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lren_tf.cli.console import renamed
from lren_tf.data.pseudo_colour import pseudo_colour
from lren_tf.data.scene import Scene
from lren_tf.datasets.by_name import SIMULATED, is_name, scene_by_name, scene_names
from lren_tf.errors import InputError
from lren_tf.io import load_scene
from lren_tf.io.formats.envi_pair import header_of
from lren_tf.io.load import scene_stem
from lren_tf.runtime.files import as_path, ensure_writable_target

_OF_FILES = {
    "key": "key", "truth_key": "truth_key", "truth": "truth", "mask": "mask",
    "no_data": "no_data", "bands": "bands", "drop_water_bands": "drop_water", "axes": "axes",
    "raw": "raw", "mask_bands": "mask_bands", "mask_values": "mask_values",
}  # fmt: skip
"""Options that say how a file is read, and what `load_scene` calls them."""
_TOLD = ("scene", *_OF_FILES, "background", "review")
"""Options that say which scene is scored, and against what."""


def output_path(arguments: argparse.Namespace, ending: str) -> Path:
    """File to write for a scene, proved to be writable; its name is the scene's + `ending`."""
    name = arguments.scene
    stem = name if is_name(name) else scene_stem(Path(name))
    return ensure_writable_target(Path(arguments.out) / f"{stem}{ending}")


def refuse_to_replace_another_scene(arguments: argparse.Namespace, report: Path) -> None:
    """Refuse to write over the results of a scene of the same name and another file.

    Args:
        report: the file that tells which scene the results in a folder are of.

    Raises:
        InputError: it is that of another file, which is still there.
    """
    try:
        source = json.loads(report.read_text("ascii"))["scene"]["source"]
    except (OSError, ValueError, LookupError, TypeError):
        return  # nothing is there, or no report of a scene
    name = arguments.scene
    if is_name(name) or not isinstance(source, str) or not os.path.exists(source):
        return
    if os.path.samefile(source, name) or _of_one_pair(Path(source), Path(name)):
        return
    raise InputError(
        f"{report} and the files beside it are results of {source}, which those of {name} would "
        "replace; expected results of one scene, choose another folder with --out."
    )


def _of_one_pair(first: Path, second: Path) -> bool:
    """Return whether two files are the header and the values of one ENVI image."""
    headers = {first.suffix.lower(), second.suffix.lower()}
    if ".hdr" not in headers or len(headers) == 1:
        return False
    header, values = (first, second) if first.suffix.lower() == ".hdr" else (second, first)
    found = header_of(values)
    return found is not None and os.path.samefile(found, header)


def check_scene(arguments: argparse.Namespace) -> None:
    """Refuse what can be refused without reading a file."""
    name = arguments.scene
    if not is_name(name):
        if not os.path.exists(as_path(name)):
            raise InputError(
                f"{name} does not exist; expected a file, a benchmark scene "
                f"({', '.join(scene_names())}) or '{SIMULATED}', check the path."
            )
    else:
        for option in _OF_FILES:
            if getattr(arguments, option) not in (None, False):
                raise InputError(
                    f"--{option.replace('_', '-')} was given with {name!r}; expected a file with "
                    "it, leave it out."
                )
    _check_no_data(arguments)


def reading_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `load_scene` that the options give."""
    return {
        name: getattr(arguments, option) for option, name in _OF_FILES.items()
        if getattr(arguments, option) not in (None, False)
    }  # fmt: skip


def read_scene(arguments: argparse.Namespace) -> Scene:
    """The scene that the arguments name."""
    check_scene(arguments)
    name = arguments.scene
    if not is_name(name):
        with renamed(drop_water="drop_water_bands"):
            return load_scene(name, **reading_options(arguments))
    return scene_by_name(name)


def reading_record(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a report says of the options that read the scene, to read it again."""
    return {name: getattr(arguments, name) for name in _TOLD}


def arguments_of(record: dict[str, Any]) -> argparse.Namespace:
    """Return the options that `reading_record` told."""
    # Earlier versions did not know these.
    told = {"mask_bands": None, "mask_values": None, **record}
    return argparse.Namespace(**{name: told[name] for name in _TOLD})


def read_usable_scene(arguments: argparse.Namespace) -> Scene:
    """The scene, refused at once for what makes every detector refuse it."""
    scene = read_scene(arguments)
    scene.check_usable()
    return scene


def described(scene: Scene, seconds: float) -> str:
    """One line: size, truth, type, and how long reading took."""
    truth = "no truth" if scene.truth is None else f"{np.count_nonzero(scene.truth)} anomalous"
    valid = "" if scene.valid is None else f", {scene.valid_count} valid"
    good = "" if scene.good_bands is None else f" ({np.count_nonzero(scene.good_bands)} good)"
    size = f"{scene.height} × {scene.width} pixels ({truth}{valid}), {scene.bands} bands{good}"
    return f"{scene.name}: {size} of {scene.rows.dtype}, read in {seconds:.1f} s"


def judging_truth(scene: Scene) -> np.ndarray | None:
    """The truth if scores can be judged by it; warns about a truth of one class, which cannot."""
    if scene.truth is None:
        return None
    seen = scene.truth if scene.valid is None else scene.truth[scene.valid]
    if seen.all() or not seen.any():
        kind = "background" if seen.all() else "anomalous"
        warnings.warn(f"the truth has no {kind} pixel: no metrics are computed.", stacklevel=2)
        return None
    return scene.truth


def pictures(scene: Scene) -> tuple[np.ndarray, np.ndarray | None]:
    """Pseudo-colour picture and truth for a figure, NaN where the scene holds no data."""
    truth: np.ndarray | None = scene.truth
    if truth is not None and scene.valid is not None:
        truth = np.where(scene.valid, truth, np.nan)
    return pseudo_colour(scene), truth


def judged(score: np.ndarray, truth: np.ndarray | None) -> dict[str, Any] | None:
    """Every metric of a score map, or None without a truth to judge it by."""
    if truth is None:
        return None
    from lren_tf.evaluation import metrics  # scikit-learn takes its time to import

    return metrics.evaluate(score, truth)


def _check_no_data(arguments: argparse.Namespace) -> None:
    for part in () if arguments.no_data is None else arguments.no_data.split(","):
        try:
            float(0 if part.strip() == "file" else part)
        except ValueError:
            raise InputError(
                f"--no-data is {arguments.no_data!r}; expected a number, or nan for no such value."
            ) from None
