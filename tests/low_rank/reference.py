"""The low-rank step in the paper's orientation, for the tests.

Samples are columns, W is m × N, both multipliers Y1 and Y2 are kept and the nuclear norm takes an
SVD, so that references share neither layout nor algebra with the library.
"""

import numpy as np


def svd_shrinkage(M, threshold):
    U, s, Vt = np.linalg.svd(M, full_matrices=False)
    return (U * np.maximum(s - threshold, 0)) @ Vt


def shrink(R, threshold, loss):
    """Proximal operators one column or entry at a time, from their definitions."""
    out = np.zeros_like(R)
    if loss == "l21":
        for i in range(R.shape[1]):
            norm = np.linalg.norm(R[:, i])
            if norm > threshold:
                out[:, i] = (norm - threshold) / norm * R[:, i]
    elif loss == "l1":
        for index in np.ndindex(R.shape):
            out[index] = np.sign(R[index]) * max(abs(R[index]) - threshold, 0)
    else:
        out = R / (1 + threshold)
    return out


def loss_value(A, loss):
    if loss == "l21":
        return sum(np.linalg.norm(A[:, i]) for i in range(A.shape[1]))
    return np.abs(A).sum() if loss == "l1" else 0.5 * (A**2).sum()


def nuclear(M):
    return np.linalg.svd(M, compute_uv=False).sum()


def admm(H, D, lam, loss, order, mu=1e-3, rho=1.2, mu_max=1e10, tolerance=1e-8, limit=500):
    """Eqs. (15)-(20) for H = D W + A with H [l, N], D [l, m], from zeros."""
    m, n = D.shape[1], H.shape[1]
    W, J, Y2 = np.zeros((3, m, n))
    A, Y1 = np.zeros((2, *H.shape))
    objective, residuals = [], []

    def a_step(W):
        return shrink(H - D @ W + Y1 / mu, lam / mu, loss)  # (18), with its missing 1/2

    done = False
    while not done and len(objective) < limit:
        old = W, A, J
        J = svd_shrinkage(W + Y2 / mu, 1 / mu)  # (15)
        if order == "JAW":
            A = a_step(W)
        right = (D.T @ Y1 - Y2) / mu + D.T @ H - D.T @ A + J
        W = np.linalg.solve(D.T @ D + np.eye(m), right)  # (17)
        if order == "JWA":
            A = a_step(W)
        R1, R2 = H - D @ W - A, W - J
        Y1, Y2 = Y1 + mu * R1, Y2 + mu * R2  # (19), (20)
        mu = min(rho * mu, mu_max)
        objective.append(nuclear(J) + lam * loss_value(A, loss))
        residuals.append([np.linalg.norm(R1), np.linalg.norm(R2)])
        changes = [new - before for new, before in zip((W, A, J), old, strict=True)]
        done = max(np.abs(M).max() for M in (*changes, R1, R2)) < tolerance
    return A.T, W.T, Y1.T, len(objective), done, np.array(objective), np.array(residuals)


def problem(n=80, l=5, m=7, seed=0):
    """Samples near a low-rank combination of the atoms, with a few gross outliers."""
    rng = np.random.default_rng(seed)
    D = rng.normal(size=(m, l)) * rng.uniform(0.3, 3, size=(m, 1))
    W = rng.normal(size=(n, 2)) @ rng.normal(size=(2, m))
    X = W @ D + 0.05 * rng.normal(size=(n, l))
    X[:: n // 5 or 1] += 5 * rng.normal(size=(len(X[:: n // 5 or 1]), l))
    return X, D


def lam_for(loss):
    # Chosen so that some but not all of A is shrunk to zero; see the assertion that uses it.
    return {"l21": 0.05, "l1": 0.03, "frobenius": 0.02}[loss]
