"""The recursion of the low-rank step, in blocks of pixels.

The problem, the recursion and its letters are those of :mod:`lren_tf.low_rank.solve`. Pixels are
the last axis here, so that the shrinkage runs along contiguous memory.

Everything happens in the singular bases of the dictionary. With D = V diag(s) Qᵀ the
substitution W̃ = W V, X̃ = X Q turns every product with D into a scaling by s and leaves
singular values and row norms as they are. It is the same iteration: W never leaves the row
space of Dᵀ. The code stores the multiple Z = s W̃, the part of a pixel that the dictionary
represents, since the other updates use it; where s is 0, so is W̃.

The W step leaves a relation that makes U2 redundant: its normal equations say
U2 = (U1 + ΔA) Dᵀ after the multipliers have moved, where ΔA is the change of A made after
W (0 in the order J, A, W). The matrix P that shrinks the singular values gives
J = (W + U2) P. With T = s (W̃ + s (U1 + ΔA)), c = s²/(1 + s²) and
K = diag(s/(1 + s²)) P diag(1/s), an iteration is, for every pixel separately, given K::

    order J, A, W                           order J, W, A, with B = A + ΔA
    A  = prox(R)                            Z  = c (X − B) + K T
    Z  = c (X − A) + K T                    R  = X − Z + U1
    r1 = X − Z − A                          A' = prox(R)
    U1 = κ (U1 + r1)                        U1 = κ (R − A')
    T  = Z + s² U1                          T  = Z + s² κ (R − A)
    R  = X − Z + U1 = A + r1 + U1           B  = A' + κ (A' − A)

where κ = μ/μ' rescales the scaled multipliers when μ moves. W − J is s times r1, or s times
X − Z − B. K is all that an iteration needs of the other pixels, and it follows from the Gram
matrix T Tᵀ. So each iteration makes one pass over the pixels, a block goes through all of it
while it is in the cache, and processes that share the pixels exchange only
:class:`lren_tf.low_rank.problem.Sums`.

In the order J, A, W the next A is known an iteration early, so that the stopping rule
(:mod:`lren_tf.low_rank.stopping`) is evaluated in one or two iterations only.

:mod:`lren_tf.low_rank.block` has the state of a block and its iteration,
:mod:`lren_tf.low_rank.iteration` one iteration for all blocks; this module has what happens
between two iterations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lren_tf.low_rank.iteration import result, start, sweep
from lren_tf.low_rank.problem import (
    FAR,
    LOOK,
    NEAR,
    Basis,
    Problem,
    State,
    Step,
    Sums,
    singular_bases,
)
from lren_tf.low_rank.proximal import shrinkage_matrix
from lren_tf.runtime.workers import Workers

RHO_SETTLED = 10.0
"""Factor of μ once a run has settled, if ρ is not larger: the remaining steps shrink as 1/μ."""


class Rule(NamedTuple):
    """λ, penalty and stopping rule of a run, float64 scalars."""

    lam: tf.Tensor
    mu: tf.Tensor
    rho: tf.Tensor
    mu_max: tf.Tensor
    tolerance: tf.Tensor
    settled: tf.Tensor
    """Looser tolerance at which μ starts to grow by :data:`RHO_SETTLED`; equal to ``tolerance`` to
    disable that."""


class Solution(NamedTuple):
    """Result of :func:`solve`."""

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


class _Progress(NamedTuple):
    """State of a run between two iterations."""

    i: tf.Tensor
    mu: tf.Tensor
    gram: tf.Tensor
    near: tf.Tensor
    """True if the next iterations are at least near."""
    look: tf.Tensor
    """True if the next iteration can be the last."""
    settled: tf.Tensor
    """True if μ grows by the larger factor."""
    done: tf.Tensor


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
        loss: one of :data:`lren_tf.low_rank.proximal.LOSSES`.
        order: one of :data:`ORDERS`.
        workers: replicas that hold a share of the pixels each and exchange :class:`Sums`. Every
            process passes the same arguments and gets the whole solution. None for this process
            alone, which then has no exchange to wait for and runs as one graph.
    """
    if workers is None:
        problem = Problem.of(X, D, loss, order)
        graphs = _graphs(problem)
        if not problem.looped:
            # Each call of a graph costs about a millisecond, the time of two iterations of a
            # scene whose blocks all stay in the cache.
            A, Y, W, iterations, done, history = graphs.whole(X, D, rule, max_iterations)
            return Solution(
                A.numpy(), W.numpy(), Y.numpy(), int(iterations), bool(done), history.numpy()
            )
        basis = singular_bases(D)
        state, progress, history = graphs.run(X, basis, rule, max_iterations)
        # One after another: joining the blocks of a result takes its memory twice.
        A, Y, W = (
            graphs.result[which]((state, tf.shape(X)[0]), basis, progress.mu).numpy()
            for which in ("A", "Y", "W")
        )
        return Solution(A, W, Y, int(progress.i), bool(progress.done), history.numpy())
    basis = singular_bases(D)
    shares = [tf.gather(X, rows) for rows in workers.shares(np.arange(X.shape[0]))]
    graphs = _graphs(Problem.of(shares[0], D, loss, order))
    states = workers.run(graphs.start, shares, basis)
    progress, history = _at_start(rule, X.shape[1]), []
    while progress.i < max_iterations and not progress.done:
        step, nuclear, mu = _plan(progress, basis, rule)
        kind = _kind(progress, last=progress.i + 1 == max_iterations)
        swept = workers.run(graphs.sweep[kind], states, basis, step)
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
    problem = Problem.of(X, D, loss, order)
    basis = singular_bases(D)
    state, progress, _ = _run(X, basis, rule, max_iterations, problem)
    return result((state, tf.shape(X)[0]), basis, progress.mu, problem, "A")


