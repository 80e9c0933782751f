"""``--config``: what a TOML file or a report adds to the command line, and what is refused."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from lren_tf import presets
from lren_tf.cli.options.config import _FLAGS, _NOT_IN_A_CONFIG, with_config
from lren_tf.cli.options.detector import lren_settings
from lren_tf.cli.parser import make_parser
from lren_tf.errors import InputError
from lren_tf.records import json_text


def parsed(*words):
    return make_parser().parse_args(["batch", "scene.npy", *words])


def merged(text, *words, name="c.toml"):
    Path(name).write_text(text, "utf-8")
    return with_config(parsed("--config", name, *words))


def test_without_one():
    arguments = parsed("--seed", "3")
    assert with_config(arguments) is arguments


def test_every_kind_of_option():
    found = merged("""
        detector = "lrx"
        seed = 3
        false-alarm-rate = 1e-3
        min_size = 2
        bands = "0-99,120-"
        drop-water-bands = true
        raw = false
        workers = 2
        out = "there"
        no_data = [0, -9999]
        [settings]
        inner = 5
        outer = 9
    """)
    assert (found.detector, found.seed, found.false_alarm_rate) == ("lrx", "3", "0.001")
    assert (found.min_size, found.bands, found.workers, found.out) == (
        "2", "0-99,120-", "2", "there"
    )  # fmt: skip
    assert (found.drop_water_bands, found.raw, found.no_data) == (True, False, "0,-9999")
    assert found.set == ["inner=5", "outer=9"]


def test_the_command_line_goes_before_it():
    found = merged(
        'format = "mat"\nseed = 3\nout = "there"\n[settings]\nlam = 0.5\nepochs = 4\nmembers = 2',
        "--format", "npy", "--set", "members=3", "--set", "seed=9", "--epochs", "7",
    )  # fmt: skip
    assert (found.format, found.out, found.epochs, found.seed) == ("npy", "there", "7", None)
    assert found.set == ["members=3", "seed=9", "lam=0.5"]


def test_the_parsed_arguments_stay_as_they_are():
    Path("c.toml").write_text("[settings]\nlam = 1", "utf-8")
    arguments = parsed("--config", "c.toml", "--set", "ridge=1")
    with_config(arguments)
    assert arguments.set == ["ridge=1"]


def test_flags_are_those_of_the_parser():
    flags = {
        name
        for name in vars(parsed())
        if name not in _NOT_IN_A_CONFIG and _is_flag(f"--{name.replace('_', '-')}")
    }
    assert flags == _FLAGS


def _is_flag(option):
    with_value = [option, "3"]
    try:
        return make_parser().parse_args(["batch", "x", *with_value]).scenes != ["x"]
    except InputError:
        return True


@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_the_settings_of_a_report(preset):
    settings = presets.resolve(preset, epochs=7, seed=5).as_dict()
    report = {"detector": "lren", "preset": preset, "settings": settings, "device": "/CPU:0"}
    report["threshold"] = {"false_alarm_rate": 0.01, "min_size": 3, "threshold": 2.5}
    found = merged(json_text(report), name="r.json")
    assert (found.detector, found.preset, found.device) == ("lren", preset, None)
    assert (found.false_alarm_rate, found.min_size) == ("0.01", "3")
    chosen, values = lren_settings(found)
    assert presets.resolve(chosen, **values).as_dict() == settings


@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_the_settings_of_a_report_as_toml(preset):
    settings = presets.resolve(preset, learning_rate=2e-4).as_dict()
    lines = [f"{n} = {json.dumps(v)}" for n, v in settings.items() if v is not None]
    found = merged(f'preset = "{preset}"\n[settings]\n' + "\n".join(lines))
    chosen, values = lren_settings(found)
    assert presets.resolve(chosen, **values).as_dict() == settings


def test_a_setting_without_effect_is_refused_if_it_asks_for_something():
    found = merged("[settings]\nlam = 0.5")
    with pytest.raises(InputError, match="lam"):
        lren_settings(found)


def test_a_report_of_another_detector():
    report = {"detector": "rx", "settings": {"ridge": 0.0, "device": "/CPU:0"}, "seed": None}
    found = merged(json_text(report), name="r.json")
    assert (found.detector, found.preset, found.set) == ("rx", None, ["ridge=0.0"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("detektor = 'rx'", r"'detektor' is unknown; .* Did you mean 'detector'\?"),
        ("scenes = ['a']", "'scenes' is unknown"),
        ("config = 'c.toml'", "'config' is unknown"),
        ("set = ['a=1']", "'set' is unknown"),
        ("settings = 3", r"settings is 3; expected a table, write \[settings\]"),
        ("seed = {a = 1}", "seed is .*; expected text, a number, true or false"),
        ("raw = 1", "raw is 1; expected true or false"),
        ("min-size = 1\nmin_size = 2", "'min_size' is there twice"),
        ("seed", "cannot be read as TOML"),
    ],
)
def test_refusals(text, said):
    with pytest.raises(InputError, match=said):
        merged(text)


def test_an_empty_one_adds_nothing():
    assert vars(merged("")) == vars(parsed("--config", "c.toml"))


@pytest.mark.parametrize("name", ["gone.toml", "gone.json", "folder.toml"])
def test_one_that_is_not_there(name):
    Path("folder.toml").mkdir()
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        with_config(parsed("--config", name))


def test_bytes_that_are_no_text():
    Path("c.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match="cannot be read as TOML"):
        with_config(parsed("--config", "c.toml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as a report"),
        ("[]", "has no detector and settings"),
        ('{"detector": "lren", "settings": 3}', "has no detector and settings"),
        (
            '{"detector": "lren", "settings": {}, "model": "m.keras"}',
            "a model that was applied; .* pass --apply m.keras instead",
        ),
    ],
)
def test_refused_reports(text, said):
    with pytest.raises(InputError, match=said):
        merged(text, name="r.json")


@pytest.mark.parametrize("option", [("--preset", "paper"), ("--detector", "rx")])
def test_settings_of_another_preset_or_detector(option):
    text = 'detector = "lren"\npreset = "release"\n[settings]\nepochs = 3'
    with pytest.raises(InputError, match=f"{option[0]} {option[1]} was given with c.toml, whose"):
        merged(text, *option)
    # Without settings it is an option like any other.
    assert merged('preset = "release"', "--preset", "paper").preset == "paper"


def test_older_python_reads_toml_with_tomli(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10))
    read = argparse.Namespace(loads=lambda text: {"seed": 4})
    monkeypatch.setitem(sys.modules, "tomli", read)
    assert merged("x = 1").seed == "4"
