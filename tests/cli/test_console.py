"""``--quiet`` and ``--json`` of every command, and the messages of the library."""

from __future__ import annotations

import argparse
import ast
import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from lren_tf.cli import main
from lren_tf.cli.console import Console, collected_notices, note, result, say, speaks, unheard
from lren_tf.cli.parser import make_parser
from tests.cli.common import ROOT, RX, SCENE, SMALL, Noise, files

THRESHOLD = ("--false-alarm-rate", "0.1")
EVERY = {
    # command -> arguments, and names of the entries of its object
    "detect": (("small.mat", *RX, *THRESHOLD), {"detector", "scene", "metrics", "threshold"}),
    "batch": (("small.mat", *RX, "--out", "results"), {"scenes", "totals"}),
    "benchmark": (("small.mat", "--detectors", "rx", "--out", "bench"), {"runs", "leaderboard"}),
    "compare": (("small.mat", "--detectors", "rx,noise"), {"scene", "detectors", "seconds"}),
    "evaluate": (("s.npy", "t.npy"), {"metrics"}),
    "threshold": (("s.npy", *THRESHOLD), {"threshold", "files"}),
    "view": (("small_report.json",), {"files"}),
    "info": (("small.mat", "--picture", "p.png"), {"properties", "files"}),
    "export": (("trained.keras", "served"), {"files"}),
    "datasets": ((), {"scenes"}),
}


SLOW = [
    pytest.param(name, marks=pytest.mark.slow if name in ("export", "view") else ())
    for name in EVERY
]


def commands() -> dict[str, argparse.ArgumentParser]:
    (made,) = (
        action for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )  # fmt: skip
    return made.choices


def constant(text):
    raise AssertionError(f"{text} is not JSON")


@pytest.fixture
def ready(scene_file, register, request, capsys):
    """The files that all commands of `EVERY` read."""
    register(Noise)
    score = SCENE.cube[:, :, 0].copy()
    score[0, 0] = np.nan
    np.save("s.npy", score)
    np.save("t.npy", SCENE.truth)
    if request.node.callspec.params.get("command") == "export":
        folder = request.getfixturevalue("trained_models")
        shutil.copy(folder / "release.keras", "trained.keras")
    assert main(["detect", scene_file, *RX, *THRESHOLD]) == 0
    capsys.readouterr()


def test_every_command_is_tested_here():
    assert set(EVERY) == set(commands())


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_every_command_has_them(option, capsys):
    for name, parser in commands().items():
        assert option in parser._option_string_actions, name


