"""Detections at a false-alarm rate: ``detect --false-alarm-rate``, ``threshold``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from lren_tf import datasets
from lren_tf.cli import main
from lren_tf.evaluation import detections
from lren_tf.evaluation.threshold import threshold_at
from lren_tf.io.registry import MAP_FORMATS
from lren_tf.io.save import MapWriter
from tests.cli.common import SCENE, SMALL, files, mat, report

WIDE = datasets.simulate(40, 40, 12, seed=3)
NEW = ["mask.npy", "detections.csv", "detections.geojson", "polygons.geojson"]


@pytest.fixture
def wide_file():
    return mat("wide.mat", data=WIDE.cube, map=WIDE.truth.astype(np.uint8))


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).open(encoding="ascii", newline="")))


def detect(scene: str, *more: str) -> int:
    return main(["detect", scene, "--detector", "rx", *more])


class TestDetect:
    def test_files_report_and_line(self, wide_file, capsys):
        assert detect(wide_file, "--false-alarm-rate", "1e-2", "--out", "a") == 0
        names = ["score.npy", "score.mat", "score.png", *NEW, "mask.mat", "report.json"]
        assert sorted(files()) == sorted(["a", "wide.mat", *(f"a/wide_{name}" for name in names)])

        score = np.load("a/wide_score.npy")
        want = threshold_at(score, 1e-2)
        found = detections.find_detections(score, want.threshold)
        assert want.method == "pareto"
        assert 0 < len(found.listed) < 30
        mask = np.load("a/wide_mask.npy")
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, found.mask)
        np.testing.assert_array_equal(mask == 1, score.astype(float) > want.threshold)
        assert [int(row["pixels"]) for row in rows("a/wide_detections.csv")] == [
            one.pixels for one in found.listed
        ]
        collection = json.loads(Path("a/wide_detections.geojson").read_text("ascii"))
        assert len(collection["features"]) == len(found.listed)

        told = report("a/wide_report.json")
        part = dict(told["threshold"])
        realised = part.pop("realised")
        assert part == {
            **want.as_dict(), "min_size": 1, "detections": len(found.listed),
            "detected_pixels": int((mask == 1).sum()),
            "parts_of_stripes": [],
        }  # fmt: skip
        assert realised == {
            "false_alarm_rate": np.mean(mask[~WIDE.truth]),
            "detection_rate": np.mean(mask[WIDE.truth]),
        }
        assert told["files"]["geojson"] == "a/wide_detections.geojson"
        assert list(told["files"])[-1] == "report"
        assert told["seconds"]["threshold"] >= 0
        out, err = capsys.readouterr()
        assert err == ""
        lines = [line for line in out.splitlines() if line.startswith("threshold: ")]
        assert lines == [
            f"threshold: {want.threshold:.6g} (pareto, false-alarm rate 0.01): "
            f"{len(found.listed)} detections, {int((mask == 1).sum())} pixels; by the truth, "
            f"false-alarm rate {realised['false_alarm_rate']:.2g}, detection rate "
            f"{realised['detection_rate']:.2g}"
        ]

    def test_the_picture_has_one_panel_more(self, wide_file):
        assert detect(wide_file) == 0
        plain = matplotlib.image.imread("wide_score.png")
        assert detect(wide_file, "--false-alarm-rate", "0.01") == 0
        assert matplotlib.image.imread("wide_score.png").shape[1] > 1.2 * plain.shape[1]

    def test_without_the_option_nothing_is_new(self, wide_file, capsys):
        assert detect(wide_file) == 0
        assert not [name for name in files() if name.endswith(tuple(NEW))]
        told = report("wide_report.json")
        assert "threshold" not in told and "threshold" not in told["seconds"]
        assert "threshold:" not in capsys.readouterr().out

    def test_min_size(self, wide_file):
        assert detect(wide_file, "--false-alarm-rate", "0.01") == 0
        every = rows("wide_detections.csv")
        assert detect(wide_file, "--false-alarm-rate", "0.01", "--min-size", "2") == 0
        large = [row["pixels"] for row in every if int(row["pixels"]) >= 2]
        assert 0 < len(large) < len(every)
        assert [row["pixels"] for row in rows("wide_detections.csv")] == large
        assert np.count_nonzero(np.load("wide_mask.npy")) == sum(map(int, large))
        assert report("wide_report.json")["threshold"]["min_size"] == 2

    @pytest.mark.parametrize("truth", [None, np.zeros((40, 40))])
    def test_no_truth_to_judge_by(self, truth, capsys):
        variables = {"data": WIDE.cube} if truth is None else {"data": WIDE.cube, "map": truth}
        assert detect(mat("bare.mat", **variables), "--false-alarm-rate", "0.01") == 0
        assert report("bare_report.json")["threshold"]["realised"] is None
        assert "by the truth" not in capsys.readouterr().out

    def test_a_small_scene_falls_back_and_says_so(self, scene_file, capsys):
        assert detect(scene_file, "--false-alarm-rate", "0.05") == 0
        told = report("small_report.json")
        assert told["threshold"]["method"] == "empirical"
        assert "fewer than 50" in told["threshold"]["reason"]
        (notice,) = told["notices"]
        assert told["threshold"]["reason"] in notice
        out, err = capsys.readouterr()
        assert err == f"lren-tf: note: {notice}\n"
        assert "(empirical, false-alarm rate 0.05)" in out

    @pytest.mark.slow
    def test_lren_too(self, scene_file):
        arguments = ["detect", scene_file, *SMALL, "--false-alarm-rate", "0.1"]
        assert main([*arguments, "--save-model", "m.keras"]) == 0
        score = np.load("small_score.npy").astype(float)
        told = report("small_report.json")
        assert told["threshold"]["threshold"] == threshold_at(score, 0.1).threshold
        assert list(told["files"]) == [
            "score", "score_mat", "picture", "mask", "mask_mat", "detections", "geojson",
            "polygons", "model", "report",
        ]  # fmt: skip
        np.testing.assert_array_equal(
            np.load("small_mask.npy") == 1, score > told["threshold"]["threshold"]
        )

    def test_failed_writing_leaves_nothing(self, wide_file, monkeypatch):
        def fail(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("lren_tf.cli.options.threshold.write_geojson", fail)
        before = files()
        assert detect(wide_file, "--false-alarm-rate", "0.01") == 2
        assert files() == before


class TestThreshold:
    @pytest.fixture(autouse=True)
    def _scored(self):
        score = np.random.default_rng(0).gamma(2.0, size=(50, 60)).astype(np.float32)
        score[10:12, 20] = 40.0
        score[0, :3] = np.nan
        np.save("a_score.npy", score)
        np.savez("b.npz", score=score, rank=-score)
        mat("c.mat", score=score)
        self.score = score

    @pytest.mark.parametrize(
        ("arguments", "stem"),
        [
            (["a_score.npy"], "a"),
            (["b.npz", "--score-key", "score"], "b"),
            (["c.mat"], "c"),
        ],
    )
    def test_files_report_and_line(self, arguments, stem, capsys):
        assert main(["threshold", *arguments, "--false-alarm-rate", "1e-2", "--out", "t"]) == 0
        want = threshold_at(self.score, 1e-2)
        mask = np.load(f"t/{stem}_mask.npy")
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask == 255, np.isnan(self.score))
        np.testing.assert_array_equal(mask == 1, self.score.astype(float) > want.threshold)
        table = rows(f"t/{stem}_detections.csv")
        assert (table[0]["peak_row"], table[0]["peak_column"]) == ("10", "20")
        told = report(f"t/{stem}_threshold.json")
        assert told["score"] == arguments[0]
        assert told["threshold"] == {
            **want.as_dict(), "min_size": 1, "detections": len(table), "realised": None,
            "detected_pixels": int((mask == 1).sum()),
            "parts_of_stripes": [],
        }  # fmt: skip
        assert told["notices"] == []
        assert told["files"]["report"] == f"t/{stem}_threshold.json"
        out, err = capsys.readouterr()
        assert err == ""
        lines = out.splitlines()
        assert lines[0] == (
            f"threshold: {want.threshold:.6g} (pareto, false-alarm rate 0.01): {len(table)} "
            f"detections, {int((mask == 1).sum())} pixels"
        )
        assert [line.split(":")[0] for line in lines[1:]] == [
            "mask", *(["mask_mat"] if stem == "c" else []), "detections", "geojson", "polygons",
            "report",
        ]

    def test_one_detection_is_one(self, capsys):
        arguments = ["--false-alarm-rate", "1e-3", "--min-size", "2"]
        assert main(["threshold", "a_score.npy", *arguments]) == 0
        assert ": 1 detection, 2 pixels" in capsys.readouterr().out

    def test_notices_are_said_and_kept(self, capsys):
        assert main(["threshold", "a_score.npy", "--false-alarm-rate", "1e-5"]) == 0
        (notice,) = report("a_threshold.json")["notices"]
        assert "the threshold is an extrapolation" in notice
        assert capsys.readouterr().err == f"lren-tf: note: {notice}\n"

    def test_refusals(self, refused):
        np.save("flat.npy", np.arange(5.0))
        np.save("gone.npy", np.full((3, 3), np.nan))
        np.save("inf.npy", np.full((3, 3), np.inf))
        np.save("mask.npy", np.eye(9) > 0)
        mat("scene.mat", data=WIDE.cube, map=np.where(WIDE.truth, 5, 2).astype(np.uint8))
        for arguments, said in (
            (["mask.npy", "--false-alarm-rate", "0.01"], "no other values than 0 and 1, as a mask"),
            (["scene.mat", "--false-alarm-rate", "0.01"], "no other values than 2 and 5"),
            (["a_score.npy"], "required: --false-alarm-rate; see lren-tf threshold --help"),
            (["none.npy", "--false-alarm-rate", "0.01"], "none.npy does not exist"),
            (["b.npz", "--false-alarm-rate", "0.01"], "pass --score-key to choose one"),
            (["flat.npy", "--false-alarm-rate", "0.01"], "expected"),
            (["gone.npy", "--false-alarm-rate", "0.01"], "has no data in any of its 9 pixels"),
            (["inf.npy", "--false-alarm-rate", "0.01"], "holds 9 infinite values"),
            (["a_score.npy", "--false-alarm-rate", "0.01", "--out", "b.npz"], "is a file"),
        ):
            assert said in refused("threshold", *arguments)


@pytest.mark.parametrize("command", [("detect", "--detector", "rx"), ("threshold",)])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--false-alarm-rate", "0"], "--false-alarm-rate is 0.0; expected a share"),
        (["--false-alarm-rate", "0.6"], "--false-alarm-rate is 0.6; expected a share"),
        (["--false-alarm-rate", "-0.1"], "--false-alarm-rate is -0.1; expected a share"),
        (["--false-alarm-rate", "nan"], "--false-alarm-rate is nan; expected a share"),
        (["--false-alarm-rate", "low"], "--false-alarm-rate is 'low'; expected a share"),
        (["--false-alarm-rate", "0.1", "--min-size", "0"], "--min-size is '0'; expected a whole"),
        (["--false-alarm-rate", "0.1", "--min-size", "2.5"], "--min-size is '2.5'; expected"),
        (["--false-alarm-rate", "0.1", "--min-size", "big"], "--min-size is 'big'; expected"),
    ],
)
def test_refused_options(command, options, said, scene_file, refused):
    np.save("s_score.npy", SCENE.cube[:, :, 0])
    name, *more = command
    assert said in refused(name, scene_file if more else "s_score.npy", *more, *options)


def test_min_size_alone(scene_file, refused):
    said = refused("detect", scene_file, "--detector", "rx", "--min-size", "3")
    assert "--min-size 3 was given without --false-alarm-rate" in said


def test_whole_numbers_in_any_notation(wide_file):
    assert detect(wide_file, "--false-alarm-rate", "1e-2", "--min-size", "1e1") == 0
    assert report("wide_report.json")["threshold"]["min_size"] == 10


def test_parts_of_stripes_are_marked():
    score = np.random.default_rng(0).gamma(2.0, 1.0, (64, 60)).astype(np.float32)
    score[:, 7] += 8
    score[20, 30] = 40
    np.save("s_score.npy", score)
    assert main(["threshold", "s_score.npy", "--false-alarm-rate", "0.01"]) == 0
    rows = list(csv.DictReader(Path("s_detections.csv").read_text().splitlines()))
    marked = [row["label"] for row in rows if row["stripe"] == "True"]
    assert rows[0]["stripe"] == "False" and (rows[0]["row"], rows[0]["column"]) == ("20.0", "30.0")
    assert marked == [row["label"] for row in rows if row["column"] == "7.0"] and marked
    features = json.loads(Path("s_detections.geojson").read_text())["features"]
    assert [f["properties"]["stripe"] for f in features] == [r["stripe"] == "True" for r in rows]
    told = report("s_threshold.json")["threshold"]
    assert told["parts_of_stripes"] == [int(label) for label in marked]


class TestMapsInDecades:
    """A map whose unit is decades of the false-alarm rate is cut at −log₁₀ of it."""

    OPTIONS = ("--false-alarm-rate", "0.05", "--out", "b")

    def test_by_the_report_beside_them(self, capsys):
        np.save("wide.npy", WIDE.cube)
        options = [*SMALL[4:-4], "--epochs", "1", "--set", "members=2", "--device", "/CPU:0"]
        options += ["--evidence", "--false-alarm-rate", "0.05", "--out", "a"]
        assert main(["detect", "wide.npy", *options]) == 0
        for name in ("wide_evidence_surroundings.npy", "wide_score.npy"):
            assert main(["threshold", f"a/{name}", *self.OPTIONS]) == 0
            said = capsys.readouterr().out
            assert "threshold: 1.30103 (calibrated, false-alarm rate 0.05)" in said
            assert "by wide_report.json the scores are decades" in said and "--refit" in said
        told = report("b/wide_threshold.json")
        assert told["calibrated_by"] == "wide_report.json"
        assert told["threshold"]["method"] == "calibrated"
        np.testing.assert_array_equal(np.load("b/wide_mask.npy"), np.load("a/wide_mask.npy"))
        # Fitted again when asked.
        assert main(["threshold", "a/wide_score.npy", "--refit", *self.OPTIONS]) == 0
        said = capsys.readouterr().out
        assert "calibrated" not in said and "decades" not in said
        told = report("b/wide_threshold.json")
        assert told["calibrated_by"] is None and told["threshold"]["method"] != "calibrated"

    def test_by_the_unit_of_the_file(self, capsys):
        score = np.random.default_rng(0).exponential(size=(40, 40)).astype(np.float32)
        for unit, method in (("decade", "calibrated"), ("score", "pareto"), ("", "pareto")):
            writer = MapWriter(MAP_FORMATS["geotiff"], None)
            writer.write([Path("s.tif")], score, "score", np.nan, unit)
            assert main(["threshold", "s.tif", *self.OPTIONS]) == 0
            assert f"({method}, false-alarm rate 0.05)" in capsys.readouterr().out
            assert report("b/s_threshold.json")["threshold"]["method"] == method

    @pytest.mark.parametrize("told", [
        "[]", "{}", "no JSON", '{"evidence": {}, "files": {"score": "s_score.npy"}}',
        '{"evidence": {"x": 1}, "files": {"score": "other.npy"}}',
        '{"evidence": {"x": 1}, "files": 3}', '{"evidence": {"x": 1}, "files": {"score": 3}}',
        '{"files": {"score": "s_score.npy"}}',
    ])  # fmt: skip
    def test_by_no_other_report(self, told, capsys):
        np.save("s_score.npy", np.random.default_rng(0).exponential(size=(40, 40)))
        Path("s_report.json").write_text(told)
        assert main(["threshold", "s_score.npy", *self.OPTIONS]) == 0
        assert "(pareto, " in capsys.readouterr().out
