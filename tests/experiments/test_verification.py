"""Tolerances, verdicts and acceptance, on the committed results and on made-up records."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import accept, published, verification
from experiments.rendering import figures
from experiments.runs.detector_run import DetectorRun
from experiments.runs.lren_run import LrenRun
from experiments.runs.run import REFERENCE, Workspace, load_map, load_result
from experiments.runs.training_run import TrainingRun
from experiments.studies import comparators
from experiments.studies.ablation import SeparateRun
from experiments.verification import Verdict, figures_of
from lren_tf.data.scene import data_sha256

RX = DetectorRun("comparison", "pavia", "rx")
HADGAN = DetectorRun("comparison", "pavia", "hadgan", 0)
RELEASE = LrenRun("proposed", "hydice", "release", 123)
RELEASED = (("variant", "release"),)
SENSITIVE = DetectorRun("sensitivity", "pavia", "adlr", 0, (("lam", 0.05), *RELEASED))
PAPER = LrenRun("proposed", "hydice", "paper", 123)


@pytest.fixture
def spaces(tmp_path):
    """Where runs are, and what is committed."""
    return Workspace(tmp_path / "here", "runs"), Workspace(tmp_path / "committed")


def write(space, run, pd_pf=0.99, pf_tau=0.01, *, r=None, scene="a", clean=True, fill=1.0):
    """A record as a run leaves it, with its map; a failure where `pd_pf` is None."""
    good = pd_pf is not None
    score = np.full((2, 3), fill, np.float32)
    record = {
        "study": run.study, "status": "finished" if good else "diverged", "clean": clean,
        "scene": {"sha256": scene}, "pearson_with_released_map": r, "error": None,
        "metrics": {"auc_pd_pf": pd_pf, "auc_pf_tau": pf_tau} if good else None,
        "map_sha256": data_sha256(score) if good else None,
    }  # fmt: skip
    run.result_path(space).parent.mkdir(parents=True, exist_ok=True)
    run.result_path(space).write_text(json.dumps(record))
    if good and space.records_folder == "runs":
        run.map_path(space).parent.mkdir(parents=True, exist_ok=True)
        np.save(run.map_path(space), score)


def seeds(reference, values, **further):
    """Committed records of HADGAN with these values of AUC(Pd,Pf)."""
    for seed, value in enumerate(values):
        write(reference, DetectorRun("comparison", "pavia", "hadgan", seed), value, **further)


def verdicts(run, spaces):
    return {figure.name: figure.verdict for figure in figures_of(run, *spaces)}


# --- tolerances of the committed results ------------------------------------------------------


def tolerances(run, tmp_path):
    """Tolerances of a committed run, against itself."""
    return [f.tolerance for f in figures_of(run, REFERENCE, REFERENCE)]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (RX, ["1.0e-06"] * 2),
        (DetectorRun("sensitivity", "coast", "lrx", None, (("delta", 1e-6),)), ["1.0e-06"] * 2),
        (RELEASE, ["2.0e-03", "2.0e-03", "≥ 0.999"]),
        (LrenRun("proposed", "pavia", "release", 123), ["2.0e-03", "2.0e-03", "≥ 0.995"]),
        (LrenRun("proposed", "coast", "release", 123), ["2.0e-03"] * 2),
        (TrainingRun("trainings", "sandiego", "release", 123), ["2.0e-03", "2.0e-03", "≥ 0.999"]),
        (comparators.runs_of("hydice")[0], ["2.0e-03"] * 2),
        (PAPER, ["–"] * 2),
        (SeparateRun("ablation", "pavia", "release", 123), ["–"] * 2),
    ],
)  # fmt: skip
def test_tolerances_follow_the_kind_of_run(run, expected, tmp_path):
    assert tolerances(run, tmp_path) == expected


def test_the_tolerance_of_a_stochastic_method_is_its_committed_range(tmp_path):
    for run in (HADGAN, LrenRun("robust", "sandiego", "robust", 123)):
        folder = run.result_path(REFERENCE).parent
        values = [
            json.loads(path.read_text())["metrics"]["auc_pd_pf"]
            for path in folder.glob(f"{run.stem.rpartition('seed')[0]}seed*.json")
        ]
        assert len(values) in (5, 10)
        assert tolerances(run, tmp_path)[0] == f"{max(values) - min(values):.1e}"


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (PAPER, Verdict.CHAOTIC),
        (DetectorRun("comparison", "hydice", "adlr", 0, RELEASED), Verdict.CHAOTIC),
        (DetectorRun("comparison", "hydice", "pab_dc", 0), Verdict.CHAOTIC),
        (SENSITIVE, Verdict.CHAOTIC),
        (SeparateRun("ablation", "pavia", "release", 123), Verdict.FEW_SEEDS),
        (HADGAN, Verdict.WITHIN),
        (DetectorRun("sensitivity", "hydice", "aae_rx", 0, (("steps", 250),)), Verdict.WITHIN),
        (RELEASE, Verdict.WITHIN),
    ],
)  # fmt: skip
def test_chaos_is_not_checked_instead_of_passing(run, verdict):
    """Every run against itself: even then."""
    assert figures_of(run, REFERENCE, REFERENCE)[0].verdict is verdict


def test_every_committed_run_agrees_with_itself():
    runs = [run for scene in published.SCENES for run in figures.shown_runs(scene)]
    found = verification.verify(runs, REFERENCE, REFERENCE)
    assert verification.passed(found)
    assert sum(figure.verdict is Verdict.WITHIN for figure in found) > len(found) / 2


# --- verdicts ---------------------------------------------------------------------------------


def test_a_figure_is_within_its_tolerance_or_not(spaces):
    here, committed = spaces
    write(committed, RX, 0.99, 0.01)
    assert verdicts(RX, spaces) == {}, "it has not run here"
    write(here, RX, 0.9900009, 0.01)
    assert set(verdicts(RX, spaces).values()) == {Verdict.WITHIN}
    write(here, RX, 0.9900011, 0.01)
    assert verdicts(RX, spaces) == {"AUC(Pd,Pf)": Verdict.OUTSIDE, "AUC(Pf,τ)": Verdict.WITHIN}


def test_the_range_over_seeds_is_the_tolerance(spaces):
    here, committed = spaces
    seeds(committed, (0.990, 0.991, 0.992, 0.993, 0.994))
    write(here, HADGAN, 0.9939)
    assert verdicts(HADGAN, spaces)["AUC(Pd,Pf)"] is Verdict.WITHIN
    write(here, HADGAN, 0.9945)
    assert verdicts(HADGAN, spaces)["AUC(Pd,Pf)"] is Verdict.OUTSIDE
    seeds(committed, (0.95, 0.991, 0.992, 0.993, 0.994))
    assert verdicts(HADGAN, spaces)["AUC(Pd,Pf)"] is Verdict.CHAOTIC
    DetectorRun("comparison", "pavia", "hadgan", 4).result_path(committed).unlink()
    seeds(committed, (0.990, 0.991, 0.992, 0.993))
    assert verdicts(HADGAN, spaces)["AUC(Pd,Pf)"] is Verdict.FEW_SEEDS


def test_the_release_needs_its_correlation_with_the_released_map(spaces):
    here, committed = spaces
    write(committed, RELEASE, 0.99, r=0.9999)
    expectations = {0.9991: Verdict.WITHIN, 0.9989: Verdict.OUTSIDE, None: Verdict.NO_MAP}
    for r, expected in expectations.items():
        write(here, RELEASE, 0.9915, r=r)
        found = verdicts(RELEASE, spaces)
        assert found == {
            "AUC(Pd,Pf)": Verdict.WITHIN, "AUC(Pf,τ)": Verdict.WITHIN,
            "r with the released map": expected,
        }  # fmt: skip


def test_a_failure_has_to_fail_again_and_other_data_are_outside(spaces):
    here, committed = spaces
    write(committed, RX, None)
    write(here, RX, None)
    assert set(verdicts(RX, spaces).values()) == {Verdict.WITHIN}
    write(here, RX, 0.99)
    assert set(verdicts(RX, spaces).values()) == {Verdict.OUTSIDE}
    write(committed, RX, 0.99)
    write(here, RX, None)
    assert [f.note for f in figures_of(RX, *spaces)] == ["failed here"] * 2
    write(here, RX, 0.99, scene="b")
    (figure, _) = figures_of(RX, *spaces)
    assert figure.verdict is Verdict.OUTSIDE and "the scene's data differ" in figure.cells[-1]


def test_what_is_not_committed_is_not_checked(spaces):
    write(spaces[0], RX, 0.99)
    assert set(verdicts(RX, spaces).values()) == {Verdict.NEW}


def test_the_table_has_a_row_for_every_figure_and_counts_them(spaces):
    here, committed = spaces
    write(committed, RX, 0.99, 0.01)
    write(here, RX, 0.98, 0.01)
    write(committed, PAPER, 0.9, 0.2)
    write(here, PAPER, 0.8, 0.2)
    found = verification.verify([RX, PAPER], *spaces)
    text = verification.write(found, here)
    assert text.splitlines()[0].startswith("| scene | method | figure | committed | here |")
    assert "| Pavia | RX | AUC(Pd,Pf) | 0.990000 | 0.980000 | -1.0e-02 | 1.0e-06 | **NO** |" in text
    assert (
        "| Hydice | LREN (paper), seed 123 | AUC(Pd,Pf) | 0.900000 | 0.800000 | -1.0e-01 | – | "
        "not checked: chaotic |"
    ) in text
    assert text.endswith(
        "4 figures: 1 within their tolerance, 1 outside, 2 not checked: chaotic."
    )
    assert not verification.passed(found) and verification.passed(found[1:])
    assert (here.root / "verification.md").read_text("utf-8") == f"{text}\n"


# --- acceptance -------------------------------------------------------------------------------


def accepted(spaces, runs, **options):
    return accept.accept(*spaces, runs, **options)


def test_verified_runs_are_copied_with_compact_maps_of_those_that_are_shown(spaces):
    here, committed = spaces
    other = DetectorRun("sensitivity", "pavia", "lrx", None, (("delta", 1e-6),))
    for run in (RX, other):
        write(committed, run, 0.99)
        write(here, run, 0.9900001, fill=2.0)
    copied, left = accepted(spaces, [RX, other, HADGAN])
    assert copied == [RX, other] and left == []
    for run in copied:
        assert load_result(run, committed) == load_result(run, here)
    np.testing.assert_array_equal(load_map(RX, committed), np.full((2, 3), 2.0))
    assert load_map(other, committed) is None, "no figure shows it"
    assert not (committed.root / "maps").exists()


def test_a_record_stays_where_the_map_is_the_same_to_the_bit(spaces):
    here, committed = spaces
    write(committed, RX, 0.99)
    before = RX.result_path(committed).read_bytes()
    write(here, RX, 0.99)
    record = load_result(RX, here)
    RX.result_path(here).write_text(json.dumps({**record, "time": "later"}))
    assert accepted(spaces, [RX]) == ([RX], [])
    assert RX.result_path(committed).read_bytes() == before
    assert load_map(RX, committed) is not None


def test_nothing_is_copied_while_a_figure_is_outside(spaces):
    here, committed = spaces
    for run in (RX, RELEASE):
        write(committed, run, 0.99)
        write(here, run, 0.99, fill=2.0)
    write(here, RELEASE, 0.9)
    with pytest.raises(ValueError, match=r"Hydice \| LREN \(release\), seed 123 \| AUC\(Pd,Pf\)"):
        accepted(spaces, [RX, RELEASE])
    assert load_result(RX, committed) != load_result(RX, here)


def test_what_cannot_be_checked_is_copied_on_request_only(spaces):
    here, committed = spaces
    write(committed, PAPER, 0.9)
    write(here, PAPER, 0.8, fill=2.0)
    copied, left = accepted(spaces, [PAPER])
    assert copied == [] and left == [f"{PAPER.label}: not checked: chaotic"]
    assert accepted(spaces, [PAPER], unchecked=True) == ([PAPER], [])
    assert load_result(PAPER, committed) == load_result(PAPER, here)


def test_a_run_of_a_changed_tree_is_not_copied(spaces):
    here, committed = spaces
    write(committed, RX, 0.99)
    write(here, RX, 0.99, clean=False, fill=2.0)
    copied, (line,) = accepted(spaces, [RX])
    assert copied == [] and line.endswith("run from a tree with changes, or outside a checkout")


def test_the_command_says_what_it_copied_and_fills_the_pages(spaces, monkeypatch, capsys):
    here, committed = spaces
    monkeypatch.setattr(accept, "RESULTS", here)
    monkeypatch.setattr(accept, "REFERENCE", committed)
    done = []
    monkeypatch.setattr(accept, "available_scenes", lambda: ["pavia"])
    monkeypatch.setattr(accept.everything, "write", lambda *a: done.append(a))
    monkeypatch.setattr(accept.pages, "fill", lambda: ["README.md"])
    write(committed, RX, 0.99)
    write(here, RX, 0.98)
    assert accept.main([]) == 1
    assert "Nothing was copied." in capsys.readouterr().out and done == []
    write(here, RX, 0.99)
    assert accept.main([]) == 0
    printed = capsys.readouterr().out
    assert "copied 1 runs into" in printed and "filled the blocks of README.md" in printed
    assert done == [(committed, ["pavia"])]