class TestEvery:
    @pytest.mark.parametrize("command", SLOW)
    def test_json_is_all_that_is_printed(self, command, ready, capsys):
        arguments, entries = EVERY[command]
        assert main([command, *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        before = files()
        assert main([command, *arguments, "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        told = json.loads(out, parse_constant=constant)
        assert told["command"] == command
        assert entries <= set(told)
        assert "error" not in told
        assert len(told["lines"]) == len(lines) or command in ("batch", "benchmark")
        assert set(files()) == set(before)
        for path in told.get("files", {}).values():
            assert Path(path).exists()

    @pytest.mark.parametrize("command", SLOW)
    def test_quiet_prints_nothing(self, command, ready, capsys):
        arguments, _ = EVERY[command]
        assert main([command, *arguments, "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("command", EVERY)
    def test_errors_stay(self, command, capsys):
        words = [command, *EVERY[command][0], "--wrong"]
        assert main([*words, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("lren-tf: ") and err.count("\n") == 1
        assert main([*words, "--json"]) == 2
        told = json.loads(capsys.readouterr().out)
        assert (told["command"], told["exit_code"]) == (command, 2)
        assert err == f"lren-tf: {told['error']}\n"


class TestNotices:
    def test_are_told_once(self, scene_file, register, capsys):
        register(Noise)
        assert main(["compare", "small.mat", "--detectors", "noise", "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert json.loads(out)["notices"] == ["the noise is loud."]
        assert main(["compare", "small.mat", "--detectors", "noise", "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")

    def test_one_that_repeats_the_one_before_is_left_out(self, capsys):
        with collected_notices() as found:
            for text in ("a", "a", "b", "a"):
                warnings.warn(text, stacklevel=1)
        assert found == ["a", "b", "a"]

    def test_outside_of_a_command_they_are_printed(self, capsys):
        say("a line")
        note("a notice")
        assert capsys.readouterr() == ("a line\n", "lren-tf: note: a notice\n")
        assert speaks()

    def test_unheard(self, capsys):
        console = Console(as_json=True)
        with console.listening(), unheard():
            say("a line")
            result(score=1)
        assert (console.lines, console.results) == ([], {})
        with console.listening(), collected_notices(told=False) as notices:
            warnings.warn("of another process", stacklevel=1)
        assert notices == ["of another process"]
        assert console.notices == []
        assert capsys.readouterr() == ("", "")


def test_other_errors_are_told_too(monkeypatch, capsys, scene_file):
    def broken(*arguments, **options):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("lren_tf.cli.commands.detect.read_usable_scene", broken)
    assert main(["detect", scene_file, *RX, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 1
    assert told["error"].startswith("unexpected error: ZeroDivisionError: by nothing")


def test_a_failed_batch_tells_its_scenes(scene_file, capsys):
    Path("torn.mat").write_bytes(b"MATLAB 5.0 MAT-file, torn")
    assert main(["batch", scene_file, "torn.mat", *RX, "--out", "results", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["failed"] == 1
    assert [each["failure"] is None for each in told["scenes"]] == [True, False]
    assert told["error"].startswith("1 of 2 scenes failed")


def test_words_after_two_dashes_are_no_options():
    assert not Console.of(["detect", "--", "--json"]).as_json
    assert Console.of(["detect", "--json"]).as_json
    assert Console.of(["--json"]).command is None


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_has_gone_ends_no_run(options, scene_file, monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(["detect", scene_file, *RX, *options]) == 0
    assert Path("small_score.npy").exists()
    assert "Broken" not in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_output_that_is_full_is_told_and_ends_no_run(options, scene_file, monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["detect", scene_file, *RX, *options]) == 1
    assert Path("small_report.json").exists()
    assert capsys.readouterr().err == (
        "lren-tf: what was to be printed is lost (No space left on device); expected an output "
        "that takes it. Files that the command writes are written.\n"
    )


@pytest.mark.slow
def test_a_process_without_standard_streams(scene_file):
    program = (
        "import os, sys; from lren_tf.cli import main; code = main(sys.argv[1:]); "
        "os._exit(code if {os.fstat(n).st_rdev for n in (0, 1, 2)} == "
        "{os.stat(os.devnull).st_rdev} else 9)"
    )
    # As `<&- >&- 2>&-` of a shell does; a file would take the number of a closed one.
    closing = (
        "import os, sys; [os.close(n) for n in (0, 1, 2)]; "
        "os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", closing, program, "detect", scene_file, *RX],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert Path("small_report.json").exists()


class TestMessagesOfTheLibrary:
    def test_the_command_line_prints_them_and_leaves_the_logger_as_it_was(self, capsys):
        logger = logging.getLogger("lren_tf.somewhere")
        root = logging.getLogger("lren_tf")
        before = root.level, list(root.handlers)
        with Console().listening():
            logger.debug("not shown")
            logger.info("%d epochs", 3)
            logger.warning("careful")
        assert capsys.readouterr() == ("3 epochs\n", "lren-tf: note: careful\n")
        assert (root.level, root.handlers) == before
        assert any(isinstance(each, logging.NullHandler) for each in root.handlers)

    @pytest.mark.slow
    @pytest.mark.parametrize("option", ["--quiet", "--json"])
    def test_no_bar_of_a_training_where_nothing_is_printed(
        self, option, scene_file, capsys, monkeypatch
    ):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        assert main(["detect", scene_file, *SMALL, option]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        if option == "--json":
            assert any(": 2 epochs" in line for line in json.loads(out)["lines"])
        else:
            assert out == ""


def test_the_library_prints_nothing_by_itself():
    # One place is asked for it: Keras' `verbose` of `evaluate`.
    allowed = {("lren_tf/model/keras_methods.py", "print")}
    found = set()
    for path in sorted((ROOT / "lren_tf").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("lren_tf/cli/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print":
                found.add((name, "print"))
    assert found == allowed
