"""Figures are checked on their artists: what is drawn, on which scale, under which label."""

from __future__ import annotations

import itertools
import os
import stat
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lren_tf import metrics, plots
from lren_tf.errors import InputError
from lren_tf.evaluation.decades import false_alarm_decades

RNG = np.random.default_rng(3)
H, W = 12, 9
SCORE = RNG.gamma(2.0, size=(H, W))
TRUTH = np.zeros((H, W), np.uint8)
TRUTH[2:4, 5:7] = 255
RGB = RNG.random((H, W, 3))
MAPS = {"LREN": SCORE, "RX": 100 + 50 * SCORE[::-1], "flat": np.full((H, W), 3)}


def curve(noise: float) -> metrics.RocCurve:
    return metrics.roc_curve((TRUTH > 0) + noise * SCORE, TRUTH)


CURVES = {"LREN": curve(0.1), "RX": curve(1.0)}
BOXES = {
    "LREN": metrics.box_whisker(SCORE + 9 * TRUTH, TRUTH),
    "RX": metrics.box_whisker(SCORE, TRUTH),
}


def pictures(figure: Figure) -> dict[str, object]:
    """Title -> image of every titled panel (the colour bar has none)."""
    return {a.get_title(): a.images[0] for a in figure.axes if a.images and a.get_title()}


def drawn(figure: Figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def inside(figure: Figure) -> bool:
    """Whether every label, tick and legend lies on the canvas."""
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    return bool(
        box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    )


def lines(axes: Axes) -> dict[str, object]:
    return {line.get_label(): line for line in axes.lines}


# --- maps -----------------------------------------------------------------------------------


def test_score_map_shows_the_scores_with_their_own_scale():
    figure = plots.score_map(SCORE, "San Diego", scale=plots.LINEAR)
    axes, bar = figure.axes
    assert isinstance(figure.canvas, FigureCanvasAgg)
    assert axes.get_title() == "San Diego"
    assert axes.get_xlabel() == "column (pixels)"
    assert axes.get_ylabel() == "row (pixels)"
    assert bar.get_ylabel() == "score (higher = more anomalous)"
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), SCORE)
    assert image.get_clim() == (SCORE.min(), SCORE.max())
    assert axes.get_ylim() == (H - 0.5, -0.5)  # row 0 on top
    assert axes.get_aspect() == pytest.approx(1.0)  # square pixels


def test_score_map_draws_missing_pixels_grey():
    score = SCORE.copy()
    score[0, 0] = np.nan
    (image,) = plots.score_map(score).axes[0].images
    assert image.get_array().mask.sum() == 1
    assert image.get_array().mask[0, 0]
    np.testing.assert_allclose(image.cmap.get_bad()[:3], 0x9E / 255)
    hidden = np.ma.array(SCORE, mask=np.isnan(score))
    (image,) = plots.score_map(hidden).axes[0].images
    assert image.get_array().mask[0, 0]


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 3), (1, 500), (500, 1), (3, 900), (900, 30), (40, 100), (100, 40), (700, 650)],
)
def test_any_size_of_map_gets_a_legible_picture(shape):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    figure = plots.score_map(values, "a title of some length for a picture")
    assert inside(figure)
    axes, bar = figure.axes
    box = axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert min(box.width, box.height) > 0.8
    assert max(box.width, box.height) < 12
    assert 1 / 6.5 < box.height / box.width < 6.5
    stretched = not 1 / 6 <= shape[0] / shape[1] <= 6
    assert ("not to scale" in axes.get_xlabel()) == stretched
    assert "estimated false-alarm rate" in bar.get_ylabel() + bar.get_xlabel()
    for ticks in (axes.get_xticks(), axes.get_yticks()):
        np.testing.assert_array_equal(ticks, np.round(ticks))


@pytest.mark.slow
def test_a_lone_anomaly_survives_being_drawn_smaller_than_the_scene():
    truth = np.zeros((2000, 2000))
    rgb = np.zeros((2000, 2000, 3))
    without = drawn(plots.detection_panel(rgb, truth, {"RX": truth}))
    truth[1001:1004, 777:780] = 1
    with_it = drawn(plots.detection_panel(rgb, truth, {"RX": truth}))
    assert np.abs(with_it.astype(int) - without.astype(int)).max() > 20


