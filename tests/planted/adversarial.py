"""Matrices that are hard to factor, most of them of 40 to 90 a side.

Shared by the tests of factoring and by benchmarks/accuracy.py.
"""

import torch


def with_values(generator, sigma, rows=60):
    left, right = (
        torch.linalg.qr(torch.randn(side, len(sigma), generator=generator, dtype=torch.float64)).Q
        for side in (rows, len(sigma))
    )
    return (left * sigma) @ right.T


ADVERSARIAL = {
    "gaussian": lambda g: torch.randn(60, 40, generator=g, dtype=torch.float64),
    "wide": lambda g: torch.randn(40, 90, generator=g, dtype=torch.float64),
    "rank deficient": lambda g: (
        torch.randn(60, 5, generator=g, dtype=torch.float64)
        @ torch.randn(5, 40, generator=g, dtype=torch.float64)
    ),
    "repeated values": lambda g: (
        torch.linalg.qr(torch.randn(50, 40, generator=g, dtype=torch.float64)).Q
    ),
    "gap of 1e-10 at 8": lambda g: with_values(
        g,
        torch.tensor(
            [*range(20, 12, -1), 13 - 1e-10, *range(12, 0, -1), *[0.5] * 19], dtype=torch.float64
        ),
    ),
    "one outlier": lambda g: (
        torch.randn(60, 40, generator=g, dtype=torch.float64)
        + 1e9 * torch.ones(60, 40, dtype=torch.float64)
    ),
    "dead rows": lambda g: torch.cat(
        [torch.randn(30, 40, generator=g, dtype=torch.float64), torch.zeros(30, 40)]
    ),
    "subnormal": lambda g: (torch.randn(60, 40, generator=g) * 1e-40).double(),
    "huge": lambda g: torch.randn(60, 40, generator=g, dtype=torch.float64) * 1e30,
    "tiny": lambda g: torch.randn(60, 40, generator=g, dtype=torch.float64) * 1e-30,
}
