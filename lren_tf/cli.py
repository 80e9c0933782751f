"""The command line: ``lren-tf detect``, ``lren-tf evaluate``, ``lren-tf datasets``.

Exit codes: 0 done, 2 the user's input, 1 anything else, 130 interrupted. TensorFlow is
imported by ``detect`` alone, and only when everything that can be refused without it has
been looked at.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lren_tf import datasets, presets
from lren_tf.console import collected_notices, quiet_start, say, timed, worded
from lren_tf.errors import InputError, TrainingDiverged
from lren_tf.io import load_map, load_scene
from lren_tf.io.atomic import as_path, atomic_paths, ensure_writable_target
from lren_tf.report import json_text, run_record
from lren_tf.scene import Scene, pseudo_colour
from lren_tf.version import __version__

SIMULATED = "simulated"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None for those of the process.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 0, after ``--help`` or ``--version``.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no "×" must not end a run that took an hour.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    parsed = argparse.Namespace(debug=False)
    try:
        _parser().parse_args(arguments, parsed)
        parsed.run(parsed)
        sys.stdout.flush()
    except InputError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted.", 130)
    except TrainingDiverged as error:
        return _fail(str(error), 1)
    except Exception as error:
        if parsed.debug:
            traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        hint = "" if parsed.debug else " (run again with --debug for the traceback)"
        return _fail(f"unexpected error: {reason}{hint}.", 1)
    return 0


def _fail(sentence: str, code: int) -> int:
    print(f"lren-tf: {sentence}", file=sys.stderr)
    return code


# --- detect ------------------------------------------------------------------------------


def detect(arguments: argparse.Namespace) -> None:
    """Train on one scene, score it, write score, picture and report."""
    settings = _settings(arguments)
    stem = arguments.scene if _is_name(arguments.scene) else Path(arguments.scene).stem
    folder = Path(arguments.out)
    targets = {
        "score": folder / f"{stem}_score.npy",
        "picture": folder / f"{stem}_score.png",
    }
    if arguments.save_model is not None:
        if not arguments.save_model.endswith(".keras"):
            raise InputError(
                f"--save-model is {arguments.save_model!r}; expected a name that ends in .keras, "
                "Keras' own format, add it."
            )
        targets["model"] = Path(arguments.save_model)
    # Last, so that whatever a report names is there when the report is.
    targets["report"] = folder / f"{stem}_report.json"
    targets = {what: ensure_writable_target(target) for what, target in targets.items()}

    seconds: dict[str, float] = {}
    with collected_notices() as notices:
        with timed(seconds, "read"):
            scene = _scene(arguments)
        with timed(seconds, "start"):
            model = _model(arguments.preset, settings, arguments.device)
        import keras

        from lren_tf import plots
        from lren_tf.training import EpochProgress

        # Printed when training begins: until then the scene may be refused, and a refusal
        # prints nothing here.
        opening = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: say(_described(scene, seconds["read"]))
        )
        progress = EpochProgress(f"LREN ({model.preset}), {model.device}", model.settings.epochs)
        with timed(seconds, "train"):
            history = model.fit(scene, verbose=0, callbacks=[opening, progress])
        # What `model.score` does, with the solution kept for the report.
        with timed(seconds, "score"):
            result = model.decompose(scene)
            score = model.score_of(result).reshape(scene.shape[:2])
        ending = "converged" if result.converged else "not converged"
        say(f"low-rank step: {result.iterations} iterations, {ending}, {seconds['score']:.1f} s")
        with timed(seconds, "evaluate"):
            judged = _metrics(scene, score)
        with timed(seconds, "draw"):
            figure = plots.detection_panel(
                pseudo_colour(scene.cube), scene.truth, {f"LREN ({model.preset})": score}
            )

        with atomic_paths(*targets.values()) as temporary:
            paths = dict(zip(targets, temporary, strict=True))
            with timed(seconds, "write"):
                np.save(paths["score"], score, allow_pickle=False)
                plots.save(figure, paths["picture"])
                if "model" in paths:
                    model.save(paths["model"])
            report = {
                **run_record(model, scene, history, result),
                "seconds": seconds,
                "metrics": judged,
                "notices": notices,
                "files": {what: str(target) for what, target in targets.items()},
            }
            paths["report"].write_text(json_text(report), encoding="ascii")
    _summary(score, judged, targets)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings asked for, checked with those of the preset.

    ``--lam``, ``--seed`` and ``--epochs`` are short for ``--set``, with the same refusals.
    """
    asked: dict[str, str] = {}
    for name in ("seed", "lam", "epochs"):
        if getattr(arguments, name) is not None:
            asked[name] = getattr(arguments, name)
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--set got {pair!r}; expected NAME=VALUE, such as components=5.")
        if name in asked:
            raise InputError(f"setting {name!r} is given twice; expected it once, leave one out.")
        asked[name] = value.strip()
    settings = {name: presets.parse(name, text) for name, text in asked.items()}
    presets.resolve(arguments.preset, **settings)
    return settings


