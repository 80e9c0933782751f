"""Methods of a benchmark: ``--detectors``, ``--set``, ``--against``, ``--chosen-with-truth``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from lren_tf import detectors, presets
from lren_tf.benchmark.methods import Method, detector_method, maps_method
from lren_tf.cli.options.detector import LREN, parsed_settings, started_drawing
from lren_tf.errors import InputError

_DECLARED = {"yes": True, "no": False}


def add_method_options(made: argparse.ArgumentParser) -> None:
    """``--detectors``, ``--seeds``, ``--set``, ``--against`` and ``--chosen-with-truth``."""
    made.add_argument(
        "--detectors", metavar="NAME,NAME,…",
        help="detectors to run, in this order (default: those of the folder; in a new one, all: "
        f"{', '.join(detectors.offered())})",
    )  # fmt: skip
    made.add_argument(
        "--seeds", metavar="N",
        help="number of seeds of each detector that draws random numbers: its default seed and "
        "the next ones (default: 1)",
    )  # fmt: skip
    made.add_argument(
        "--set", action="append", default=[], metavar="DETECTOR.NAME=VALUE",
        help="a setting of a detector, which adds a method next to the one with the defaults; "
        "repeat the option for more settings",
    )  # fmt: skip
    made.add_argument(
        "--against", action="append", default=[], metavar="FOLDER",
        help="score maps of another program, named after the scenes; repeat for more folders",
    )  # fmt: skip
    made.add_argument(
        "--chosen-with-truth", metavar="yes|no",
        help="whether the settings of --set and the maps of --against were chosen with the truth "
        "of the scenes; if yes, they are listed separately and not ranked",
    )  # fmt: skip


def detector_names(listed: str) -> list[str]:
    """Names of ``--detectors``, checked.

    Raises:
        InputError: an empty or unknown name, or one that stands there twice.
    """
    names = [name.strip() for name in listed.split(",")]
    for name in names:
        if not name:
            raise InputError(
                f"--detectors got {listed!r}; expected names separated by commas, such as "
                f"{','.join(detectors.names()[:2])}."
            )
        detectors.check_name(name)
        if names.count(name) > 1:
            raise InputError(
                f"--detectors names {name!r} {names.count(name)} times; expected each detector "
                "once, leave the others out."
            )
    return names


def methods_from(arguments: argparse.Namespace, known: Mapping[str, Method]) -> list[Method]:
    """The methods that a call asks for.

    Args:
        arguments: of the command line.
        known: methods that the folder of the benchmark has.

    Raises:
        InputError: an option that cannot be used.
    """
    seeds = _seeds(arguments.seeds)
    chosen = _declared(arguments)
    if arguments.detectors is not None:
        names = detector_names(arguments.detectors)
    else:
        names = [] if known else detectors.names()
    settings = _settings(arguments.set, names)
    with started_drawing():
        found = [
            detector_method(name, _parsed(name, settings.get(name, {})), seeds or 1, chosen)
            for name in names
        ]
    found += [maps_method(folder, chosen) for folder in arguments.against]
    for method in found:
        if [each.key for each in found].count(method.key) > 1:
            raise InputError(
                f"two methods would be called {method.title}; expected different names, rename "
                "one folder or leave it out."
            )
    if seeds is not None and arguments.detectors is None:
        found += [method.with_seeds(seeds) for method in known.values() if method.detector]
    return found


def _seeds(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--seeds is {text!r}; expected a whole number of seeds, 1 or more.")
    return int(text)


def _declared(arguments: argparse.Namespace) -> bool | None:
    given = arguments.chosen_with_truth
    if given is None:
        return None
    if given not in _DECLARED:
        raise InputError(f"--chosen-with-truth is {given!r}; expected yes or no.")
    if not arguments.set and not arguments.against:
        raise InputError(
            "--chosen-with-truth was given without --set and --against; expected one of them, "
            "since defaults are chosen already, leave it out."
        )
    return _DECLARED[given]


def _settings(pairs: list[str], names: list[str]) -> dict[str, dict[str, str]]:
    """Texts of settings by detector and name."""
    found: dict[str, dict[str, str]] = {}
    for pair in pairs:
        place, equals, value = pair.partition("=")
        detector, dot, name = (part.strip() for part in place.partition("."))
        if not (equals and dot and detector and name):
            raise InputError(
                f"--set got {pair!r}; expected DETECTOR.NAME=VALUE, such as rx.ridge=0.1."
            )
        if detector not in names:
            detectors.check_name(detector)
            raise InputError(
                f"--set got {pair!r}, and {detector} is not among the detectors of this call; "
                "expected one that is, name it with --detectors."
            )
        own = found.setdefault(detector, {})
        if name in own:
            raise InputError(
                f"setting {name!r} of {detector} is given twice; expected it once, leave one out."
            )
        own[name] = value.strip()
    return found


def _parsed(detector: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a detector; those of LREN's preset go where the detector has them."""
    inner: dict[str, Any] = {}
    outer = dict(texts)
    if detector == LREN:
        own = detectors.detector_class(detector).setting_names()
        for name in [name for name in outer if name not in own]:
            inner[name] = presets.parse(name, outer.pop(name))
        if "settings" in outer:
            raise InputError(
                f"--set got {LREN}.settings; expected a single setting, such as {LREN}.epochs=100."
            )
    found = parsed_settings(detector, outer)
    return found | ({"settings": inner} if inner else {})
