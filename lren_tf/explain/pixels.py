"""Explaining pixels of a scene: which detectors can be explained, and how."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lren_tf.data.filled_pixels import FilledPixels
from lren_tf.data.scene import Scene
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.detectors.usable_scene import usable_scene
from lren_tf.errors import InputError
from lren_tf.explain.background import SpectralBackground, spectral_background
from lren_tf.explain.explanation import MAHALANOBIS, RESIDUAL, Explanation
from lren_tf.explain.mahalanobis import mahalanobis

EXPLAINED = {"rx": "RX", "lrx": "LRX"}
"""Detectors whose scores are explained: their modules and classes."""
_DISTANCE = "squared Mahalanobis distance"


def check_explainable(by: Any) -> None:
    """Refuse detectors and models whose scores cannot be split into contributions of bands.

    Args:
        by: a detector or a model.

    Raises:
        InputError: it is neither RX, LRX nor a fitted LREN.
    """
    if _is_lren(by) or isinstance(by, _explained_detectors()):
        return
    from lren_tf.detectors.base import Detector  # and scikit-learn with it

    what = by.title if isinstance(by, Detector) else type(by).__name__
    hint = ""
    if isinstance(by, Detector) and by.name == "lren":
        hint = "; pass the fitted lren_tf.LREN instead of the detector that trains one"
    raise InputError(
        f"no contributions of bands are known of {what}; expected the detector rx or lrx, or a "
        f"fitted lren_tf.LREN{hint}."
    )


def explain_pixels(
    by: Any,
    scene: Any,
    at: Sequence[tuple[int, int]],
    *,
    labels: np.ndarray | None = None,
    background: SpectralBackground | None = None,
    recalibrate: bool = False,
    residual: np.ndarray | None = None,
) -> list[Explanation]:
    """Return which bands made pixels anomalous.

    RX and LRX: exact contributions to the squared distance. A fitted LREN: integrated gradients
    of energy or evidence from the mean of the nearest background pixels
    (:mod:`lren_tf.explain.network`), or the residual of the low-rank step decoded to the bands.

    Args:
        by: the detector ``rx`` or ``lrx``, or a fitted :class:`lren_tf.LREN`.
        scene: the scene that was scored, or its cube ``[H, W, B]``.
        at: row and column of each pixel, from 0.
        labels: ``[H, W]``, 0 for background, else the label of a detection
            (:func:`lren_tf.evaluation.detections.detection_labels`); only LREN's energy and
            evidence use it.
        background: from :func:`lren_tf.explain.background.spectral_background`; None to sample
            it. Only LREN's energy and evidence use it.
        recalibrate: as for ``LREN.score``.
        residual: A of the low-rank step of the whole scene, ``[N, l]``, from ``LREN.decompose``
            or ``LREN.scored``; None to run that step again. Only LREN's residual uses it.

    Returns:
        One for each pixel, in the order of `at`.

    Raises:
        InputError: `by` cannot be explained, the scene cannot be used, or a pixel is outside of
            it or holds no data.
    """
    check_explainable(by)
    scene = scene if isinstance(scene, Scene) else usable_scene(scene)
    pixels = list(_checked(at, scene))
    if not pixels:
        return []
    if not _is_lren(by):
        scene.check_usable()
        found = _of_rx(by, scene, pixels) if by.name == "rx" else _of_lrx(by, scene, pixels)
        return [_exact(scene, pixel, parts) for pixel, parts in zip(pixels, found, strict=True)]
    if by.settings.scoring == "residual":
        return _of_residual(by, scene, pixels, residual)
    from lren_tf.explain.network import explain_network

    if background is None:
        background = spectral_background(scene, None if labels is None else labels > 0)
    return explain_network(by, scene, pixels, background, labels, recalibrate=recalibrate)


def _is_lren(by: Any) -> bool:
    # Nobody has an instance of a class that is not imported, and importing it takes seconds.
    module = sys.modules.get("lren_tf.model.lren")
    return module is not None and isinstance(by, module.LREN)


def _explained_detectors() -> tuple[type, ...]:
    return tuple(
        getattr(importlib.import_module(f"lren_tf.detectors.{module}"), name)
        for module, name in EXPLAINED.items()
    )


def _checked(at: Sequence[tuple[int, int]], scene: Scene) -> Iterator[tuple[int, int]]:
    for row, column in at:
        inside = 0 <= row < scene.height and 0 <= column < scene.width
        if not inside or (scene.valid is not None and not scene.valid[row, column]):
            problem = "holds no data" if inside else "is outside the image"
            raise InputError(
                f"row {row}, column {column} {problem}; expected a pixel of {scene.height} × "
                f"{scene.width} with data, counted from 0."
            )
        yield int(row), int(column)


def _good(scene: Scene) -> np.ndarray:
    return np.ones(scene.bands, bool) if scene.good_bands is None else scene.good_bands


def _exact(scene: Scene, pixel: tuple[int, int], parts: np.ndarray) -> Explanation:
    bands = np.full(scene.bands, np.nan)
    bands[_good(scene)] = parts
    return Explanation(*pixel, MAHALANOBIS, _DISTANCE, float(parts.sum()), 0.0, bands, 0.0)


def _of_rx(by: Any, scene: Scene, pixels: list[tuple[int, int]]) -> np.ndarray:
    good = _good(scene)
    known = scene.of_background().valid_pixels[:, good]
    background = GlobalBackground.of(known, by.ridge)
    rows, columns = np.array(pixels).T
    return background.contributions(scene.cube[rows, columns][:, good])


def _of_lrx(by: Any, scene: Scene, pixels: list[tuple[int, int]]) -> list[np.ndarray]:
    from lren_tf.detectors.parts import dual_window
    from lren_tf.detectors.parts.background_only import BackgroundOnly

    image = FilledPixels(scene)
    bands = image.shape[1]
    rings = dual_window.Rings(*image.grid, by.inner, by.outer)
    shown = image if scene.background is None else BackgroundOnly(image, scene.background)
    low, span = dual_window.checked_range(*shown.extremes())
    width = scene.width
    found = []
    for row, column in pixels:
        place = row * width + column
        members = rings.of(slice(place, place + 1))[0]
        first, last = int(members.min()) // width, int(members.max()) // width + 1
        strip = (shown.rows(first, last).reshape(-1, bands) - low) / span
        ring = strip[members - first * width]
        C = np.cov(ring, rowvar=False).reshape(bands, bands)
        C.flat[:: bands + 1] += by.delta
        own = (image[np.array([place])][0].astype(np.float64) - low) / span
        found.append(mahalanobis(own, ring.mean(axis=0), C))
    return found


def _of_residual(
    model: Any, scene: Scene, pixels: list[tuple[int, int]], residual: np.ndarray | None
) -> list[Explanation]:
    """The residual A of eq. (1) as a spectrum: decoded Z less decoded Z − A."""
    import tensorflow as tf

    rows, columns = np.array(pixels).T
    places = rows * scene.width + columns
    A = (model.decompose(scene).A if residual is None else residual)[places]
    spectra = scene.cube[rows, columns]
    scaler = model.scaler_state.load()
    found = np.full((len(pixels), scene.bands), np.nan)
    if model.settings.low_rank_space == "original":
        found[:, scaler.used] = A * (scaler.std * scaler.span)[scaler.used]
    else:
        z = tf.cast(model(spectra)["latent"], tf.float32)

        def decoded(latent: Any) -> np.ndarray:
            x = model.decoder_output(model.decoder_hidden(latent))
            return model.scaler_state.in_sensor_units(x, spectra).numpy().astype(np.float64)

        spectrum = decoded(z) - decoded(z - tf.cast(A, tf.float32))
        found[:, scaler.used] = spectrum[:, scaler.used]
    return [
        Explanation(
            row, column, RESIDUAL, "residual of the low-rank step, units of the scene",
            np.nan, np.nan, bands, np.nan,
        )
        for (row, column), bands in zip(pixels, found, strict=True)
    ]  # fmt: skip
