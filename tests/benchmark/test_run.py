"""The key of a run: which settings it holds, and records from before it held those of a preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lren_tf import detectors, presets
from lren_tf.batch.finished import ENTRY
from lren_tf.benchmark.methods import detector_method
from lren_tf.benchmark.run import Run
from lren_tf.benchmark.scenes import JudgedScene
from lren_tf.detectors import adlr, pab_dc, rx
from lren_tf.records import json_text


def run_of(name: str, folder: Path = Path("nowhere")) -> Run:
    scene = JudgedScene("s", "simulated", {}, {"sha256": 64 * "0"})
    return Run(str(folder), scene, detector_method(name, {}), None)


def key(name: str) -> str:
    return str(run_of(name).result().entry()["key"])


@pytest.fixture
def other_defaults(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that changes one default of a detector."""

    def change(name: str) -> None:
        if name == "lren":
            robust = replace(presets.ROBUST, epochs=presets.ROBUST.epochs + 1)
            monkeypatch.setitem(presets.PRESETS, "robust", robust)  # type: ignore[arg-type]
        elif name == "adlr":
            monkeypatch.setitem(adlr._DEFAULTS["robust"], "bandwidth", 0.5)
        elif name == "pab_dc":
            monkeypatch.setitem(pab_dc._DEFAULTS["release"], "score_part", "both")
        else:
            monkeypatch.setattr(rx.RX.__init__, "__kwdefaults__", {"false_alarm_rate": 1e-3})
            monkeypatch.setattr(rx.RX.__init__, "__defaults__", (0.5,))

    return change


@pytest.mark.parametrize("name", ["rx", "lren", "adlr", "pab_dc"])
def test_a_changed_default_changes_the_key(name: str, other_defaults: Any) -> None:
    before = key(name)
    assert key(name) == before
    other_defaults(name)
    assert key(name) != before


@pytest.mark.parametrize("name", ["rx", "lren", "adlr"])
def test_a_record_counts_until_a_default_changes(
    name: str, tmp_path: Path, other_defaults: Any
) -> None:
    run = run_of(name, tmp_path)
    run.record.parent.mkdir(parents=True)
    entry = run.result().entry()

    def finished(kept: dict[str, Any]) -> bool:
        run.record.write_text(json_text({"files": {}, ENTRY: kept}), "ascii")
        return run.finished() is not None

    assert finished(entry)
    other_defaults(name)
    assert not finished(entry)


def test_settings_that_stand_for_others_are_replaced() -> None:
    for name in detectors.names():
        made = detectors.create(name)
        config, effective = made.get_config(), made.effective_config()
        assert set(effective) == set(config)
        if name == "lren":
            assert effective["settings"]["epochs"] == presets.ROBUST.epochs
        elif not made.named_by:
            assert effective == config
