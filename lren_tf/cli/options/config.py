"""``--config``: options and settings from a TOML file, or those of a report."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lren_tf import presets
from lren_tf.cli.console import OPTIONS as CONSOLE
from lren_tf.cli.console import note
from lren_tf.cli.options.detector import DEFAULT_PRESET, LREN
from lren_tf.errors import InputError
from lren_tf.runtime.files import as_path
from lren_tf.settings import unused_settings

SETTINGS = "settings"
"""The table of a config with the detector's settings, as ``--set`` takes them."""
_FLAGS = frozenset(
    {"drop_water_bands", "raw", "evidence", "recalibrate", "view", "explain", "spectra", "stac"}
)
"""Options without a value."""
_SHORT_FOR_SET = ("seed", "lam", "epochs")
_NOT_IN_A_CONFIG = frozenset({
    "command", "config", "set", "debug", "run", "scenes", "dry_run", *CONSOLE,
})  # fmt: skip


def add_config_option(made: argparse.ArgumentParser) -> None:
    """``--config``."""
    made.add_argument(
        "--config", metavar="FILE.toml",
        help="file of options, named without the leading dashes, with settings of the detector "
        f"in the table [{SETTINGS}]; or a report (.json), whose detector and settings are used. "
        "Options on the command line override it",
    )  # fmt: skip


def with_config(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments with what ``--config`` adds to them; without it, the arguments.

    An option that the command line gives is left as it is. Every option but flags has to be None
    where the command line does not give it.

    Raises:
        InputError: the file cannot be read, or has a name or a value that no option takes.
    """
    if arguments.config is None:
        return arguments
    path = str(arguments.config)
    is_report = path.lower().endswith(".json")
    read, reading = _report(path) if is_report else (_toml(path), None)
    options, settings = _parted(path, read, arguments)
    _refuse_another_detector(path, arguments, options, settings)
    merged = argparse.Namespace(**vars(arguments))
    given = {pair.partition("=")[0].strip() for pair in arguments.set}
    given |= {name for name in _SHORT_FOR_SET if getattr(arguments, name) is not None}
    for name, value in options.items():
        if name not in given and getattr(arguments, name) in (None, False):
            setattr(merged, name, value)
    settings = {name: text for name, text in settings.items() if name not in given}
    if (merged.detector or LREN) == LREN:
        settings = _counting(merged.preset or DEFAULT_PRESET, settings)
    merged.set = [*arguments.set, *(f"{name}={text}" for name, text in settings.items())]
    _note_what_is_not_used(path, reading, merged)
    return merged


def _note_what_is_not_used(path: str, reading: Any, merged: argparse.Namespace) -> None:
    """Tell of options that read the scene of a report, which are of that scene and not used."""
    if not isinstance(reading, Mapping):
        return
    left = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in reading.items()
        if name != "scene" and value not in (None, False) and not getattr(merged, name, None)
    ]
    if left:
        note(
            f"{path} is of a run with {', '.join(left)}, which a report as config does not bring; "
            "pass what holds for these scenes too."
        )


def _toml(path: str) -> dict[str, Any]:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return toml.loads(_content(path))
    except ValueError as error:  # of decoding, and of parsing
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{path} cannot be read as TOML ({reason}); expected lines such as detector = \"rx\", "
            "correct it."
        ) from error


def _content(path: str) -> str:
    try:
        return as_path(path).read_text("utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); expected a TOML file or a report, "
            "check the path."
        ) from error


def _report(path: str) -> tuple[dict[str, Any], Any]:
    """Detector, preset, settings and threshold of a report; what it tells of reading its scene."""
    try:
        report = json.loads(_content(path))
    except ValueError as error:
        raise InputError(
            f"{path} cannot be read as a report ({error}); expected one that detect wrote, or a "
            "TOML file."
        ) from error
    known = isinstance(report, dict) and isinstance(report.get("detector"), str)
    if not known or not isinstance(report.get(SETTINGS), dict):
        raise InputError(
            f"{path} has no detector and settings; expected a report that detect wrote, or a TOML "
            "file."
        )
    if report.get("model") is not None:
        raise InputError(
            f"{path} is the report of a model that was applied; expected one of a training, pass "
            f"--apply {report['model']} instead."
        )
    found = {name: report[name] for name in ("detector", "preset") if report.get(name)}
    # Where it was computed is none of what was computed.
    found[SETTINGS] = {n: value for n, value in report[SETTINGS].items() if n != "device"}
    threshold = report.get("threshold") or {}
    found |= {n: threshold[n] for n in ("false_alarm_rate", "min_size") if n in threshold}
    return found, report.get("reading")


def _parted(
    path: str, read: Mapping[str, Any], arguments: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, str]]:
    """Options and settings of a config, as the command line would have them."""
    known = sorted(set(vars(arguments)) - _NOT_IN_A_CONFIG)
    options: dict[str, Any] = {}
    settings: dict[str, str] = {}
    for name, value in read.items():
        plain = name.replace("-", "_")
        if plain == SETTINGS:
            if not isinstance(value, Mapping):
                raise InputError(
                    f"{path}: {SETTINGS} is {value!r}; expected a table, write [{SETTINGS}]."
                )
            settings |= {n: _text(path, f"{SETTINGS}.{n}", v) for n, v in value.items()}
            continue
        if plain not in known:
            near = difflib.get_close_matches(plain, known, n=1)
            hint = f" Did you mean {near[0].replace('_', '-')!r}?" if near else ""
            raise InputError(
                f"{path}: {name!r} is unknown; expected the names of options, and a table "
                f"[{SETTINGS}] with the detector's settings.{hint}"
            )
        if plain in options:
            raise InputError(f"{path}: {name!r} is there twice; expected it once, remove one.")
        if plain in _FLAGS:
            if not isinstance(value, bool):
                raise InputError(f"{path}: {name} is {value!r}; expected true or false.")
            if value:
                options[plain] = True
        else:
            options[plain] = _text(path, name, value)
    return options, settings


def _text(path: str, name: str, value: Any) -> str:
    """A value as one would type it on the command line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, (str, int)) for each in value):
        return ",".join(str(each) for each in value)
    raise InputError(f"{path}: {name} is {value!r}; expected text, a number, true or false.")


def _refuse_another_detector(
    path: str,
    arguments: argparse.Namespace,
    options: Mapping[str, Any],
    settings: Mapping[str, str],
) -> None:
    """Settings belong to the detector and the preset that they stand beside."""
    for name in ("detector", "preset"):
        given, said = getattr(arguments, name), options.get(name)
        if settings and given is not None and said is not None and given != said:
            raise InputError(
                f"--{name} {given} was given with {path}, whose settings are those of {said}; "
                "expected one of the two, leave one out."
            )


def _counting(preset: str, settings: dict[str, str]) -> dict[str, str]:
    """Settings without those that have no effect and say what the preset says anyway.

    A report has all settings, and ``--set`` takes none that has no effect.
    """
    chosen = presets.PRESETS.get(preset)
    if chosen is None:
        return settings
    scoring = settings.get("scoring", chosen.scoring)
    found = dict(settings)
    for name in unused_settings(scoring) if scoring in ("residual", "energy") else ():
        with suppress(InputError):
            if name in found:
                value = presets.parse(name, found[name])
                if dataclasses.replace(chosen, **{name: value}) == chosen:
                    del found[name]
    return found
