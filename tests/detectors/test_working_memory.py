"""Estimates of memory beside what is traced, and refusals before anything begins."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lren_tf import detectors
from lren_tf.datasets.simulation import simulate
from lren_tf.detectors import working_memory
from lren_tf.detectors.parts import dual_window, second_moments
from lren_tf.detectors.working_memory import Size, needed_bytes
from lren_tf.errors import InputError

GRANULE = Size(1280, 1242, 285)


def estimate(name: str, size: Size, **settings) -> int:
    return needed_bytes(name, size, detectors.create(name, **settings).get_config())


def traced(name: str, shape: tuple[int, int, int], **settings) -> int:
    """Peak of NumPy's memory beside the cube."""
    cube = simulate(*shape, seed=1).cube
    detector = detectors.create(name, **settings)
    tracemalloc.start()
    try:
        detector.score(cube)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_every_detector_but_lren_has_an_estimate() -> None:
    for name in detectors.names():
        known = needed_bytes(name, Size(9, 9, 9), detectors.create(name).get_config())
        assert (known is None) == (name == "lren")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lsdm_mog", {"iterations": 2}),
        ("pca_tlrsr", {"iterations": 2}),
        pytest.param("adlr", {"iterations": 1, "bandwidth": 0.5}, marks=pytest.mark.slow),
        pytest.param("pab_dc", {"max_iterations": 1, "clusters": 4}, marks=pytest.mark.slow),
    ],
)
def test_those_that_hold_the_scene_need_about_what_is_said(name: str, settings: dict) -> None:
    # ADLR's and PAB_DC's last steps are TensorFlow's, whose memory is not traced.
    for shape in ((60, 60, 40), (60, 60, 80)):
        ratio = traced(name, shape, **settings) / estimate(name, Size(*shape), **settings)
        assert 0.4 < ratio < 1.6, (name, shape, ratio)


@pytest.mark.parametrize(
    "name", ["rx", "lrx", pytest.param("crd", marks=pytest.mark.slow), "aed"]
)
def test_those_that_stream_need_less_than_the_cube(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With chunks and strips as small beside this scene as they are beside a large one."""
    monkeypatch.setattr(second_moments, "CHUNK_ELEMENTS", 1 << 12)
    monkeypatch.setattr(dual_window, "STRIP_ELEMENTS", 1 << 14)
    monkeypatch.setattr(dual_window, "BLOCK_ELEMENTS", 1 << 12)
    settings = {"inner": 1, "outer": 3} if name in ("lrx", "crd") else {}
    needed = traced(name, (150, 60, 100), **settings)
    assert needed < 150 * 60 * 100 * 4  # as float32; a copy as float64 would be twice that
    assert needed < estimate(name, Size(150, 60, 100), **settings)


def test_rx_of_a_granule_stays_far_below_it() -> None:
    assert estimate("rx", GRANULE) < 2**28 < 2**30
    for name in ("lrx", "aed", "crd", "aae_rx", "aae", "hadgan"):
        assert estimate(name, Size(1000, 1000, 100)) < 2**32


@pytest.mark.parametrize("name", ["lsdm_mog", "adlr", "pab_dc"])
def test_too_large_a_scene_is_refused_before_anything_begins(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_memory, "free_memory", lambda: 2**20)
    detector = detectors.create(name)
    monkeypatch.setattr(type(detector), "_score", lambda *_: pytest.fail("it began"))
    message = rf"{detector.title} needs about .* GiB of memory for 900 pixels × 60 bands"
    with pytest.raises(InputError, match=message):
        detector.score(np.random.default_rng(0).random((30, 30, 60)))


def test_where_nobody_knows_what_is_free_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(working_memory, "free_memory", lambda: None)
    score = detectors.create("rx").score(np.random.default_rng(0).random((9, 9, 3)))
    assert np.isfinite(score).all()
