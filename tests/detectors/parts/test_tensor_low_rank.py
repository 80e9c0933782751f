"""Tensor algebra against block-circulant matrices, proximal operators against their conditions."""

from __future__ import annotations

import numpy as np
import pytest

from lren_tf.detectors.parts.tensor_low_rank import (
    from_slices,
    represent,
    robust_pca,
    shrink_ranks,
    shrink_tubes,
    to_slices,
)

RNG = np.random.default_rng(4)


def block_circulant(A: np.ndarray) -> np.ndarray:
    """The block in row i and column j is the frontal slice A[:, :, (i − j) mod n₃]."""
    depth = A.shape[2]
    return np.block([[A[:, :, (i - j) % depth] for j in range(depth)] for i in range(depth)])


def unfolded(A: np.ndarray) -> np.ndarray:
    return np.concatenate([A[:, :, k] for k in range(A.shape[2])])


@pytest.mark.parametrize("depth", [1, 2, 5, 6])
def test_a_product_of_slices_is_the_t_product(depth: int) -> None:
    A, B = RNG.normal(size=(4, 3, depth)), RNG.normal(size=(3, 5, depth))
    found = from_slices(to_slices(A) @ to_slices(B), depth)
    np.testing.assert_allclose(unfolded(found), block_circulant(A) @ unfolded(B), atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 5, 6])
def test_ranks_shrink_as_singular_values_of_the_block_circulant_matrix(depth: int) -> None:
    """With weights that are nearly 1: every singular value of a slice is the same."""
    A = np.zeros((4, 4, depth))
    A[:, :, 0] = np.linalg.qr(RNG.normal(size=(4, 4)))[0] * 3
    found = from_slices(shrink_ranks(to_slices(A), 1.0, 2), depth)
    U, sigma, Vh = np.linalg.svd(block_circulant(A))
    expected = (U * np.maximum(sigma - 1, 0)) @ Vh
    np.testing.assert_allclose(block_circulant(found), expected, atol=1e-9)


def test_the_weights_are_inverse_to_the_singular_values() -> None:
    sigma = np.array([8.0, 4.0, 2.0, 1.0])
    found = shrink_ranks(np.diag(sigma)[None].astype(complex), 0.5, 2)[0]
    weights = (4 + 1e-6) / (sigma + 1e-6)
    expected = np.maximum(sigma - 0.5 * weights, 0)
    assert expected[3] == 0 and expected[0] == pytest.approx(7.75)
    np.testing.assert_allclose(found, np.diag(expected), atol=1e-12)
    # Where there are fewer singular values than the pivot, the last one has the weight 1.
    assert shrink_ranks(np.array([[[3.0 + 0j]]]), 1.0, 5)[0, 0, 0] == pytest.approx(2)


def test_shrunk_tubes_meet_the_condition_of_a_minimum() -> None:
    """0 lies in the subgradient of amount · ‖x‖ + ½ ‖x − y‖²."""
    Y = RNG.normal(size=(6, 7, 3))
    Y[0, 0] = 0
    X = shrink_tubes(Y, 1.2)
    lengths = np.linalg.norm(X, axis=2)
    zero = lengths == 0
    assert zero.any() and not zero.all()
    assert (np.linalg.norm(Y[zero], axis=1) <= 1.2).all()
    slope = 1.2 * X[~zero] / lengths[~zero][:, None] + X[~zero] - Y[~zero]
    np.testing.assert_allclose(slope, 0, atol=1e-12)


def low_rank_and_spikes() -> tuple[np.ndarray, np.ndarray]:
    depth = 4
    L = from_slices(
        to_slices(RNG.normal(size=(20, 2, depth))) @ to_slices(RNG.normal(size=(2, 18, depth))),
        depth,
    )
    S = np.zeros_like(L)
    S[3, 5], S[11, 2] = 15, -15
    return L, L + S


def test_robust_pca_parts_a_low_rank_tensor_from_spikes() -> None:
    L, X = low_rank_and_spikes()
    found = robust_pca(X, 1 / np.sqrt(20), pivot=3, iterations=150)
    np.testing.assert_allclose(found.low_rank + found.sparse, X, atol=1e-3)
    np.testing.assert_allclose(found.low_rank, L, atol=0.3)
    tubes = np.linalg.norm(found.sparse, axis=2)
    assert set(np.argsort(tubes.reshape(-1))[-2:]) == {3 * 18 + 5, 11 * 18 + 2}


def test_a_representation_leaves_what_the_dictionary_cannot_say() -> None:
    L, X = low_rank_and_spikes()
    found = represent(X, L, 0.1, pivot=3, iterations=150)
    np.testing.assert_allclose(found.low_rank + found.sparse, X, atol=1e-3)
    tubes = np.linalg.norm(found.sparse, axis=2)
    assert set(np.argsort(tubes.reshape(-1))[-2:]) == {3 * 18 + 5, 11 * 18 + 2}
