"""Records of a run for people and programs: strict JSON with its provenance.

Each function turns one part of a run into plain records; the caller combines them and writes
the file. TensorFlow is imported only by :func:`lren_tf.runtime.versions.versions`, which
:func:`run_record` calls when a model has imported it already.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lren_tf.data.band_selection import ranges_text
from lren_tf.data.scene import Scene, data_sha256
from lren_tf.runtime.versions import versions

if TYPE_CHECKING:
    import keras

    from lren_tf.detectors import Detector
    from lren_tf.latent.dictionary import Dictionary
    from lren_tf.latent.mixture import Mixture
    from lren_tf.low_rank.solve import LowRankResult
    from lren_tf.model.lren import LREN
    from lren_tf.model.scored import EvidenceDetails

def run_record(
    model: LREN,
    scene: Scene,
    history: keras.callbacks.History,
    result: LowRankResult | EvidenceDetails | None,
) -> dict[str, Any]:
    """Everything about one run that its own objects know.

    Args:
        model: fitted on `scene`.
        scene: what was trained on and scored.
        history: what `fit` returned.
        result: `details` of :class:`lren_tf.model.scored.Scored`.
    """
    atoms = {}
    if model.settings.scoring == "residual":
        atoms["dictionary"] = dictionary_record(model.dictionary, scene.width)
    return {
        "scene": scene_record(scene),
        "preset": model.preset,
        "settings": model.settings.as_dict(),
        "device": model.device,
        "training": training_record(history),
        **scoring_record(model, result),
        **atoms,
        "versions": versions(),
    }


def scoring_record(
    model: LREN, result: LowRankResult | EvidenceDetails | None
) -> dict[str, Any]:
    """Return how a model scored: its low-rank step, or backgrounds of its members and evidence.

    Args:
        model: fitted.
        result: `details` of :class:`lren_tf.model.scored.Scored`.
    """
    if model.settings.scoring == "residual":
        return {"solver": solver_record(cast("LowRankResult", result))}
    evidence = {} if result is None else {"evidence": cast("EvidenceDetails", result).record()}
    return {"background": [background_record(each) for each in model.backgrounds], **evidence}


def detector_record(detector: Detector) -> dict[str, Any]:
    """Record that makes a detector's map again: its name, every setting, the seed if any."""
    settings = detector.get_config()
    return {"detector": detector.name, "settings": settings, "seed": settings.get("seed")}


def scene_record(scene: Scene) -> dict[str, Any]:
    """Record of a scene's origin and values; `sha256` is that of the cube.

    What is known beyond that is entered where it is known only: the number of valid pixels,
    the bands left out, first and last wavelength in nanometres, the time of the measurement, what
    was done to the stored values, and the georeference.
    """
    more: dict[str, Any] = {}
    if scene.valid is not None:
        more["valid"] = scene.valid_count
    if scene.background is not None:
        more["background"] = int(np.count_nonzero(scene.background))
    if scene.good_bands is not None:
        more["bands_left_out"] = ranges_text(~scene.good_bands)
    if scene.wavelengths is not None:
        more["wavelengths"] = [scene.wavelengths.min(), scene.wavelengths.max()]
    if scene.acquired is not None:
        more["acquired"] = scene.acquired
    if scene.reading:
        more["reading"] = list(scene.reading)
    if scene.georeference is not None:
        georeference = scene.georeference
        more["georeference"] = {"crs": georeference.crs, "transform": georeference.transform}
    return {
        "name": scene.name,
        "source": scene.source,
        "shape": list(scene.shape),
        "dtype": str(scene.rows.dtype),
        "sha256": data_sha256(scene.cube),
        "simulated": scene.simulated,
        "anomalous": None if scene.truth is None else int(np.count_nonzero(scene.truth)),
        **more,
    }


def training_record(history: keras.callbacks.History) -> dict[str, Any]:
    """Epochs run and the last value of everything `fit` tracks."""
    last = {name: values[-1] for name, values in history.history.items() if values}
    return {"epochs": len(history.epoch), **last}


def solver_record(result: LowRankResult) -> dict[str, Any]:
    """Record of the low-rank step's end: objective, Frobenius norms of both residuals."""
    fit, split = result.residuals[-1]
    return {
        "iterations": result.iterations,
        "converged": result.converged,
        "objective": result.objective[-1],
        "residuals": {"X - W D - A": fit, "W - J": split},
    }


def background_record(background: Mixture) -> dict[str, Any]:
    """Components of a member's background and their shares of the pixels."""
    shares = [float(share) for share in background.phi]
    return {"components": sum(share > 0 for share in shares), "shares": shares}


def dictionary_record(dictionary: Dictionary, columns: int) -> dict[str, Any]:
    """Component and [row, column] of every atom; the pixel of a centroid is None.

    Args:
        dictionary: of a fitted model.
        columns: W of the scene it was fitted on.
    """
    return {
        "count": len(dictionary.atoms),
        "atoms": [
            {
                "component": component,
                "pixel": None if pixel < 0 else [pixel // columns, pixel % columns],
            }
            for component, pixel in zip(dictionary.components, dictionary.pixels, strict=True)
        ],
    }


def json_text(value: Any) -> str:
    """`value` as indented JSON that every parser reads: NaN and infinity become null.

    NumPy's numbers and arrays are written as plain ones. The text is ASCII, so a file name
    in any encoding survives.

    Raises:
        TypeError: something that JSON cannot hold.
    """
    text = json.dumps(plain(value), indent=2, allow_nan=False)
    # Lists of numbers on one line each. No string can match: in JSON it holds no line break.
    text = re.sub(r"\[\n\s+([^\[\]{}\"]+)\n\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    return text + "\n"


def plain(value: Any) -> Any:
    """`value` of what JSON has: lists, dictionaries by text, numbers; NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
