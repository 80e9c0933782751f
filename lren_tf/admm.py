"""The recursion of the low-rank step, in blocks of pixels.

The problem, the recursion and its letters are those of :mod:`lren_tf.lowrank`. Here pixels are
the last axis, so that the shrinkage runs along contiguous memory.

Everything happens in the singular bases of the dictionary. With D = V diag(s) Qᵀ the
substitution W̃ = W V, X̃ = X Q turns every product with D into a scaling by s and leaves
singular values and row norms as they are. It is the same iteration: W never leaves the row
space of Dᵀ. Of W̃ the multiple Z = s W̃ is kept, what the dictionary says of a pixel, since it is
what the other updates ask for; where s is 0, so is W̃.

The W step leaves a relation that makes U2 redundant: its normal equations say
U2 = (U1 + ΔA) Dᵀ after the multipliers have moved, where ΔA is the change of A made after
W (0 in the order J, A, W). J is known through the matrix P that shrinks the singular values,
J = (W + U2) P. With T = s (W̃ + s (U1 + ΔA)), c = s²/(1 + s²) and
K = diag(s/(1 + s²)) P diag(1/s) an iteration is, for every pixel by itself, given K::

    order J, A, W                           order J, W, A, with B = A + ΔA
    A  = prox(R)                            Z  = c (X − B) + K T
    Z  = c (X − A) + K T                    R  = X − Z + U1
    r1 = X − Z − A                          A' = prox(R)
    U1 = κ (U1 + r1)                        U1 = κ (R − A')
    T  = Z + s² U1                          T  = Z + s² κ (R − A)
    R  = X − Z + U1                         B  = A' + κ (A' − A)

where κ = μ/μ' rescales the scaled multipliers when μ moves. W − J is s times r1, or s times
X − Z − B. All that an iteration needs of the other pixels is K, and that follows from the Gram
matrix T Tᵀ. So there is one pass over the pixels in an iteration, a block goes through all of
it while it is in the cache, and whoever shares the pixels exchanges :class:`Sums` alone.

The stopping rule looks at largest entries in the original coordinates, which is as much work as
the iteration. Sums over a block, which are at hand, rule it out for all but the last iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.proximal import residual_shrinkage_and_loss, shrinkage_matrix
from lren_tf.workers import Workers

ORDERS = ("JWA", "JAW")
"""Orders of the updates within an iteration."""

_BLOCK = 22_000
"""Numbers per array and block. TensorFlow gives an operation of this size one core, and two
blocks run at a time; spreading operations this short over the cores costs more than it saves.
All arrays of a block fit a core's second cache."""
_LANES = 8
"""Most blocks that may run at a time; each is a copy of the iteration in the graph."""
_BLOCK_GPU = 1 << 24
"""The same on a GPU, which a short operation leaves idle."""
_LANES_OF_ANY_SIZE = 4
"""As many where the graph is made before the number of pixels is known."""


class Rule(NamedTuple):
    """λ, penalty and stopping rule of a run, float64 scalars."""

    lam: tf.Tensor
    mu: tf.Tensor
    rho: tf.Tensor
    mu_max: tf.Tensor
    tolerance: tf.Tensor


class Solution(NamedTuple):
    """What :func:`solve` returns."""

    A: np.ndarray
    """``[N, l]``."""
    W: np.ndarray
    """``[N, m]``."""
    Y: np.ndarray
    """``[N, l]``."""
    iterations: int
    converged: bool
    history: np.ndarray
    """Objective, ‖X − W D − A‖_F and ‖W − J‖_F of every iteration, float64 ``[iterations, 3]``."""


class Sums(NamedTuple):
    """What an iteration adds up over pixels, float64."""

    gram: tf.Tensor
    """T Tᵀ ``[l, l]``."""
    loss: tf.Tensor
    squares: tf.Tensor
    """‖X − W D − A‖²_F and ‖W − J‖²_F, ``[2]``."""
    open: tf.Tensor
    """Groups of blocks that do not meet the stopping rule, and those that rule it out for the
    next iteration as well, ``[2]``."""