def _is_name(scene: str) -> bool:
    """Whether `scene` names a benchmark or the simulated scene; a file of that name wins."""
    return scene in (SIMULATED, *datasets.names()) and not os.path.isfile(scene)


def _scene(arguments: argparse.Namespace) -> Scene:
    name, key, truth_key = arguments.scene, arguments.key, arguments.truth_key
    if not _is_name(name):
        if not os.path.exists(as_path(name)):
            raise InputError(
                f"{name} does not exist; expected a file, a benchmark scene "
                f"({', '.join(datasets.names())}) or '{SIMULATED}', check the path."
            )
        with worded(key="--key", truth_key="--truth-key"):
            return load_scene(name, key=key, truth_key=truth_key)
    if key is not None or truth_key is not None:
        raise InputError(
            f"--key or --truth-key was given with {name!r}; expected a file with it, leave it out."
        )
    return datasets.simulate() if name == SIMULATED else datasets.load(name)


def _model(preset: str, settings: dict[str, Any], device: str | None) -> Any:
    """A new LREN; the one place where TensorFlow starts."""
    with quiet_start():
        import tensorflow as tf

        from lren_tf.model import LREN

        tf.get_logger().setLevel("ERROR")
        try:
            model = LREN(preset, device=device, **settings)
        except InputError as error:
            text = str(error).replace("pass device=None to", "leave --device out to")
            raise InputError(text) from error
    if "GPU" in model.device:
        # On a CPU two runs agree to the bit as they are.
        tf.config.experimental.enable_op_determinism()
    return model


def _metrics(scene: Scene, score: np.ndarray) -> dict[str, Any] | None:
    if scene.truth is None:
        return None
    if scene.truth.all() or not scene.truth.any():
        kind = "background" if scene.truth.all() else "anomalous"
        warnings.warn(f"the truth has no {kind} pixel: no metrics are computed.", stacklevel=2)
        return None
    from lren_tf import metrics  # scikit-learn takes its time to import

    return metrics.evaluate(score, scene.truth)


def _described(scene: Scene, seconds: float) -> str:
    truth = "no truth" if scene.truth is None else f"{np.count_nonzero(scene.truth)} anomalous"
    size = f"{scene.height} × {scene.width} pixels ({truth}), {scene.bands} bands"
    return f"{scene.name}: {size} of {scene.cube.dtype}, read in {seconds:.1f} s"


def _summary(score: np.ndarray, judged: dict[str, Any] | None, targets: dict[str, Path]) -> None:
    say(f"score: {score.min():.6g} to {score.max():.6g}; higher = more anomalous")
    if judged is not None:
        say(
            f"AUC(Pd,Pf) {judged['auc_pd_pf']:.4f}, AUC(Pf,tau) {judged['auc_pf_tau']:.4f}, "
            f"AUC(Pd,tau) {judged['auc_pd_tau']:.4f}"
        )
    for what, target in targets.items():
        say(f"{what}: {target}")