def test_score_map_in_decades():
    figure = plots.score_map(SCORE)
    axes, bar = figure.axes
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), false_alarm_decades(SCORE))
    assert image.get_clim() == (0, 4)
    assert bar.get_ylabel() == "estimated false-alarm rate (share of background)"
    ticks = [label.get_text().replace("\N{THIN SPACE}", ",") for label in bar.get_yticklabels()]
    assert ticks == ["all", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000"]
    assert figure.axes[1]._colorbar.extend == "max"
    (image,) = plots.score_map(SCORE, calibrated=True).axes[0].images
    np.testing.assert_array_equal(image.get_array(), SCORE)
    assert image.get_clim() == (0, 4)


def test_one_bright_pixel_does_not_turn_the_rest_black():
    score = np.random.default_rng(0).chisquare(5, (60, 60))
    score[30, 30] = 1e6
    score[10:13, 10] = 40.0
    dark = plots.score_map(score, scale=plots.LINEAR).axes[0].images[0].get_array()
    assert dark[10, 10] / dark.max() < 1e-3
    decades = plots.score_map(score).axes[0].images[0].get_array()
    assert decades[10, 10] > 2.5
    assert 0.25 < np.median(decades) < 0.35


def test_detection_panel_in_decades_with_masks():
    mask = np.quantile(SCORE, 0.9) < SCORE
    figure = plots.detection_panel(
        RGB, TRUTH, {"RX": SCORE, "ours": SCORE}, masks={"found": mask}, calibrated={"ours"}
    )
    shown = pictures(figure)
    assert list(shown) == ["pseudo-colour", "truth", "RX", "ours", "found"]
    np.testing.assert_array_equal(shown["RX"].get_array(), false_alarm_decades(SCORE))
    np.testing.assert_array_equal(shown["ours"].get_array(), SCORE)
    np.testing.assert_array_equal(shown["found"].get_array(), mask)
    assert [shown[label].get_clim() for label in ("RX", "ours", "found")] == [(0, 4)] * 2 + [(0, 1)]
    assert shown["found"].cmap.name == shown["truth"].cmap.name
    bars = [a.get_ylabel().replace("\n", " ") for a in figure.axes if a.get_ylabel()]
    assert bars == ["estimated false-alarm rate (share of background)"]
    assert inside(figure)


def test_detection_grid_in_decades():
    rows = [("a", RGB, TRUTH, {"RX": SCORE, "ours": SCORE}), ("b", RGB, None, {"RX": SCORE})]
    *panels, bar = plots.detection_grid(rows, calibrated=["ours"]).axes
    shown = {a.get_title(): a.images[0] for a in panels[:4]}
    np.testing.assert_array_equal(shown["RX"].get_array(), false_alarm_decades(SCORE))
    np.testing.assert_array_equal(shown["ours"].get_array(), SCORE)
    assert shown["RX"].get_clim() == (0, 4)
    assert "false-alarm rate" in bar.get_ylabel()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.score_map(SCORE, scale="log"),
        lambda: plots.detection_panel(RGB, TRUTH, MAPS, scale="log"),
        lambda: plots.detection_grid([("a", RGB, TRUTH, MAPS)], scale="log"),
    ],
)
def test_refused_scales(draw):
    with pytest.raises(InputError, match="scale is 'log'; expected 'decades' or 'linear'"):
        draw()


def test_detection_panel_normalises_every_map_to_one_scale():
    figure = plots.detection_panel(RGB, TRUTH, MAPS, scale=plots.LINEAR)
    shown = pictures(figure)
    assert list(shown) == ["pseudo-colour", "truth", "LREN", "RX", "flat"]
    np.testing.assert_allclose(shown["pseudo-colour"].get_array(), RGB)
    np.testing.assert_array_equal(shown["truth"].get_array(), TRUTH > 0)
    for label, values in MAPS.items():
        np.testing.assert_allclose(shown[label].get_array(), metrics.normalise(values))
        assert shown[label].get_clim() == (0.0, 1.0)
        assert shown[label].cmap.name == shown["LREN"].cmap.name
    bars = [a.get_ylabel().replace("\n", " ") for a in figure.axes if a.get_ylabel()]
    assert bars == ["normalised score (higher = more anomalous)"]
    assert inside(figure)


def test_detection_panel_without_truth():
    assert list(pictures(plots.detection_panel(RGB, None, {"RX": SCORE}))) == [
        "pseudo-colour",
        "RX",
    ]


@pytest.mark.parametrize("shape", [(4, 120), (120, 4), (1, 50), (60, 60)])
def test_detection_panel_of_any_shape_stays_on_the_page(shape):
    rgb = np.zeros((*shape, 3), np.uint8)
    maps = {f"detector {i}": RNG.random(shape) for i in range(7)}
    figure = plots.detection_panel(rgb, np.zeros(shape), maps)
    assert len(pictures(figure)) == 9
    assert inside(figure)
    assert max(figure.get_size_inches()) < 20


def test_missing_pixels_do_not_enter_the_scale():
    score = SCORE.copy()
    score.flat[SCORE.argmax()] = np.nan
    shown = pictures(plots.detection_panel(RGB, TRUTH, {"RX": score}, scale="linear"))[
        "RX"
    ].get_array()
    assert shown.max() == 1.0
    assert shown.mask.sum() == 1


def test_pseudo_colour_takes_bytes_fractions_and_gaps():
    data = (RGB * 255).astype(np.uint8)
    shown = pictures(plots.detection_panel(data, None, MAPS))["pseudo-colour"].get_array()
    np.testing.assert_allclose(shown, data / 255)
    gap = RGB.astype(np.float32)
    gap[0, 0, 1] = np.nan
    shown = pictures(plots.detection_panel(gap, None, MAPS))["pseudo-colour"].get_array()
    np.testing.assert_allclose(shown[0, 0], 0x9E / 255)
    np.testing.assert_allclose(shown[1:], RGB[1:], atol=1e-6)


