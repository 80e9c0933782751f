"""Scores as decades of rarity: −log₁₀ of the share of a scene's pixels that score higher.

Different evidence has different units and different tails. Expressed as the share of the background
that would exceed it, it becomes comparable. Below the (1 − :data:`TAIL`) quantile q the share is
counted: quantiles at :data:`KNOTS` + 1 equally spaced ranks, and a straight line between two of
them. In scenes of few pixels it is a straight line over :data:`PIXELS` of them at least, since two
scores that happen to be nearly equal would make the share of a third one a matter of rounding.
Above it the exceedances y = s − q follow a generalised Pareto distribution (Pickands, 1975),

    P(S > s) = p · (1 + ξ y / σ)^(−1/ξ),    p = TAIL,

with σ and ξ from the probability-weighted moments b₀ = E[Y] and b₁ = E[Y (1 − F(Y))] (Hosking
and Wallis, 1987): ξ = 2 − b₀ / (b₀ − 2 b₁) and σ = b₀ (1 − ξ). The shape is limited to 0 ≤ ξ ≤
:data:`LARGEST_SHAPE`: with ξ < 0 the tail would end, and everything beyond its end would be
equally, infinitely rare. So the decades are finite and rise with the score wherever it rises.

All pixels take part in that fit: anomalies among the highest scores make the tail a little heavier,
which does no harm as long as scores are only added up. The sum of the evidence is what false-alarm
rates are read from, so :func:`with_background_tail` fits its tail again by likelihood, with the
anomalies as a part of the model (:mod:`lren_tf.evaluation.pareto_tail`); p is then the share of
the *background* above q. The scores are decades already, whose tail is nearly exponential: hence
:data:`DECADES_PENALTY`. That penalty and the gains were chosen on the eleven scenes of
``docs/robust.md`` with their ground truth, in seven trials; they move rates, not the order of the
pixels. All of it is float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.evaluation.pareto_tail import fit_tail

TAIL = 0.1
"""Share of the pixels whose scores are fitted instead of counted."""
KNOTS = 512
"""Segments of the counted part."""
PIXELS = 8
"""Smallest number of pixels from one quantile to the next."""
DECADES_PENALTY, DECADES_GAINS = (0.06, 0.02), (2.0, 1.0)
"""Centre and spread of ξ for scores in decades, and what anomalies have to be worth."""
FEWEST_EXCEEDANCES = 50
"""Fewer say too little about anomalies in a tail; the moments stay."""
LARGEST_SHAPE = 0.9
"""Largest ξ: from 1 on the distribution has no mean, and the moments say nothing about it."""

# A flat tail has no scale of its own: this share of the range of the scores.
_FLAT_SCALE = 1e-3
# How far below the smallest score the first segment goes on, in segments.
_SEGMENTS_BELOW = 1e6
_SMALLEST = 1e-300


class Calibration(NamedTuple):
    """Distribution of the scores of a scene."""

    knots: tf.Tensor
    """``[KNOTS + 1]``: quantiles 0 … 1 − TAIL. The last one is where the tail begins."""
    scale: tf.Tensor
    """σ of the tail, in the units of the scores; a scalar, as ξ is."""
    shape: tf.Tensor
    """ξ of the tail."""
    share: tf.Tensor
    """p, share of the background in the tail; a scalar, at most TAIL."""


def calibration(scores: tf.Tensor) -> Calibration:
    """Return the distribution of scores.

    Args:
        scores: ``[n]``, finite, n ≥ 1.
    """
    s = rising(tf.cast(scores, tf.float64))
    count = tf.shape(s)[0]
    n = tf.cast(count, tf.float64)
    zero = tf.zeros([], tf.float64)
    segments = tf.clip_by_value(tf.floor((1 - TAIL) * n / PIXELS), 1.0, KNOTS)

    def quantile(segment: tf.Tensor) -> tf.Tensor:
        place = tf.minimum(segment / segments, 1.0) * (1 - TAIL) * (n - 1)
        below = tf.cast(tf.floor(place), tf.int32)
        low, high = tf.gather(s, below), tf.gather(s, tf.minimum(below + 1, count - 1))
        return low + (place - tf.floor(place)) * (high - low)

    place = tf.linspace(zero, segments, KNOTS + 1)
    low, high = quantile(tf.floor(place)), quantile(tf.floor(place) + 1)
    knots = low + (place - tf.floor(place)) * (high - low)
    scale, shape = _tail(s, s - knots[-1])
    return Calibration(knots, scale, shape, tf.constant(TAIL, tf.float64))


def rising(scores: tf.Tensor) -> tf.Tensor:
    """Return scores ``[n]`` in rising order; outside graphs by NumPy, whose sort is faster."""
    return tf.constant(np.sort(scores.numpy())) if tf.executing_eagerly() else tf.sort(scores)


def with_background_tail(of: Calibration, scores: tf.Tensor) -> Calibration:
    """Fit the tail again, with the anomalies set apart; eager only.

    Args:
        of: `calibration` of the scores.
        scores: ``[n]``, in decades.

    Returns:
        `of` as it is where there are too few exceedances, or no fit.
    """
    s = np.asarray(scores)
    y = np.sort(s - of.knots[-1].numpy())
    y = y[y > 0]
    if y.size < FEWEST_EXCEEDANCES or y[0] == y[-1]:
        return of
    tail = fit_tail(y, s.size, DECADES_PENALTY, DECADES_GAINS)
    if tail is None:
        return of
    shape = min(max(tail.shape, 0.0), LARGEST_SHAPE)
    share = min((1 - tail.anomalous) * y.size / s.size, TAIL)
    values = (tf.constant(value, tf.float64) for value in (tail.scale, shape, share))
    return Calibration(of.knots, *values)


def _tail(s: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and shape of the exceedances among y ``[n]``, rising, of scores s ``[n]``."""
    n = tf.cast(tf.shape(y)[0], tf.float64)
    above = tf.cast(y > 0, tf.float64)
    m = tf.maximum(tf.reduce_sum(above), 1.0)
    y = tf.maximum(y, 0.0)
    rank = tf.range(1, n + 1, dtype=tf.float64) - (n - m)  # 1 … m among the exceedances
    b0 = tf.reduce_sum(y) / m
    b1 = tf.reduce_sum(y * (m - rank) * above) / (m * tf.maximum(m - 1.0, 1.0))
    gap = b0 - 2 * b1
    some = gap > 0
    shape = tf.where(some, 2 - b0 / tf.where(some, gap, tf.ones_like(gap)), tf.zeros_like(gap))
    shape = tf.clip_by_value(shape, 0.0, LARGEST_SHAPE)
    span = s[-1] - s[0]
    flat = tf.where(span > 0, _FLAT_SCALE * span, tf.ones_like(span))
    return tf.where(b0 > 0, b0 * (1 - shape), flat), shape