class _Basis(NamedTuple):
    """Singular bases of the dictionary, in the precision of the samples."""

    s: tf.Tensor
    """Singular values, and zeros, ``[l, 1]``."""
    V: tf.Tensor
    """``[m, l]``; columns of zeros where there are fewer atoms than dimensions."""
    Q: tf.Tensor
    """``[l, l]``."""


class _State(NamedTuple):
    """Pixels in blocks of equal width n, filled up with pixels of zeros, which stay zero."""

    blocks: tuple[_Block, ...]
    """As many as there are lanes; or one, each field of which is a TensorList with an element for
    every block. To replace an element of it releases the old one: a state is held once."""
    c: tf.Tensor
    """s²/(1 + s²) and s² for all pixels of a block, ``[l, n]``: a product of equal shapes is
    faster than one with a column, and these two stay in the cache."""
    s2: tf.Tensor


class _Step(NamedTuple):
    """What the pixels are told of an iteration, float64."""

    K: tf.Tensor
    """``[l, l]``."""
    threshold: tf.Tensor
    kappa: tf.Tensor
    begun: tf.Tensor
    """1, and 0 in the first iteration: before it J is 0."""
    tolerance: tf.Tensor
    look: tf.Tensor
    """Whether the iteration can be the last."""


class _Progress(NamedTuple):
    """What is known of a run between two iterations."""

    i: tf.Tensor
    mu: tf.Tensor
    gram: tf.Tensor
    look: tf.Tensor
    """Whether the next iteration can be the last."""
    done: tf.Tensor


