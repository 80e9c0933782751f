"""Blocks, lanes and shares of pixels: none of them changes the result."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.low_rank import admm, iteration
from lren_tf.low_rank import problem as problems
from lren_tf.low_rank.solve import LOSSES, ORDERS, residual_in_graph, solve_low_rank
from lren_tf.runtime.workers import Workers
from tests.covering import cover
from tests.low_rank.reference import admm as recursion
from tests.low_rank.reference import lam_for, problem

RULE = {"mu": 1e-3, "rho": 1.2, "mu_max": 1e10, "tolerance": 1e-6, "max_iterations": 500}


class Shares(Workers):
    """Replicas in one process, in turn on one device."""

    def __init__(self, replicas):
        self.replicas = replicas

    def shares(self, rows):
        return np.array_split(rows, self.replicas)

    def gathered(self, parts):
        return tf.concat([part for of_replica in parts for part in of_replica], axis=0)


def assert_equal(one, other, within=1e-12, of_W=None):
    assert (one.iterations, one.converged) == (other.iterations, other.converged)
    for name in ("A", "W", "objective", "residuals"):
        a, b = getattr(one, name), getattr(other, name)
        bound = of_W if name == "W" and of_W is not None else within
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=bound, err_msg=name)
    # μ magnifies the multiplier's rounding.
    np.testing.assert_allclose(one.Y, other.Y, atol=1e-4)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of five pixels, so that 80 pixels are many groups with pixels of zeros."""
    monkeypatch.setattr(problems, "_BLOCK", 25)
    monkeypatch.setattr(problems, "_LANES", 3)
    monkeypatch.setattr(problems, "_LANES_OF_ANY_SIZE", 3)


class TestBlocks:
    @pytest.mark.parametrize(("loss", "order"), cover(LOSSES, ORDERS, strength=1))
    def test_many_are_one(self, monkeypatch, order, loss):
        X, D = problem()
        settings = {"loss": loss, "order": order, **RULE}
        whole = solve_low_rank(X, D, lam_for(loss), **settings)
        assert whole.converged
        monkeypatch.setattr(problems, "_BLOCK", 25)
        monkeypatch.setattr(problems, "_LANES", 3)
        # The Gram matrix is added up in another order, and its root magnifies that.
        assert_equal(solve_low_rank(X, D, lam_for(loss), **settings), whole, within=1e-9)

    def test_there_are_as_many_as_the_test_says(self, small_blocks):
        X, D = map(tf.constant, problem())
        kind = problems.Problem.of(X, D, "l21", "JAW")
        assert (kind.lanes, kind.looped) == (3, True)
        state = iteration.start(X, problems.singular_bases(D), kind)
        count = tf.raw_ops.TensorListLength(input_handle=state.blocks[0].X)
        # 80 pixels in groups of three blocks of five: five groups of blocks of six.
        assert (int(count), state.gains.c.shape) == (15, (5, 6))

    @pytest.mark.parametrize(
        "n", [1, 47, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3, 14, 16))]
    )
    def test_numbers_of_pixels_that_do_not_divide(self, small_blocks, n):
        X, D = problem(n=n)
        A, W, _, iterations, *_ = recursion(X.T, D.T, 0.05, "l21", "JAW", tolerance=1e-6)
        result = solve_low_rank(X, D, 0.05, order="JAW", **RULE)
        assert result.A.shape == X.shape
        assert result.iterations == iterations
        np.testing.assert_allclose(result.A, A, atol=1e-7)
        np.testing.assert_allclose(result.W, W, atol=1e-7)

    @pytest.mark.parametrize("n", [1, pytest.param(3, marks=pytest.mark.slow), 80])
    def test_in_a_graph(self, small_blocks, n):
        X, D = problem()

        @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float64)])
        def residual(samples):
            return residual_in_graph(samples, D, 0.05, loss="l21", order="JAW", **RULE)

        expected = solve_low_rank(X[:n], D, 0.05, order="JAW", **RULE).A
        np.testing.assert_allclose(residual(X[:n]), expected, atol=1e-12)

    def test_an_iteration_replaces_all_but_the_samples(self, small_blocks):
        X, D = map(tf.constant, problem())
        kind = problems.Problem.of(X, D, "l21", "JAW")
        basis = problems.singular_bases(D)
        state = iteration.start(X, basis, kind)
        rule = admm.Rule(*(tf.constant(v, tf.float64) for v in (0.05, 1.0, 1.2, 1e10, 1e-8, 1e-8)))
        step, *_ = admm._plan(admm._at_start(rule, 5), basis, rule)
        swept, sums = iteration.sweep(state, basis, step, kind, problems.NEAR)
        before, after = (iteration._read(each.blocks[0], 2, each) for each in (state, swept))
        np.testing.assert_array_equal(after.X, before.X)
        assert np.abs(after.A - before.A).max() > 0.01
        assert float(sums.open[0]) > 0


