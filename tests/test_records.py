import json

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.data.georeference import Georeference
from lren_tf.data.scene import Scene
from lren_tf.records import (
    detector_record,
    json_text,
    scene_record,
)


def test_json_is_strict_and_plain():
    value = {
        "nan": float("nan"), "infinite": [np.float32("inf"), -np.inf], "array": np.eye(2),
        "count": np.int64(3), "flag": np.bool_(True), "tuple": (1, 2.5), "text": "λ\n[\n 1\n]",
        3: None,
    }  # fmt: skip
    text = json_text(value)
    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "nan": None, "infinite": [None, None], "array": [[1.0, 0.0], [0.0, 1.0]], "count": 3,
        "flag": True, "tuple": [1, 2.5], "text": "λ\n[\n 1\n]", "3": None,
    }  # fmt: skip
    assert '"tuple": [1, 2.5]' in text


def test_what_has_no_place_in_json():
    with pytest.raises(TypeError):
        json_text({"path": object()})


def test_scene_record():
    cube = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    record = scene_record(Scene(cube, np.eye(2, 3), name="s", source="s.mat"))
    assert record["shape"] == [2, 3, 4]
    assert record["anomalous"] == 2
    assert record["dtype"] == "uint16"
    assert len(record["sha256"]) == 64
    assert scene_record(Scene(cube))["anomalous"] is None


def test_scene_record_of_what_a_file_said():
    valid = np.ones((2, 3))
    valid[0, 1] = 0
    scene = Scene(
        np.arange(24).reshape(2, 3, 4), valid=valid, good_bands=[1, 0, 0, 1],
        wavelengths=[700, 600, 500, 400],
        georeference=Georeference("WKT", (1, 0, 0, 0, -1, 0)),
    )  # fmt: skip
    record = json.loads(json_text(scene_record(scene)))
    assert record["valid"] == 5
    assert record["bands_left_out"] == "1-2"
    assert record["wavelengths"] == [400, 700]
    assert record["georeference"] == {"crs": "WKT", "transform": [1, 0, 0, 0, -1, 0]}


def test_detector_record():
    assert detector_record(detectors.create("rx")) == {
        "detector": "rx", "settings": {"ridge": 0.0}, "seed": None,
    }  # fmt: skip
