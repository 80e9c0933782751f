"""``lren-tf evaluate``: metrics as JSON, and its refusals."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest

from lren_tf import metrics
from lren_tf.cli import main
from lren_tf.data.georeference import Georeference
from lren_tf.evaluation.objects import JudgedObjects
from lren_tf.io import save_map
from lren_tf.io.base.crs import wkt_of_epsg
from tests.cli.common import SCENE, mat


class TestEvaluate:
    SCORE = SCENE.cube[:, :, 0]
    EXPECTED: ClassVar = {
        **metrics.evaluate(SCORE, SCENE.truth),
        "objects": JudgedObjects.of(SCORE, SCENE.truth).record(),
    }

    @pytest.fixture(autouse=True)
    def _written(self):
        truth = SCENE.truth.astype(np.uint8) * 255
        np.save("s.npy", self.SCORE)
        np.save("t.npy", truth)
        np.savez("s.npz", score=self.SCORE, rank=-self.SCORE)
        np.savez("t.npz", truth=truth)
        mat("s.mat", score=self.SCORE)
        mat("t.mat", gt=truth, other=1 - truth // 255)
        mat("scene.mat", data=SCENE.cube, map=truth, latitude=self.SCORE)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["s.npy", "t.npy"],
            ["s.npz", "t.npz", "--score-key", "score"],
            ["s.mat", "t.mat", "--truth-key", "gt"],
            ["s.npy", "scene.mat"],
            ["s.npy", "scene.mat", "--truth-key", "map"],
        ],
    )
    def test_metrics(self, arguments, capsys):
        assert main(["evaluate", *arguments]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out) == self.EXPECTED
        assert err == ""

    def test_infinite_ratio_is_null(self, capsys):
        np.save("perfect.npy", SCENE.truth)
        assert main(["evaluate", "perfect.npy", "t.npy"]) == 0
        assert json.loads(capsys.readouterr().out)["auc_snpr"] is None

    @pytest.mark.parametrize(
        "arguments",
        [["s.tif", "t.npy"], ["s.npy", "t.tif"]],
    )
    def test_false_alarms_of_an_area(self, arguments, capsys):
        """The pixel size of the map, or of the truth where the map has none."""
        place = Georeference(wkt_of_epsg(32633), (20.0, 0, 5e5, 0, -30.0, 4e6))
        truth = SCENE.truth.astype(np.uint8)
        save_map("s.tif", self.SCORE, georeference=place)
        save_map("t.tif", truth, georeference=place)
        assert main(["evaluate", *arguments]) == 0
        told = json.loads(capsys.readouterr().out)["objects"]
        assert told == JudgedObjects.of(self.SCORE, truth).record(600.0)
        assert told["area_km2"] == pytest.approx(120 * 600e-6)
        cut = told["at_1_percent"]
        assert cut["false_alarms_per_km2"] == pytest.approx(cut["false_alarms"] / told["area_km2"])

    def test_refusals(self, refused):
        np.save("small.npy", self.SCORE[:5])
        np.save("none.npy", np.zeros((12, 10)))
        np.save("all.npy", np.ones((12, 10)))
        np.save("cube.npy", SCENE.cube)
        np.save("gaps.npy", np.where(SCENE.truth, np.nan, 1.0))
        np.save("infinite.npy", np.where(SCENE.truth, np.inf, 1.0))
        for arguments, said in (
            (("small.npy", "t.npy"), "scores has shape (5, 10) and truth has shape (12, 10)"),
            (("s.npy", "none.npy"), "truth has no anomalous pixel"),
            (("s.npy", "all.npy"), "truth has no background pixel"),
            (("gone.npy", "t.npy"), "gone.npy does not exist"),
            (("s.npy", "gone.npy"), "gone.npy does not exist"),
            (("s.npz", "t.npy"), "pass --score-key to choose one"),
            (("s.npy", "t.mat"), "pass --truth-key to choose one"),
            (("s.npy", "cube.npy"), "holds a cube without truth"),
            (("cube.npy", "t.npy"), "expected one map"),
            (("gaps.npy", "t.npy"), "no anomalous pixel (0 of"),
            (("infinite.npy", "t.npy"), "scores holds"),
            (("s.npy",), "required: TRUTH; see lren-tf evaluate --help"),
        ):
            assert said in refused("evaluate", *arguments)
