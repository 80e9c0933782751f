"""One iteration of the low-rank step for all pixels.

The letters are those of :mod:`lren_tf.low_rank.admm`, which goes from one iteration to the next;
:mod:`lren_tf.low_rank.block` has the iteration for a block. Here blocks are made of the pixels,
sent through an iteration as many at a time as there are lanes, and added up: what the next
iteration needs of all pixels, and what the stopping rule does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.low_rank.block import JWA, KEPT_FOR_THE_RULE, Block, Gains, HeldJAW, LeanJAW
from lren_tf.low_rank.proximal import residual_shrinkage_and_loss

FAR, NEAR, LOOK = "far", "near", "look"
"""Kinds of iterations: those that are far from the last, those that find out whether the next one
can be the last, and those that can. To keep what only the stopping rule asks for costs a fifth more
time, since other arrays then find no room in the cache; to look costs twice as much."""

_BLOCK = 22_000
"""Numbers per array and block. TensorFlow gives an operation of this size one core, and two
blocks run at a time; spreading operations this short over the cores costs more than it saves.
All arrays of a block fit a core's second cache."""
_BLOCK_GPU = 1 << 24
"""The same on a GPU, which a short operation leaves idle."""
_LANES = 8
"""Most blocks that may run at a time; each is a copy of the iteration in the graph."""
_LANES_OF_ANY_SIZE = 4
"""As many where the graph is made before the number of pixels is known."""
_NEARNESS = 30.0
"""Times what the stopping rule admits of W − J: below it iterations are near. Where W − J fell
tenfold at once, a run might end an iteration later."""


class Sums(NamedTuple):
    """What an iteration adds up over pixels, float64."""

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
    """As many as there are lanes; or one, each field of which is a TensorList with an element for
    every block. To replace an element of it releases the old one: a state is held once."""
    gains: Gains
    n: tf.Tensor
    """Pixels of a block."""


class Step(NamedTuple):
    """What the pixels are told of an iteration, float64."""

    K: tf.Tensor
    """``[l, l]``."""
    threshold: tf.Tensor
    next_threshold: tf.Tensor
    """In the next iteration."""
    kappa: tf.Tensor
    begun: tf.Tensor
    """1, and 0 in the first iteration: before it J is 0."""
    tolerance: tf.Tensor


