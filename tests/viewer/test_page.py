"""A page in a browser: slider, clicks, list, zoom, keys, and no request to anything outside."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pytest

from lren_tf import datasets, detectors, find_detections, threshold_at, view
from lren_tf.data.georeference import Georeference
from lren_tf.data.scene import Scene
from lren_tf.detectors.parts.global_background import GlobalBackground
from lren_tf.evaluation.detections import DETECTED
from lren_tf.io.base.crs import wkt_of_epsg
from lren_tf.viewer.contents import RATES
from tests.viewer.browser import opened

RATE = 1e-2


def made_scene() -> Scene:
    """Wavelengths that do not rise, bands left out, gaps, and a rotated place in UTM."""
    scene = datasets.simulate(34, 40, 24, seed=3)
    valid = np.ones((34, 40), bool)
    valid[12:16, 30:] = False
    good = np.ones(24, bool)
    good[[5, 6, 17]] = False
    wavelengths = np.linspace(450, 2400, 24)
    wavelengths[[10, 11]] = wavelengths[[11, 10]]
    place = Georeference(wkt_of_epsg(32633), (28.0, 5.0, 500000.0, 5.0, -28.0, 4500000.0))
    cube = np.where(valid[..., None] & good, scene.cube, np.nan)
    return Scene(
        cube, name='<b>"one" & two</b>', valid=valid, good_bands=good, wavelengths=wavelengths,
        georeference=place,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Scene, score map and the file of its page."""
    scene = made_scene()
    by = detectors.create("rx", ridge=1e-2)
    score = by.score(scene)
    path = tmp_path_factory.mktemp("page") / "page.html"
    view(scene, score, by=by, false_alarm_rate=RATE, title="RX").save(path)
    return scene, score, path


@pytest.fixture(scope="module")
def page(made):
    with opened(made[2]) as page:
        yield page


def state(page, what: str):
    return page.evaluate(f"() => {what}")


def mask_of(page) -> np.ndarray:
    return np.array(state(page, "Array.from(window.lrenPage.state.mask)")).reshape(34, 40)


