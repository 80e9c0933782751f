"""Types of the low-rank step: a problem, its singular bases, its state, one step and its sums.

The letters are those of :mod:`lren_tf.low_rank.admm`.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from lren_tf.low_rank.block import Block, Gains
from lren_tf.low_rank.proximal import residual_shrinkage_and_loss

ORDERS = ("JWA", "JAW")
"""Orders of the updates within an iteration."""

FAR, NEAR, LOOK = "far", "near", "look"
"""Kinds of iterations: far from the last one; near, so that they find out whether the next one can
be the last; and those that can be the last and evaluate the stopping rule. Storing what only the
rule needs costs a fifth more time, since other arrays then find no room in the cache; evaluating it
costs twice as much."""

_BLOCK = 22_000
"""Numbers per array and block. TensorFlow gives an operation of this size one core, and two
blocks run at a time; spreading operations this short over the cores costs more than it saves.
All arrays of a block fit a core's second cache."""
_BLOCK_GPU = 1 << 24
"""The same on a GPU, which a short operation leaves idle."""
_LANES = 8
"""Most blocks that may run at a time; each is a copy of the iteration in the graph."""
_LANES_OF_ANY_SIZE = 4
"""Most such blocks in a graph that is made before the number of pixels is known."""


class Sums(NamedTuple):
    """Sums of an iteration over pixels, float64."""

    gram: tf.Tensor
    """T Tᵀ ``[l, l]``."""
    loss: tf.Tensor
    squares: tf.Tensor
    """‖X − W D − A‖²_F and ‖W − J‖²_F, ``[2]``."""
    open: tf.Tensor
    """Groups of blocks that do not meet the stopping rule, those that rule it out for the next
    iteration as well, and those that are not near it, ``[3]``."""


class Basis(NamedTuple):
    """Singular bases of the dictionary, in the precision of the samples."""

    s: tf.Tensor
    """Singular values, and zeros, ``[l, 1]``."""
    V: tf.Tensor
    """``[m, l]``; columns of zeros where there are fewer atoms than dimensions."""
    Q: tf.Tensor
    """``[l, l]``."""


class State(NamedTuple):
    """Pixels in blocks of equal width n, filled up with pixels of zeros, which stay zero."""

    blocks: tuple[Block, ...]
    """Blocks, as many as lanes; or one, each field of which is a TensorList with an element for
    every block. Replacing an element releases the old one, so memory holds one state."""
    gains: Gains
    n: tf.Tensor
    """Pixels of a block."""


class Step(NamedTuple):
    """Parameters of an iteration that are the same for all pixels, float64."""

    K: tf.Tensor
    """``[l, l]``."""
    threshold: tf.Tensor
    next_threshold: tf.Tensor
    """Threshold of the next iteration."""
    kappa: tf.Tensor
    begun: tf.Tensor
    """0.0 in the first iteration, where J is still zero; 1.0 afterwards."""
    tolerance: tf.Tensor


class Advanced(NamedTuple):
    """A block after an iteration, and further results of the iteration."""

    block: Block
    r1: tf.Tensor
    """X − Z − A."""
    unmet: tf.Tensor
    """(W̃ − J̃)/s."""
    gram: tf.Tensor
    """T Tᵀ, float64."""
    norms: tf.Tensor
    """Norms of the rows of these two, float64 ``[2, l]``; ``[1, l]`` where they are one."""
    next_loss: tf.Tensor
    """Loss of the next A where it is known and needed; else that of this A."""


class Problem(NamedTuple):
    """Properties of a low-rank problem that a graph is built for."""

    loss: str
    order: str
    atoms: int
    width: int
    lanes: int
    """Blocks that may run at a time."""
    block: int
    """Numbers per array and block, about."""
    looped: bool
    """True if there may be more blocks than lanes."""

    @classmethod
    def of(cls, X: tf.Tensor, D: tf.Tensor, loss: str, order: str) -> Problem:
        """Return the problem of samples ``[N, l]``, N known or not, and atoms ``[m, l]``."""
        (pixels, width), atoms = X.shape, D.shape[0]
        if "GPU" in X.device:
            return cls(loss, order, atoms, width, 1, _BLOCK_GPU, looped=True)
        if pixels is None:
            return cls(loss, order, atoms, width, _LANES_OF_ANY_SIZE, _BLOCK, looped=True)
        lanes = max(1, min(_LANES, pixels * width // _BLOCK))
        return cls(loss, order, atoms, width, lanes, _BLOCK, looped=lanes == _LANES)

    def shrink(
        self, threshold: tf.Tensor, R: tf.Tensor, basis: Basis
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A of R ``[l, n]`` in the singular bases, and its loss."""
        threshold = tf.cast(threshold, R.dtype)
        if self.loss == "l1":  # the one loss that a rotation of the latent space changes
            A, loss = residual_shrinkage_and_loss(tf.matmul(basis.Q, R), threshold, "l1")
            return tf.matmul(basis.Q, A, transpose_a=True), loss
        return residual_shrinkage_and_loss(R, threshold, self.loss)


def singular_bases(D: tf.Tensor) -> Basis:
    """Bases of a dictionary ``[m, l]``."""
    m, l = D.shape
    s, V, Q = tf.linalg.svd(D, full_matrices=True)
    # Dictionaries with fewer atoms than latent dimensions get inert zero directions, so
    # that the arrays are always [l, n].
    rank = min(m, l)
    s = tf.pad(s[:rank], [[0, l - rank]])[:, None]
    return Basis(s, tf.pad(V[:, :rank], [[0, 0], [0, l - rank]]), Q)
