"""State and iteration of the low-rank step for a block of pixels.

The letters are those of :mod:`lren_tf.low_rank.admm`, which derives these formulas;
:mod:`lren_tf.low_rank.iteration` combines the blocks. Arrays are ``[l, n]``, pixels last.

In a block that stays in the cache, control dependencies make operations wait for each other that
could run at the same time: a core that has begun a block then has its arrays to itself, which
saves an eighth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Shrink = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Proximal operator of the loss at the threshold of an iteration: A of R, and the loss of A."""
Moved = tuple["Block", tf.Tensor, tf.Tensor, tf.Tensor]
"""Result of ``advance``: the block after an iteration, X − Z − A and (W̃ − J̃)/s, ``[l, n]``, and
the norms of the rows of these two, ``[2, l]``, or ``[1, l]`` where they are one."""


class Gains(NamedTuple):
    """Factors that depend only on the singular values s, ``[l, n]``, the same in each column: a
    product of equal shapes is faster than one with a column, and these stay in the cache."""

    c: tf.Tensor
    """s²/(1 + s²)."""
    w: tf.Tensor
    """1/(1 + s²)."""
    s2: tf.Tensor
    """s²."""

    @classmethod
    def of(cls, s: tf.Tensor, n: tf.Tensor) -> Gains:
        """Return the gains of blocks of n pixels; s is ``[l, 1]``."""
        s2 = tf.square(s)
        parts = s2 / (1.0 + s2), 1.0 / (1.0 + s2), s2
        return cls(*(tf.broadcast_to(each, [tf.shape(s)[0], n]) for each in parts))


class CachedJAWBlock(NamedTuple):
    """State in the order J, A, W of a block that stays in the cache."""

    X: tf.Tensor
    T: tf.Tensor
    U1: tf.Tensor
    A: tf.Tensor
    loss: tf.Tensor
    """Loss of A, a scalar."""
    R: tf.Tensor

    @classmethod
    def start(cls, X: tf.Tensor) -> CachedJAWBlock:
        """Return the block before the first iteration."""
        zero = tf.zeros_like(X)
        return cls(X, zero, zero, zero, tf.zeros([], X.dtype), X)

    def scaled_multiplier(self, gains: Gains) -> tf.Tensor:
        """U1."""
        return self.U1

    def in_T(self, gains: Gains) -> tf.Tensor:
        """U1 + ΔA, of which T holds s²."""
        return self.U1

    def unmet(self, gains: Gains) -> tf.Tensor:
        """(W̃ − J̃)/s of the last iteration; there is none at the start."""
        return self.R - self.U1 - self.A

    def advance(self, gains: Gains, K: tf.Tensor, kappa: tf.Tensor, shrink: Shrink) -> Moved:
        """One iteration."""
        X, T, U1, R = self.X, self.T, self.U1, self.R
        A, loss = shrink(R)
        with tf.control_dependencies([loss]):
            rest = X - A
            Z = gains.c * rest
        with tf.control_dependencies([Z]):
            Z += tf.matmul(K, T)
        r1 = rest - Z
        norms = tf.math.reduce_euclidean_norm(r1, axis=1)[None]
        with tf.control_dependencies([norms]):
            U1 = kappa * (U1 + r1)
        T = Z + gains.s2 * U1
        with tf.control_dependencies([T]):
            R = tf.add_n([A, r1, U1])
        return CachedJAWBlock(X, T, U1, A, loss, R), r1, r1, norms


