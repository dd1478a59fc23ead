"""A matrix whose principal subspace the fast way cannot vouch for, and a full SVD can."""

import torch
from scipy.linalg import hadamard


def narrow_at_eight():
    """16 x 16, exact in float32: the gap at 8 is narrow, and so far below sigma_1 that squaring
    loses it; nothing is narrow at 16.
    """
    turn = torch.from_numpy(hadamard(16)).double()
    small = 1024 - torch.tensor([0, 1, *range(20, 160, 20)])
    sigma = torch.cat([torch.arange(64, 8, -8) * 8192, small]).double() / 8192
    return (turn * sigma @ turn.T / 16).float()
