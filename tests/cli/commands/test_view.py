"""``detect --view``, ``--explain`` and ``view REPORT.json``."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lren_tf import datasets, detectors, explain
from lren_tf.cli import main
from tests.cli.common import RX, mat, report
from tests.trained import SCENE as TRAINED

SCENE = datasets.simulate(30, 28, 9, seed=3)
RATE = ("--false-alarm-rate", "1e-2")


@pytest.fixture
def scene_file():
    return mat("a.mat", data=SCENE.cube)


def values_of(name: str) -> dict:
    page = Path(name).read_text("utf-8")
    return json.loads(re.search(r'id="values">(.*?)</script>', page, re.S)[1])


def listed_in(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text("ascii").splitlines()))


class TestDetect:
    def test_view(self, scene_file, capsys):
        assert main(["detect", scene_file, *RX, *RATE, "--view", "--out", "o"]) == 0
        assert "view: o/a_view.html" in capsys.readouterr().out
        told, values = report("o/a_report.json"), values_of("o/a_view.html")
        assert told["files"]["view"] == "o/a_view.html"
        assert told["seconds"]["view"] > 0
        rows = listed_in("o/a_detections.csv")
        assert len(rows) == len(values["detections"]) == told["threshold"]["detections"] > 0
        for row, listed in zip(rows, values["detections"], strict=True):
            at = int(row["peak_row"]), int(row["peak_column"])
            (want,) = explain.explain_pixels(detectors.create("rx"), SCENE, [at])
            assert row["strongest_bands"] == " ".join(map(str, want.strongest()))
            assert listed["explained"]["strongest"] == want.strongest()
            found = told["explanations"][row["label"]]
            assert found["strongest_bands"] == want.strongest()
            assert sum(found["contributions"]) == pytest.approx(found["value"], rel=1e-9)

    def test_without_a_rate(self, scene_file):
        assert main(["detect", scene_file, *RX, "--view"]) == 0
        values = values_of("a_view.html")
        assert values["rates"]["rates"][values["rates"]["run"]] == 1e-3
        assert "explanations" not in report("a_report.json")

    def test_explain(self, scene_file):
        assert main(["detect", scene_file, *RX, *RATE, "--explain"]) == 0
        assert not Path("a_view.html").exists()
        assert report("a_report.json")["explanations"]
        geojson = json.loads(Path("a_detections.geojson").read_text("ascii"))
        rows = listed_in("a_detections.csv")
        assert [each["properties"]["strongest_bands"] for each in geojson["features"]] == [
            row["strongest_bands"] for row in rows
        ]

    def test_a_detector_without_contributions(self, scene_file, refused):
        error = refused("detect", scene_file, "--detector", "aed", *RATE, "--explain")
        assert "no contributions of bands are known" in error
        assert main(["detect", scene_file, "--detector", "aed", *RATE, "--view"]) == 0
        values = values_of("a_view.html")
        assert not [each for each in values["detections"] if "explained" in each]
        assert any("No contributions" in note for note in values["notes"])

    def test_explain_without_a_rate(self, scene_file, refused):
        error = refused("detect", scene_file, *RX, "--explain")
        assert "--explain was given without --false-alarm-rate" in error

    @pytest.mark.slow
    @pytest.mark.parametrize("preset", ["robust", "release"])
    def test_a_trained_model(self, trained_models, preset, capsys):
        shutil.copy(trained_models / f"{preset}.keras", "m.keras")
        scene = mat("t.mat", data=TRAINED.cube)
        rate = ("--false-alarm-rate", "0.05")
        assert main(["detect", scene, "--apply", "m.keras", *rate, "--view"]) == 0
        listed = values_of("t_view.html")["detections"]
        method = "integrated gradients" if preset == "robust" else "decoded residual"
        assert listed and {each["explained"]["method"] for each in listed} == {method}
        if preset == "robust":
            assert all(each["explained"]["completeness"] < 0.02 for each in listed)
            assert all(sum(each["evidence"].values()) == pytest.approx(1) for each in listed)
        Path("o").mkdir()
        assert main(["view", "t_report.json", "--out", "o"]) == 0
        again = values_of("o/t_view.html")["detections"]
        assert [each["label"] for each in again] == [each["label"] for each in listed]
        for one, two in zip(listed, again, strict=True):
            assert one["explained"]["strongest"] == two["explained"]["strongest"]
            assert (one["evidence"] is None) == (two["evidence"] is None)


class TestViewOfAReport:
    @pytest.fixture
    def run(self, scene_file):
        assert main(["detect", scene_file, *RX, *RATE, "--view", "--bands", "0-7",
                     "--out", "o"]) == 0  # fmt: skip

    def test_the_same_page(self, run, capsys):
        first = values_of("o/a_view.html")
        Path("o/a_view.html").unlink()
        assert main(["view", "o/a_report.json"]) == 0
        assert capsys.readouterr().out.endswith("view: o/a_view.html\n")
        assert values_of("o/a_view.html") == first

    def test_moved_together(self, run):
        Path("p").mkdir()
        for name in ("a.mat", "o/a_score.npy", "o/a_report.json"):
            shutil.move(name, "p")
        assert main(["view", "p/a_report.json", "--false-alarm-rate", "0.05", "--out", "q"]) == 0
        rates = values_of("q/a_view.html")["rates"]
        assert rates["rates"][rates["run"]] == 0.05

    @pytest.mark.parametrize("name", ["a.mat", "o/a_score.npy"])
    def test_a_file_that_has_moved(self, run, refused, name):
        Path(name).unlink()
        assert "neither there nor beside the report" in refused("view", "o/a_report.json")

    def test_another_scene(self, run, refused):
        mat("a.mat", data=SCENE.cube[::-1])
        assert "holds other values" in refused("view", "o/a_report.json")

    @pytest.mark.parametrize(("option", "what"), [
        ("--mask", "pixels that hold data"), ("--background", "pixels of the background"),
    ])  # fmt: skip
    def test_another_mask_or_region(self, option, what, scene_file, refused, capsys):
        mask = np.ones((30, 28), np.uint8)
        mask[:4] = 0
        np.save("m.npy", mask)
        assert main(["detect", scene_file, *RX, option, "m.npy", "--out", "o"]) == 0
        assert main(["view", "o/a_report.json"]) == 0
        Path("o/a_view.html").unlink()
        mask[4] = 0
        np.save("m.npy", mask)
        capsys.readouterr()
        assert f"the {what} are others" in refused("view", "o/a_report.json")

    def test_another_score(self, run, refused):
        np.save("o/a_score.npy", np.zeros((3, 4)))
        assert "has 3 × 4 pixels" in refused("view", "o/a_report.json")

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "{}", '{"files": {"score": 3}}', '{"files": "x"}']
    )
    def test_no_report(self, refused, text):
        Path("r.json").write_text(text)
        assert "is no report" in refused("view", "r.json")

    def test_no_file(self, refused):
        assert "does not exist" in refused("view", "none.json")

    def test_a_report_of_another_version(self, run, refused):
        told = report("o/a_report.json")
        del told["reading"]["axes"]
        Path("o/a_report.json").write_text(json.dumps(told))
        assert "the option 'axes'" in refused("view", "o/a_report.json")

    def test_a_named_scene(self):
        assert main(["detect", "simulated", *RX]) == 0
        assert main(["view", "simulated_report.json"]) == 0
        assert Path("simulated_view.html").exists()