def test_detection_grid_has_one_row_per_scene_and_one_scale():
    wide = RNG.random((5, 60))
    rows = [
        ("San Diego", RGB, None, {"RX": SCORE}),
        ("Hydice", RGB, TRUTH, MAPS),
        ("a strip", np.zeros((5, 60, 3)), wide > 0.5, {"LREN": wide}),
    ]
    figure = plots.detection_grid(rows, scale=plots.LINEAR)
    panels = figure.axes[:-1]
    assert len(panels) == 15
    assert [a.get_title() for a in panels[:5]] == ["pseudo-colour", "truth", "RX", "LREN", "flat"]
    assert [panels[i].get_ylabel() for i in (0, 5, 10)] == [
        "San Diego",
        "Hydice",
        "a strip\n(not to scale)",
    ]
    assert [len(a.images) for a in panels] == [1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0]
    assert [a.texts[0].get_text() for a in panels if not a.images] == ["none"] * 5
    scaled = [a.images[0] for i, a in enumerate(panels) if a.images and i % 5]
    assert {image.get_clim() for image in scaled} == {(0.0, 1.0)}
    np.testing.assert_allclose(panels[13].images[0].get_array(), metrics.normalise(wide))
    assert figure.axes[-1].get_ylabel() == "normalised score (higher = more anomalous)"
    assert inside(figure)


@pytest.mark.slow
def test_detection_grid_breaks_many_columns_into_lines_with_titles():
    maps = {f"D{i}": SCORE + i for i in range(13)}
    del maps["D12"]
    rows = [("Hydice", RGB, TRUTH, maps), ("Coast", RGB, TRUTH, {"D12": SCORE, "D3": TRUTH})]
    figure = plots.detection_grid(rows, scale=plots.LINEAR)
    *panels, _ = figure.axes
    labels = ["pseudo-colour", "truth", *maps, "D12"]
    assert [a.get_title() for a in panels] == labels * 2
    assert [a.get_ylabel() for a in panels if a.get_ylabel()] == ["Hydice"] * 2 + ["Coast"] * 2
    assert panels[0].get_subplotspec().get_gridspec().ncols == 8
    shown = {a.get_title(): a.images[0] for a in panels[15:] if a.images}
    assert list(shown) == ["pseudo-colour", "truth", "D3", "D12"]
    np.testing.assert_allclose(shown["D3"].get_array(), TRUTH > 0)
    assert inside(figure)
    assert max(figure.get_size_inches()) < 16
    # A panel on a page 18 cm wide is still over 1.5 cm.
    drawn(figure)
    width = panels[0].get_window_extent().width / figure.dpi / figure.get_size_inches()[0]
    assert width * 18 > 1.5


def test_detection_grid_draws_a_title_nearest_to_its_own_panel():
    figure = plots.detection_grid([("Hydice", RGB, TRUTH, {f"D{i}": SCORE for i in range(13)})])
    drawn(figure)
    above, below = figure.axes[0], figure.axes[8]
    title = below.title.get_window_extent()
    to_own = title.y0 - below.get_window_extent().y1
    to_other = above.get_window_extent().y0 - title.y1
    assert 0 <= to_own < to_other


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (6, 90), (60, 60)])
def test_detection_grid_of_one_scene_of_any_shape_stays_on_the_page(shape):
    rows = [("one scene", np.zeros((*shape, 3)), None, {"RX": RNG.random(shape)})]
    figure = plots.detection_grid(rows)
    assert inside(figure)
    assert len(pictures(figure)) == 2


# --- curves ---------------------------------------------------------------------------------


def test_roc_curves_have_a_logarithmic_axis_and_their_areas():
    figure = plots.roc_curves(CURVES)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == (1e-4, 1.0)
    assert axes.get_ylim() == pytest.approx((0.0, 1.005))
    assert axes.get_xlabel() == "false-alarm probability Pf"
    assert axes.get_ylabel() == "detection probability Pd"
    want = [f"{label} (AUC {c.auc_pd_pf:.4f})" for label, c in CURVES.items()]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["chance", *want]
    assert inside(figure)


def test_a_drawn_roc_curve_keeps_every_point_and_adds_none_off_the_curve():
    tied = metrics.roc_curve(np.round(SCORE), TRUTH)
    (axes,) = plots.roc_curves({"tied": tied}).axes
    pf, pd = axes.lines[1].get_data()
    assert pf.min() > 0
    assert np.all(np.diff(pf) >= 0)
    on_it = {(f, d) for f, d in zip(pf, pd, strict=True)}
    assert {(f, d) for f, d in zip(tied.pf, tied.pd, strict=True) if f > 0} <= on_it
    # Between the points of the curve, the added ones lie on its chords.
    alone = ~np.isin(pf, tied.pf) & (pf >= 1e-4)
    assert alone.sum() > 300
    np.testing.assert_allclose(pd[alone], np.interp(pf[alone], tied.pf, tied.pd), atol=1e-12)