class _Problem(NamedTuple):
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
    def of(cls, X: tf.Tensor, D: tf.Tensor, loss: str, order: str) -> _Problem:
        (pixels, width), atoms = X.shape, D.shape[0]
        if "GPU" in X.device:
            return cls(loss, order, atoms, width, 1, _BLOCK_GPU, looped=True)
        if pixels is None:
            return cls(loss, order, atoms, width, _LANES_OF_ANY_SIZE, _BLOCK, looped=True)
        lanes = max(1, min(_LANES, pixels * width // _BLOCK))
        return cls(loss, order, atoms, width, lanes, _BLOCK, looped=lanes == _LANES)


def solve(
    X: tf.Tensor,
    D: tf.Tensor,
    rule: Rule,
    max_iterations: tf.Tensor,
    *,
    loss: str,
    order: str,
    workers: Workers | None = None,
) -> Solution:
    """Run the recursion from zeros.

    Args:
        X: samples ``[N, l]``, float64 or float32; sums are float64 in both.
        D: atoms ``[m, l]``, in the precision of X.
        rule: λ, penalty and stopping rule.
        max_iterations: int32 scalar.
        loss: one of :data:`lren_tf.proximal.LOSSES`.
        order: one of :data:`ORDERS`.
        workers: whose replicas keep a share of the pixels each and exchange :class:`Sums`. Every
            process passes the same arguments and gets the whole solution. None for this process
            alone, which then has no exchange to wait for and runs as one graph.
    """
    if workers is None:
        problem = _Problem.of(X, D, loss, order)
        graphs = _graphs(problem)
        if not problem.looped:
            # Each call of a graph costs about a millisecond, which is two iterations of a scene
            # that is held at once.
            A, Y, W, iterations, done, history = graphs.whole(X, D, rule, max_iterations)
            return Solution(
                A.numpy(), W.numpy(), Y.numpy(), int(iterations), bool(done), history.numpy()
            )
        basis = _basis(D)
        state, progress, history = graphs.run(X, basis, rule, max_iterations)
        state = state._replace(blocks=tuple(block.settled() for block in state.blocks))
        # One after another: to put one together from its blocks takes it twice.
        A, Y, W = (
            graphs.result[which]((state, tf.shape(X)[0]), basis, progress.mu).numpy()
            for which in ("A", "Y", "W")
        )
        return Solution(A, W, Y, int(progress.i), bool(progress.done), history.numpy())
    basis = _basis(D)
    shares = [tf.gather(X, rows) for rows in workers.shares(np.arange(X.shape[0]))]
    graphs = _graphs(_Problem.of(shares[0], D, loss, order))
    states = workers.run(graphs.start, shares, basis)
    progress, history = _at_start(rule, X.shape[1]), []
    while progress.i < max_iterations and not progress.done:
        step, nuclear, mu = _plan(progress, basis, rule)
        swept = workers.run(graphs.sweep, states, basis, step)
        states = [state for state, _ in swept]
        sums = workers.total([[each] for _, each in swept])
        progress, record = _after(progress, sums, nuclear, mu, rule)
        history.append(record)
    sizes = [tf.shape(share)[0] for share in shares]
    A, Y, W = (
        workers.gathered(
            [
                [rows]
                for rows in workers.run(
                    graphs.result[which], list(zip(states, sizes, strict=True)), basis, progress.mu
                )
            ]
        ).numpy()
        for which in ("A", "Y", "W")
    )
    return Solution(A, W, Y, int(progress.i), bool(progress.done), np.stack(history))


def residual(
    X: tf.Tensor, D: tf.Tensor, rule: Rule, max_iterations: tf.Tensor, *, loss: str, order: str
) -> tf.Tensor:
    """A of :func:`solve` ``[N, l]`` inside a graph; N may be unknown when it is made."""
    problem = _Problem.of(X, D, loss, order)
    basis = _basis(D)
    state, progress, _ = _run(X, basis, rule, max_iterations, problem)
    return _result((state, tf.shape(X)[0]), basis, progress.mu, problem, "A")


# --- one block ------------------------------------------------------------------------------


class _BlockJAW(NamedTuple):
    """State of a block of pixels in the order J, A, W; arrays are ``[l, n]``."""

    X: tf.Tensor
    T: tf.Tensor
    U1: tf.Tensor
    A: tf.Tensor
    loss: tf.Tensor
    """Of A, a scalar."""
    R: tf.Tensor

    @classmethod
    def start(cls, X: tf.Tensor) -> _BlockJAW:
        zero = tf.zeros_like(X)
        return cls(X, zero, zero, zero, tf.zeros([], X.dtype), X)

    def settled(self) -> _BlockJAW:
        """Without what only another iteration needs."""
        return self._replace(X=self.T, R=self.T)

    def multiplier(self) -> tf.Tensor:
        """U1 + ΔA."""
        return self.U1

    def unmet(self) -> tf.Tensor:
        """(W̃ − J̃)/s of the last iteration; there is none at the start."""
        return self.R - self.U1 - self.A

    def advance(self, c, s2, K, kappa, shrink):
        """One iteration: the state, X − Z − A and (W̃ − J̃)/s."""
        X, T, U1, R = self.X, self.T, self.U1, self.R
        A, loss = shrink(R)
        rest = X - A
        Z = c * rest + tf.matmul(K, T)
        r1 = rest - Z
        U1 = kappa * (U1 + r1)
        return _BlockJAW(X, Z + s2 * U1, U1, A, loss, X - Z + U1), r1, r1


class _BlockJWA(NamedTuple):
    """State of a block of pixels in the order J, W, A; arrays are ``[l, n]``."""

    X: tf.Tensor
    T: tf.Tensor
    U1: tf.Tensor
    A: tf.Tensor
    loss: tf.Tensor
    """Of A, a scalar."""
    B: tf.Tensor
    C: tf.Tensor
    """X − Z − B of the last iteration, for the stopping rule."""

    @classmethod
    def start(cls, X: tf.Tensor) -> _BlockJWA:
        zero = tf.zeros_like(X)
        return cls(X, zero, zero, zero, tf.zeros([], X.dtype), zero, zero)

    def settled(self) -> _BlockJWA:
        """Without what only another iteration needs."""
        return self._replace(X=self.T, C=self.T)

    def multiplier(self) -> tf.Tensor:
        """U1 + ΔA."""
        return self.U1 + (self.B - self.A)

    def unmet(self) -> tf.Tensor:
        """(W̃ − J̃)/s of the last iteration; there is none at the start."""
        return self.C

    def advance(self, c, s2, K, kappa, shrink):
        """One iteration: the state, X − Z − A and (W̃ − J̃)/s."""
        X, T, U1, A, B = self.X, self.T, self.U1, self.A, self.B
        Z = c * (X - B) + tf.matmul(K, T)
        rest = X - Z
        R = rest + U1
        A_new, loss = shrink(R)
        unmet = rest - B
        T = Z + s2 * (kappa * (R - A))
        B = A_new + kappa * (A_new - A)
        new = _BlockJWA(X, T, kappa * (R - A_new), A_new, loss, B, unmet)
        return new, rest - A_new, unmet


_Block = _BlockJAW | _BlockJWA


def _coefficients(block: _Block, s: tf.Tensor) -> tf.Tensor:
    """W̃ of a block."""
    return tf.math.divide_no_nan(block.T, s) - s * block.multiplier()


def _largest(rotation: tf.Tensor, M: tf.Tensor) -> tf.Tensor:
    """Largest absolute entry of a block in the original coordinates."""
    return tf.reduce_max(tf.abs(tf.matmul(rotation, M)))


def _largest_changes(
    block: _Block, new: _Block, r1: tf.Tensor, unmet: tf.Tensor, basis: _Basis, begun: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Largest absolute entries that the stopping rule looks at, but for the change of A."""
    s, V, Q = basis
    change = _coefficients(new, s) - _coefficients(block, s)
    change_of_J = change - s * (unmet - begun * block.unmet())
    return (
        _largest(V, change),
        _largest(V, change_of_J),
        _largest(V, s * unmet),
        _largest(Q, r1),
    )


_NOT_INLINED = tf.function(autograph=False, experimental_attributes={"_noinline": True})
"""For branches: every operation of one costs something where it is not taken, a call once."""


@_NOT_INLINED
def _met(each: list[tuple], basis: _Basis, begun: tf.Tensor, tolerance: tf.Tensor) -> tf.Tensor:
    """The stopping rule, for what :func:`_advance` was given and returned of several blocks."""

    def below(terms: list[tf.Tensor]) -> tf.Tensor:
        return tf.reduce_all(tf.cast(tf.stack(terms), tf.float64) < tolerance)

    # A is the last to settle where μ grows.
    return tf.cond(
        below([_largest(basis.Q, new.A - block.A) for block, new, _, _ in each]),
        lambda: below([term for parts in each for term in _largest_changes(*parts, basis, begun)]),
        lambda: tf.constant(False),
    )


def _advance(
    block: _Block, c: tf.Tensor, s2: tf.Tensor, basis: _Basis, step: _Step, problem: _Problem
) -> tuple[_Block, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """One iteration for a block.

    Returns:
        The state, X − Z − A, (W̃ − J̃)/s, T Tᵀ, and the norms of the rows of the second and of the
        third, ``[2, l]``; the last two float64.
    """
    dtype, Q = block.X.dtype, basis.Q
    K, threshold, kappa = (tf.cast(each, dtype) for each in step[:3])

    def shrink(R: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if problem.loss == "l1":  # the one loss that a rotation of the latent space changes
            A, loss = residual_shrinkage_and_loss(tf.matmul(Q, R), threshold, "l1")
            return tf.matmul(Q, A, transpose_a=True), loss
        return residual_shrinkage_and_loss(R, threshold, problem.loss)

    new, r1, unmet = block.advance(c, s2, K, kappa, shrink)
    T = tf.cast(new.T, tf.float64)
    rows = tf.math.reduce_euclidean_norm(r1, axis=1)
    others = rows if unmet is r1 else tf.math.reduce_euclidean_norm(unmet, axis=1)
    norms = tf.cast(tf.stack([rows, others]), tf.float64)
    return new, r1, unmet, tf.matmul(T, T, transpose_b=True), norms


def _advance_group(
    blocks: list[_Block],
    state: _State,
    basis: _Basis,
    step: _Step,
    problem: _Problem,
    advance: Callable,
    look: bool,
) -> tuple[list[_Block], Sums]:
    """One iteration for as many blocks as there are lanes, and what it adds to the sums.

    To look at the stopping rule keeps the arrays of the last iteration, which otherwise make
    room in the cache at once: a quarter more time.
    """
    moved, r1, unmet, grams, norms = zip(
        *[advance(block, state.c, state.s2, basis, step) for block in blocks], strict=True
    )
    loss, before = (
        tf.cast(tf.add_n([block.loss for block in each]), tf.float64) for each in (moved, blocks)
    )
    s = tf.cast(basis.s[:, 0], tf.float64)
    weights = tf.stack([tf.ones_like(s), tf.square(s)])
    squares = tf.reduce_sum(weights * tf.add_n([tf.square(each) for each in norms]), axis=1)
    pixels = tf.cast(problem.lanes * tf.shape(state.c)[1], tf.float64)
    entries = pixels * tf.constant([problem.width, problem.atoms], tf.float64)
    # Where no entry reaches the tolerance, no sum over the blocks reaches these.
    bounds = entries * tf.square(step.tolerance)
    # J, W and W − J change by less than the tolerance in the last iteration, so that no entry of
    # W − J is three times the tolerance in the one before it; a tenth more for rounding.
    allows = squares[1] <= 10.0 * bounds[1]

    closed = tf.constant(False)
    if look:
        possible = tf.reduce_all(squares <= bounds)
        if problem.loss != "frobenius":
            # A column's norm changes by no more than √l times what its entries change by.
            most = entries[0] / (problem.width**0.5 if problem.loss == "l21" else 1.0)
            rounding = 100.0 * np.finfo(state.c.dtype.as_numpy_dtype).eps * loss
            possible &= tf.abs(loss - before) <= most * step.tolerance + rounding
        begun = tf.cast(step.begun, state.c.dtype)
        each = list(zip(blocks, moved, r1, unmet, strict=True))
        closed = tf.cond(possible, lambda: _met(each, basis, begun, step.tolerance), lambda: closed)
    open_ = tf.cast(~tf.stack([closed, allows]), tf.float64)
    return list(moved), Sums(tf.add_n(grams), loss, squares, open_)


# --- all blocks -----------------------------------------------------------------------------


def _basis(D: tf.Tensor) -> _Basis:
    m, l = D.shape
    s, V, Q = tf.linalg.svd(D, full_matrices=True)
    # Dictionaries with fewer atoms than latent dimensions get inert zero directions, so
    # that the arrays are always [l, n].
    rank = min(m, l)
    s = tf.pad(s[:rank], [[0, l - rank]])[:, None]
    return _Basis(s, tf.pad(V[:, :rank], [[0, 0], [0, l - rank]]), Q)


def _start(X: tf.Tensor, basis: _Basis, problem: _Problem) -> _State:
    """The state before the first iteration."""
    s, _, Q = basis
    pixels, l = tf.shape(X)[0], problem.width
    in_a_group = max(1, problem.lanes * problem.block // l)
    count = problem.lanes * (tf.maximum(1, pixels // in_a_group) if problem.looped else 1)
    n = -(-pixels // count)
    kind = _BlockJAW if problem.order == "JAW" else _BlockJWA

    def block(b: int | tf.Tensor) -> _Block:
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
    s2 = tf.square(s)
    return _State(blocks, *(tf.broadcast_to(each, [l, n]) for each in (s2 / (1.0 + s2), s2)))


def _sweep(state: _State, basis: _Basis, step: _Step, problem: _Problem) -> tuple[_State, Sums]:
    """One iteration for all blocks."""
    # One graph, which every lane calls.
    advance = tf.function(partial(_advance, problem=problem), autograph=False)
    sweep = partial(_sweep_blocks, problem=problem, advance=advance)
    look, plain = _NOT_INLINED(partial(sweep, look=True)), partial(sweep, look=False)
    return tf.cond(step.look, lambda: look(state, basis, step), lambda: plain(state, basis, step))


def _sweep_blocks(
    state: _State, basis: _Basis, step: _Step, problem: _Problem, advance: Callable, look: bool
) -> tuple[_State, Sums]:
    group = partial(
        _advance_group,
        state=state,
        basis=basis,
        step=step,
        problem=problem,
        advance=advance,
        look=look,
    )
    if not problem.looped:
        blocks, sums = group(list(state.blocks))
        return state._replace(blocks=tuple(blocks)), sums

    def body(first: tf.Tensor, lists: _Block, sums: Sums) -> tuple[tf.Tensor, _Block, Sums]:
        places = [first + lane for lane in range(problem.lanes)]
        blocks = [_read(lists, place, state) for place in places]
        blocks, more = group(blocks)
        for place, block in zip(places, blocks, strict=True):
            # The samples stay.
            lists = _write(lists, place, block)._replace(X=lists.X)
        return first + problem.lanes, lists, Sums(*map(tf.add, sums, more))

    (lists,) = state.blocks
    _, lists, sums = tf.while_loop(
        lambda first, *_: first < tf.raw_ops.TensorListLength(input_handle=lists.X),
        body,
        (0, lists, _no_sums(problem.width)),
        parallel_iterations=1,
    )
    return state._replace(blocks=(lists,)), sums


def _read(lists: _Block, place: tf.Tensor, state: _State) -> _Block:
    def read(name: str, handle: tf.Tensor) -> tf.Tensor:
        value = tf.raw_ops.TensorListGetItem(
            input_handle=handle, index=place, element_shape=-1, element_dtype=state.c.dtype
        )
        return tf.ensure_shape(value, [] if name == "loss" else state.c.shape)

    return type(lists)(*map(read, lists._fields, lists))


def _write(lists: _Block, place: tf.Tensor, block: _Block) -> _Block:
    return type(lists)(
        *(
            tf.raw_ops.TensorListSetItem(input_handle=handle, index=place, item=value)
            for handle, value in zip(lists, block, strict=True)
        )
    )


def _no_sums(l: int) -> Sums:
    return Sums(*(tf.zeros(shape, tf.float64) for shape in ([l, l], [], [2], [2])))


def _result(
    of: tuple[_State, tf.Tensor], basis: _Basis, mu: tf.Tensor, problem: _Problem, which: str
) -> tf.Tensor:
    """Of a state and its number of pixels A or Y ``[N, l]`` or W ``[N, m]``."""
    state, pixels = of
    n = tf.shape(state.c)[1]

    def rows(b: int | tf.Tensor, block: _Block) -> tf.Tensor:
        if which == "A":
            M = block.A
        elif which == "W":
            M = _coefficients(block, basis.s)
        else:
            M = tf.cast(mu, block.U1.dtype) * block.U1
        rotation = basis.V if which == "W" else basis.Q
        here = tf.clip_by_value(pixels - b * n, 0, n)
        return tf.matmul(M[:, :here], rotation, transpose_a=True, transpose_b=True)

    if not problem.looped:
        return tf.concat([rows(b, block) for b, block in enumerate(state.blocks)], axis=0)
    (lists,) = state.blocks
    count = tf.raw_ops.TensorListLength(input_handle=lists.X)
    width = problem.atoms if which == "W" else problem.width
    parts = tf.TensorArray(
        state.c.dtype, size=count, infer_shape=False, element_shape=[None, width]
    )
    _, parts = tf.while_loop(
        lambda b, _: b < count,
        lambda b, parts: (b + 1, parts.write(b, rows(b, _read(lists, b, state)))),
        (0, parts),
        parallel_iterations=1,
    )
    return parts.concat()


# --- between the iterations -----------------------------------------------------------------


def _at_start(rule: Rule, l: int) -> _Progress:
    gram = tf.zeros([l, l], tf.float64)
    # Nothing before the first iteration keeps it from being the last.
    return _Progress(tf.constant(0), rule.mu, gram, look=tf.constant(True), done=tf.constant(False))


def _plan(progress: _Progress, basis: _Basis, rule: Rule) -> tuple[_Step, tf.Tensor, tf.Tensor]:
    """What the next iteration does, the nuclear norm of its J, and μ after it."""
    s = tf.cast(basis.s, tf.float64)
    unscaled = tf.math.divide_no_nan(tf.ones_like(s), s)
    row = tf.transpose(unscaled)
    P, sigma = shrinkage_matrix(unscaled * progress.gram * row, 1.0 / progress.mu)
    mu = tf.minimum(rule.rho * progress.mu, rule.mu_max)
    step = _Step(
        K=s / (1.0 + tf.square(s)) * P * row,
        threshold=rule.lam / progress.mu,
        kappa=progress.mu / mu,
        begun=tf.cast(progress.i > 0, tf.float64),
        tolerance=rule.tolerance,
        look=progress.look,
    )
    return step, tf.reduce_sum(sigma), mu


def _after(
    progress: _Progress, sums: Sums, nuclear: tf.Tensor, mu: tf.Tensor, rule: Rule
) -> tuple[_Progress, tf.Tensor]:
    """Where the run stands after an iteration, and its line of the history."""
    record = tf.concat([[nuclear + rule.lam * sums.loss], tf.sqrt(sums.squares)], axis=0)
    done, look = tf.unstack(tf.equal(sums.open, 0.0))
    return _Progress(progress.i + 1, mu, sums.gram, look, done), record


def _run(
    X: tf.Tensor,
    basis: _Basis,
    rule: Rule,
    max_iterations: tf.Tensor,
    problem: _Problem,
) -> tuple[_State, _Progress, tf.Tensor]:
    """The whole recursion; scalars are tensors, so that λ does not retrace."""

    def body(state, progress, history):
        step, nuclear, mu = _plan(progress, basis, rule)
        state, sums = _sweep(state, basis, step, problem)
        after, record = _after(progress, sums, nuclear, mu, rule)
        return state, after, history.write(progress.i, record)

    history = tf.TensorArray(tf.float64, size=0, dynamic_size=True, element_shape=[3])
    state, progress, history = tf.while_loop(
        lambda state, progress, history: (progress.i < max_iterations) & ~progress.done,
        body,
        (_start(X, basis, problem), _at_start(rule, problem.width), history),
    )
    return state, progress, history.stack()


def _whole(
    X: tf.Tensor, D: tf.Tensor, rule: Rule, max_iterations: tf.Tensor, problem: _Problem
) -> tuple[tf.Tensor, ...]:
    """A, Y, W, iterations, whether it converged, and the history."""
    basis = _basis(D)
    state, progress, history = _run(X, basis, rule, max_iterations, problem)
    found = [
        _result((state, tf.shape(X)[0]), basis, progress.mu, problem, which)
        for which in ("A", "Y", "W")
    ]
    return *found, progress.i, progress.done, history


class _Graphs(NamedTuple):
    """The functions above for samples of one width and any number."""

    whole: Callable
    run: Callable
    start: Callable
    sweep: Callable
    result: dict[str, Callable]


@cache
def _graphs(problem: _Problem) -> _Graphs:
    def graph(function: Callable, **fixed: Any) -> Callable:
        # Of one problem only the number of pixels varies, for which one graph serves.
        return tf.function(
            partial(function, problem=problem, **fixed), autograph=False, reduce_retracing=True
        )

    return _Graphs(
        graph(_whole),
        graph(_run),
        graph(_start),
        graph(_sweep),
        {which: graph(_result, which=which) for which in ("A", "Y", "W")},
    )
