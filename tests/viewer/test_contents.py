"""What a page holds: thinned grids, rounded spectra, coordinates, notes, refusals."""

from __future__ import annotations

import builtins
import html
import json
import re
import warnings

import numpy as np
import pytest

from lren_tf import InputError, datasets, detectors, find_detections, threshold_at, view
from lren_tf.data.georeference import Georeference
from lren_tf.data.scene import Scene
from lren_tf.evaluation.detections import detection_labels
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.viewer import contents, quantised
from lren_tf.viewer.coordinates import coordinate_record
from lren_tf.viewer.grid import Blocks, blocks_of
from tests.trained import SCENE

RX = detectors.create("rx", ridge=1e-2)


def values_of(page: str) -> dict:
    return json.loads(re.search(r'id="values">(.*?)</script>', page, re.S)[1])


class TestBlocks:
    @pytest.mark.parametrize(
        ("shape", "most"), [((5, 7), 35), ((5, 7), 10), ((1, 90), 8), ((33, 2), 1), ((4, 4), 15)]
    )
    def test_as_few_pixels_as_possible(self, shape, most):
        blocks = blocks_of(*shape, most)
        assert np.prod(blocks.shape) <= most
        if blocks.size > 1:
            assert np.prod(Blocks(*shape, blocks.size - 1).shape) > most

    def test_highest_and_largest(self):
        rng = np.random.default_rng(0)
        score = rng.normal(size=(7, 11))
        score[2:4, 4:6] = np.nan
        blocks = Blocks(7, 11, 2)
        places = blocks.highest(score).reshape(blocks.shape)
        labels = rng.integers(0, 9, (7, 11))
        largest = blocks.largest(labels)
        for row in range(4):
            for column in range(6):
                part = np.s_[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                at = np.unravel_index(places[row, column], (7, 11))
                if not np.isnan(score[part]).all():
                    assert score[at] == np.nanmax(score[part])
                else:
                    assert at == (2 * row, 2 * column)
                assert largest[row, column] == labels[part].max()


class TestQuantised:
    @pytest.mark.parametrize(("limit", "dtype"), [(10**6, "uint16"), (1500, "uint8")])
    def test_error_is_as_stated(self, monkeypatch, limit, dtype):
        monkeypatch.setattr(quantised, "BYTES", limit)
        found = quantised.quantised(SCENE, np.zeros((12, 10)))
        assert found.numbers.dtype == dtype
        back = found.low + found.numbers * found.step
        span = np.ptp(SCENE.pixels, axis=0)
        assert (np.abs(back - SCENE.pixels) <= found.error * span * 1.0001).all()

    def test_one_spectrum_in_a_block(self, monkeypatch):
        monkeypatch.setattr(quantised, "BYTES", 100)
        monkeypatch.setattr(quantised, "THINNED_BYTES", 300)
        score = np.arange(120.0).reshape(12, 10)
        found = quantised.quantised(SCENE, score)
        assert found.blocks.size == 2
        np.testing.assert_array_equal(found.places, found.blocks.highest(score))
        back = found.low + found.numbers * found.step
        span = np.ptp(SCENE.pixels, axis=0)
        assert (np.abs(back - SCENE.pixels[found.places]) <= found.error * span * 1.0001).all()


class TestCoordinates:
    @pytest.mark.parametrize(
        ("epsg", "transform"),
        [
            (32633, (30.0, 0.0, 5e5, 0.0, -30.0, 4e6)),
            (32633, (21.0, 21.0, 5e5, 21.0, -21.0, 4e6)),
            (4326, (1e-3, 0.0, 179.99, 0.0, -1e-3, 10.0)),  # across the date line
        ],
    )
    def test_between_nodes(self, epsg, transform):
        import rasterio.warp

        place = Georeference(wkt_of_epsg(epsg), transform)
        record = coordinate_record(place, (200, 150))
        assert record["crs"] == f"EPSG:{epsg}"
        globe = record["globe"]
        rows, columns = np.array([0, 77, 199]), np.array([149, 31, 4])
        x, y = np.transpose([place.coordinates(r, c) for r, c in zip(rows, columns, strict=True)])
        want = rasterio.warp.transform(f"EPSG:{epsg}", "EPSG:4326", x, y)
        for nodes, exact in zip((globe["x"], globe["y"]), want, strict=True):
            by_row = [np.interp(columns, globe["columns"], line) for line in nodes]
            at = np.transpose(by_row)
            got = [np.interp(r, globe["rows"], line) for r, line in zip(rows, at, strict=True)]
            error = (np.array(got) - exact + 180) % 360 - 180
            assert (np.abs(error) * 111_320 <= max(record["globe_error"], 0.01) * 1.01).all()
        assert record["globe_error"] < 1

    def test_positions_and_nothing(self):
        positions = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), axis=-1)
        record = coordinate_record(Georeference(wkt_of_epsg(4326), positions=positions), (4, 5))
        np.testing.assert_array_equal(record["positions"]["x"], positions[..., 0])
        np.testing.assert_allclose(record["globe"]["y"], positions[..., 1])
        assert coordinate_record(None, (4, 5)) == {}
        assert coordinate_record(Georeference(wkt_of_epsg(4326)), (4, 5)) == {}
        unknown = coordinate_record(Georeference(None, (1.0, 0, 0, 0, 1.0, 0)), (4, 5))
        assert unknown["crs"] is None and "globe" not in unknown

    def test_a_system_that_nobody_understands(self):
        record = coordinate_record(Georeference('LOCAL["mine"]', (1.0, 0, 0, 0, 1.0, 0)), (4, 5))
        assert record["crs"] == "mine" and "globe" not in record