def test_chance_is_drawn_where_a_constant_map_lies():
    flat = metrics.roc_curve(np.zeros((H, W)), TRUTH)
    (axes,) = plots.roc_curves({"constant": flat}).axes
    for line in axes.lines:
        pf, pd = line.get_data()
        seen = pf >= 1e-4
        np.testing.assert_allclose(pd[seen], pf[seen], atol=1e-12)


@pytest.mark.slow
def test_labels_can_be_told_apart_up_to_28_and_keep_their_style_across_panels():
    many = {f"detector {i}": CURVES["RX"] for i in range(28)}
    figure = plots.roc_curves(many)
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[1:]}
    assert len(styles) == 28
    assert inside(figure)
    figure = plots.roc_grid({"one": CURVES, "two": {"RX": CURVES["RX"]}, "three": CURVES})
    assert [a.get_title() for a in figure.axes] == ["one", "two", "three"]
    first, second, _ = figure.axes
    assert first.lines[2].get_color() == second.lines[1].get_color()
    assert first.lines[2].get_linestyle() == second.lines[1].get_linestyle()
    assert [a.get_xlim() for a in figure.axes] == [(1e-4, 1.0)] * 3
    assert inside(figure)


@pytest.mark.parametrize("draw", [plots.roc_grid, plots.pf_tau_grid])
def test_a_grid_of_curves_has_one_legend_for_all_panels(draw):
    names = [f"D{i}" for i in range(13)]
    scenes = {
        "one": {name: CURVES["RX"] for name in names if name != "D4"},
        "two": dict.fromkeys(names, CURVES["LREN"]),
        "three": {"D4": CURVES["RX"]},
    }
    figure = draw(scenes)
    (legend,) = figure.legends
    assert not any(a.get_legend() for a in figure.axes)
    chance = ["chance"] if draw is plots.roc_grid else []
    # In the order in which they first appear.
    wanted = [*chance, *(name for name in names if name != "D4"), "D4"]
    assert [t.get_text() for t in legend.get_texts()] == wanted
    keys = {t.get_text(): line for t, line in zip(
        legend.get_texts(), legend.get_lines(), strict=True
    )}  # fmt: skip
    for axes in figure.axes:
        for label, line in lines(axes).items():
            assert line.get_color() == keys[label].get_color()
            assert line.get_linestyle() == keys[label].get_linestyle()
    assert [len(a.lines) - len(chance) for a in figure.axes] == [12, 13, 1]
    assert inside(figure)
    bottom = min(a.get_tightbbox().y0 for a in figure.axes)
    assert legend.get_window_extent().y1 <= bottom


def test_pf_tau_grid_has_a_logarithmic_pf_and_the_same_points():
    figure = plots.pf_tau_grid({"one": CURVES})
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylim() == (1e-4, 1.0)
    assert axes.get_xlim() == (0.0, 1.0)
    for label, c in CURVES.items():
        tau, pf = lines(axes)[label].get_data()
        np.testing.assert_array_equal(tau[::-1], c.tau)
        np.testing.assert_array_equal(pf[::-1], c.pf)


def test_pf_tau_curves_draw_the_staircase_whose_area_they_name():
    figure = plots.pf_tau_curves(CURVES)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "threshold τ on the normalised score"
    assert axes.get_ylabel() == "false-alarm probability Pf"
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 1.0), (0.0, 1.0))
    for label, c in CURVES.items():
        line = lines(axes)[f"{label} (AUC {c.auc_pf_tau:.4f})"]
        assert line.get_drawstyle() == "steps-pre"
        tau, pf = line.get_data()
        assert np.sum(np.diff(tau) * pf[1:]) == pytest.approx(c.auc_pf_tau, abs=1e-12)
    assert inside(figure)


def test_separability_draws_the_five_numbers_of_each_class():
    figure = plots.separability(BOXES)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "normalised score (higher = more anomalous)"
    assert "10th to 90th percentile" in axes.get_title()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["LREN", "RX"]
    patches = [(p.get_facecolor()[:3], p.get_path().get_extents()) for p in axes.patches]
    classes = [b.background for b in BOXES.values()] + [b.anomaly for b in BOXES.values()]
    for (_, extent), five in zip(patches, classes, strict=True):
        assert (extent.y0, extent.y1) == pytest.approx((five.q1, five.q3))
    blue, _, red, _ = (np.array(colour) for colour, _ in patches)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    heights = [line.get_ydata() for line in axes.lines]
    ends = {round(float(y), 12) for ys in heights for y in ys}
    for five in classes:
        assert {round(v, 12) for v in (five.low, five.median, five.high)} <= ends
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["background", "anomaly"]
    assert inside(figure)


