"""Full-vocabulary divergences of planted distributions, and what the sampled form estimates."""

import math

import pytest
import torch

from hodograph.training.interventions.divergence import full_divergence
from hodograph.training.objectives import log_ratio

STUDENT = torch.tensor([[[0.5, 0.25, 0.25]]], dtype=torch.float64)
TEACHER = torch.tensor([[[0.25, 0.5, 0.25]]], dtype=torch.float64)


def test_divergences_of_planted_distributions() -> None:
    student, teacher = STUDENT.log(), TEACHER.log()
    expected = 0.25 * math.log(2)  # .5 log 2 - .25 log 2, the same both ways here
    for form in ("full_reverse", "full_forward"):
        assert full_divergence(student, teacher, form).item() == pytest.approx(expected, rel=1e-14)
    skewed = torch.tensor([[[0.8, 0.1, 0.1]]], dtype=torch.float64)
    reverse = 0.8 * math.log(3.2) + 0.1 * math.log(0.2) + 0.1 * math.log(0.4)
    forward = 0.25 * math.log(0.3125) + 0.5 * math.log(5) + 0.25 * math.log(2.5)
    assert full_divergence(skewed.log(), teacher, "full_reverse").item() == pytest.approx(reverse)
    assert full_divergence(skewed.log(), teacher, "full_forward").item() == pytest.approx(forward)


def test_equal_distributions_have_none_and_no_gradient() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    student = logits.log_softmax(-1)
    for form in ("full_reverse", "full_forward"):
        divergence = full_divergence(student, student.detach(), form)
        assert divergence.abs().max() < 1e-15
        (gradient,) = torch.autograd.grad(divergence.sum(), logits, retain_graph=True)
        assert gradient.abs().max() < 1e-15


def test_the_mean_of_the_sampled_gradient_is_that_of_the_full_reverse_divergence() -> None:
    """E_p[-(-r) grad log p] over the student's own tokens, summed exactly over the vocabulary."""
    logits = torch.tensor([0.3, -1.0, 0.7, 0.1], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([1.0, 0.0, -0.5, 0.2], dtype=torch.float64).log_softmax(-1)
    student = logits.log_softmax(-1)
    full = full_divergence(student[None, None], teacher[None, None], "full_reverse").sum()
    (expected,) = torch.autograd.grad(full, logits, retain_graph=True)
    gap = log_ratio(student[None].detach(), teacher[None], torch.ones(1, 4).double())[0]
    sampled = (student.exp().detach() * gap * student).sum()
    (mean,) = torch.autograd.grad(sampled, logits)
    torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-14)
