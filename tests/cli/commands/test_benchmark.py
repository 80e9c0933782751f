"""``lren-tf benchmark``: runs that are kept, a leaderboard, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import matplotlib.image
import numpy as np
import pytest
import scipy.io
from scipy import ndimage

from lren_tf import datasets, detectors, metrics, plots
from lren_tf.benchmark import run as runs
from lren_tf.benchmark import statistics
from lren_tf.cli import main
from lren_tf.data.scene import data_sha256
from tests.cli.common import REFUSAL, Diverging, Noise, Refusing, files, report


@dataclass(frozen=True)
class Known(detectors.Detector):
    """Knows the truth of a scene by its size, and fails on one of them."""

    name: ClassVar[str] = "known"
    title: ClassVar[str] = "The one that knows"

    fails_at: int = 15

    def _score(self, cube: np.ndarray) -> np.ndarray:
        rows = len(cube)
        if rows == self.fails_at:
            raise RuntimeError("lost its way")
        return scene(rows - 12).truth.astype(float)


def scene(number: int):
    return datasets.simulate(12 + number, 10, 8, seed=number, anomalies=5)


@pytest.fixture(autouse=True)
def _only_these(register, monkeypatch):
    homes = {name: detectors._HOMES[name] for name in ("rx", "lren")}
    monkeypatch.setattr(detectors, "_HOMES", homes)
    register(Noise, Refusing, Known)
    # How many there are changes nothing but the width of the intervals.
    monkeypatch.setattr(statistics, "DRAWS", 100)


@pytest.fixture(autouse=True)
def _no_figure(request, monkeypatch):
    """Spare every leaderboard the drawing, but in tests of `TestResults`."""
    if request.cls is not TestResults:
        monkeypatch.setattr(plots, "save", lambda figure, path: path.write_bytes(b""))


@pytest.fixture
def scenes():
    """Six scenes with truth."""
    Path("in").mkdir()
    for number in range(6):
        made = scene(number)
        np.savez(f"in/s{number}.npz", cube=made.cube, truth=made.truth)
    return [f"in/s{number}.npz" for number in range(6)]


@pytest.fixture
def performed(monkeypatch):
    """Names of the runs that were computed."""
    names, scored = [], runs._scored

    def noted(run, scene):
        names.append(f"{run.method.slug} {run.scene.name} {run.seed}")
        return scored(run, scene)

    monkeypatch.setattr(runs, "_scored", noted)
    return names


def bench(*words: str, out: str = "out") -> int:
    return main(["benchmark", *words, "--out", out])


def board() -> dict:
    return report("out/leaderboard.json")


def lines() -> list[dict[str, str]]:
    with Path("out/leaderboard.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestResults:
    def test_the_runs(self, scenes):
        assert bench(*scenes[:2], "--detectors", "rx,noise", "--seeds", "3") == 0
        runs_of = Path("out/runs")
        found = sorted(path.relative_to(runs_of).as_posix() for path in runs_of.rglob("*.json"))
        own = ["noise-0.json", "noise-1.json", "noise-2.json", "rx.json"]
        # What draws nothing runs once.
        assert found == [f"s{number}/{name}" for number in (0, 1) for name in own]
        told = report("out/runs/s1/noise-2.json")
        score = detectors.create("noise", seed=2).score(scene(1))
        assert told["metrics"] == metrics.evaluate(score, scene(1).truth)
        assert told["seed"] == told["settings"]["seed"] == 2
        assert told["notices"] == ["the noise is loud."]
        assert told["seconds"] > 0 and told["peak_memory_bytes"] >= 0
        assert told["scene"]["sha256"] == board()["scenes"]["s1"]["sha256"]
        assert {"lren_tf", "numpy"} <= set(told["versions"])
        assert {"processor", "cores", "threads"} <= set(told["machine"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told["time"])

    def test_the_leaderboard(self, scenes, capsys):
        assert bench(*scenes, "--detectors", "known,rx,noise", "--seeds", "2") == 0
        out, err = capsys.readouterr()
        assert "24 runs: 23 done, 1 failed" in out
        assert "The one that knows on s3: unexpected error: RuntimeError: lost its way; " in err
        told = board()
        known, rx, noise = (told["methods"][key] for key in ("known", "rx", "noise"))
        assert told["failures"] == [
            {"method": "The one that knows", "scene": "s3", "seed": None,
             "failure": "unexpected error: RuntimeError: lost its way"}
        ]  # fmt: skip
        # Best on five scenes and worst on the one where it failed, of three methods.
        assert known["mean_rank"] == pytest.approx((5 * 1 + 3) / 6)
        assert known["mean"]["failed"] == 1 and known["mean"]["scenes"] == 5
        assert "auc_pd_pf" not in known["by_scene"]["s3"]
        areas = [detectors_area("rx", number) for number in range(6)]
        assert rx["mean"]["auc_pd_pf"]["mean"] == pytest.approx(np.mean(areas))
        seeds = [[detectors_area("noise", number, seed=s) for number in range(6)] for s in (0, 1)]
        spread = noise["mean"]["auc_pd_pf"]
        assert spread["lowest"] == pytest.approx(min(map(np.mean, seeds)))
        assert spread["highest"] == pytest.approx(max(map(np.mean, seeds)))
        low, high = rx["mean"]["intervals"]["auc_pd_pf"]
        assert low < rx["mean"]["auc_pd_pf"]["mean"] < high
        ranking = told["ranking"]
        assert ranking["critical_difference"] == statistics.critical_difference(3, 6)
        assert 0 < ranking["friedman"]["p"] < 1
        assert next(iter(told["methods"])) == min(
            told["methods"], key=lambda key: told["methods"][key]["mean_rank"]
        )

        page = Path("out/leaderboard.html").read_text("utf-8")
        text = Path("out/leaderboard.md").read_text("utf-8")
        for row in (known, rx, noise):
            assert f"| {row['title']} | {row['mean_rank']:.2f}" in text
            assert f"<td>{row['title']}</td>" in page
        assert "lost its way" in text and "lost its way" in page
        assert "1 of 6" in text
        assert matplotlib.image.imread("out/leaderboard.png").std() > 0.05
        table = lines()
        assert len(table) == 3 * 7
        (line,) = (row for row in table if row["method"] == "RX" and row["scene"] == "s2")
        assert float(line["auc_pd_pf"]) == rx["by_scene"]["s2"]["auc_pd_pf"]["mean"]

    @pytest.mark.parametrize("order", ["single several", "several single"])
    def test_a_scene_of_one_object_among_others(self, order, scenes):
        made = scene(7)
        labels, count = ndimage.label(made.truth)
        assert count > 1
        np.savez("single.npz", cube=made.cube, truth=labels == 1)
        np.savez("several.npz", cube=made.cube, truth=made.truth)
        assert bench(*(f"{n}.npz" for n in order.split()), "--detectors", "rx") == 0
        rx = board()["methods"]["rx"]
        cells = rx["by_scene"]
        assert "intervals" in cells["several"] and "intervals" not in cells["single"]
        # The scene with one object stays what it is while the other one's are drawn.
        low, high = rx["mean"]["intervals"]["auc_pd_pf"]
        of_one = cells["single"]["auc_pd_pf"]["mean"]
        ends = cells["several"]["intervals"]["auc_pd_pf"]
        assert [low, high] == pytest.approx([(of_one + end) / 2 for end in ends])

    def test_few_scenes_are_not_tested(self, scenes):
        assert bench(*scenes[:4], "--detectors", "rx,noise") == 0
        assert board()["ranking"]["critical_difference"] is None
        assert "was not tested" in Path("out/leaderboard.md").read_text("utf-8")

    def test_names_and_implants(self, monkeypatch):
        monkeypatch.setattr(datasets, "simulate", lambda: scene_64())
        assert bench("simulated", "implants:simulated:simulated", "--detectors", "rx") == 0
        assert list(board()["scenes"]) == ["simulated", "implants-simulated-simulated"]
        assert board()["scenes"]["implants-simulated-simulated"]["objects"] == 13

    def test_a_truth_in_another_file(self):
        for number in range(2):
            np.save(f"s{number}.npy", scene(number).cube)
            np.save(f"t{number}_s{number}.npy", scene(number).truth)
            Path(f"t{number}_s{number}.npy").rename(f"s{number}_truth.npy")
        assert bench("s0.npy", "s1.npy", "--truth", "{scene}_truth.npy", "--detectors", "rx") == 0
        assert board()["scenes"]["s1"]["anomalous"] == scene(1).truth.sum()

    def test_values_of_a_mask(self):
        made = scene(0)
        classes = np.full(made.truth.shape, 4)
        classes[:2], classes[2:4] = 9, 0
        np.savez("s0.npz", cube=made.cube, truth=made.truth)
        np.save("classes.npy", classes)
        options = ("--mask", "classes.npy", "--mask-values", "4", "--detectors", "rx")
        assert bench("s0.npz", *options) == 0
        assert report("out/benchmark.json")["scenes"]["s0"]["reading"]["mask_values"] == "4"
        assert board()["scenes"]["s0"]["anomalous"] == made.truth[4:].sum()

    def test_everything_failed(self, scenes, capsys):
        assert bench(scenes[0], "--detectors", "refusing") == 1
        assert f"all runs failed: The one that refuses on s0 ({REFUSAL[:-1]})" in (
            capsys.readouterr().err
        )
        assert board()["methods"]["refusing"]["mean"]["failed"] == 1


def scene_64():
    return datasets.simulation.simulate(48, 48, 8, seed=1)


def detectors_area(name: str, number: int, **settings) -> float:
    made = scene(number)
    return metrics.auc_pd_pf(detectors.create(name, **settings).score(made), made.truth)


class TestResuming:
    def test_only_what_is_missing(self, scenes, performed, capsys):
        words = (*scenes[:2], "--detectors", "rx,noise")
        assert bench(*words) == 0
        assert performed == ["rx s0 None", "rx s1 None", "noise s0 0", "noise s1 0"]
        before = Path("out/leaderboard.json").read_bytes()
        Path("out/runs/s1/rx.json").unlink()
        del performed[:]
        capsys.readouterr()
        # Without a word, it is what the folder is.
        assert bench() == 0
        assert performed == ["rx s1 None"]
        assert "4 done (3 of them before)" in capsys.readouterr().out
        told = [json.loads(text) for text in (before, Path("out/leaderboard.json").read_bytes())]
        areas = [t["methods"]["rx"]["mean"]["auc_pd_pf"] for t in told]
        assert areas[0] == areas[1]

    def test_an_interruption_leaves_a_leaderboard(self, scenes, performed, monkeypatch, capsys):
        scored = runs._scored

        def interrupted(run, scene):
            if run.method.detector == "noise" and run.scene.name == "s1":
                raise KeyboardInterrupt
            return scored(run, scene)

        with monkeypatch.context() as patch:
            patch.setattr(runs, "_scored", interrupted)
            assert bench(*scenes[:3], "--detectors", "rx,noise,known") == 130
        err = capsys.readouterr().err
        assert "interrupted, 4 of 9 runs are finished" in err
        told = board()["methods"]
        assert told["rx"]["not_ranked"] is None and told["rx"]["mean_rank"] == 1
        assert told["noise"]["not_ranked"] == told["known"]["not_ranked"] == "unfinished"
        assert told["noise"]["mean"]["missing"] == 2 and told["known"]["mean"]["missing"] == 3
        del performed[:]
        assert bench(*scenes[:3], "--detectors", "rx,noise,known") == 0
        assert performed == ["noise s1 0", "noise s2 0", "known s0 None", "known s1 None",
                             "known s2 None"]  # fmt: skip
        assert all(row["not_ranked"] is None for row in board()["methods"].values())

    def test_a_half_written_run_is_made_again(self, scenes, performed):
        assert bench(scenes[0], "--detectors", "rx") == 0
        path = Path("out/runs/s0/rx.json")
        path.write_text(path.read_text("ascii")[:200])
        assert bench() == 0
        assert performed == 2 * ["rx s0 None"]

    def test_the_folder_gains(self, scenes, performed):
        assert bench(scenes[0], "--detectors", "rx") == 0
        assert bench(scenes[1]) == 0
        assert bench("--detectors", "noise", "--seeds", "2") == 0
        assert bench("--detectors", "noise", "--seeds", "1") == 0  # of two numbers the larger
        assert bench("--seeds", "3") == 0
        assert performed == [
            "rx s0 None", "rx s1 None", "noise s0 0", "noise s1 0", "noise s0 1", "noise s1 1",
            "noise s0 2", "noise s1 2",
        ]  # fmt: skip
        assert board()["methods"]["noise"]["seeds"] == [0, 1, 2]

    def test_a_failed_run_is_tried_again(self, scenes, performed, monkeypatch):
        assert bench(scenes[3], scenes[0], "--detectors", "known") == 0
        assert board()["failures"]
        monkeypatch.setattr(Known, "_score", lambda self, cube: cube[:, :, 0])
        del performed[:]
        assert bench() == 0
        assert performed == ["known s3 None"]
        assert not board()["failures"]

    def test_the_device_is_no_part_of_a_result(self, scenes, performed, monkeypatch):
        assert bench(scenes[0], "--detectors", "noise") == 0
        get = Noise.get_config
        monkeypatch.setattr(Noise, "get_config", lambda self: {**get(self), "device": "/GPU:0"})
        assert bench() == 0
        assert performed == ["noise s0 0"]

    def test_another_version_runs_again(self, scenes, performed, monkeypatch):
        assert bench(scenes[0], "--detectors", "rx") == 0
        monkeypatch.setattr("lren_tf.batch.finished.__version__", "0.0.1")
        assert bench() == 0
        assert performed == 2 * ["rx s0 None"]


def test_what_a_detector_imports_late_is_no_time_of_a_scene(scenes, monkeypatch):
    prepared = []
    monkeypatch.setattr(Noise, "prepare", lambda self: prepared.append("noise"), raising=False)
    score = Noise._score
    monkeypatch.setattr(Noise, "_score", lambda *a: prepared.append("scores") or score(*a))
    assert bench(scenes[0], "--detectors", "noise") == 0
    assert main(["compare", scenes[0], "--detectors", "noise", "--out", "compared"]) == 0
    assert prepared == 2 * ["noise", "scores"]


class TestSettings:
    def test_they_are_a_method_of_their_own(self, scenes):
        more = ("--detectors", "rx", "--set", "rx.ridge=0.5", "--chosen-with-truth", "no")
        assert bench(*scenes[:2], "--detectors", "rx") == 0
        assert bench(*more) == 0
        told = board()["methods"]
        assert set(told) == {"rx", "rx(ridge=0.5)"}
        assert told["rx(ridge=0.5)"]["title"] == "RX (ridge=0.5)"
        assert {"mean_rank"} <= set(told["rx(ridge=0.5)"])
        assert report("out/runs/s0/rx.json")["settings"]["ridge"] != 0.5
        found = list(Path("out/runs/s0").glob("rx-*.json"))
        assert [report(str(p))["settings"]["ridge"] for p in found] == [0.5]

    def test_chosen_with_the_truth_is_not_ranked(self, scenes):
        assert bench(*scenes[:5], "--detectors", "rx,noise") == 0
        ranks = {key: row["mean_rank"] for key, row in board()["methods"].items()}
        more = ("--set", "noise.window=5", "--chosen-with-truth", "yes")
        assert bench("--detectors", "noise", *more) == 0
        told = board()
        apart = told["methods"].pop("noise(window=5)")
        assert apart["not_ranked"] == "chosen with the truth" and "mean_rank" not in apart
        assert {key: row["mean_rank"] for key, row in told["methods"].items()} == ranks
        assert told["ranking"]["methods"] == 2
        text = Path("out/leaderboard.md").read_text("utf-8")
        first, second = text.split("## Chosen with the truth")[:2]
        assert "window=5" not in first and "Noise (window=5)" in second

    def test_defaults_chosen_with_the_truth_of_some_scenes(self, scenes, monkeypatch):
        truths = tuple(data_sha256(scene(number).truth) for number in range(6))
        monkeypatch.setattr(Noise, "chosen_on", truths[:2], raising=False)
        assert bench(*scenes, "--detectors", "rx,noise") == 0
        told = board()
        assert told["ranking"]["over"] == ["s2", "s3", "s4", "s5"]
        assert told["ranking"]["chosen_with_truth"] is False
        cells = told["methods"]["noise"]["by_scene"].items()
        assert {name for name, cell in cells if cell["chosen_with_truth"]} == {"s0", "s1"}
        assert not any(c["chosen_with_truth"] for c in told["methods"]["rx"]["by_scene"].values())
        ranks = [told["methods"][key]["mean_rank"] for key in ("rx", "noise")]
        areas = [
            [told["methods"][key]["by_scene"][name]["auc_pd_pf"]["mean"] for key in ("rx", "noise")]
            for name in told["ranking"]["over"]
        ]
        assert ranks == pytest.approx(list(statistics.ranks(areas).mean(axis=0)))
        found = [row["scene"] for row in lines() if row["chosen_with_truth"] == "True"]
        assert found == ["mean", "s0", "s1"]
        for file in ("leaderboard.md", "leaderboard.html"):
            text = Path("out", file).read_text("utf-8")
            assert "Ranks are over the 4 scenes used in no choice: s2, s3, s4, s5." in text
            assert "2 of 6" in text and f"{areas[0][1]:.4f} †" not in text
            assert text.count("†") == 3  # two cells and what it means

        monkeypatch.setattr(Noise, "chosen_on", truths, raising=False)
        assert bench() == 0
        told = board()
        assert told["ranking"]["over"] == [f"s{n}" for n in range(6)]
        assert told["ranking"]["chosen_with_truth"] is True
        text = Path("out/leaderboard.md").read_text("utf-8")
        assert f"| Noise | {told['methods']['noise']['mean_rank']:.2f} † | 6 of 6 |" in text
        assert f"| RX | {told['methods']['rx']['mean_rank']:.2f} * | – |" in text
        assert "Every scene was used to choose some method" in text

    def test_a_scene_that_nobody_knows(self, scenes, monkeypatch, capsys):
        monkeypatch.setattr(Noise, "chosen_on", ("cost",), raising=False)
        assert bench(scenes[0], "--detectors", "noise") == 2
        assert "chosen on 'cost'; expected the SHA-256 of a truth, or one of" in (
            capsys.readouterr().err
        )

    def test_presets_and_variants_are_named(self):
        from lren_tf.benchmark.methods import detector_method

        titles = [
            detector_method("lren", settings, 1, False).label
            for settings in ({}, {"preset": "paper"}, {"settings": {"epochs": 3}})
        ]
        assert titles == ["LREN (robust)", "LREN (paper)", "LREN (robust, epochs=3)"]
        four = detectors.create("lren", preset="paper").chosen_on
        assert four == tuple(datasets.names()) != detectors.create("lren").chosen_on

    def test_defaults_in_other_words_are_the_defaults(self, scenes, performed):
        assert bench(scenes[0], "--detectors", "noise", "--set", "noise.window=3") == 0
        assert bench("--detectors", "noise") == 0
        assert performed == ["noise s0 0"]

    def test_settings_of_the_preset(self):
        from lren_tf.benchmark.methods import detector_method
        from lren_tf.cli.options.methods import _parsed

        parsed = _parsed("lren", {"preset": "paper", "epochs": "100"})
        method = detector_method("lren", parsed, 2, True)
        assert method.settings == {"preset": "paper", "settings": {"epochs": 100}}
        assert method.key == "lren(epochs=100, preset=paper)"
        assert method.drawn() == [123, 124]
        assert dict(method.made(124).settings) == {"epochs": 100}

    def test_a_plugin_appears(self, scenes, monkeypatch):
        """Another package's detector is registered by its entry point; its name is in the key."""
        monkeypatch.setattr(Known, "plugin", "'known' of plug-known")
        assert bench(scenes[0], "--detectors", "known") == 0
        told = report("out/runs/s0/known.json")
        assert told["batch"]["settings"]["plugin"] == "'known' of plug-known"