def test_separability_grid_draws_the_same_boxes_at_the_same_places():
    scenes = {"one": BOXES, "two": {"RX": BOXES["RX"]}, "three": {**BOXES, "AAE-RX": BOXES["RX"]}}
    figure = plots.separability_grid(scenes)
    assert [a.get_title() for a in figure.axes] == list(scenes)
    first, second, third = figure.axes
    assert [t.get_text() for t in third.get_xticklabels()] == ["LREN", "RX", "AAE-RX"]
    assert [t.get_text() for t in second.get_xticklabels()] == ["LREN", "RX", "AAE-RX"]
    assert [t.get_text() for t in second.texts] == ["none", "none"]
    assert [t.get_position()[0] for t in second.texts] == [0, 2]
    alone = plots.separability(BOXES).axes[0]
    for mine, its in zip(first.patches, alone.patches, strict=True):
        np.testing.assert_allclose(mine.get_path().vertices, its.get_path().vertices)
    rx = BOXES["RX"]
    for patch, five in zip(second.patches, (rx.background, rx.anomaly), strict=True):
        extent = patch.get_path().get_extents()
        assert (extent.y0, extent.y1) == pytest.approx((five.q1, five.q3))
        assert 0.6 < extent.x0 < extent.x1 < 1.4
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["background", "anomaly"]
    assert "10th to 90th percentile" in legend.get_title().get_text()
    assert inside(figure)


@pytest.mark.parametrize("count", [1, 13])
def test_separability_grid_keeps_its_labels_apart(count):
    names = [f"detector {i}" for i in range(count)]
    figure = plots.separability_grid(
        {f"scene {i}": dict.fromkeys(names, BOXES["RX"]) for i in range(4)}
    )
    assert inside(figure)
    assert [len(a.get_xticklabels()[0].get_text()) > 0 for a in figure.axes] == [
        False, False, True, True,
    ]  # fmt: skip
    ticks = figure.axes[2].get_xticklabels()
    ends = [t.get_window_extent().x1 for t in ticks]
    # Slanted labels stay apart when they end further apart than they are high.
    assert all(np.diff(ends) > plots.DPI * 8 / 72)


# --- sensitivity ----------------------------------------------------------------------------

VALUES = [[0.99, 0.90], [np.nan, 0.98], [0.98, 0.97]]
ROWS, SCENES = ["λ = 0.1", "λ = 1", "K = 7"], ["San Diego", "Hydice"]


def test_a_heat_map_writes_the_values_and_colours_the_distance():
    figure = plots.sensitivity_heatmap(VALUES, ROWS, SCENES, [0.98, 0.95])
    axes, bar = figure.axes
    assert [t.get_text() for t in axes.texts] == [
        "0.9900", "0.9000", "–", "0.9800", "0.9800", "0.9700",
    ]  # fmt: skip
    assert [t.get_position() for t in axes.texts[:3]] == [(0, 0), (1, 0), (0, 1)]
    (image,) = axes.images
    distance = image.get_array()
    np.testing.assert_array_equal(distance.mask, np.isnan(VALUES))
    np.testing.assert_allclose(distance.compressed(), [0.01, -0.05, 0.03, 0.0, 0.02], atol=1e-12)
    assert image.get_clim() == pytest.approx((-0.05, 0.05))
    assert [t.get_text() for t in axes.get_yticklabels()] == ROWS
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        "San Diego\npublished 0.9800",
        "Hydice\npublished 0.9500",
    ]
    assert bar.get_ylabel() == "AUC(Pd,Pf) − published"
    below, at, above = (np.array(image.cmap(image.norm(v))[:3]) for v in (-0.05, 0.0, 0.05))
    assert below[0] > below[2] and above[2] > above[0] and at.min() > 0.9
    assert inside(figure)


def test_a_number_in_a_dark_cell_is_white_and_in_a_light_one_black():
    texts = plots.sensitivity_heatmap(VALUES, ROWS, SCENES, [0.98, 0.95]).axes[0].texts
    assert [t.get_color() for t in (texts[1], texts[4])] == ["white", "black"]


def test_a_scene_without_a_published_value_has_no_colour():
    axes = plots.sensitivity_heatmap(VALUES, ROWS, SCENES, [np.nan, 0.95]).axes[0]
    distance = axes.images[0].get_array()
    assert distance[0, 0] == distance[2, 0] == 0
    assert axes.get_xticklabels()[0].get_text() == "San Diego\nnone published"
    assert axes.texts[0].get_text() == "0.9900"


def test_a_limit_ends_the_colours_and_the_bar_says_that_more_is_beyond():
    plain = plots.sensitivity_heatmap(VALUES, ROWS, SCENES, [0.98, 0.95])
    cut = plots.sensitivity_heatmap(
        VALUES, ROWS, SCENES, [0.98, 0.95], limit=0.02, measure="AUC(Pf,τ)", title="seed 1"
    )
    assert cut.axes[0].images[0].get_clim() == (-0.02, 0.02)
    assert cut.axes[0].get_title() == "seed 1"
    assert cut.axes[1].get_ylabel() == "AUC(Pf,τ) − published"
    assert cut.axes[0].images[0].colorbar.extend == "both"
    assert plain.axes[0].images[0].colorbar.extend == "neither"
    assert inside(cut)


