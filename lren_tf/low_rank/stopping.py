"""Stopping rule of the low-rank step.

The rule compares the largest entries in the original coordinates with the tolerance, which is as
much work as an iteration. Sums over blocks, which every iteration computes anyway, rule it out for
all but the last iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.low_rank.block import Block, Gains, JWABlock, coefficients
from lren_tf.low_rank.problem import FAR, LOOK, Advanced, Basis, Problem, State, Step

_NEARNESS = 30.0
"""Times what the stopping rule admits of W − J: below it iterations are near. Where W − J fell
tenfold at once, a run might end an iteration later."""
_NOT_INLINED = tf.function(autograph=False, experimental_attributes={"_noinline": True})
"""Call of a branch: operations of one cost something if it is not taken, a call costs once."""


class Group(NamedTuple):
    """Blocks that run at a time, before and after an iteration."""

    blocks: list[Block]
    """Blocks before the iteration."""
    advanced: list[Advanced]
    loss: tf.Tensor
    """Sum of the losses after it, float64."""
    squares: tf.Tensor
    """‖X − W D − A‖²_F and ‖W − J‖²_F after it, float64 ``[2]``."""


def total(parts: list[tf.Tensor]) -> tf.Tensor:
    """Sum of scalars, float64."""
    return tf.cast(tf.add_n(parts), tf.float64)


def open_groups(
    group: Group, state: State, basis: Basis, step: Step, problem: Problem, kind: str
) -> tf.Tensor:
    """:attr:`lren_tf.low_rank.problem.Sums.open` of one group of blocks, float64 ``[3]``.

    Each entry is 1.0 or 0.0: whether the group does not meet the stopping rule, whether it rules
    it out for the next iteration as well, and whether it is not near it.
    """
    blocks, advanced, loss, squares = group
    moved = [each.block for each in advanced]
    pixels = tf.cast(problem.lanes * state.n, tf.float64)
    entries = pixels * tf.constant([problem.width, problem.atoms], tf.float64)
    # Where no entry reaches the tolerance, no sum over the blocks reaches these.
    bounds = entries * tf.square(step.tolerance)

    def may_settle(loss: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Return whether A can have changed by less than the tolerance between two losses."""
        if problem.loss == "frobenius":
            return tf.constant(True)
        # A column's norm changes by no more than √l times what its entries change by.
        most = entries[0] / (problem.width**0.5 if problem.loss == "l21" else 1.0)
        rounding = 100.0 * np.finfo(state.gains.c.dtype.as_numpy_dtype).eps * loss
        return tf.abs(loss - before) <= most * step.tolerance + rounding

    near = squares[1] <= _NEARNESS**2 * bounds[1] if problem.order == "JAW" else tf.constant(True)
    never = tf.constant(False)
    closed = allows = never
    if kind != FAR:
        # J, W and W − J change by less than the tolerance in the last iteration, so that no entry
        # of W − J is three times the tolerance in the one before it; a tenth more for rounding.
        allows = squares[1] <= 10.0 * bounds[1]
        both = [(block.A, block.R) for block in moved if not isinstance(block, JWABlock)]
        if both:  # in the order J, A, W the change of A in the next iteration is known
            allows &= may_settle(total([each.next_loss for each in advanced]), loss)
            shrink = partial(problem.shrink, basis=basis)
            allows = tf.cond(
                allows,
                lambda: _settles(both, basis.Q, step.next_threshold, step.tolerance, shrink=shrink),
                lambda: never,
            )
    if kind == LOOK:
        before = total([block.loss for block in blocks])
        possible = tf.reduce_all(squares <= bounds) & may_settle(loss, before)
        parts = [
            (block, each.block, each.r1, each.unmet)
            for block, each in zip(blocks, advanced, strict=True)
        ]
        closed = tf.cond(possible, lambda: _met(parts, state.gains, basis, step), lambda: never)
    return tf.cast(~tf.stack([closed, allows, near]), tf.float64)


@_NOT_INLINED
def _settles(
    blocks: list[tuple[tf.Tensor, tf.Tensor]],
    Q: tf.Tensor,
    threshold: tf.Tensor,
    tolerance: tf.Tensor,
    *,
    shrink: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tf.Tensor:
    """Return whether the next iteration changes A by less than the tolerance; of blocks A, R."""
    return _all_below([_largest(Q, shrink(threshold, R)[0] - A) for A, R in blocks], tolerance)


@_NOT_INLINED
def _met(
    parts: list[tuple[Block, Block, tf.Tensor, tf.Tensor]], gains: Gains, basis: Basis, step: Step
) -> tf.Tensor:
    """The stopping rule of several blocks; of each the block before and after, r1 and unmet."""
    # A is the last to settle where μ grows.
    changes = [_largest(basis.Q, new.A - block.A) for block, new, _, _ in parts]
    return tf.cond(
        _all_below(changes, step.tolerance),
        lambda: _all_below(
            [each for part in parts for each in _largest_entries(*part, gains, basis, step)],
            step.tolerance,
        ),
        lambda: tf.constant(False),
    )


def _largest_entries(
    block: Block,
    new: Block,
    r1: tf.Tensor,
    unmet: tf.Tensor,
    gains: Gains,
    basis: Basis,
    step: Step,
) -> tuple[tf.Tensor, ...]:
    """Largest absolute entries that the stopping rule compares, except for the change of A."""
    s, V, Q = basis
    begun = tf.cast(step.begun, s.dtype)
    change = coefficients(new, s, gains) - coefficients(block, s, gains)
    change_of_J = change - s * (unmet - begun * block.unmet(gains))
    return (
        _largest(V, change),
        _largest(V, change_of_J),
        _largest(V, s * unmet),
        _largest(Q, r1),
    )


def _largest(rotation: tf.Tensor, M: tf.Tensor) -> tf.Tensor:
    """Largest absolute entry of a block in the original coordinates."""
    return tf.reduce_max(tf.abs(tf.matmul(rotation, M)))


def _all_below(terms: list[tf.Tensor], tolerance: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.cast(tf.stack(terms), tf.float64) < tolerance)
