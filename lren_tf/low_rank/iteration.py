"""One iteration of the low-rank step for all pixels.

The letters are those of :mod:`lren_tf.low_rank.admm`, which leads from one iteration to the next;
:mod:`lren_tf.low_rank.block` has the iteration for one block. This module divides the pixels into
blocks, sends as many at a time through an iteration as there are lanes, and sums over them what
the next iteration needs of all pixels and what :mod:`lren_tf.low_rank.stopping` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import cache, partial

import tensorflow as tf

from lren_tf.low_rank.block import (
    KEPT_FOR_THE_RULE,
    Block,
    CachedJAWBlock,
    Gains,
    JWABlock,
    StreamedJAWBlock,
    coefficients,
)
from lren_tf.low_rank.problem import FAR, Advanced, Basis, Problem, State, Step, Sums
from lren_tf.low_rank.stopping import Group, open_groups, total


def start(X: tf.Tensor, basis: Basis, problem: Problem) -> State:
    """The state of samples ``[N, l]`` before the first iteration."""
    s, _, Q = basis
    pixels, l = tf.shape(X)[0], problem.width
    in_a_group = max(1, problem.lanes * problem.block // l)
    count = problem.lanes * (tf.maximum(1, pixels // in_a_group) if problem.looped else 1)
    n = -(-pixels // count)
    kind: type[Block]
    if problem.order == "JWA":
        kind = JWABlock
    else:
        kind = StreamedJAWBlock if problem.looped else CachedJAWBlock

    def block(b: int | tf.Tensor) -> Block:
        rows = X[b * n : (b + 1) * n]
        rows = tf.pad(rows, [[0, n - tf.shape(rows)[0]], [0, 0]])
        return kind.start(tf.matmul(Q, rows, transpose_a=True, transpose_b=True))

    if problem.looped:
        lists = kind(
            *(
                tf.raw_ops.TensorListReserve(
                    element_shape=-1, num_elements=count, element_dtype=X.dtype
                )
                for _ in kind._fields
            )
        )
        _, lists = tf.while_loop(
            lambda b, _: b < count,
            lambda b, lists: (b + 1, _write(lists, b, block(b))),
            (0, lists),
            parallel_iterations=1,
        )
        blocks: tuple[Block, ...] = (lists,)
    else:
        blocks = tuple(block(b) for b in range(problem.lanes))
    return State(blocks, Gains.of(s, n), n)


def sweep(
    state: State, basis: Basis, step: Step, problem: Problem, kind: str
) -> tuple[State, Sums]:
    """One iteration of a kind for all blocks: the state after it, and what it adds up."""
    group = partial(
        _advance_group,
        state=state,
        basis=basis,
        step=step,
        problem=problem,
        advance=_advance_graph(problem, near=kind != FAR),
        kind=kind,
    )
    stay = {"X"} | (KEPT_FOR_THE_RULE[type(state.blocks[0])] if kind == FAR else set())
    if not problem.looped:
        moved, sums = group(list(state.blocks))
        blocks = [
            new._replace(**{name: getattr(old, name) for name in stay})
            for old, new in zip(state.blocks, moved, strict=True)
        ]
        return state._replace(blocks=tuple(blocks)), sums
    (lists,) = state.blocks

    def body(first: tf.Tensor, lists: Block, sums: Sums) -> tuple[tf.Tensor, Block, Sums]:
        places = [first + lane for lane in range(problem.lanes)]
        blocks = [_read(lists, place, state) for place in places]
        blocks, more = group(blocks)
        for place, block in zip(places, blocks, strict=True):
            lists = _write(lists, place, block, stay)
        return first + problem.lanes, lists, Sums(*map(tf.add, sums, more))

    _, lists, sums = tf.while_loop(
        lambda first, *_: first < tf.raw_ops.TensorListLength(input_handle=lists.X),
        body,
        (0, lists, _no_sums(problem.width)),
        parallel_iterations=1,
    )
    return state._replace(blocks=(lists,)), sums


def _read(lists: Block, place: tf.Tensor, state: State) -> Block:
    c = state.gains.c

    def read(name: str, handle: tf.Tensor) -> tf.Tensor:
        value = tf.raw_ops.TensorListGetItem(
            input_handle=handle, index=place, element_shape=-1, element_dtype=c.dtype
        )
        return tf.ensure_shape(value, [] if name == "loss" else [c.shape[0], None])

    return type(lists)(*map(read, lists._fields, lists))


def _write(lists: Block, place: tf.Tensor, block: Block, stay: Set[str] = frozenset()) -> Block:
    """The lists with a block in its place, but for the fields that stay."""
    return type(lists)(
        *(
            handle
            if name in stay
            else tf.raw_ops.TensorListSetItem(input_handle=handle, index=place, item=value)
            for name, handle, value in zip(lists._fields, lists, block, strict=True)
        )
    )


def _no_sums(l: int) -> Sums:
    return Sums(*(tf.zeros(shape, tf.float64) for shape in ([l, l], [], [2], [3])))


def result(
    state_and_pixels: tuple[State, tf.Tensor],
    basis: Basis,
    mu: tf.Tensor,
    problem: Problem,
    which: str,
) -> tf.Tensor:
    """Return A, Y or W of a state for its N pixels.

    Args:
        state_and_pixels: the state and N.
        basis: of the dictionary.
        mu: penalty after the last iteration.
        problem: that of the state.
        which: ``"A"`` or ``"Y"`` ``[N, l]``, or ``"W"`` ``[N, m]``.
    """
    state, pixels = state_and_pixels
    n = state.n

    def rows(b: int | tf.Tensor, block: Block) -> tf.Tensor:
        if which == "A":
            M = block.A
        elif which == "W":
            M = coefficients(block, basis.s, state.gains)
        else:
            M = tf.cast(mu, block.X.dtype) * block.scaled_multiplier(state.gains)
        rotation = basis.V if which == "W" else basis.Q
        here = tf.clip_by_value(pixels - b * n, 0, n)
        return tf.matmul(M[:, :here], rotation, transpose_a=True, transpose_b=True)

    if not problem.looped:
        return tf.concat([rows(b, block) for b, block in enumerate(state.blocks)], axis=0)
    (lists,) = state.blocks
    count = tf.raw_ops.TensorListLength(input_handle=lists.X)
    width = problem.atoms if which == "W" else problem.width
    parts = tf.TensorArray(
        state.gains.c.dtype, size=count, infer_shape=False, element_shape=[None, width]
    )
    _, parts = tf.while_loop(
        lambda b, _: b < count,
        lambda b, parts: (b + 1, parts.write(b, rows(b, _read(lists, b, state)))),
        (0, parts),
        parallel_iterations=1,
    )
    return parts.concat()


# --- a few blocks -----------------------------------------------------------------------------


@cache
def _advance_graph(problem: Problem, near: bool) -> Callable[..., Advanced]:
    """:func:`_advance` as one graph, which every lane calls."""
    return tf.function(partial(_advance, problem=problem, near=near), autograph=False)


def _advance(
    block: Block, gains: Gains, basis: Basis, step: Step, problem: Problem, near: bool
) -> Advanced:
    """One iteration for a block."""
    dtype = block.X.dtype
    K, kappa = tf.cast(step.K, dtype), tf.cast(step.kappa, dtype)
    shrink = partial(problem.shrink, basis=basis)
    new, r1, unmet, norms = block.advance(gains, K, kappa, partial(shrink, step.threshold))
    next_loss = new.loss
    if near and not isinstance(new, JWABlock):
        _, next_loss = shrink(step.next_threshold, new.R)
    T = tf.cast(new.T, tf.float64)
    with tf.control_dependencies([new.loss, next_loss, norms]):
        gram = tf.matmul(T, T, transpose_b=True)
    return Advanced(new, r1, unmet, gram, tf.cast(norms, tf.float64), next_loss)


def _advance_group(
    blocks: list[Block],
    state: State,
    basis: Basis,
    step: Step,
    problem: Problem,
    advance: Callable[..., Advanced],
    kind: str,
) -> tuple[list[Block], Sums]:
    """One iteration for as many blocks as there are lanes, and what it adds to the sums."""
    advanced = [advance(block, state.gains, basis, step) for block in blocks]
    moved = [each.block for each in advanced]
    loss = total([block.loss for block in moved])
    s = tf.cast(basis.s[:, 0], tf.float64)
    weights = tf.stack([tf.ones_like(s), tf.square(s)])
    norms = tf.stack([each.norms for each in advanced])
    squares = tf.reduce_sum(weights * tf.reduce_sum(tf.square(norms), axis=0), axis=1)
    group = Group(blocks, advanced, loss, squares)
    open_ = open_groups(group, state, basis, step, problem, kind)
    return moved, Sums(tf.add_n([each.gram for each in advanced]), loss, squares, open_)