@pytest.mark.parametrize("shape", [(1, 1), (40, 4), (3, 13)])
def test_a_heat_map_of_any_size_stays_on_the_page_and_its_numbers_in_their_cells(shape):
    rows = [f"a setting = {i}" for i in range(shape[0])]
    columns = [f"scene {i}" for i in range(shape[1])]
    figure = plots.sensitivity_heatmap(
        np.full(shape, 0.9), rows, columns, np.full(shape[1], np.nan)
    )
    assert inside(figure)
    axes = figure.axes[0]
    cell = axes.get_window_extent()
    text = axes.texts[0].get_window_extent()
    assert text.width < cell.width / shape[1] and text.height < cell.height / shape[0]
    heads = [t.get_window_extent() for t in axes.get_xticklabels()]
    assert all(a.x1 < b.x0 for a, b in pairwise(heads))


# --- spread ---------------------------------------------------------------------------------

STRIPS = {
    "San Diego": {"release": [0.99, 0.5, np.nan, 0.8], "paper": [0.7, 0.7, 0.9, 0.6]},
    "Hydice": {"paper": [np.nan, np.nan]},
}


def test_a_strip_plot_shows_every_run_the_median_and_the_published_value():
    figure = plots.strip_plot(
        STRIPS, {"San Diego": 0.98}, marked=0, marked_label="seed 123", measure="AUC"
    )
    first, second = figure.axes
    assert [a.get_title() for a in figure.axes] == ["San Diego", "Hydice"]
    assert first.get_ylabel() == "AUC"
    # Circles, diamonds and the bar at the median, for each label.
    circles, diamond, bar, *rest = first.collections
    points = np.concatenate([circles.get_offsets(), diamond.get_offsets()])
    np.testing.assert_array_equal(points[:, 1], [0.5, np.nan, 0.8, 0.99])
    assert len(set(points[:, 0])) == 4 and np.abs(points[:, 0]).max() < 0.3
    assert bar.get_segments()[0][:, 1] == pytest.approx(0.8)
    assert rest[2].get_segments()[0][:, 1] == pytest.approx(0.7)
    (line,) = first.lines
    assert list(line.get_ydata()) == [0.98, 0.98] and not second.lines
    names = [[t.get_text() for t in axes.get_xticklabels()] for axes in figure.axes]
    assert names == [["release\n1 failed", "paper"], ["release", "paper\n2 failed"]]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "one run", "seed 123", "median", "published",
    ]  # fmt: skip
    assert inside(figure)


def test_a_strip_of_one_run_stands_in_the_middle():
    (axes,) = plots.strip_plot({"one": {"a": [0.5]}}, {}).axes
    assert axes.collections[0].get_offsets().tolist() == [[0.0, 0.5]]


LAMS = [1e-3, 1e-2, 1e-1]
BANDS = {
    "AUC(Pd,Pf)": {
        "San Diego": {"release": [[0.9, 0.8, 0.5], [0.7, 0.95, 0.5], [0.8, 0.6, 0.4]]},
        "Hydice": {"release": [[0.9, 0.9, 0.9]], "paper": [[0.1, 0.2, 0.3]]},
    },
    "AUC(Pf,τ)": {"Hydice": {"paper": [[0.1, 0.2, 0.3]]}},
}


def test_a_band_grid_shows_median_range_and_mark():
    figure = plots.band_grid(LAMS, BANDS, {"San Diego": {"release": 1e-2}}, xlabel="λ")
    assert len(figure.axes) == 4
    axes = figure.axes[0]
    assert (axes.get_title(), axes.get_xscale()) == ("San Diego", "log")
    assert axes.get_ylabel() == "AUC(Pd,Pf)" and figure.axes[2].get_xlabel() == "λ"
    middle, mark_line, mark = axes.lines
    np.testing.assert_allclose(middle.get_ydata(), [0.8, 0.8, 0.5])
    assert mark_line.get_xdata() == [1e-2, 1e-2]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((1e-2, 0.8))
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    for x, low, high in zip(LAMS, (0.7, 0.6, 0.4), (0.9, 0.95, 0.5), strict=True):
        at = vertices[np.isclose(vertices[:, 0], x), 1]
        assert (at.min(), at.max()) == pytest.approx((low, high))
    assert not figure.axes[2].lines  # a scene that a row lacks
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "release: median, range", "paper: median, range", "published",
    ]  # fmt: skip
    assert inside(figure)


# --- files ----------------------------------------------------------------------------------


def test_save_writes_what_matplotlib_reads_back(tmp_path):
    figure = plots.score_map(SCORE)
    (path,) = plots.save(figure, tmp_path / "map")
    assert path == tmp_path / "map.png"
    width, height = figure.get_size_inches() * plots.DPI
    assert matplotlib.image.imread(path).shape[:2] == (int(height), int(width))
    assert list(tmp_path.iterdir()) == [path]