class TestShares:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("n", [81, 1])  # of two replicas one has a pixel less, or none
    def test_two_replicas_give_the_result_of_one(self, order, n):
        X, D = problem(n=n)
        alone = solve_low_rank(X, D, 0.05, order=order, **RULE)
        assert alone.converged
        shared = solve_low_rank(X, D, 0.05, order=order, workers=Shares(2), **RULE)
        # The Gram matrix is added up in another order, and its root magnifies that in W.
        assert_equal(shared, alone, of_W=1e-10)

    def test_in_many_blocks(self, small_blocks):
        X, D = problem()
        alone = solve_low_rank(X, D, 0.05, **RULE)
        assert_equal(solve_low_rank(X, D, 0.05, workers=Shares(3), **RULE), alone, within=1e-9)

    def test_where_no_atom_reaches(self):
        rng = np.random.default_rng(3)
        X, D = rng.normal(size=(31, 40)), rng.normal(size=(4, 40))
        alone = solve_low_rank(X, D, 0.02, **RULE)
        assert_equal(solve_low_rank(X, D, 0.02, workers=Shares(2), **RULE), alone)

    def test_only_sums_are_exchanged(self):
        sizes = []

        class Counted(Shares):
            def total(self, parts):
                sizes.append(sum(int(tf.size(t)) for t in tf.nest.flatten(parts[0][0])))
                return super().total(parts)

        X, D = problem()
        result = solve_low_rank(X, D, 0.05, workers=Counted(2), **RULE)
        # Gram matrix, loss, two sums of squares, three counts.
        assert sizes == [5 * 5 + 1 + 2 + 3] * result.iterations


class TestSettled:
    """Once a run has settled, μ may grow faster."""

    @pytest.mark.parametrize(("loss", "order"), cover(LOSSES, ORDERS, strength=1))
    def test_fewer_iterations_to_nearly_the_same_result(self, order, loss):
        X, D = problem()
        settings = {"loss": loss, "order": order, "tolerance": 1e-7}
        plain = solve_low_rank(X, D, lam_for(loss), **settings)
        faster = solve_low_rank(X, D, lam_for(loss), settled=1e-6, **settings)
        assert plain.converged and faster.converged
        assert faster.iterations < plain.iterations
        assert 0 < np.abs(faster.A - plain.A).max() < 1e-4 * np.abs(plain.A).max()
        np.testing.assert_allclose(faster.objective[-1], plain.objective[-1], rtol=1e-4)

    def test_the_first_iterations_are_the_same(self):
        X, D = problem()
        plain = solve_low_rank(X, D, 0.05, **RULE)
        faster = solve_low_rank(X, D, 0.05, settled=1e-4, **RULE)
        same = np.isclose(faster.objective, plain.objective[: faster.iterations], rtol=1e-12)
        assert same[: faster.iterations // 2].all() and not same[-1]

    def test_a_value_below_the_tolerance_changes_nothing(self):
        X, D = problem()
        plain = solve_low_rank(X, D, 0.05, **RULE)
        same = solve_low_rank(X, D, 0.05, settled=0.9e-6 / np.abs(X).max(), **RULE)
        assert_equal(same, plain)

    def test_a_larger_rho_stays(self):
        X, D = problem()
        settings = RULE | {"rho": 20.0}
        plain = solve_low_rank(X, D, 0.05, **settings)
        assert_equal(solve_low_rank(X, D, 0.05, settled=1e-2, **settings), plain)

    @pytest.mark.parametrize("order", ORDERS)
    def test_in_blocks_and_shares(self, small_blocks, order):
        X, D = problem()
        settings = {"order": order, "settled": 1e-4, **RULE}
        alone = solve_low_rank(X, D, 0.05, **settings)
        assert alone.iterations < solve_low_rank(X, D, 0.05, order=order, **RULE).iterations
        shared = solve_low_rank(X, D, 0.05, workers=Shares(3), **settings)
        assert_equal(shared, alone, within=1e-9)


@pytest.mark.parametrize("order", ORDERS)
def test_a_first_iteration_that_is_the_last(order):
    # Nothing before it keeps it from being looked at.
    X, D = problem()
    result = solve_low_rank(1e-9 * X, D, 0.05, order=order)
    _, _, _, iterations, done, *_ = recursion(1e-9 * X.T, D.T, 0.05, "l21", order)
    assert (result.iterations, result.converged) == (iterations, done)


def test_singular_values_far_apart():
    X, D = problem(n=60, l=5, m=5)
    U, _, Vt = np.linalg.svd(D)
    D = (U * [3.0, 1.0, 1e-3, 1e-7, 1e-12]) @ Vt
    A, W, *_ = recursion(X.T, D.T, 0.05, "l21", "JAW", limit=30)
    result = solve_low_rank(X, D, 0.05, order="JAW", max_iterations=30)
    np.testing.assert_allclose(result.A, A, atol=1e-9)
    np.testing.assert_allclose(result.W, W, atol=1e-9)