class TestScoreMaps:
    @pytest.fixture
    def maps(self, scenes):
        Path("theirs").mkdir()
        for number in range(3):
            score = np.where(scene(number).truth, 2.0, np.arange(10) / 10)
            if number:
                np.save(f"theirs/s{number}_score.npy", score)
            else:
                scipy.io.savemat("theirs/s0.mat", {"score": score})
        return scenes[:3]

    def test_they_are_judged(self, maps):
        more = ("--against", "theirs", "--chosen-with-truth", "no")
        assert bench(*maps, "--detectors", "rx", *more) == 0
        told = board()["methods"]["maps:theirs"]
        assert told["title"] == "theirs (score maps)"
        assert told["mean"]["auc_pd_pf"]["mean"] == 1 and told["mean_rank"] == 1
        assert told["by_scene"]["s0"]["seconds"] is None
        assert "theirs" in Path("out/leaderboard.md").read_text("utf-8")

    def test_they_are_judged_again_when_they_change(self, maps, performed):
        more = ("--detectors", "rx", "--against", "theirs", "--chosen-with-truth", "yes")
        assert bench(*maps[:2], *more) == bench(*maps[:2], *more) == 0
        assert sum("maps" in name for name in performed) == 2
        np.save("theirs/s1_score.npy", np.random.default_rng(0).random((13, 10)))
        assert bench() == 0
        assert sum("maps" in name for name in performed) == 3
        assert board()["methods"]["maps:theirs"]["not_ranked"] == "chosen with the truth"

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda: Path("theirs/s1_score.npy").unlink(), "holds no file that can be the score"),
            (lambda: np.save("theirs/s1.npy", np.ones((13, 10))), "holds 2 files that can be"),
            (lambda: np.save("theirs/s1_score.npy", np.ones((3, 3))), "has shape (3, 3)"),
            (lambda: np.save("theirs/s1_score.npy", np.full((13, 10), np.nan)), "NaN"),
        ],
    )
    def test_one_that_does_not_fit_has_failed(self, maps, spoil, reason):
        spoil()
        more = ("--against", "theirs", "--chosen-with-truth", "no")
        assert bench(*maps, "--detectors", "rx", *more) == 0
        told = board()
        assert [each["scene"] for each in told["failures"]] == ["s1"]
        assert told["methods"]["maps:theirs"]["mean_rank"] == pytest.approx((1 + 2 + 1) / 3)
        if reason != "NaN":
            assert reason in told["failures"][0]["failure"]

    def test_a_folder_that_is_gone(self, maps):
        more = ("--against", "theirs", "--chosen-with-truth", "no")
        assert bench(*maps[:1], "--detectors", "rx", *more) == 0
        Path("theirs").rename("elsewhere")
        assert bench() == 0
        (failure,) = board()["failures"]
        assert "theirs cannot be listed (No such file or directory)" in failure["failure"]

    def test_a_gap_is_refused(self, maps):
        score = scene(1).truth.astype(float)
        score[0, :2] = np.nan
        np.save("theirs/s1_score.npy", score)
        more = ("--against", "theirs", "--chosen-with-truth", "no")
        assert bench(*maps, "--detectors", "rx", *more) == 0
        assert "has no score in 2 pixels where s1 holds data" in board()["failures"][0]["failure"]


