"""Small matrices with planted gaps, and what 40-digit arithmetic makes of them.

Shared by the tests of the certificates and by benchmarks/accuracy.py.
"""

import functools
import math
from functools import partial
from unittest.mock import patch

import mpmath
import numpy as np
import torch
from scipy.linalg import hadamard

from hodograph.diagnostics.rotation import rotation
from hodograph.linalg.gram import EIGH, TRIDIAGONAL, by_gram
from hodograph.linalg.reference import by_svd

K = 5  # the gaps are between the fifth and the sixth singular value
DIGITS = 40


def few(matrix, vectors):
    """The Gram way as it is taken where few of the vectors are wanted."""
    with patch("hodograph.linalg.tridiagonal.MANY", 0):
        return by_gram(matrix, vectors, TRIDIAGONAL)


def probed(matrix, vectors):
    """The Gram way with all residuals but the last bounded together, as it is at many vectors."""
    with (
        patch("hodograph.linalg.residuals.EACH", 1),
        patch("hodograph.linalg.residuals.PROBES", 3),
    ):
        found = by_gram(matrix, vectors, TRIDIAGONAL)
    assert found.residuals.together == vectors - 1 or vectors == 1
    return found


METHODS = {
    "gram, few vectors": few,
    "gram, probed": probed,
    "gram, many": partial(by_gram, way=TRIDIAGONAL),
    "eigh": partial(by_gram, way=EIGH),
    "svd": by_svd,
}


def with_gap(gap, seed, size=14, k=K, ratio=30.0):
    """A matrix whose k-th and k+1-th singular values differ by `gap`."""
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.standard_normal((size, size)))[0] for _ in range(2))
    sigma = np.linspace(ratio, 1.0, size)
    sigma[k] = sigma[k - 1] - gap
    sigma[k + 1 :] = np.linspace(sigma[k] * 0.8, 1.0, size - k - 1)
    return torch.from_numpy(left * sigma @ right.T)


def moved(gap, kind):
    """A matrix, and the same after an update.

    The update of rank one is exact, and turns the span of the first five towards one direction:
    four angles of a side are zero. Their sines are made of rounding, and where a Gram matrix gives
    them, of the root of it.
    """
    if kind == "dense":
        base = with_gap(gap, seed=6)
        step = np.random.default_rng(6).standard_normal((14, 14))
        return base, base + 1e-4 * gap * torch.from_numpy(step)
    left = torch.from_numpy(hadamard(16) / 4.0)
    right = left.roll(3, dims=0)
    sigma = torch.tensor([30, 28, 26, 24, 22, 22, 16, 14, 12, 10, 8, 6, 5, 4, 3, 2.0]).double()
    sigma[5] -= 2.0 ** round(math.log2(gap))
    base = left * sigma @ right.T
    return base, base + 2.0**-7 * torch.outer(left[:, 15], right[:, :5].sum(dim=1))


def turned(method, gap, kind):
    """Columns of the rotation between the two matrices of `moved`, all of it by one method."""
    way = EIGH if method == "eigh" else TRIDIAGONAL
    with patch("hodograph.linalg.gram.way_for", lambda device: way):
        base, tuned = (METHODS[method](matrix, K) for matrix in moved(gap, kind))
        return rotation(base, tuned, K, exact=method == "svd")


def forty_digits(matrix, k):
    """Singular values, and the top-k right singular vectors as exact as 40 digits make them."""
    with mpmath.workdps(DIGITS):
        _, sigma, right_h = mpmath.svd_r(mpmath.matrix(matrix.tolist()))
        order = sorted(range(len(sigma)), key=lambda i: -sigma[i])
        values = [sigma[i] for i in order]
        vectors = [[right_h[i, j] for j in range(right_h.cols)] for i in order[:k]]
    return values, vectors


def largest_angle(vectors, computed_NK):
    """Largest principal angle to the exact subspace, in degrees, by 40-digit residuals."""
    with mpmath.workdps(DIGITS):
        exact = mpmath.matrix(vectors).T
        computed = mpmath.matrix(computed_NK.tolist())
        # orthonormalise what was computed, so that only the subspace is judged
        q, _ = mpmath.qr(computed, mode="skinny")
        sines = mpmath.svd_r(q - exact * (exact.T * q), compute_uv=False)
        return float(mpmath.degrees(mpmath.asin(min(max(sines), 1))))


def value_errors(sigma_R, matrix):
    """How far each computed singular value is from the true one."""
    values, _ = forty_digits(matrix, 1)
    with mpmath.workdps(DIGITS):
        pairs = zip(sigma_R.tolist(), values, strict=True)
        return [float(abs(mpmath.mpf(computed) - value)) for computed, value in pairs]


def exact_shift(base, tuned):
    """‖sigma(W1) - sigma(W0)‖, rounded once."""
    (before, _), (after, _) = forty_digits(base, 1), forty_digits(tuned, 1)
    with mpmath.workdps(DIGITS):
        pairs = zip(before, after, strict=True)
        return float(mpmath.sqrt(sum((b - a) ** 2 for b, a in pairs)))


@functools.cache
def exact_angles(gap, kind):
    """Principal angles in degrees, ascending, of each side of `moved`, by 40 digits."""
    sides = {"left": [], "right": []}
    with mpmath.workdps(DIGITS):
        for matrix in moved(gap, kind):
            u, sigma, right_h = mpmath.svd_r(mpmath.matrix(matrix.tolist()))
            order = sorted(range(len(sigma)), key=lambda i: -sigma[i])[:K]
            for side, vectors in (("left", u), ("right", right_h.T)):
                columns = [[vectors[row, i] for i in order] for row in range(vectors.rows)]
                sides[side].append(mpmath.matrix(columns))
        return {
            side: sorted(
                float(mpmath.degrees(mpmath.asin(sine)))
                for sine in mpmath.svd_r(after - before * (before.T * after), compute_uv=False)
            )
            for side, (before, after) in sides.items()
        }