class Problem(NamedTuple):
    """What a graph is made for."""

    loss: str
    order: str
    atoms: int
    width: int
    lanes: int
    """Blocks that may run at a time."""
    block: int
    """Numbers per array and block, about."""
    looped: bool
    """Whether there may be more blocks than lanes."""

    @classmethod
    def of(cls, X: tf.Tensor, D: tf.Tensor, loss: str, order: str) -> Problem:
        """That of samples ``[N, l]``, N known or not, and atoms ``[m, l]``."""
        (pixels, width), atoms = X.shape, D.shape[0]
        if "GPU" in X.device:
            return cls(loss, order, atoms, width, 1, _BLOCK_GPU, looped=True)
        if pixels is None:
            return cls(loss, order, atoms, width, _LANES_OF_ANY_SIZE, _BLOCK, looped=True)
        lanes = max(1, min(_LANES, pixels * width // _BLOCK))
        return cls(loss, order, atoms, width, lanes, _BLOCK, looped=lanes == _LANES)


def singular_bases(D: tf.Tensor) -> Basis:
    """Bases of a dictionary ``[m, l]``."""
    m, l = D.shape
    s, V, Q = tf.linalg.svd(D, full_matrices=True)
    # Dictionaries with fewer atoms than latent dimensions get inert zero directions, so
    # that the arrays are always [l, n].
    rank = min(m, l)
    s = tf.pad(s[:rank], [[0, l - rank]])[:, None]
    return Basis(s, tf.pad(V[:, :rank], [[0, 0], [0, l - rank]]), Q)


def start(X: tf.Tensor, basis: Basis, problem: Problem) -> State:
    """The state of samples ``[N, l]`` before the first iteration."""
    s, _, Q = basis
    pixels, l = tf.shape(X)[0], problem.width
    in_a_group = max(1, problem.lanes * problem.block // l)
    count = problem.lanes * (tf.maximum(1, pixels // in_a_group) if problem.looped else 1)
    n = -(-pixels // count)
    kind = JWA if problem.order == "JWA" else LeanJAW if problem.looped else HeldJAW

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
        blocks = (lists,)
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


def _write(lists: Block, place: tf.Tensor, block: Block, stay: set[str] = frozenset()) -> Block:
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
    of: tuple[State, tf.Tensor], basis: Basis, mu: tf.Tensor, problem: Problem, which: str
) -> tf.Tensor:
    """Of a state and its number of pixels A or Y ``[N, l]`` or W ``[N, m]``."""
    state, pixels = of
    n = state.n

    def rows(b: int | tf.Tensor, block: Block) -> tf.Tensor:
        if which == "A":
            M = block.A
        elif which == "W":
            M = _coefficients(block, basis.s, state.gains)
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


_NOT_INLINED = tf.function(autograph=False, experimental_attributes={"_noinline": True})
"""For branches: every operation of one costs something where it is not taken, a call once."""


class _Advanced(NamedTuple):
    """A block after an iteration, and what the iteration gives besides."""

    block: Block
    r1: tf.Tensor
    """X − Z − A."""
    unmet: tf.Tensor
    """(W̃ − J̃)/s."""
    gram: tf.Tensor
    """T Tᵀ, float64."""
    norms: tf.Tensor
    """Of the rows of these two, float64 ``[2, l]``; ``[1, l]`` where they are one."""
    next_loss: tf.Tensor
    """Of the next A where it is known and asked for; else of this one."""


@cache
def _advance_graph(problem: Problem, near: bool) -> Callable:
    """:func:`_advance` as one graph, which every lane calls."""
    return tf.function(partial(_advance, problem=problem, near=near), autograph=False)


def _advance(
    block: Block, gains: Gains, basis: Basis, step: Step, problem: Problem, near: bool
) -> _Advanced:
    """One iteration for a block."""
    dtype = block.X.dtype
    K, kappa = tf.cast(step.K, dtype), tf.cast(step.kappa, dtype)
    shrink = partial(_shrink, basis=basis, problem=problem)
    new, r1, unmet, norms = block.advance(gains, K, kappa, partial(shrink, step.threshold))
    next_loss = new.loss
    if near and problem.order == "JAW":
        _, next_loss = shrink(step.next_threshold, new.R)
    T = tf.cast(new.T, tf.float64)
    with tf.control_dependencies([new.loss, next_loss, norms]):
        gram = tf.matmul(T, T, transpose_b=True)
    return _Advanced(new, r1, unmet, gram, tf.cast(norms, tf.float64), next_loss)


def _shrink(
    threshold: tf.Tensor, R: tf.Tensor, basis: Basis, problem: Problem
) -> tuple[tf.Tensor, tf.Tensor]:
    """A of R, and its loss."""
    threshold = tf.cast(threshold, R.dtype)
    if problem.loss == "l1":  # the one loss that a rotation of the latent space changes
        A, loss = residual_shrinkage_and_loss(tf.matmul(basis.Q, R), threshold, "l1")
        return tf.matmul(basis.Q, A, transpose_a=True), loss
    return residual_shrinkage_and_loss(R, threshold, problem.loss)


def _advance_group(
    blocks: list[Block],
    state: State,
    basis: Basis,
    step: Step,
    problem: Problem,
    advance: Callable,
    kind: str,
) -> tuple[list[Block], Sums]:
    """One iteration for as many blocks as there are lanes, and what it adds to the sums."""
    each = [advance(block, state.gains, basis, step) for block in blocks]
    moved = [one.block for one in each]

    def total(parts: list[tf.Tensor]) -> tf.Tensor:
        return tf.cast(tf.add_n(parts), tf.float64)

    loss = total([block.loss for block in moved])
    s = tf.cast(basis.s[:, 0], tf.float64)
    weights = tf.stack([tf.ones_like(s), tf.square(s)])
    norms = tf.stack([one.norms for one in each])
    squares = tf.reduce_sum(weights * tf.reduce_sum(tf.square(norms), axis=0), axis=1)
    pixels = tf.cast(problem.lanes * state.n, tf.float64)
    entries = pixels * tf.constant([problem.width, problem.atoms], tf.float64)
    # Where no entry reaches the tolerance, no sum over the blocks reaches these.
    bounds = entries * tf.square(step.tolerance)

    def may_settle(loss: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Whether A can have changed by less than the tolerance between two losses."""
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
        if problem.order == "JAW":  # what A changes by next is known
            allows &= may_settle(total([one.next_loss for one in each]), loss)
            both = [(block.A, block.R) for block in moved]
            shrink = partial(_shrink, basis=basis, problem=problem)
            allows = tf.cond(
                allows,
                lambda: _settles(both, basis.Q, step.next_threshold, step.tolerance, shrink=shrink),
                lambda: never,
            )
    if kind == LOOK:
        before = total([block.loss for block in blocks])
        possible = tf.reduce_all(squares <= bounds) & may_settle(loss, before)
        parts = [
            (block, one.block, one.r1, one.unmet)
            for block, one in zip(blocks, each, strict=True)
        ]
        closed = tf.cond(possible, lambda: _met(parts, state.gains, basis, step), lambda: never)
    open_ = tf.cast(~tf.stack([closed, allows, near]), tf.float64)
    return moved, Sums(tf.add_n([one.gram for one in each]), loss, squares, open_)


@_NOT_INLINED
def _settles(
    blocks: list[tuple[tf.Tensor, tf.Tensor]],
    Q: tf.Tensor,
    threshold: tf.Tensor,
    tolerance: tf.Tensor,
    *,
    shrink: Callable,
) -> tf.Tensor:
    """Whether A changes by less than the tolerance in the next iteration; of blocks A and R."""
    return _all_below([_largest(Q, shrink(threshold, R)[0] - A) for A, R in blocks], tolerance)


@_NOT_INLINED
def _met(parts: list[tuple], gains: Gains, basis: Basis, step: Step) -> tf.Tensor:
    """The stopping rule, for what :func:`_advance` was given and returned of several blocks."""
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
    """Largest absolute entries that the stopping rule looks at, but for the change of A."""
    s, V, Q = basis
    begun = tf.cast(step.begun, s.dtype)
    change = _coefficients(new, s, gains) - _coefficients(block, s, gains)
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


def _coefficients(block: Block, s: tf.Tensor, gains: Gains) -> tf.Tensor:
    """W̃ of a block."""
    return tf.math.reciprocal_no_nan(s) * block.T - s * block.in_T(gains)
