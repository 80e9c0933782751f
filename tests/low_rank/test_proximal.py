"""Proximal operators against their definitions, Moreau's identity and their own problem."""

import numpy as np
import pytest
import tensorflow as tf

from lren_tf.low_rank.proximal import (
    LOSSES,
    residual_loss,
    residual_shrinkage,
    singular_value_shrinkage,
)
from tests.low_rank.reference import loss_value, shrink, svd_shrinkage


def constant(value):
    return tf.constant(value, tf.float64)


class TestProximalOperators:
    """Closed forms, and Moreau: prox_f(x) + prox_f*(x) = x, f* known independently."""

    T = np.random.default_rng(3).normal(size=(5, 40)) * np.array([[5.0], [3], [1], [0.1], [0.01]])

    @pytest.mark.parametrize("threshold", [0.0, 0.5, 5.0, 20.0, 1e3])
    def test_singular_values_are_shrunk_as_an_svd_does(self, threshold):
        shrunk, values = singular_value_shrinkage(constant(self.T), constant(threshold))
        np.testing.assert_allclose(shrunk, svd_shrinkage(self.T, threshold), atol=1e-10)
        expected = np.maximum(np.linalg.svd(self.T, compute_uv=False) - threshold, 0)
        np.testing.assert_allclose(np.sort(values)[::-1], expected, atol=1e-10)

    @pytest.mark.parametrize("shape", [(1, 30), (4, 4), (5, 40)])
    def test_shapes(self, shape):
        T = np.random.default_rng(0).normal(size=shape)
        shrunk, values = singular_value_shrinkage(constant(T), constant(0.7))
        assert values.shape == shape[:1]
        np.testing.assert_allclose(shrunk, svd_shrinkage(T, 0.7), atol=1e-12)

    def test_a_matrix_of_lower_rank_has_no_nan(self):
        # A zero singular value divides 0 by 0 in the gain; a negative eigenvalue of the
        # Gram matrix, from rounding, has no root.
        T = np.outer(np.arange(5.0), np.ones(20))
        shrunk, _ = singular_value_shrinkage(constant(T), constant(1.0))
        np.testing.assert_allclose(shrunk, svd_shrinkage(T, 1.0), atol=1e-7)
        zero, values = singular_value_shrinkage(tf.zeros([5, 20], tf.float64), constant(1.0))
        np.testing.assert_array_equal(zero, np.zeros((5, 20)))
        np.testing.assert_array_equal(values, np.zeros(5))

    @pytest.mark.parametrize("threshold", [0.3, 4.0, 30.0])
    def test_moreau_nuclear_norm_and_spectral_ball(self, threshold):
        # The conjugate of t‖·‖_* is the indicator of {σ₁ ≤ t}: its prox clips singular values.
        U, s, Vt = np.linalg.svd(self.T, full_matrices=False)
        projected = (U * np.minimum(s, threshold)) @ Vt
        shrunk, _ = singular_value_shrinkage(constant(self.T), constant(threshold))
        np.testing.assert_allclose(shrunk + projected, self.T, atol=1e-10)

    @pytest.mark.parametrize("threshold", [0.3, 2.0, 30.0])
    def test_moreau_l21_and_column_balls(self, threshold):
        norms = np.linalg.norm(self.T, axis=0)
        projected = self.T * np.minimum(1, threshold / norms)
        shrunk = residual_shrinkage(constant(self.T), constant(threshold), "l21")
        np.testing.assert_allclose(shrunk + projected, self.T, atol=1e-13)

    @pytest.mark.parametrize("threshold", [0.3, 2.0, 30.0])
    def test_moreau_l1_and_the_box(self, threshold):
        shrunk = residual_shrinkage(constant(self.T), constant(threshold), "l1")
        projected = np.clip(self.T, -threshold, threshold)
        np.testing.assert_allclose(shrunk + projected, self.T, atol=1e-13)

    @pytest.mark.parametrize("threshold", [0.3, 2.0, 30.0])
    def test_moreau_frobenius(self, threshold):
        # The conjugate of t/2‖·‖² is 1/(2t)‖·‖², whose prox multiplies by t/(1 + t).
        shrunk = residual_shrinkage(constant(self.T), constant(threshold), "frobenius")
        projected = self.T * threshold / (1 + threshold)
        np.testing.assert_allclose(shrunk + projected, self.T, atol=1e-13)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_residual_shrinkage_minimises_its_problem(self, loss):
        R, t = self.T[:, :6], 1.0
        best = residual_shrinkage(constant(R), constant(t), loss).numpy()
        np.testing.assert_allclose(best, shrink(R, t, loss), atol=1e-13)

        def objective(A):
            return t * loss_value(A, loss) + 0.5 * ((A - R) ** 2).sum()

        rng = np.random.default_rng(0)
        for size in (1e-4, 1e-1):
            for _ in range(20):
                assert objective(best) <= objective(best + size * rng.normal(size=R.shape))

    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_zero_residual_stays_zero(self, loss):
        zero = residual_shrinkage(tf.zeros([3, 4], tf.float64), constant(1.0), loss)
        np.testing.assert_array_equal(zero, np.zeros((3, 4)))

    @pytest.mark.parametrize("loss", LOSSES)
    def test_loss_values(self, loss):
        np.testing.assert_allclose(
            residual_loss(constant(self.T), loss), loss_value(self.T, loss), rtol=1e-13
        )