@pytest.fixture
def refusal(refused, capsys):
    """Run the command, and return the sentence with which it refuses."""

    def run(*words: str) -> str:
        capsys.readouterr()
        return refused("benchmark", *words, "--out", "out")

    return run


class TestRefusals:
    def test_options(self, scenes, refusal):
        for words, sentence in (
            (("--detectors", "rx"), "no scene was given, and out holds no benchmark"),
            ((scenes[0], "--detectors", "rxx"), "detector 'rxx' is unknown"),
            ((scenes[0], "--detectors", "rx,,"), "--detectors got 'rx,,'"),
            ((scenes[0], "--detectors", "rx,rx"), "--detectors names 'rx' 2 times"),
            ((scenes[0], "--seeds", "0"), "--seeds is '0'"),
            ((scenes[0], "--seeds", "few"), "--seeds is 'few'"),
            (("nowhere.mat",), "nowhere.mat does not exist"),
            (("implants:simulated:nowhere",), "names 'nowhere'; expected implants:TARGETS"),
            ((scenes[0], "--detectors", "rx", "--set", "ridge=1"), "expected DETECTOR.NAME=VALUE"),
            ((scenes[0], "--detectors", "rx", "--set", "noise.lam=2"), "is not among the"),
            ((scenes[0], "--detectors", "rx", "--set", "rx.x=2"), "setting 'x' is unknown to RX"),
            ((scenes[0], "--detectors", "rx", "--set", "rx.ridge=2"), "yes or no"),
            ((scenes[0], "--detectors", "noise", "--set", "noise.seed=2"), "--seeds gives the"),
            ((scenes[0], "--chosen-with-truth", "no"), "without --set and --against"),
            ((scenes[0], "--against", "in", "--chosen-with-truth", "maybe"), "expected yes or no"),
            ((scenes[0], "--detectors", "rx", "--against", "in"), "expected --chosen-with-truth"),
            ((scenes[0], "--against", "no", "--chosen-with-truth", "no"), "no is no folder"),
            (("--key", "cube"), "no scene was given"),
            (("simulated", "--detectors", "rx", "--key", "cube"), "no scene is a file"),
        ):
            assert sentence in refusal(*words), words

    def test_a_folder_without_any_map(self, scenes, refusal):
        Path("empty").mkdir()
        more = ("--detectors", "rx", "--against", "empty", "--chosen-with-truth", "no")
        assert "holds no file that can be the score map of s0" in refusal(
            *scenes[:2], *more
        )

    def test_scenes_that_cannot_judge(self, refusal):
        np.save("plain.npy", scene(0).cube)
        np.savez("empty.npz", cube=scene(0).cube, truth=np.zeros((12, 10)))
        told = refusal("plain.npy", "--detectors", "rx")
        assert "plain has no truth" in told and "--truth" in told
        told = refusal("empty.npz", "--detectors", "rx")
        assert "the truth of empty has no anomalous pixel" in told

    def test_another_scene_of_the_name(self, scenes, refusal):
        assert bench(*scenes[:2], "--detectors", "rx") == 0
        Path("other").mkdir()
        made = scene(0)
        np.savez("other/s0.npz", cube=made.cube + 1, truth=made.truth)
        told = refusal("other/s0.npz", "--detectors", "rx")
        assert "is not the scene that the benchmark calls s0 (sha256 differ)" in told
        # The same one elsewhere is the same one.
        np.savez("other/s0.npz", cube=made.cube, truth=made.truth)
        assert bench("other/s0.npz", "--detectors", "rx") == 0

    def test_another_declaration(self, scenes, refusal):
        more = (scenes[0], "--detectors", "rx", "--set", "rx.ridge=0.5", "--chosen-with-truth")
        assert bench(*more, "yes") == 0
        assert "was declared --chosen-with-truth yes" in refusal(*more, "no")

    def test_another_folder_of_maps(self, scenes, refusal):
        for folder in ("a/theirs", "b/theirs"):
            Path(folder).mkdir(parents=True)
            np.save(f"{folder}/s0.npy", scene(0).truth.astype(float))
        more = ("--chosen-with-truth", "no")
        assert bench(scenes[0], "--detectors", "rx", "--against", "a/theirs", *more) == 0
        assert "expected one folder of a name" in refusal(
            "--against", "b/theirs", *more
        )

    @pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}', '{"format": 1, "scenes": {}}'])
    def test_a_folder_of_another_meaning(self, scenes, refusal, text):
        Path("out").mkdir()
        Path("out/benchmark.json").write_text(text)
        told = refusal(scenes[0], "--detectors", "rx")
        assert "is not the record of a benchmark" in told

    def test_a_scene_that_has_changed(self, scenes, capsys):
        assert bench(*scenes[:2], "--detectors", "rx") == 0
        made = scene(0)
        np.savez(scenes[0], cube=made.cube + 1, truth=made.truth)
        # What is finished is that of the scene as it was; what is not cannot be made of another.
        assert bench("--detectors", "noise") == 0
        assert [each["scene"] for each in board()["failures"]] == ["s0"]
        assert "is not what it was when the benchmark began" in board()["failures"][0]["failure"]


