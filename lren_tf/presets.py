"""Presets of LREN, and settings from a preset and single values.

``paper`` follows the text of the paper (Jiang et al., AAAI 2021) wherever the text is
explicit; ``release`` follows the program that its authors released and ran. They differ
in the optimiser, the batches, the loss, the dictionary and the score; both are needed,
because the published tables come from the second. ``robust`` belongs to this project: one
setting for every scene, chosen with the ground truth of eleven scenes (``docs/robust.md``
explains how, and shows its results on a scene that took no part in the choice).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, get_type_hints

from lren_tf import validators
from lren_tf.errors import InputError
from lren_tf.settings import AFTER_TRAINING, EVIDENCE, Settings, no_effect, unused_settings

PAPER = Settings()
"""The text of the paper, literally."""

RELEASE = Settings(
    scaling="minmax_zscore",
    initial_weights="tf1_glorot_uniform",
    optimizer="adam",
    batch_size=4096,
    energy_weight=0.1,
    covariance_penalty=1e-4,
    dictionary="extreme_assignment",
    solver_order="JAW",
    score_norm="l2",
)
"""Settings of the program that the authors released and ran."""

ROBUST = Settings(
    hidden_units=100,
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=1024,
    training_pixels=40_960,
    epochs=30,
    energy_weight=0.1,
    covariance_penalty=1e-4,
    members=5,
    scoring="energy",
    evidence=EVIDENCE,
)
"""One setting for every scene, without ground truth: small networks, a background fitted
without likely anomalies, and the evidence of spectrum, structure and surroundings. A training takes
at most 1,200 steps: 30 epochs of 40 batches."""

PRESETS: Mapping[str, Settings] = {"paper": PAPER, "release": RELEASE, "robust": ROBUST}
"""The presets by name."""


def setting_names() -> tuple[str, ...]:
    """Names of all settings, in the order of :class:`Settings`."""
    return tuple(field.name for field in dataclasses.fields(Settings))


def parse(name: str, text: str) -> Any:
    """`text` as the type of a setting: whole number, number, None or text.

    What does not fit its setting is returned as it is, for `Settings` to refuse; so is the
    value of a name that is not a setting.
    """
    return validators.parse(text, get_type_hints(Settings).get(name, str))


def resolve(preset: str = "paper", /, **overrides: Any) -> Settings:
    """Settings of a preset with single settings replaced.

    Args:
        preset: ``"paper"``, ``"release"`` or ``"robust"``.
        **overrides: values by setting name.

    Raises:
        InputError: unknown preset, unknown setting, a value that is not allowed, or a setting
            that another one makes meaningless.
    """
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r} is unknown; expected one of {', '.join(PRESETS)}.")
    known = setting_names()
    for name in overrides:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(
                f"setting {name!r} is unknown; expected one of {', '.join(known)}.{hint}"
            )
    chosen = PRESETS[preset]
    resolved = dataclasses.replace(chosen, **overrides)
    for name in unused_settings(resolved.scoring):
        if getattr(resolved, name) != getattr(chosen, name):
            raise no_effect(name, resolved.scoring)
    return resolved


def resolve_after_training(preset: str, trained: Settings, replaced: Mapping[str, Any]) -> Settings:
    """Return the settings of a trained model with settings of the scoring replaced.

    Args:
        preset: preset of the model.
        trained: settings of its training.
        replaced: values by setting name.

    Raises:
        InputError: as :func:`resolve`, or a setting that needs another training.
    """
    for name in replaced:
        if name in setting_names() and name not in AFTER_TRAINING:
            raise InputError(
                f"setting {name!r} is one of the training; expected one of "
                f"{', '.join(AFTER_TRAINING)}: make a new LREN for it."
            )
    merged = {**trained.as_dict(), **replaced}
    # Settings without effect in the new scoring go back to the preset's values.
    for name in unused_settings(merged["scoring"]):
        if name not in replaced:
            merged[name] = getattr(PRESETS[preset], name)
    resolved = resolve(preset, **merged)
    if resolved.total_epochs > trained.total_epochs:
        raise InputError(
            f"the estimator of this model was not trained, which the dictionary "
            f"{resolved.dictionary!r} needs; make a new LREN with it."
        )
    return resolved
