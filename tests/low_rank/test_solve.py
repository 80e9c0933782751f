"""The low-rank step against the paper's recursion and its optimum."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.errors import InputError
from lren_tf.low_rank.solve import LOSSES, ORDERS, residual_in_graph, row_norms, solve_low_rank
from tests.covering import cover
from tests.low_rank.reference import admm, lam_for, nuclear, problem

SHAPES = {"m>l": (5, 7), "m<l": (5, 3), "m=l": (4, 4)}


class TestAgainstTheRecursion:
    @pytest.mark.parametrize(("shape", "loss", "order"), cover(SHAPES, LOSSES, ORDERS))
    def test_every_loss_order_and_shape(self, shape, loss, order):
        l, m = SHAPES[shape]
        X, D = problem(l=l, m=m)
        lam = lam_for(loss)
        # A tolerance above the noise of the Gram matrix, so that the count is exact too.
        result = solve_low_rank(X, D, lam, loss=loss, order=order, tolerance=1e-6)
        A, W, Y, iterations, done, objective, residuals = admm(
            X.T, D.T, lam, loss, order, tolerance=1e-6
        )
        assert (result.iterations, result.converged) == (iterations, done)
        assert done
        np.testing.assert_allclose(result.A, A, atol=1e-9)
        np.testing.assert_allclose(result.W, W, atol=1e-9)
        # Singular values below 1e-8 of the largest are lost in the Gram matrix, and the
        # multiplier multiplies what is lost by μ.
        np.testing.assert_allclose(result.Y, Y, atol=1e-3 * np.abs(Y).max())
        np.testing.assert_allclose(result.objective, objective, rtol=1e-8)
        np.testing.assert_allclose(result.residuals, residuals, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize(("loss", "order"), cover(LOSSES, ORDERS, strength=1))
    def test_many_more_dimensions_than_atoms(self, order, loss):
        # As among spectra, where the arrays shrink to the atoms' span. A row of zeros, an atom
        # twice, and a pixel that lies in the span and one that is 0 are all allowed.
        X, D = problem(l=30, m=4)
        D[2], D[3] = 0, D[1]
        X[5], X[6] = 2 * D[0] - D[1], 0
        lam = lam_for(loss)
        result = solve_low_rank(X, D, lam, loss=loss, order=order, tolerance=1e-7)
        A, W, Y, iterations, done, objective, _ = admm(
            X.T, D.T, lam, loss, order, tolerance=1e-7
        )
        assert result.converged and done
        # The rule looks at a length where it looked at the largest of its 26 entries, which is up
        # to √26 times smaller, and changes fall by about ρ = 1.2 per iteration.
        assert 0 <= result.iterations - iterations <= np.log(np.sqrt(26)) / np.log(1.2) + 1
        scale = np.abs(X).max()
        np.testing.assert_allclose(result.A, A, atol=1e-6 * scale)
        np.testing.assert_allclose(result.W, W, atol=1e-6 * scale)
        np.testing.assert_allclose(result.Y, Y, atol=1e-2 * np.abs(Y).max())
        np.testing.assert_allclose(result.objective[-1], objective[-1], rtol=1e-6)
        np.testing.assert_allclose(X - result.W @ D - result.A, 0, atol=1e-6 * scale)

    @pytest.mark.parametrize(("loss", "order"), cover(LOSSES, ORDERS, strength=1))
    def test_the_releases_tolerance(self, order, loss):
        # 1e-8 is at the Gram matrix's noise: the last few iterations may differ in number.
        X, D = problem(l=9, m=14)
        A, W, _, iterations, *_ = admm(X.T, D.T, lam_for(loss), loss, order)
        result = solve_low_rank(X, D, lam_for(loss), loss=loss, order=order)
        assert result.converged
        assert abs(result.iterations - iterations) <= 10
        np.testing.assert_allclose(result.A, A, atol=1e-6)
        np.testing.assert_allclose(result.W, W, atol=1e-6)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("limit", [1, 2, 3, 10])
    def test_the_first_iterates_are_equal_to_rounding(self, order, limit):
        # Before differences can be forgotten on the way to a common optimum.
        X, D = problem()
        result = solve_low_rank(
            X, D, 0.05, order=order, mu=0.5, max_iterations=limit
        )
        A, W, Y, iterations, done, objective, residuals = admm(
            X.T, D.T, 0.05, "l21", order, mu=0.5, limit=limit
        )
        assert (result.iterations, result.converged) == (iterations, done) == (limit, False)
        for got, expected in zip(
            (result.A, result.W, result.Y, result.objective, result.residuals),
            (A, W, Y, objective, residuals),
            strict=True,
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)

    def test_the_orders_differ_on_the_way(self):
        X, D = problem()
        one, other = (
            solve_low_rank(X, D, 0.05, order=order, mu=0.5, max_iterations=3) for order in ORDERS
        )
        assert np.abs(one.A - other.A).max() > 1e-3

    @pytest.mark.parametrize("order", ORDERS)
    def test_the_largest_penalty_is_respected(self, order):
        X, D = problem()
        settings = {"mu": 0.5, "mu_max": 1.0, "rho": 1.5}
        result = solve_low_rank(X, D, 0.05, order=order, max_iterations=30, **settings)
        A, W, Y, *_ = admm(X.T, D.T, 0.05, "l21", order, limit=30, **settings)
        np.testing.assert_allclose(result.A, A, atol=1e-9)
        np.testing.assert_allclose(result.W, W, atol=1e-9)
        np.testing.assert_allclose(result.Y, Y, atol=1e-9)

    @pytest.mark.parametrize("settings", [{"mu": 0.05, "rho": 1.0}, {"mu": 2.0, "rho": 1.01}])
    @pytest.mark.parametrize("order", ORDERS)
    def test_the_stopping_rule_at_tolerances_of_every_size(self, order, settings):
        # Which quantity is the last to meet the tolerance depends on it; a rule without that
        # one stops sooner. (W's change follows J's and W − J, and never decides alone here.)
        X, D = problem(n=20)
        for tolerance in np.geomspace(1e-4, 1.0, 12):
            given = settings | {"tolerance": tolerance}
            _, _, _, iterations, *_ = admm(X.T, D.T, 0.2, "l21", order, **given)
            got = solve_low_rank(X, D, 0.2, order=order, **given).iterations
            assert got == iterations, tolerance

    @pytest.mark.parametrize("order", ORDERS)
    def test_rows_of_zeros_are_inert(self, order):
        # The model pads the dictionary with them for components without members.
        X, D = problem(m=4)
        padded = np.insert(D, [1, 3, 4], 0.0, axis=0)
        plain = solve_low_rank(X, D, 0.05, order=order)
        result = solve_low_rank(X, padded, 0.05, order=order)
        assert result.iterations == plain.iterations
        np.testing.assert_allclose(result.A, plain.A, atol=1e-9)
        inert = (padded == 0).all(axis=1)
        np.testing.assert_allclose(result.W[:, inert], np.zeros((80, 3)), atol=1e-12)
        np.testing.assert_allclose(result.W[:, ~inert], plain.W, atol=1e-9)
        np.testing.assert_allclose(result.A, admm(X.T, padded.T, 0.05, "l21", order)[0], atol=1e-7)

    def test_repeated_atoms_and_a_rank_deficient_dictionary(self):
        # The release's rule gives a component of one pixel the same atom twice.
        X, D = problem(m=7)
        D[3] = D[2]
        D[5] = D[0] + D[1]
        D[:, 4] = D[:, 0]
        A, W, *_ = admm(X.T, D.T, 0.05, "l21", "JWA")
        result = solve_low_rank(X, D, 0.05)
        np.testing.assert_allclose(result.A, A, atol=1e-7)
        np.testing.assert_allclose(result.W, W, atol=1e-7)

    @pytest.mark.parametrize("n", [1, 3])
    def test_fewer_pixels_than_dimensions(self, n):
        X, D = problem(n=n)
        A, W, _, iterations, *_ = admm(X.T, D.T, 0.05, "l21", "JWA")
        result = solve_low_rank(X, D, 0.05)
        assert result.iterations == iterations
        np.testing.assert_allclose(result.A, A, atol=1e-7)
        np.testing.assert_allclose(result.W, W, atol=1e-7)


@pytest.mark.parametrize(("shape", "order"), cover([(5, 7), (5, 3)], ORDERS, strength=1))
class TestOptimum:
    """KKT conditions of (1), which no recursion enters: 0 ∈ ∂‖W‖_* − Y Dᵀ, Y ∈ λ ∂loss(A).

    ρ = 1.2 stops short of the optimum, as the release does; a slow ρ reaches it.
    """

    def solve(self, shape, order, loss, lam):
        X, D = problem(l=shape[0], m=shape[1])
        result = solve_low_rank(
            X, D, lam, loss=loss, order=order, mu=0.05, rho=1.0, mu_max=0.05,
            tolerance=1e-10, max_iterations=20000,
        )
        assert result.converged
        np.testing.assert_allclose(result.A + result.W @ D, X, atol=1e-9)
        # W: σ₁(Y Dᵀ) ≤ 1 and ⟨Y Dᵀ, W⟩ = ‖W‖_*.
        dual = result.Y @ D.T
        assert np.linalg.svd(dual, compute_uv=False).max() <= 1 + 1e-7
        assert (dual * result.W).sum() == pytest.approx(nuclear(result.W), rel=1e-7)
        assert nuclear(result.W) > 1  # not the trivial solution
        return result

    def test_l21(self, shape, order):
        lam = 0.2
        result = self.solve(shape, order, "l21", lam)
        norms = np.linalg.norm(result.A, axis=1)
        active = norms > 1e-6
        assert active.any()
        if shape == (5, 7):  # three atoms in five dimensions explain no pixel exactly
            assert active.mean() < 0.5  # so both branches are looked at
        assert np.linalg.norm(result.Y, axis=1).max() <= lam * (1 + 1e-7)
        direction = result.A[active] / norms[active, None]
        np.testing.assert_allclose(result.Y[active], lam * direction, atol=1e-7)

    def test_l1(self, shape, order):
        lam = 0.03
        result = self.solve(shape, order, "l1", lam)
        active = np.abs(result.A) > 1e-6
        assert 0.02 < active.mean() < 0.98
        assert np.abs(result.Y).max() <= lam * (1 + 1e-7)
        np.testing.assert_allclose(result.Y[active], lam * np.sign(result.A[active]), atol=1e-7)

    def test_frobenius(self, shape, order):
        result = self.solve(shape, order, "frobenius", 0.02)
        np.testing.assert_allclose(result.Y, 0.02 * result.A, atol=1e-8)


def test_a_large_lambda_explains_every_pixel_and_a_small_one_none():
    X, D = problem()
    slow = {"mu": 0.05, "rho": 1.0, "max_iterations": 5000}
    np.testing.assert_allclose(solve_low_rank(X, D, 1e3, **slow).A, np.zeros_like(X), atol=1e-6)
    small = solve_low_rank(X, D, 1e-6, **slow)
    np.testing.assert_allclose(small.A, X, atol=1e-6)
    np.testing.assert_allclose(small.W, np.zeros_like(small.W), atol=1e-6)


class TestHistory:
    def test_lengths_and_last_values_are_those_of_the_result(self):
        X, D = problem()
        result = solve_low_rank(X, D, 0.05)
        assert 1 < result.iterations < 500
        assert result.objective.shape == (result.iterations,)
        assert result.residuals.shape == (result.iterations, 2)
        # At the end J equals W within the tolerance.
        expected = nuclear(result.W) + 0.05 * np.linalg.norm(result.A, axis=1).sum()
        assert result.objective[-1] == pytest.approx(expected, rel=1e-6)
        last = X - result.W @ D - result.A
        assert result.residuals[-1, 0] == pytest.approx(np.linalg.norm(last), abs=1e-10)
        assert np.abs(last).max() < 1e-8

    def test_the_limit_ends_a_run_that_has_not_converged(self):
        X, D = problem()
        result = solve_low_rank(X, D, 0.05, max_iterations=4)
        assert result.iterations == len(result.objective) == 4
        assert result.converged is False
        assert type(result.iterations) is int

    def test_a_looser_tolerance_stops_earlier(self):
        X, D = problem()
        loose, tight = (solve_low_rank(X, D, 0.05, tolerance=t) for t in (1e-3, 1e-8))
        assert loose.converged
        assert loose.iterations < tight.iterations

    def test_the_same_problem_gives_the_same_bits(self):
        X, D = problem()
        one, other = solve_low_rank(X, D, 0.05), solve_low_rank(X, D, 0.05)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_the_arguments_are_not_changed(self):
        X, D = problem()
        solve_low_rank(X, D, 0.05)
        for kept, original in zip((X, D), problem(), strict=True):
            np.testing.assert_array_equal(kept, original)


class TestPrecision:
    @pytest.mark.parametrize("order", ORDERS)
    def test_float32_is_within_the_error_it_states(self, order):
        X, D = problem(n=400, l=9, m=14)
        exact = solve_low_rank(X, D, 0.05, order=order)
        single = solve_low_rank(X, D, 0.05, order=order, dtype="float32")
        assert single.A.dtype == single.W.dtype == single.Y.dtype == np.float32
        # Stated: about 1e-5 of the largest entry.
        assert np.abs(single.A - exact.A).max() < 3e-5 * np.abs(exact.A).max()
        assert np.isfinite(single.W).all()
        a, b = row_norms(single.A, "l2"), row_norms(exact.A, "l2")
        assert np.corrcoef(a, b)[0, 1] > 1 - 1e-5

    def test_float64_is_the_default_whatever_comes_in(self):
        X, D = problem()
        result = solve_low_rank(X.astype(np.float32), D.astype(np.float32).tolist(), 0.05)
        assert result.A.dtype == result.objective.dtype == np.float64

    def test_integers_are_numbers(self):
        X, D = np.round(problem()[0]).astype(int), np.round(problem()[1]).astype(int)
        expected = solve_low_rank(X.astype(float), D.astype(float), 0.05).A
        np.testing.assert_array_equal(solve_low_rank(X, D, 0.05).A, expected)


class TestRowNorms:
    A = np.array([[3.0, -4.0], [0.0, 0.0], [-1.0, 0.0]])

    def test_l1_sums_absolute_values(self):
        np.testing.assert_array_equal(row_norms(self.A, "l1"), [7, 0, 1])

    def test_l2_is_euclidean(self):
        np.testing.assert_array_equal(row_norms(self.A, "l2"), [5, 0, 1])


class TestRefusals:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"lam": 0}, "lam is 0; expected a finite number above 0"),
            ({"lam": -1.0}, "lam is -1.0"),
            ({"lam": np.nan}, "lam is nan"),
            ({"lam": np.inf}, "lam is inf"),
            ({"mu": 0.0}, "mu is 0.0"),
            ({"mu": np.inf}, "mu is inf"),
            ({"tolerance": 0.0}, "tolerance is 0.0"),
            ({"tolerance": np.nan}, "tolerance is nan"),
            ({"rho": 0.99}, "rho is 0.99; expected a finite number of at least 1"),
            ({"rho": np.inf}, "rho is inf"),
            ({"rho": np.nan}, "rho is nan"),
            ({"mu_max": 1e-4}, "mu_max is 0.0001; expected a finite number of at least mu"),
            ({"mu_max": np.nan}, "mu_max is nan"),
            # μ would overflow, and ∞/∞ turn the multipliers into NaN.
            ({"mu_max": np.inf}, "mu_max is inf"),
            ({"settled": -1e-6}, "settled is -1e-06; expected a finite number of at least 0"),
            ({"settled": np.nan}, "settled is nan"),
            ({"max_iterations": 0}, "max_iterations is 0; expected 1 or more"),
            ({"max_iterations": -3}, "max_iterations is -3"),
            ({"loss": "l2"}, "loss 'l2' is unknown; expected one of l21, l1, frobenius"),
            ({"order": "WJA"}, "order 'WJA' is unknown; expected one of JWA, JAW"),
            ({"dtype": "float16"}, "dtype 'float16' is unknown; expected float64 or float32"),
        ],
        ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
    )
    def test_settings_out_of_range(self, setting, message):
        X, D = problem(n=5)
        lam = setting.pop("lam", 0.05) if "lam" in setting else 0.05
        with pytest.raises(InputError) as refusal:
            solve_low_rank(X, D, lam, **setting)
        assert str(refusal.value).startswith(message)

    @pytest.mark.parametrize(
        ("X", "D"),
        [((10, 3), (4, 2)), ((10,), (4, 3)), ((10, 3), (3,)), ((2, 5, 3), (4, 3)), ((0, 3), (4, 3)),
         ((10, 3), (0, 3)), ((10, 0), (4, 0))],
    )
    def test_shapes_that_do_not_fit(self, X, D):
        with pytest.raises(InputError) as refusal:
            solve_low_rank(np.ones(X), np.ones(D), 0.05)
        assert f"X has shape {X} and D {D}; expected samples [N, l]" in str(refusal.value)

    @pytest.mark.parametrize("which", ["X", "D"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_with_count_and_first_row(self, which, bad):
        X, D = problem(n=8)
        array = {"X": X, "D": D}[which]
        array[5, 1] = array[2, 3] = array[5, 0] = bad
        with pytest.raises(
            InputError, match=f"{which} holds 3 NaN or infinite values, the first in row 2"
        ):
            solve_low_rank(X, D, 0.05)

    def test_a_dictionary_of_zeros(self):
        with pytest.raises(InputError, match="D holds only zeros"):
            solve_low_rank(problem()[0], np.zeros((4, 5)), 0.05)


# Of 4 atoms: with a width of 40 the problem is compacted.
@pytest.mark.parametrize(("width", "loss", "order"), cover((5, 40), LOSSES, ORDERS))
def test_the_residual_in_a_graph_is_that_of_the_solver(width, loss, order):
    rng = np.random.default_rng(3)
    X, D = rng.normal(size=(60, width)), rng.normal(size=(4, width))
    settings = {"mu": 1e-3, "rho": 1.2, "mu_max": 1e10, "tolerance": 1e-8, "max_iterations": 500}

    @tf.function(input_signature=[tf.TensorSpec([None, width], tf.float64)])
    def residual(samples):
        return residual_in_graph(samples, D, 0.02, loss=loss, order=order, **settings)

    expected = solve_low_rank(X, D, 0.02, loss=loss, order=order, **settings).A
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(residual(X), expected, rtol=0, atol=1e-9)
    fewer = solve_low_rank(X[:7], D, 0.02, loss=loss, order=order, **settings).A
    np.testing.assert_allclose(residual(X[:7]), fewer, rtol=0, atol=1e-9)