def _at_start(rule: Rule, l: int) -> _Progress:
    gram = tf.zeros([l, l], tf.float64)
    # Nothing before the first iteration keeps it from being the last.
    near = look = tf.constant(True)
    settled = done = tf.constant(False)
    return _Progress(tf.constant(0), rule.mu, gram, near, look, settled, done)


def _kind(progress: _Progress, last: bool) -> str:
    """Kind of the next iteration, outside a graph."""
    if progress.look or last:
        return LOOK
    return NEAR if progress.near else FAR


def _plan(
    progress: _Progress, basis: Basis, rule: Rule
) -> tuple[Step, tf.Tensor, tf.Tensor]:
    """Parameters of the next iteration, the nuclear norm of its J, and μ after it."""
    s = tf.cast(basis.s, tf.float64)
    unscaled = tf.math.divide_no_nan(tf.ones_like(s), s)
    row = tf.transpose(unscaled)
    P, sigma = shrinkage_matrix(unscaled * progress.gram * row, 1.0 / progress.mu)
    rho = tf.where(progress.settled, tf.maximum(rule.rho, RHO_SETTLED), rule.rho)
    mu = tf.minimum(rho * progress.mu, rule.mu_max)
    step = Step(
        K=s / (1.0 + tf.square(s)) * P * row,
        threshold=rule.lam / progress.mu,
        next_threshold=rule.lam / mu,
        kappa=progress.mu / mu,
        begun=tf.cast(progress.i > 0, tf.float64),
        tolerance=tf.where(progress.settled, rule.tolerance, rule.settled),
    )
    return step, tf.reduce_sum(sigma), mu


def _after(
    progress: _Progress, sums: Sums, nuclear: tf.Tensor, mu: tf.Tensor, rule: Rule
) -> tuple[_Progress, tf.Tensor]:
    """State of the run after an iteration, and its line of the history."""
    record = tf.concat([[nuclear + rule.lam * sums.loss], tf.sqrt(sums.squares)], axis=0)
    met, look, near = tf.unstack(tf.equal(sums.open, 0.0))
    return _Progress(
        progress.i + 1,
        mu,
        sums.gram,
        near,
        look,
        settled=progress.settled | met,
        done=met & (progress.settled | (rule.settled <= rule.tolerance)),
    ), record


def _run(
    X: tf.Tensor,
    basis: Basis,
    rule: Rule,
    max_iterations: tf.Tensor,
    problem: Problem,
) -> tuple[State, _Progress, tf.Tensor]:
    """The whole recursion; scalars are tensors, so that λ does not retrace.

    Each kind of iteration has a separate loop or call: a branch within a loop costs time for
    every array that it may touch, taken or not.
    """

    def iterate(kind: str, state: State, progress: _Progress, history: Any) -> tuple[Any, ...]:
        step, nuclear, mu = _plan(progress, basis, rule)
        state, sums = sweep(state, basis, step, problem, kind)
        after, record = _after(progress, sums, nuclear, mu, rule)
        return state, after, history.write(progress.i, record)

    def repeat(kind: str, run: tuple[Any, ...], unless: Callable[..., Any]) -> tuple[Any, ...]:
        # The last iteration of all is a look, for its A.
        def goes_on(state: State, progress: _Progress, history: Any) -> tf.Tensor:
            return (progress.i < max_iterations - 1) & ~unless(progress)

        return tf.while_loop(goes_on, partial(iterate, kind), run)

    def to_the_next_look(*run: Any) -> tuple[Any, ...]:
        if problem.order == "JAW":  # in the other order none is far
            run = repeat(FAR, run, unless=lambda progress: progress.near | progress.look)
        run = repeat(NEAR, run, unless=lambda progress: progress.look)
        return iterate(LOOK, *run)

    history = tf.TensorArray(tf.float64, size=0, dynamic_size=True, element_shape=[3])
    state, progress, history = tf.while_loop(
        lambda state, progress, history: (progress.i < max_iterations) & ~progress.done,
        to_the_next_look,
        (start(X, basis, problem), _at_start(rule, problem.width), history),
    )
    return state, progress, history.stack()


def _whole(
    X: tf.Tensor, D: tf.Tensor, rule: Rule, max_iterations: tf.Tensor, problem: Problem
) -> tuple[tf.Tensor, ...]:
    """A, Y, W, iterations, whether it converged, and the history."""
    basis = singular_bases(D)
    state, progress, history = _run(X, basis, rule, max_iterations, problem)
    arrays = [
        result((state, tf.shape(X)[0]), basis, progress.mu, problem, which)
        for which in ("A", "Y", "W")
    ]
    return *arrays, progress.i, progress.done, history


class _Graphs(NamedTuple):
    """The functions above for samples of one width and any number."""

    whole: Callable[..., Any]
    run: Callable[..., Any]
    start: Callable[..., Any]
    sweep: dict[str, Callable[..., Any]]
    result: dict[str, Callable[..., Any]]


@cache
def _graphs(problem: Problem) -> _Graphs:
    def graph(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
        # Of one problem only the number of pixels varies, for which one graph serves.
        return tf.function(
            partial(function, problem=problem, **fixed), autograph=False, reduce_retracing=True
        )

    return _Graphs(
        graph(_whole),
        graph(_run),
        graph(start),
        {kind: graph(sweep, kind=kind) for kind in (FAR, NEAR, LOOK)},
        {which: graph(result, which=which) for which in ("A", "Y", "W")},
    )