# --- evaluate, datasets --------------------------------------------------------------------


def evaluate(arguments: argparse.Namespace) -> None:
    """Print every metric of a score map as JSON."""
    with worded(key="--score-key"):
        score = load_map(arguments.score, key=arguments.score_key)
    with worded(key="--truth-key", truth_key="--truth-key"):
        truth = _truth(arguments.truth, arguments.truth_key)
    from lren_tf import metrics

    print(json_text(metrics.evaluate(score, truth)), end="")


def _truth(path: str, key: str | None) -> np.ndarray:
    """The truth in a file that holds a map, or a cube and its truth."""
    if key is not None:
        return load_map(path, key=key)
    try:
        # First, since it knows which of several maps beside a cube is the truth, if any.
        scene = load_scene(path)
    except InputError:
        return load_map(path)
    if scene.truth is None:
        raise InputError(
            f"{path} holds a cube without truth; expected a truth map, pass its variable with "
            "truth_key= or another file."
        )
    return scene.truth


def list_datasets(arguments: argparse.Namespace) -> None:
    """Print the benchmark scenes and where they are."""
    rows = []
    for entry in datasets.BENCHMARKS.values():
        size = " × ".join(map(str, entry.shape))
        place = datasets.find(entry.name) or f"not found; published at {entry.url}"
        rows.append(f"{entry.name:<10}{size:<17}{entry.anomalous:>4} anomalous  {place}")
    print("\n".join(rows))


# --- arguments -----------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """argparse with its refusals in the form of all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.rstrip('.')}; see {self.prog} --help.")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog="lren-tf",
        description="Hyperspectral anomaly detection with LREN (AAAI 2021).",
        epilog="Exit codes: 0 done, 2 input that cannot be used, 1 any other error, "
        "130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lren-tf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[..., None], help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, parents=[common], help=help, description=help, allow_abbrev=False
        )
        made.set_defaults(run=run)
        return made

    made = command("detect", detect, "Score every pixel of a scene; higher = more anomalous.")
    made.add_argument(
        "scene",
        metavar="SCENE",
        help="a .mat, .npy or .npz file, a benchmark scene "
        f"({', '.join(datasets.names())}), or '{SIMULATED}'",
    )
    made.add_argument(
        "--preset", default="paper", help=f"{' or '.join(presets.PRESETS)} (default: paper)"
    )
    made.add_argument("--seed", metavar="N", help="seed of the initial weights (default: 123)")
    made.add_argument("--lam", metavar="X", help="weight λ of the residual (default: 0.01)")
    made.add_argument("--epochs", metavar="N", help="training epochs (default: 1000)")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help=f"one setting; repeat it for more. Settings: {', '.join(presets.setting_names())}",
    )
    made.add_argument("--device", metavar="NAME", help="/CPU:0, /GPU:0, … (default: GPU, else CPU)")
    made.add_argument("--key", metavar="NAME", help="variable of the cube in the file")
    made.add_argument("--truth-key", metavar="NAME", help="variable of the truth; '' for none")
    made.add_argument("--out", metavar="DIR", default=".", help="output folder (default: .)")
    made.add_argument("--save-model", metavar="PATH.keras", help="also save the trained model")

    made = command("evaluate", evaluate, "Print the metrics of a score map as JSON.")
    made.add_argument("score", metavar="SCORE", help="score map: .npy, .npz or .mat")
    made.add_argument(
        "truth", metavar="TRUTH", help="truth map, or a scene that holds one; non-zero = anomalous"
    )
    made.add_argument("--score-key", metavar="NAME", help="variable of the score map")
    made.add_argument("--truth-key", metavar="NAME", help="variable of the truth map")

    command("datasets", list_datasets, "List the benchmark scenes and where they were found.")
    return parser


if __name__ == "__main__":
    sys.exit(main())
