"""One iteration of a block: both ways to keep it, and the relations they rest on."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.low_rank.block import (
    KEPT_FOR_THE_RULE,
    CachedJAWBlock,
    Gains,
    JWABlock,
    StreamedJAWBlock,
)
from lren_tf.low_rank.proximal import residual_shrinkage_and_loss

L, N = 5, 40
KAPPA = tf.constant(1 / 1.2, tf.float64)


@pytest.fixture
def samples():
    return tf.constant(np.random.default_rng(1).normal(size=(L, N)))


def iterations(kind, X, s, count):
    """Blocks and norms of rows after each of some iterations with a K of its own."""
    gains = Gains.of(tf.constant(s, tf.float64)[:, None], N)
    rng, block = np.random.default_rng(2), kind.start(X)
    for i in range(count):
        P = rng.normal(size=(L, L))
        P = P @ P.T / np.linalg.norm(P @ P.T)
        row = np.divide(1.0, s, out=np.zeros(L), where=np.array(s) > 0)
        K = tf.constant((np.array(s) / (1 + np.square(s)))[:, None] * P * row)
        block, r1, unmet, norms = block.advance(
            gains, K, KAPPA, lambda R, i=i: residual_shrinkage_and_loss(R, 0.8 / 1.2**i, "l21")
        )
        yield block, r1, unmet, norms, gains


@pytest.mark.parametrize("s", [[3.0, 1.0, 0.5, 0.1, 0.0], [300.0, 30.0, 1.0, 1e-5, 1e-9]])
def test_the_streamed_block_makes_the_same_iterations(samples, s):
    kinds = CachedJAWBlock, StreamedJAWBlock
    cached, streamed = (iterations(kind, samples, s, 12) for kind in kinds)
    for (a, r1, unmet, norms, gains), (b, *others) in zip(cached, streamed, strict=True):
        for name in ("T", "R", "A", "loss"):
            one, other = getattr(a, name), getattr(b, name)
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11, err_msg=name)
        np.testing.assert_allclose(b.scaled_multiplier(gains), a.U1, atol=1e-11)
        np.testing.assert_allclose(b.unmet(gains), a.unmet(gains), atol=1e-11)
        for one, other in zip((r1, unmet, norms), others, strict=False):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
        # What T says of a direction that no atom reaches is nothing, and of a faint one little.
        error, scale = (np.abs(M).max(axis=1) for M in (a.T - b.T, a.T))
        assert (error <= 1e-9 * scale).all()


def test_what_the_streamed_block_leaves_out_follows_from_the_rest(samples):
    for block, *_, gains in iterations(CachedJAWBlock, samples, [3.0, 1.0, 0.5, 0.1, 0.0], 6):
        left, right = block.T + block.R, block.X + (1 + gains.s2) * block.U1
        np.testing.assert_allclose(left, right, atol=1e-12)


@pytest.mark.parametrize("kind", [CachedJAWBlock, StreamedJAWBlock, JWABlock])
def test_norms_are_those_of_the_rows_and_the_last_gap_is_remembered(samples, kind):
    for block, r1, unmet, norms, gains in iterations(kind, samples, [3.0, 1.0, 0.5, 0.1, 0.0], 4):
        expected = [r1] if unmet is r1 else [r1, unmet]
        np.testing.assert_allclose(norms, [np.linalg.norm(M, axis=1) for M in expected])
        np.testing.assert_allclose(block.unmet(gains), unmet, atol=1e-12)


@pytest.mark.parametrize("kind", KEPT_FOR_THE_RULE)
def test_what_is_kept_for_the_rule_plays_no_part_in_an_iteration(samples, kind):
    s = [3.0, 1.0, 0.5, 0.1, 0.0]
    gains = Gains.of(tf.constant(s, tf.float64)[:, None], N)
    *_, (block, *_) = iterations(kind, samples, s, 3)
    nothing = tf.zeros([L, N], tf.float64)
    lost = block._replace(**dict.fromkeys(KEPT_FOR_THE_RULE[kind], nothing))
    K = tf.constant(np.random.default_rng(3).normal(size=(L, L)))
    one, other = (
        each.advance(gains, K, KAPPA, lambda R: residual_shrinkage_and_loss(R, 0.1, "l21"))
        for each in (block, lost)
    )
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_array_equal(a, b)