def test_diverging_is_a_failure(scenes, register):
    register(Diverging)
    assert bench(scenes[0], "--detectors", "rx,diverging") == 0
    (failure,) = board()["failures"]
    assert failure["failure"] == "the loss became NaN in step 3: lower learning_rate"


def test_two_runs_at_a_time_are_refused(scenes, capsys):
    from lren_tf.runtime.folder_lock import exclusive_use

    Path("out").mkdir()
    with exclusive_use(Path("out"), "lren-tf benchmark"):
        assert bench(scenes[0], "--detectors", "rx") == 2
    assert "in use by another lren-tf benchmark" in capsys.readouterr().err
    assert {path for path in files() if path.startswith("out/")} <= {"out/lock"}


def test_scene_area_is_in_the_key(scenes, performed, monkeypatch):
    """A scene of which one learns the size of a pixel has other false alarms per km²."""
    assert bench(scenes[0], "--detectors", "rx") == 0
    monkeypatch.setattr("lren_tf.benchmark.scenes.pixel_area", lambda *_: 100.0)
    monkeypatch.setattr("lren_tf.io.pixel_area.pixel_area", lambda *_: 100.0)
    assert bench(scenes[0], "--detectors", "rx", out="new") == 0
    told = report("new/leaderboard.json")["methods"]["rx"]["mean"]
    score, truth = detectors.create("rx").score(scene(0)), scene(0).truth
    from lren_tf.evaluation.objects import JudgedObjects

    want = JudgedObjects.of(score, truth).record(100.0)["at_1_percent"]
    assert told["false_alarms_per_km2_at_1_percent"]["mean"] == want["false_alarms_per_km2"]
    assert told["objects_found_at_1_percent"]["mean"] == want["found"]
    text = Path("new/leaderboard.md").read_text("utf-8")
    assert "false alarms per km² at 1 %" in text