def test_save_pixels_writes_one_for_one_and_gaps_grey(tmp_path):
    rgb = np.random.default_rng(0).uniform(size=(5, 7, 3)).astype(np.float32)
    rgb[2, 3] = np.nan
    plots.save_pixels(rgb, tmp_path / "a.png")
    read = matplotlib.image.imread(tmp_path / "a.png")[:, :, :3]
    grey = int(plots.NO_DATA_COLOUR[1:3], 16) / 255
    np.testing.assert_allclose(read, np.where(np.isnan(rgb), grey, rgb), atol=1 / 255)
    for wrong in (rgb[0], rgb[:, :, :2], rgb * 2, -rgb, np.zeros((2, 2, 3), int)):
        with pytest.raises(InputError, match="the picture h"):
            plots.save_pixels(wrong, tmp_path / "b.png")


def test_save_writes_each_format_next_to_the_others(tmp_path):
    written = plots.save(
        plots.score_map(SCORE), str(tmp_path / "map.v1.png"), ("png", "pdf", "svg")
    )
    assert [p.name for p in written] == ["map.v1.png", "map.v1.pdf", "map.v1.svg"]
    assert [p.read_bytes()[:5] for p in written] == [b"\x89PNG\r", b"%PDF-", b"<?xml"]
    (single,) = plots.save(plots.score_map(SCORE), tmp_path / "fig", "pdf")
    assert single.name == "fig.pdf"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.detection_grid([("Hydice", RGB, TRUTH, MAPS)]),
        lambda: plots.roc_grid({"Hydice": CURVES}),
        lambda: plots.pf_tau_grid({"Hydice": CURVES}),
        lambda: plots.separability_grid({"Hydice": BOXES}),
        lambda: plots.sensitivity_heatmap(VALUES, ROWS, SCENES, [0.98, 0.95]),
        lambda: plots.strip_plot(STRIPS, {}),
        lambda: plots.band_grid(LAMS, BANDS, {}),
    ],
    ids=["detection_grid", "roc_grid", "pf_tau_grid", "separability_grid", "sensitivity_heatmap",
         "strip_plot", "band_grid"],
)
def test_figures_of_a_comparison_come_as_png_and_pdf(tmp_path, draw):
    figure = draw()
    png, pdf = plots.save(figure, tmp_path / "figure", ("png", "pdf"))
    width, height = figure.get_size_inches() * plots.DPI
    assert matplotlib.image.imread(png).shape[:2] == (int(height), int(width))
    assert pdf.read_bytes().rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, kind):
    (a,) = plots.save(plots.roc_curves(CURVES), tmp_path / "a", (kind,))
    (b,) = plots.save(plots.roc_curves(CURVES), tmp_path / "b", (kind,))
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="no POSIX permissions")
def test_save_leaves_a_file_with_ordinary_permissions(tmp_path):
    (tmp_path / "ordinary").touch()
    (path,) = plots.save(plots.score_map(SCORE), tmp_path / "map")
    want = stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == want


