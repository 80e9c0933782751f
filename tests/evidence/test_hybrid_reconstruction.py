"""Reconstruction by sweeps and a queue, against the sweeps of a graph and repeated dilation."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from lren_tf.evidence import hybrid_reconstruction as hybrid
from lren_tf.evidence.hybrid_reconstruction import reconstructed
from lren_tf.evidence.structure import reconstruction
from tests.evidence.test_structure import plain_reconstruction, spiral

RNG = np.random.default_rng(9)
in_graph = tf.function(reconstruction)


def maps(height, width, count, smooth):
    mask = ndimage.gaussian_filter(RNG.normal(size=(height, width, count)), (smooth, smooth, 0))
    return ndimage.minimum_filter(mask, (9, 9, 1)), mask


@pytest.mark.parametrize("smooth", [0, 1, 3])
@pytest.mark.parametrize("shape", [(70, 90, 3), (1, 40, 2), (40, 1, 2)])
def test_it_is_that_of_the_graph_to_the_bit(shape, smooth):
    marker, mask = maps(*shape, smooth)
    before = marker.copy(), mask.copy()
    found = reconstructed(marker, mask)
    np.testing.assert_array_equal(found, in_graph(tf.constant(marker), tf.constant(mask)))
    np.testing.assert_array_equal((marker, mask), before)


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("waves", [1, 10**6])
def test_sweeps_and_queue_may_take_turns_at_any_time(share, waves, monkeypatch):
    monkeypatch.setattr(hybrid, "_SMALL_SHARE", share)
    monkeypatch.setattr(hybrid, "_WAVES", waves)
    marker, mask = maps(40, 50, 2, 2)
    found = reconstructed(marker, mask)
    for channel in range(2):
        expected = plain_reconstruction(marker[..., channel], mask[..., channel])
        np.testing.assert_array_equal(found[..., channel], expected)


def test_a_path_with_many_turns_is_followed_by_the_queue(monkeypatch):
    rounds: list[int] = []
    sweeps = hybrid._Maps._swept
    monkeypatch.setattr(hybrid._Maps, "_swept", lambda self: rounds.append(0) or sweeps(self))
    mask = spiral(41)
    marker = np.full_like(mask, -1)
    marker[0, 0] = 1
    expected = plain_reconstruction(marker, mask)
    counts = []
    for share in (hybrid._SMALL_SHARE, 0.0):
        monkeypatch.setattr(hybrid, "_SMALL_SHARE", share)
        found = reconstructed(marker[..., None], mask[..., None])
        np.testing.assert_array_equal(found[..., 0], expected)
        counts.append(len(rounds) - sum(counts))
    assert counts[0] <= counts[1] / 2


def test_maps_do_not_reach_into_each_other_or_into_pixels_without_data():
    mask = RNG.random((12, 12, 4))
    mask[:, 6] = -np.inf
    marker = np.where(np.arange(12)[:, None] < 6, mask, -np.inf)
    marker = np.where(np.isfinite(mask), marker, -np.inf)
    marker[:, 6:, 1] = -np.inf
    found = reconstructed(marker, mask)
    assert (found[:, 6:, 1] == -np.inf).all() and (found[:, 6] == -np.inf).all()
    for channel in range(4):
        alone = reconstructed(marker[..., [channel]], mask[..., [channel]])
        np.testing.assert_array_equal(alone, found[..., [channel]])


def test_large_maps_are_worked_on_one_by_one(monkeypatch):
    marker, mask = maps(30, 20, 5, 1)
    together = reconstructed(marker, mask)
    monkeypatch.setattr(hybrid, "_TOGETHER", 1)
    np.testing.assert_array_equal(reconstructed(marker, mask), together)