def decades(scores: tf.Tensor, of: Calibration) -> tf.Tensor:
    """Return −log₁₀ of the share of pixels that score higher, float64 in the shape of `scores`.

    Args:
        scores: of any shape, finite; of the calibration's scene or of another.
        of: distribution to compare with. A score below all of its scores gets a value a little
            below 0.
    """
    s = tf.cast(scores, tf.float64)
    flat = tf.reshape(s, [-1])
    at = tf.searchsorted(of.knots, flat, side="right") - 1
    at = tf.clip_by_value(at, 0, KNOTS - 1)
    left, right = tf.gather(of.knots, at), tf.gather(of.knots, at + 1)
    part = (flat - left) / tf.maximum(right - left, _SMALLEST)
    # Several equal quantiles: all of the pixels between them lie at or below the score.
    part = tf.where(
        right > left, tf.clip_by_value(part, -_SEGMENTS_BELOW, 1.0), tf.ones_like(part)
    )
    below = (1 - TAIL) * (tf.cast(at, tf.float64) + part) / KNOTS
    # Not above the first value of the tail, not even by rounding.
    first = -tf.math.log(of.share)
    counted = tf.minimum(-tf.math.log1p(-tf.minimum(below, 1 - TAIL)), first)
    z = tf.maximum(flat - of.knots[-1], 0.0) / of.scale
    exponential = of.shape <= 1e-9
    shape = tf.where(exponential, tf.ones_like(of.shape), of.shape)
    fitted = tf.where(exponential, z, tf.math.log1p(shape * z) / shape)
    fitted += first
    chosen = tf.where(flat > of.knots[-1], fitted, counted) / math.log(10)
    return tf.reshape(chosen, tf.shape(s))