class StreamedJAWBlock(NamedTuple):
    """State in the order J, A, W of a block that goes through memory.

    U1 is left out, since it follows from T + R = X + (1 + s²) U1: three operations more, and five
    arrays read and written in an iteration instead of seven.
    """

    X: tf.Tensor
    T: tf.Tensor
    loss: tf.Tensor
    R: tf.Tensor
    A: tf.Tensor

    @classmethod
    def start(cls, X: tf.Tensor) -> StreamedJAWBlock:
        """Return the block before the first iteration."""
        return cls(X, tf.zeros_like(X), tf.zeros([], X.dtype), X, tf.zeros_like(X))

    def scaled_multiplier(self, gains: Gains) -> tf.Tensor:
        """U1."""
        return gains.w * (self.T + (self.R - self.X))

    def in_T(self, gains: Gains) -> tf.Tensor:
        """U1 + ΔA, of which T holds s²."""
        return self.scaled_multiplier(gains)

    def unmet(self, gains: Gains) -> tf.Tensor:
        """(W̃ − J̃)/s of the last iteration; there is none at the start."""
        return self.R - self.scaled_multiplier(gains) - self.A

    def advance(self, gains: Gains, K: tf.Tensor, kappa: tf.Tensor, shrink: Shrink) -> Moved:
        """One iteration."""
        X, T, R = self.X, self.T, self.R
        A, loss = shrink(R)
        rest = X - A
        reached = tf.matmul(K, T)
        # U1 + r1, from which X has gone.
        U1 = kappa * (gains.w * (T + (R - A)) - reached)
        Z = gains.c * rest + reached
        r1 = rest - Z
        norms = tf.math.reduce_euclidean_norm(r1, axis=1)[None]
        R = tf.add_n([A, r1, U1])
        return StreamedJAWBlock(X, Z + gains.s2 * U1, loss, R, A), r1, r1, norms


class JWABlock(NamedTuple):
    """State of a block in the order J, W, A."""

    X: tf.Tensor
    T: tf.Tensor
    U1: tf.Tensor
    A: tf.Tensor
    loss: tf.Tensor
    """Loss of A, a scalar."""
    B: tf.Tensor
    C: tf.Tensor
    """X − Z − B of the last iteration, for the stopping rule."""

    @classmethod
    def start(cls, X: tf.Tensor) -> JWABlock:
        """Return the block before the first iteration."""
        zero = tf.zeros_like(X)
        return cls(X, zero, zero, zero, tf.zeros([], X.dtype), zero, zero)

    def scaled_multiplier(self, gains: Gains) -> tf.Tensor:
        """U1."""
        return self.U1

    def in_T(self, gains: Gains) -> tf.Tensor:
        """U1 + ΔA, of which T holds s²."""
        return self.U1 + (self.B - self.A)

    def unmet(self, gains: Gains) -> tf.Tensor:
        """(W̃ − J̃)/s of the last iteration; there is none at the start."""
        return self.C

    def advance(self, gains: Gains, K: tf.Tensor, kappa: tf.Tensor, shrink: Shrink) -> Moved:
        """One iteration."""
        X, T, U1, A, B = self.X, self.T, self.U1, self.A, self.B
        Z = gains.c * (X - B)
        with tf.control_dependencies([Z]):
            Z += tf.matmul(K, T)
        rest = X - Z
        R = rest + U1
        A_new, loss = shrink(R)
        with tf.control_dependencies([loss]):
            unmet = rest - B
        with tf.control_dependencies([unmet]):
            r1 = rest - A_new
        norms = tf.stack([tf.math.reduce_euclidean_norm(M, axis=1) for M in (r1, unmet)])
        with tf.control_dependencies([norms]):
            moved = kappa * (R - A)
        with tf.control_dependencies([moved]):
            U1 = kappa * (R - A_new)
        with tf.control_dependencies([U1]):
            T = Z + gains.s2 * moved
        with tf.control_dependencies([T]):
            # κ (A' − A) is the difference of the two.
            B = A_new + (moved - U1)
        return JWABlock(X, T, U1, A_new, loss, B, unmet), r1, unmet, norms


Block = CachedJAWBlock | StreamedJAWBlock | JWABlock

KEPT_FOR_THE_RULE = {CachedJAWBlock: {"A"}, StreamedJAWBlock: {"A"}}
"""Fields that only the stopping rule and the result read. Iterations far from the end leave them
as they were; in the order J, W, A, which reads all its fields, no iteration is far."""


def coefficients(block: Block, s: tf.Tensor, gains: Gains) -> tf.Tensor:
    """W̃ of a block ``[l, n]``; s is ``[l, 1]``."""
    return tf.math.reciprocal_no_nan(s) * block.T - s * block.in_T(gains)