@pytest.mark.processes
class TestPage:
    def test_mask_list_and_texts(self, made, page):
        scene, score, _ = made
        found = find_detections(score, threshold_at(score, RATE).threshold)
        np.testing.assert_array_equal(mask_of(page), found.mask == DETECTED)
        rows = page.locator("#rows tr")
        assert rows.count() == len(found.listed)
        for index, detection in enumerate(found.listed):
            cells = rows.nth(index).locator("td").all_inner_texts()
            assert cells[0] == str(detection.label)
            assert cells[1] == str(detection.pixels)
            assert float(cells[2]) == pytest.approx(detection.peak_score, rel=1e-4)
            assert cells[3:5] == [str(detection.peak_row), str(detection.peak_column)]
            assert cells[5].count("nm") == 3
        assert page.locator("h1").inner_text() == scene.name
        assert "the rate of the run" in page.locator("#cut").inner_text()

    def test_slider_recuts_the_mask(self, made, page):
        _, score, _ = made
        page.locator("#rate").focus()
        for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "Home", "End"):
            page.keyboard.press(key)
            step = int(page.locator("#rate").input_value())
            rate = sorted({RATE, *RATES}, reverse=True)[step]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an extrapolation
                threshold = threshold_at(score, rate).threshold
            np.testing.assert_array_equal(mask_of(page), score > threshold)
            found = find_detections(score, threshold)
            assert f"{len(found.listed)} detections" in page.locator("#cut").inner_text()
            assert page.locator("#rows tr").count() == len(found.listed)
        page.locator("#rate-run").click()
        assert "the rate of the run" in page.locator("#cut").inner_text()

    def test_click_on_a_pixel_shows_its_spectrum(self, made, page):
        scene, score, _ = made
        page.locator("#zoom-reset").click()
        for row, column in ((20, 7), (30, 33)):
            at = state(page, """(() => {
              const map = window.lrenPage.maps.score;
              const view = Bokeh.index.find_one(map);
              const box = view.el.getBoundingClientRect(), frame = view.frame.bbox;
              const {x_range: h, y_range: v} = map;
              const x = (COLUMN + 0.5 - h.start) / (h.end - h.start) * frame.width;
              const y = (ROW + 0.5 - v.end) / (v.start - v.end) * frame.height;
              return [box.left + frame.left + x, box.top + frame.top + y];
            })()""".replace("COLUMN", str(column)).replace("ROW", str(row)))  # fmt: skip
            page.mouse.click(*at)  # of the window: no scrolling in between
            for _ in range(100):
                chosen = state(page, "window.lrenPage.state.chosen")
                if (chosen["row"], chosen["column"]) == (row, column):
                    break
                page.wait_for_timeout(50)
            assert (chosen["row"], chosen["column"]) == (row, column)
            page.wait_for_timeout(500)  # two clicks at once are another gesture
            shown = state(page, "window.lrenPage.shown")
            spectrum = np.array(shown["spectrum"], float)
            good = scene.good_bands
            span = np.ptp(scene.cube[scene.valid][:, good], axis=0)
            error = np.abs(spectrum[good] - scene.cube[row, column][good])
            assert (error <= span / 65535 / 2 * 1.01).all()
            assert np.isnan(spectrum[~good]).all()
            text = page.locator("#pixel").inner_text()
            assert f"Row {row}, column {column};" in text
            assert f"score {score[row, column]:.5g}"[:10] in text

    def test_contributions_of_a_pixel_are_those_of_rx(self, made, page):
        scene = made[0]
        page.evaluate("() => window.lrenPage.choose(2, 3)")
        shown = state(page, "window.lrenPage.shown")
        good = scene.good_bands
        mask = find_detections(made[1], threshold_at(made[1], RATE).threshold).mask == DETECTED
        background = GlobalBackground.of(scene.cube[scene.valid & ~mask][:, good], 1e-2)
        want = background.contributions(scene.cube[2, 3][good])
        got = np.array(shown["contributions"], float)
        assert not state(page, "Boolean(window.lrenPage.state.chosen.group)")
        np.testing.assert_allclose(got[good], want, atol=1e-2 * np.abs(want).max())
        assert np.isnan(got[~good]).all()
        assert "RX with ridge 0.01" in page.locator("#contributions-text").inner_text()

    def test_coordinates(self, made, page):
        scene = made[0]
        import rasterio.warp

        page.evaluate("() => window.lrenPage.choose(10, 25)")
        x, y = scene.georeference.coordinates(10, 25)
        (longitude,), (latitude,) = rasterio.warp.transform("EPSG:32633", "EPSG:4326", [x], [y])
        text = page.locator("#pixel").inner_text()
        assert f"x {x:.1f}, y {y:.1f} (EPSG:32633)" in text
        told = re.search(r"longitude (\S+)°, latitude (\S+)°", text)
        assert [float(each) for each in told.groups()] == pytest.approx(
            [longitude, latitude], abs=2e-6
        )

    def test_a_pixel_without_data(self, page):
        page.evaluate("() => window.lrenPage.choose(13, 35)")
        assert "no data" in page.locator("#pixel").inner_text()
        assert page.locator("#spectra-text").inner_text() == "The pixel holds no data."

    def test_rows_choose_detections(self, made, page):
        page.locator("#rows tr").nth(1).locator("button").click()
        found = find_detections(made[1], threshold_at(made[1], RATE).threshold).listed[1]
        chosen = state(page, "window.lrenPage.state.chosen")
        assert (chosen["row"], chosen["column"]) == (found.peak_row, found.peak_column)
        assert page.locator("#rows tr").nth(1).get_attribute("aria-current") == "true"
        text = page.locator("#contributions-text").inner_text()
        assert text.startswith("Contributions to the squared Mahalanobis distance")
        lines = state(page, "['pixel','mean','ring','nearest','component_mean'].map("
                            "name => window.lrenPage.model(name).data.x.length)")  # fmt: skip
        assert lines == [24] * 5
        assert state(page, "window.lrenPage.model('bars').data.top.length") == 24

    def test_sorting(self, page):
        page.locator("#heads button[data-key=row]").click()
        order = [int(each) for each in page.locator("#rows td:nth-child(4)").all_inner_texts()]
        assert order == sorted(order)
        page.keyboard.press("Enter")
        order = [int(each) for each in page.locator("#rows td:nth-child(4)").all_inner_texts()]
        assert order == sorted(order, reverse=True)
        assert page.locator("#heads th[aria-sort=descending]").inner_text().startswith("Row")
        page.locator("#heads button[data-key=number]").click()

    def test_zoom_moves_both_maps(self, page):
        page.locator("#zoom-reset").click()
        before = state(page, "window.lrenPage.columns.end - window.lrenPage.columns.start")
        page.locator("#zoom-in").click()
        for name in ("picture", "score"):
            x_range = f"window.lrenPage.maps.{name}.x_range"
            span = state(page, f"{x_range}.end - {x_range}.start")
            assert span == pytest.approx(before / 2)
        page.locator("#zoom-out").click()
        page.locator("#zoom-reset").click()
        square = state(page, """(m => (m.x_range.end - m.x_range.start) / m.inner_width
          / ((m.y_range.start - m.y_range.end) / m.inner_height))(window.lrenPage.maps.score)""")
        assert square == pytest.approx(1, rel=0.03)

    def test_keys(self, page):
        page.locator("#maps").focus()
        page.evaluate("() => window.lrenPage.choose(5, 5)")
        for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
            page.keyboard.press(key)
        chosen = state(page, "window.lrenPage.state.chosen")
        assert (chosen["row"], chosen["column"]) == (6, 7)
        before = state(page, "window.lrenPage.columns.end - window.lrenPage.columns.start")
        page.keyboard.press("+")
        after = state(page, "window.lrenPage.columns.end - window.lrenPage.columns.start")
        assert after == pytest.approx(before / 2)
        page.keyboard.press("0")
        page.keyboard.press("n")
        first = state(page, "window.lrenPage.state.chosen.group.number")
        page.keyboard.press("n")
        assert state(page, "window.lrenPage.state.chosen.group.number") == first + 1
        page.keyboard.press("p")
        assert state(page, "window.lrenPage.state.chosen.group.number") == first

    def test_accessible(self, page):
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(page).response["violations"]
        assert not found, json.dumps([(each["id"], each["help"]) for each in found])

    def test_nothing_went_wrong_and_nothing_was_fetched(self, page):
        assert page.problems == []