def test_a_failed_save_leaves_the_earlier_files_and_no_rubbish(tmp_path, monkeypatch):
    figure = plots.score_map(SCORE)
    before = {p: p.read_bytes() for p in plots.save(figure, tmp_path / "map", ("png", "pdf"))}
    figure.axes[0].set_title("changed")
    whole = Figure.savefig

    def breaks_on_pdf(self, stream, *, format, **rest):
        whole(self, stream, format=format, **rest)
        if format == "pdf":
            raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", breaks_on_pdf)
    with pytest.raises(OSError, match="disk full"):
        plots.save(figure, tmp_path / "map", ("png", "pdf"))
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    monkeypatch.undo()
    plots.save(figure, tmp_path / "map", ("png", "pdf"))
    assert all(p.read_bytes() != old for p, old in before.items())


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.score_map(np.zeros(5)), r"score has shape \(5,\)"),
        (lambda: plots.score_map([[1, 2], [3]]), "score does not form one array"),
        (lambda: plots.score_map(np.zeros((0, 4))), r"score has shape \(0, 4\)"),
        (lambda: plots.score_map(np.zeros((2, 2), complex)), "score has dtype complex128"),
        (lambda: plots.score_map([[0, np.inf]]), "holds 1 infinite and 0 NaN values of 2"),
        (lambda: plots.score_map([[np.nan]]), "holds 0 infinite and 1 NaN values of 1"),
        (lambda: plots.detection_panel(RGB, TRUTH, {}), "maps of the scene is empty"),
        (lambda: plots.detection_panel(RGB, TRUTH, {"truth": SCORE}), "a map called 'truth'"),
        (lambda: plots.detection_panel(RGB[..., :2], TRUTH, MAPS), r"shape \(12, 9, 2\)"),
        (lambda: plots.detection_panel(RGB * 300, TRUTH, MAPS), "rgb of the scene spans 0 to"),
        (lambda: plots.detection_panel(RGB - 1, TRUTH, MAPS), "rgb of the scene spans -"),
        (lambda: plots.detection_panel(RGB, TRUTH.T, MAPS), "'truth' .* 9 × 12 .* rgb 12 × 9"),
        (lambda: plots.detection_panel(RGB, None, {"RX": SCORE[1:]}), "'RX' .* 11 × 9"),
        (lambda: plots.detection_grid([]), "rows is empty"),
        (lambda: plots.detection_grid([("Pavia", RGB, None, {})]), "maps of Pavia is empty"),
        (lambda: plots.roc_curves({}), "curves is empty"),
        (lambda: plots.roc_grid({}), "scenes is empty"),
        (lambda: plots.roc_grid({"Pavia": {}}), r"scenes\['Pavia'\] is empty"),
        (lambda: plots.pf_tau_curves({}), "curves is empty"),
        (lambda: plots.separability({}), "boxes is empty"),
        (lambda: plots.pf_tau_grid({}), "scenes is empty"),
        (lambda: plots.separability_grid({}), "scenes is empty"),
        (lambda: plots.separability_grid({"Pavia": {}}), r"scenes\['Pavia'\] is empty"),
        (lambda: plots.sensitivity_heatmap([[1], [1, 2]], "ab", "c", [1]), "not form one array"),
        (lambda: plots.sensitivity_heatmap([[1]], "ab", "c", [1]), r"shape \(1, 1\) and ref"),
        (lambda: plots.sensitivity_heatmap([[1]], "a", "c", [1, 2]), r"reference \(2,\)"),
        (lambda: plots.sensitivity_heatmap([[]], "a", "", []), "each at least 1"),
        (lambda: plots.sensitivity_heatmap([[np.inf]], "a", "b", [1]), "holds an infinity"),
        (lambda: plots.sensitivity_heatmap([[1]], "a", "b", [1], limit=0), "limit is 0; exp"),
        (lambda: plots.strip_plot({}, {}), "scenes is empty"),
        (lambda: plots.strip_plot({"Pavia": {}}, {}), r"scenes\['Pavia'\] is empty"),
        (lambda: plots.strip_plot({"Pavia": {"a": []}}, {}), r"Pavia, 'a' have shape \(0,\)"),
        (lambda: plots.strip_plot({"Pavia": {"a": [np.inf]}}, {}), "or hold an infinity"),
        (lambda: plots.strip_plot({"Pavia": {"a": ["x"]}}, {}), "do not form one array"),
        (lambda: plots.band_grid([2, 1], BANDS, {}), "parameter is not rising from above 0"),
        (lambda: plots.band_grid([1], {}, {}), "rows is empty"),
        (lambda: plots.band_grid([1], {"m": {}}, {}), "a row of rows is empty"),
        (lambda: plots.band_grid([1], {"m": {"s": {}}}, {}), "a panel of rows is empty"),
        (lambda: plots.band_grid([1], {"m": {"s": {"a": [[1, 2]]}}}, {}), r"expected runs × 1"),
        (lambda: plots.band_grid([1], {"m": {"s": {"a": [[np.nan]]}}}, {}), "finite numbers"),
        (lambda: plots.save(Figure(), "x", ("tga",)), r"formats is \('tga',\)"),
        (lambda: plots.save(Figure(), "x", ()), r"formats is \(\)"),
        (lambda: plots.save(Figure(), "x.pdf"), r"x.pdf ends in .pdf but formats"),
        (lambda: plots.save(Figure(), "no such folder/x"), "no such folder/x"),
        (lambda: plots.save(Figure(), ""), "a file name in an existing folder"),
    ],
)
def test_refusals_are_one_sentence(call, message):
    with pytest.raises(InputError, match=message) as refusal:
        call()
    assert str(refusal.value).endswith(".")
    assert "expected" in str(refusal.value)


POINTS = {f"method {number}": (0.01 * 3**number, 1 - 0.02 * number) for number in range(15)}


class TestCosts:
    def test_one_mark_for_every_label(self):
        figure = plots.auc_against_seconds(POINTS)
        (axes,) = figure.axes
        assert axes.get_xscale() == "log"
        found = {
            line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines
        }
        assert found == POINTS
        looks = {(line.get_marker(), line.get_color()) for line in axes.lines}
        assert len(looks) == len(POINTS)
        assert inside(figure) and drawn(figure).std() > 1

    def test_nothing_to_draw(self):
        with pytest.raises(InputError, match="points is empty"):
            plots.auc_against_seconds({})


def test_ticks_of_the_seconds_do_not_overlap():
    points = {"a": (0.24, 1.0), "b": (0.26, 0.99), "c": (3.7, 0.98)}
    figure = plots.auc_against_seconds(points)
    figure.canvas.draw()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    labels = [
        label for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= tick <= high
    ]  # fmt: skip
    assert [label.get_text() for label in labels] == ["0.5", "1", "2"]
    boxes = [label.get_window_extent() for label in labels]
    assert all(one.x1 < following.x0 for one, following in itertools.pairwise(boxes))
    assert not axes.get_xticklabels(minor=True)
