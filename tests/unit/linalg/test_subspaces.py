import math

import pytest
import torch

from hodograph.linalg.subspaces import principal_angles, similarity

pytestmark = pytest.mark.usefixtures("way")


def turned(degrees, size=8):
    """Span of e1..ek against the same with each axis turned by the angle given, out of the span."""
    k = len(degrees)
    base = torch.eye(size, k, dtype=torch.float64)
    other = base.clone()
    for i, angle in enumerate(map(math.radians, degrees)):
        other[i, i], other[k + i, i] = math.cos(angle), math.sin(angle)
    return base, other


@pytest.mark.parametrize("angle", [1e-6, 1e-3, 0.5, 30.0, 44.999, 45.001, 60.0, 90.0])
def test_recovers_planted_angles(angle):
    base, other = turned([angle, angle / 2])
    expected = torch.tensor([angle / 2, angle], dtype=torch.float64)
    assert torch.allclose(principal_angles(base, other)[0], expected, rtol=1e-9, atol=1e-13)


def test_does_not_depend_on_the_basis_of_either_span():
    base, other = turned([3.0, 70.0, 0.01])
    mix = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    expected = torch.tensor([0.01, 3.0, 70.0], dtype=torch.float64)
    assert torch.allclose(principal_angles(base @ mix, other @ mix.T)[0], expected, rtol=1e-9)


def test_similarity_is_the_mean_squared_cosine():
    base, other = turned([0.0, 60.0])
    assert similarity(base, other) == pytest.approx((1 + 0.25) / 2, rel=1e-14)
    assert similarity(base, base) == pytest.approx(1.0, rel=1e-14)
