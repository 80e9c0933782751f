"""Options of a detection resolved together, before a scene is looked at."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from lren_tf import detectors, presets, validators
from lren_tf.cli.options.detector import LREN, detector_from, lren_settings, refuse_lren_options
from lren_tf.cli.options.distribution import Distribution
from lren_tf.cli.options.files import RunFiles
from lren_tf.cli.options.long_training import LongRun
from lren_tf.cli.options.region import refuse_region
from lren_tf.cli.options.threshold import requested_threshold
from lren_tf.cli.trained_model import existing_model, refuse_training_options
from lren_tf.errors import InputError


def settled(arguments: argparse.Namespace) -> dict[str, Any]:
    """Resolve the options of the detector, before a scene is looked at.

    Returns:
        Detector, preset if there is one, all settings but the device, and the threshold; of a
        model that is applied, what replaces its settings.

    Raises:
        InputError: one of the options cannot be used, whatever the scene.
    """
    threshold = requested_threshold(arguments)
    refuse_region(arguments)
    found: dict[str, Any] = {"detector": arguments.detector}
    found["threshold"] = None if threshold is None else asdict(threshold)
    if arguments.detector != LREN:
        detectors.check_name(arguments.detector)
        refuse_lren_options(arguments)
        RunFiles(arguments)
        settings = detector_from(arguments).get_config()
        return {**found, "settings": {n: v for n, v in settings.items() if n != "device"}}
    if arguments.apply is not None:
        refuse_training_options(arguments)
        RunFiles(arguments)
        existing_model(arguments.apply)
        replaced = {"lam": applied_lam(arguments), "recalibrate": bool(arguments.recalibrate)}
        return {**found, "settings": replaced}
    preset, settings = lren_settings(arguments)
    LongRun(arguments, writes=Distribution(arguments).chief)
    resolved = presets.resolve(preset, **settings)
    refuse_recalibration(arguments)
    RunFiles(arguments).show_evidence(resolved.evidence if resolved.fuses_evidence else ())
    return {**found, "preset": preset, "settings": resolved.as_dict()}


def refuse_recalibration(arguments: argparse.Namespace) -> None:
    """Refuse ``--recalibrate`` without ``--apply``."""
    if arguments.recalibrate:
        raise InputError(
            "--recalibrate was given without --apply; expected it with a model that is trained, "
            "since a new one is calibrated on the scene, leave it out."
        )


def applied_lam(arguments: argparse.Namespace) -> float | None:
    """λ of ``--lam`` with ``--apply``, checked; None without it."""
    if arguments.lam is None:
        return None
    return validators.positive("lam", presets.parse("lam", arguments.lam))
