"""Options of detectors: settings from options, and a model or detector from settings."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_type_hints

from lren_tf import detectors, presets, validators
from lren_tf.cli.options.distribution import OPTIONS as DISTRIBUTION
from lren_tf.cli.options.distribution import Distribution
from lren_tf.errors import InputError
from lren_tf.runtime.startup import make_repeatable, quiet_start, repeatable_start
from lren_tf.settings import no_effect, unused_settings

if TYPE_CHECKING:
    from lren_tf.detectors import Detector

LREN = "lren"
"""The detector with options that no other has, whose report includes model and training."""

DEFAULT_PRESET = "robust"
"""Preset of the command line; `LREN()` itself is the paper's text."""

_ONLY_LREN = (
    "preset", "lam", "epochs", "save_model", "apply", "evidence", "recalibrate", "resume",
    "checkpoint_every", "tensorboard", "log", *DISTRIBUTION,
)


def lren_settings(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Preset and settings of the options, checked together.

    ``--lam``, ``--seed`` and ``--epochs`` are short for ``--set``, with the same refusals.
    """
    # No default of argparse: beside another detector the option itself is refused.
    preset = DEFAULT_PRESET if arguments.preset is None else arguments.preset
    asked = _asked(arguments, "seed", "lam", "epochs")
    settings = {name: presets.parse(name, text) for name, text in asked.items()}
    scoring = presets.resolve(preset, **settings).scoring
    for name in asked:
        # Even at its default: who gives it expects it to count.
        if name in unused_settings(scoring):
            raise no_effect(name, scoring)
    return preset, settings


def refuse_lren_options(arguments: argparse.Namespace) -> None:
    """Refuse the options of LREN beside another detector."""
    for name in _ONLY_LREN:
        if getattr(arguments, name) is not None:
            option = "--" + name.replace("_", "-")
            raise InputError(
                f"{option} was given with the detector {arguments.detector!r}; expected it with "
                f"--detector {LREN} only, leave it out; --set changes the detector's own settings."
            )


def detector_from(arguments: argparse.Namespace) -> Detector:
    """The detector of ``--detector`` with ``--seed``, ``--device`` and ``--set``."""
    asked = _asked(arguments, "seed", "device")
    with started_drawing():
        made = detectors.detector_class(arguments.detector)
        for name in ("seed", "device"):
            if getattr(arguments, name) is not None and name not in made.setting_names():
                raise InputError(
                    f"--{name} was given, but {made.title} has no {name}; expected it with a "
                    "detector that has one, leave it out."
                )
        return _create(arguments.detector, asked)


def detectors_from(names: list[str], seed: str | None) -> list[Detector]:
    """Detectors with their defaults, and with `seed` where they have one."""
    with started_drawing():
        seeded = [n for n in names if "seed" in detectors.detector_class(n).setting_names()]
        if seed is not None and not seeded:
            raise InputError(
                f"--seed was given, but no detector of {', '.join(names)} has a seed; expected it "
                "with one that has, leave it out."
            )
        made = [
            _create(name, {"seed": seed} if seed is not None and name in seeded else {})
            for name in names
        ]
        for detector in made:
            detector.prepare()
        return made


def lren_model(
    preset: str, settings: dict[str, Any], device: str | None, distribution: Distribution
) -> Any:
    """A new LREN."""
    with started():
        # First: a strategy of several processes has to exist before TensorFlow is used.
        options = distribution.model_options()
        from lren_tf.model.lren import LREN

        model = LREN(preset, device=device, **options, **settings)
    make_repeatable(model.device)
    return model


@contextmanager
def started() -> Iterator[None]:
    """Import TensorFlow, and keep it quiet while a body makes or loads an LREN."""
    with quiet_start():
        import tensorflow as tf

        _import_drawing()
        tf.get_logger().setLevel("ERROR")
        yield


def _asked(arguments: argparse.Namespace, *options: str) -> dict[str, str]:
    """Text by name of setting, from these options and from ``--set``."""
    asked = {n: getattr(arguments, n) for n in options if getattr(arguments, n) is not None}
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--set got {pair!r}; expected NAME=VALUE, such as components=5.")
        if name in asked:
            raise InputError(f"setting {name!r} is given twice; expected it once, leave one out.")
        asked[name] = value.strip()
    return asked


def _create(name: str, asked: Mapping[str, str]) -> Detector:
    return detectors.create(name, **parsed_settings(name, asked))


def parsed_settings(name: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a detector from their texts.

    Raises:
        InputError: an unknown detector, or what is no setting of it.
    """
    made = detectors.detector_class(name)
    kinds = get_type_hints(made)
    if "false_alarm_rate" in asked:
        # Of `predict` in Python; here it would change nothing.
        raise InputError(
            received=f"'false_alarm_rate' was set, which is no setting of {made.title}",
            expected="settings that change its scores",
            remedy="leave it out; --false-alarm-rate of detect gives a threshold",
        )
    return {n: validators.parse(text, kinds.get(n, str)) for n, text in asked.items()}


def _import_drawing() -> None:
    # Not first when a map is drawn: what is missing must not end a run that took an hour.
    importlib.import_module("lren_tf.plots")


@contextmanager
def started_drawing() -> Iterator[None]:
    """Keep TensorFlow quiet and repeatable, if a detector that the body imports brings it."""
    with repeatable_start():
        _import_drawing()
        yield