class TestView:
    def test_page(self):
        score = RX.score(SCENE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few pixels
            made = view(SCENE, score, by=RX, false_alarm_rate=0.05, title="RX <&>")
        values = values_of(made.html)
        assert values["rates"]["rates"][values["rates"]["run"]] == 0.05
        assert values["title"] == "RX <&>" and "RX &lt;&amp;&gt;" in made.html
        assert "</b>" not in made.html.split("<body>")[0]
        for listed in values["detections"]:
            assert listed["explained"]["value"] == pytest.approx(listed["score"], rel=1e-5)
        # srcdoc of a frame: the page and nothing of the notebook around it.
        shown = made._repr_html_()
        assert html.unescape(re.search(r'srcdoc="(.*?)" title', shown, re.S)[1]) == made.html

    def test_names_cannot_end_a_script(self):
        scene = Scene(SCENE.cube, name="</script><script>alert(1)</script>")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = view(scene, RX.score(scene), title="{{SCRIPT}}</script>")
        assert "<script>alert" not in made.html
        assert values_of(made.html)["name"] == scene.name
        assert values_of(made.html)["title"] == "{{SCRIPT}}</script>"

    def test_thinned_scene(self, monkeypatch):
        monkeypatch.setattr(contents, "MOST_CELLS", 60)
        monkeypatch.setattr(quantised, "BYTES", 100)
        monkeypatch.setattr(quantised, "THINNED_BYTES", 200)
        score = RX.score(SCENE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = view(SCENE, score, by=RX, false_alarm_rate=0.05)
        values = values_of(made.html)
        assert values["block"] == 2 and values["cells"] == [6, 5]
        assert values["spectra"]["block"] > 2
        said = " ".join(values["notes"])
        assert "blocks of 2 × 2" in said and "one that scores highest is kept" in said

    def test_without_a_detector_the_page_says_so(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = view(SCENE, RX.score(SCENE), false_alarm_rate=0.05, title="mine")
        assert any("of mine" in note and "RX" in note for note in values_of(made.html)["notes"])

    def test_arrays_of_a_thinned_scene(self, monkeypatch):
        monkeypatch.setattr(contents, "MOST_CELLS", 60)
        score = RX.score(SCENE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            threshold = threshold_at(score, 0.05)
        found = find_detections(score, threshold.threshold)
        from lren_tf import explain

        shown = contents.Shown(
            SCENE, score, "t", False, threshold, 1, found,
            explain.detection_spectra(SCENE, found), [], explain.spectral_background(SCENE),
        )  # fmt: skip
        arrays = contents.contents_of(shown).arrays
        blocks = Blocks(12, 10, 2)
        np.testing.assert_array_equal(arrays["score"], score.ravel()[blocks.highest(score)])
        np.testing.assert_array_equal(arrays["labels"], blocks.largest(detection_labels(found)))
        assert arrays["curves"].shape == (len(found.listed), 7, 8)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"score": np.zeros((3, 3))}, "expected the score map of this scene"),
            ({"by": detectors.create("crd")}, "no contributions of bands are known of CRD"),
            ({"false_alarm_rate": 2.0}, "expected a share of the background"),
        ],
    )
    def test_refusals(self, change, said):
        with pytest.raises(InputError, match="expected") as refusal:
            view(SCENE, **{"score": RX.score(SCENE), **change})
        assert said in str(refusal.value)

    def test_without_bokeh(self, monkeypatch):
        real = builtins.__import__

        def missing(name, *arguments, **options):
            if name.split(".")[0] == "bokeh":
                raise ImportError(name)
            return real(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", missing)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(InputError, match=r"pip install 'lren-tf\[view\]'"):
                view(SCENE, RX.score(SCENE), false_alarm_rate=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("bands", "most"), [(205, 8e6)])
def test_size_of_a_usual_scene(bands, most):
    scene = datasets.simulate(100, 100, bands, seed=3)
    score = RX.score(scene)
    assert len(view(scene, score, by=RX).html.encode()) < most


@pytest.mark.long
def test_size_of_a_large_scene():
    scene = datasets.simulate(1000, 1000, 200, seed=3)
    rng = np.random.default_rng(0)
    score = rng.normal(size=(1000, 1000)) + 9 * scene.truth
    assert len(view(scene, score).html.encode()) < 10e6
