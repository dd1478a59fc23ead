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


@pytest.mark.parametrize("largest", [0.5, 44.0, 46.0, 80.0, 89.0, 89.99, 89.99999, 90.0])
def test_the_bound_holds_up_to_a_right_angle(largest):
    angles = [largest, 1e-6, largest / 3, 1e-3]
    base, other = turned(angles, size=40)
    generator = torch.Generator().manual_seed(0)
    mixes = [torch.randn(n, n, generator=generator).double() for n in (40, 4, 4)]
    whole, one, two = (torch.linalg.qr(mix).Q for mix in mixes)
    found, bound = principal_angles(whole @ base @ one, whole @ other @ two)
    expected = torch.tensor(sorted(angles), dtype=torch.float64)
    assert float((found - expected).abs().max()) <= bound
    assert bound <= 2.1e-8  # the target, for sines and for what their slope makes of it


def test_does_not_depend_on_the_basis_of_either_span():
    base, other = turned([3.0, 70.0, 0.01])
    mix = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    expected = torch.tensor([0.01, 3.0, 70.0], dtype=torch.float64)
    assert torch.allclose(principal_angles(base @ mix, other @ mix.T)[0], expected, rtol=1e-9)


def test_similarity_is_the_mean_squared_cosine():
    base, other = turned([0.0, 60.0])
    assert similarity(base, other) == pytest.approx((1 + 0.25) / 2, rel=1e-14)
    assert similarity(base, base) == pytest.approx(1.0, rel=1e-14)
