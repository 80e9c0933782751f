"""``lren-tf export``: a trained model as a SavedModel."""

from __future__ import annotations

import argparse
from pathlib import Path

from lren_tf.cli.console import say, tell_files
from lren_tf.cli.options.detector import started
from lren_tf.cli.options.dry_run import tell_plan
from lren_tf.cli.trained_model import bands_of, existing_model, load_keras_model


def export(arguments: argparse.Namespace) -> None:
    """Write a trained model as a SavedModel."""
    path = existing_model(arguments.model)
    with started():
        from lren_tf.model.saved_model import check_export_target

        # Before the model is loaded, which takes its time.
        check_export_target(arguments.folder)
        model = load_keras_model(path, None)
        if arguments.dry_run:
            tell_plan(arguments, {"SavedModel": Path(arguments.folder)})
            return
        model.export(arguments.folder)
    shape = f"[N, {bands_of(model)}]"
    image = f"[H, W, {bands_of(model)}]" if model.scores_images() else shape
    scores = "score and evidence" if model.settings.fuses_evidence else "score"
    say(f"endpoints: {scores} of pixels {image}; encode, reconstruct, responsibilities of {shape}")
    tell_files({"SavedModel": Path(arguments.folder)})
