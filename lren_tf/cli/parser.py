"""Parser of the command line: every command and its options."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from lren_tf import detectors, presets
from lren_tf.benchmark.scenes import IMPLANTS
from lren_tf.cli.commands.batch import batch
from lren_tf.cli.commands.benchmark import benchmark
from lren_tf.cli.commands.compare import compare
from lren_tf.cli.commands.datasets import list_datasets
from lren_tf.cli.commands.detect import detect
from lren_tf.cli.commands.evaluate import evaluate
from lren_tf.cli.commands.export import export
from lren_tf.cli.commands.info import info
from lren_tf.cli.commands.threshold import threshold
from lren_tf.cli.commands.view import view
from lren_tf.cli.console import add_console_options
from lren_tf.cli.options.config import add_config_option
from lren_tf.cli.options.detector import DEFAULT_PRESET, LREN
from lren_tf.cli.options.distribution import STRATEGIES
from lren_tf.cli.options.dry_run import add_dry_run_option
from lren_tf.cli.options.explanation import add_explanation_options
from lren_tf.cli.options.library import add_library_options
from lren_tf.cli.options.methods import add_method_options
from lren_tf.cli.options.outputs import add_format_option
from lren_tf.cli.options.region import add_region_options
from lren_tf.cli.options.threshold import add_threshold_options, add_vector_option
from lren_tf.cli.options.workers import add_worker_options
from lren_tf.datasets.by_name import SIMULATED, scene_names
from lren_tf.errors import InputError
from lren_tf.version import __version__

_SCORE = "score map: a NumPy, MATLAB, ENVI, GeoTIFF or HDF5 file; higher = more anomalous"


# The beginning of a number, or of several.
_NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)", re.IGNORECASE)


class _Parser(argparse.ArgumentParser):
    """argparse with its refusals in the form of all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.rstrip('.')}; see {self.prog} --help.")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, and say of a file too many what to do with it."""
        found, more = self.parse_known_args(args, namespace)
        if not more:
            return found
        if any(map(os.path.exists, more)) and not any(each.startswith("-") for each in more):
            expected = "as many as the command takes, run it once for each"
            if hasattr(found, "scene"):
                expected = (
                    "one file or folder of a scene, put TIFFs of single bands into a folder of "
                    "their own, and pass several scenes to lren-tf batch"
                )
            raise InputError(f"{more[0]} is one file too many; expected {expected}.")
        # argparse sends whoever has misspelt an option of a command to the help without options.
        shown = f"{self.prog} {found.command}" if hasattr(found, "command") else self.prog
        raise InputError(f"unrecognized arguments: {' '.join(more)}; see {shown} --help.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, but take `-9999,0` and `-1e5` after an option for its value."""
        given = list(sys.argv[1:] if args is None else args)
        joined: list[str] = []
        for text in given:
            takes_it = joined and joined[-1].startswith("--") and "=" not in joined[-1]
            if takes_it and _NEGATIVE.match(text):
                joined[-1] += f"={text}"
            else:
                joined.append(text)
        return super().parse_known_args(joined, namespace)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; a refusal is an `InputError`."""
    common = _Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    add_console_options(common)
    parser = _Parser(
        prog="lren-tf",
        description="Hyperspectral anomaly detection with LREN (AAAI 2021) and other detectors.",
        epilog=f"Detectors: {', '.join(detectors.offered())}. Exit codes: 0 success, 2 unusable "
        "input, 1 any other error, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lren-tf {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[..., None], help: str, *, writes: bool = True
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, parents=[common], help=help, description=help, allow_abbrev=False
        )
        if writes:
            add_dry_run_option(made)
        made.set_defaults(run=run)
        return made

    _add_detect(command("detect", detect, "Score every pixel of a scene; higher = more anomalous."))
    _add_batch(
        command("batch", batch, "Detect in many scenes; skip those that are finished.")
    )
    _add_compare(command("compare", compare, "Run several detectors on one scene."))
    _add_benchmark(
        command("benchmark", benchmark, "Run methods on many scenes; write a leaderboard.")
    )

    made = command(
        "evaluate", evaluate, "Print the metrics of a score map as JSON.", writes=False
    )
    made.add_argument("score", metavar="SCORE", help=_SCORE)
    made.add_argument(
        "truth", metavar="TRUTH", help="truth map, or a scene that holds one; non-zero = anomalous"
    )
    made.add_argument("--score-key", metavar="NAME", help="variable of the score map")
    made.add_argument("--truth-key", metavar="NAME", help="variable of the truth map")

    made = command("threshold", threshold, "List what exceeds a threshold of a score map.")
    made.add_argument(
        "--refit", action="store_true",
        help="fit the tail even if the map is from lren --preset robust, whose scores are already "
        "powers of ten of the false-alarm rate (default: cut such a map at -log10 of the rate)",
    )  # fmt: skip
    made.add_argument("score", metavar="SCORE", help=_SCORE)
    made.add_argument("--score-key", metavar="NAME", help="variable of the score map")
    add_threshold_options(made, required=True)
    add_vector_option(made)
    add_format_option(made, "the map")
    made.add_argument("--out", metavar="DIR", default=".", help="output folder (default: .)")

    made = command("view", view, "Write an HTML page of a detection from its report.")
    made.add_argument("report", metavar="REPORT.json", help="report that lren-tf detect wrote")
    add_threshold_options(made)
    made.add_argument("--out", metavar="DIR", help="output folder (default: that of the report)")

    made = command("info", info, "Print how a scene was understood.")
    _add_scene(made)
    _add_reading(made)
    made.add_argument("--picture", metavar="FILE.png", help="also write a pseudo-colour picture")
    made = command("export", export, "Write a trained model as a SavedModel for serving.")
    made.add_argument("model", metavar="MODEL.keras", help="model that detect --save-model wrote")
    made.add_argument(
        "folder", metavar="DIR", help="folder to write; an existing SavedModel is replaced"
    )

    command(
        "datasets", list_datasets, "List the benchmark scenes and where they were found.",
        writes=False,
    )  # fmt: skip
    return parser


def _add_detect(made: argparse.ArgumentParser) -> None:
    _add_scene(made)
    _add_detection(made)


def _add_batch(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "scenes", metavar="SCENES", nargs="+",
        help="scenes, folders of scenes, patterns in quotes such as 'flights/*.img', or lists "
        "(.txt, one of these per line)",
    )  # fmt: skip
    _add_detection(made)
    # What the command line does not give, the config may.
    made.set_defaults(detector=None, format=None, out=None)
    made.add_argument(
        "--train-on", metavar="SCENE",
        help=f"{LREN}: train only on this scene, and score all scenes with its model",
    )  # fmt: skip
    add_config_option(made)
    add_worker_options(made)


def _add_detection(made: argparse.ArgumentParser) -> None:
    """The options of one detection."""
    made.add_argument(
        "--detector", metavar="NAME", default=LREN,
        help=f"one of {', '.join(detectors.offered())} (default: {LREN})",
    )  # fmt: skip
    made.add_argument(
        "--preset",
        help=f"{LREN}: one of {', '.join(presets.PRESETS)} (default: {DEFAULT_PRESET})",
    )  # fmt: skip
    made.add_argument(
        "--seed", metavar="N",
        help=f"seed of a detector that draws random numbers; {LREN}: of the initial weights "
        "(default: 123)",
    )  # fmt: skip
    made.add_argument(
        "--lam", metavar="X",
        help=f"{LREN}: weight λ of the residual with --preset paper or release (default: 0.01)",
    )  # fmt: skip
    made.add_argument(
        "--epochs", metavar="N", help=f"{LREN}: training epochs (default: those of the preset)"
    )
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="a setting of the detector; repeat the option for more. "
        f"Settings of {LREN}: {', '.join(presets.setting_names())}",
    )  # fmt: skip
    made.add_argument(
        "--device", metavar="NAME", help="/CPU:0, /GPU:0, … (default: first GPU, else CPU)"
    )
    _add_files(made)
    add_format_option(made, "the scene")
    add_threshold_options(made)
    add_vector_option(made)
    add_explanation_options(made)
    add_library_options(made)
    add_region_options(made)
    made.add_argument(
        "--stac", action="store_const", const=True,
        help="also write a STAC item of the results of a georeferenced scene (extra 'stac')",
    )  # fmt: skip
    made.add_argument(
        "--save-model", metavar="PATH.keras", help=f"{LREN}: also save the trained model"
    )
    made.add_argument(
        "--apply", metavar="MODEL",
        help=f"{LREN}: score with this trained model, a .keras file or an exported SavedModel, "
        "instead of training",
    )  # fmt: skip
    made.add_argument(
        "--recalibrate", action="store_const", const=True,
        help="with --apply: compare the evidence with the background of this scene, not with that "
        "of the training scene",
    )  # fmt: skip
    made.add_argument(
        "--evidence", action="store_const", const=True,
        help=f"{LREN} with --preset robust: also write a map of each kind of evidence",
    )  # fmt: skip
    _add_long_runs(made)
    _add_distribution(made)


def _add_long_runs(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--resume", metavar="DIR",
        help=f"{LREN}: store checkpoints of the training here, and continue from an existing one",
    )  # fmt: skip
    made.add_argument(
        "--checkpoint-every", metavar="N",
        help="with --resume: epochs between two checkpoints (default: 50)",
    )  # fmt: skip
    made.add_argument(
        "--log", metavar="FILE.csv", help=f"{LREN}: write the losses of every epoch as CSV"
    )
    made.add_argument(
        "--tensorboard", metavar="DIR",
        help=f"{LREN}: write the losses of every epoch for TensorBoard",
    )  # fmt: skip


def _add_distribution(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--strategy", metavar="NAME",
        help=f"{LREN}: {' or '.join(STRATEGIES)}: spread the pixels over all GPUs of this machine, "
        "or over the processes that TF_CONFIG names (default: one device)",
    )  # fmt: skip
    made.add_argument(
        "--memory-limit", metavar="SIZE",
        help=f"{LREN}: memory that training may use in addition to the scene, such as 2GiB; if it "
        "needs more, it processes pixels in chunks (default: half of the free memory)",
    )  # fmt: skip


def _add_compare(made: argparse.ArgumentParser) -> None:
    _add_scene(made)
    made.add_argument(
        "--detectors", metavar="NAME,NAME,…",
        help=f"detectors to run, in this order (default: all: {', '.join(detectors.offered())})",
    )  # fmt: skip
    made.add_argument(
        "--seed", metavar="N", help="seed of all detectors that have one (default: that of each)"
    )
    _add_files(made)


def _add_benchmark(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "scenes", metavar="SCENE", nargs="*",
        help="scenes with truth: files, folders, patterns in quotes, lists (.txt), names of "
        f"benchmark scenes, '{SIMULATED}', or {IMPLANTS}TARGETS:BACKGROUND with two names "
        "(default: those of the folder)",
    )  # fmt: skip
    add_method_options(made)
    _add_reading(made)
    made.add_argument(
        "--out", metavar="DIR", required=True,
        help="folder of the benchmark; each call adds to it, and finished runs are not repeated",
    )  # fmt: skip
    add_worker_options(made)


def _add_scene(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "scene",
        metavar="SCENE",
        help="a MATLAB, NumPy, ENVI, GeoTIFF, netCDF or HDF5 file, a benchmark scene "
        f"({', '.join(scene_names())}), or '{SIMULATED}'",
    )


def _add_reading(made: argparse.ArgumentParser) -> None:
    made.add_argument("--key", metavar="NAME", help="variable of the cube in the file")
    made.add_argument("--truth-key", metavar="NAME", help="variable of the truth; '' for none")
    made.add_argument("--truth", metavar="FILE", help="truth in another file; non-zero = anomalous")
    made.add_argument("--mask", metavar="FILE", help="map of valid pixels, non-zero = valid; or\n"
                      "GeoJSON polygons (.geojson), inside = valid; or a product's flag file")
    made.add_argument(
        "--mask-bands", metavar="NAMES",
        help="quality flags of a product that leave pixels out, such as cloud,cirrus,water, or "
        "none (default: see docs/products.md)",
    )  # fmt: skip
    made.add_argument(
        "--mask-values", metavar="LIST",
        help="values of --mask that mark valid pixels, such as 0, 1,4-7 or nonzero (default: the "
        "one value other than 0)",
    )  # fmt: skip
    made.add_argument(
        "--no-data", metavar="X", help="value that marks missing data, or several separated by "
        "commas; file,0 means the file's own value and 0 (default: the file's own)",
    )  # fmt: skip
    made.add_argument(
        "--bands", metavar="LIST", help="bands to use, counted from 0, such as 0-99,120-"
    )
    made.add_argument(
        "--drop-water-bands", action="store_true", help="leave out bands that water vapour absorbs"
    )
    made.add_argument(
        "--axes", metavar="A,B,C",
        help="axes of the cube in stored order, such as band,row,column (default: as the file "
        "identifies them, else row,column,band)",
    )  # fmt: skip
    made.add_argument(
        "--raw", action="store_true",
        help="leave values as they are stored, without the file's gains, offsets and scale factors",
    )  # fmt: skip


def _add_files(made: argparse.ArgumentParser) -> None:
    _add_reading(made)
    made.add_argument("--out", metavar="DIR", default=".", help="output folder (default: .)")
