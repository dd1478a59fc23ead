"""Divergences and curvatures of a linear softmax policy, against their closed forms."""

import math

import pytest
import torch

from hodograph.gates.curvature import curvatures
from hodograph.gates.matrices import located
from hodograph.gates.policy import divergence, sampled_log_probs
from hodograph.gates.quadratic import isotropic, quadratic
from planted.policies import VOCABULARY, WIDTH, LinearPolicy, head_parameter, samples_of

TEMPERATURE = 0.8
KEY = (("head.weight", "q_proj"), 5)


def update(scale=1.0):
    generator = torch.Generator().manual_seed(3)
    return scale * torch.randn(VOCABULARY, WIDTH, generator=generator)


def positions(samples):
    """Token, next token, of every place whose next token is of a completion."""
    for ids, scored in zip(samples.ids_NS, samples.scored_NT, strict=True):
        yield from ((ids[s], ids[s + 1]) for s in range(len(scored)) if scored[s])


def chances(policy, token):
    logits = policy.head.weight.detach().double() @ policy.table.weight[token].detach().double()
    return (logits / TEMPERATURE).softmax(0)


def moved(scale):
    policy = LinearPolicy()
    with torch.no_grad():
        policy.head.weight.add_(update(scale))
    return policy


def test_divergence_is_the_sum_over_the_vocabulary():
    ours, theirs, samples = LinearPolicy(), moved(0.3), samples_of()
    expected = 0.0
    for token, _ in positions(samples):
        p, q = chances(ours, token), chances(theirs, token)
        expected += float((p * (p / q).log()).sum())
    found_N = divergence(ours, theirs, samples, TEMPERATURE)
    assert float(found_N.sum()) == pytest.approx(expected, rel=1e-5)
    assert float(divergence(ours, ours, samples, TEMPERATURE).abs().max()) == 0


def test_filling_changes_nothing():
    alone = samples_of(lengths=(4, 4))
    ours, theirs = LinearPolicy(), moved(0.3)
    longer = samples_of(lengths=(4, 4, 9, 9))
    assert torch.equal(longer.ids_NS[:2, :4], alone.ids_NS)
    expected_N = divergence(ours, theirs, alone, TEMPERATURE)
    found_N = divergence(ours, theirs, longer, TEMPERATURE)[:2]
    assert torch.allclose(found_N, expected_N, rtol=1e-6)


def test_log_probabilities_of_the_sampled_tokens_alone():
    policy, samples = LinearPolicy(), samples_of()
    found_NT = sampled_log_probs(policy, samples, TEMPERATURE)
    expected = [
        float(chances(policy, one)[following].log()) for one, following in positions(samples)
    ]
    assert found_NT[samples.scored_NT].tolist() == pytest.approx(expected, rel=1e-5)
    assert float(found_NT[~samples.scored_NT].abs().max()) == 0


def exact_form(policy, direction, samples):
    """Dᵀ F D a token: the variance of D x / temperature under the policy."""
    total, tokens = 0.0, 0
    for token, _ in positions(samples):
        p = chances(policy, token)
        slope = direction.double() @ policy.table.weight[token].detach().double() / TEMPERATURE
        total += float((p * slope.square()).sum() - (p * slope).sum().square())
        tokens += 1
    return total / tokens


def test_the_quadratic_form_is_the_variance_of_the_slopes():
    policy, samples, direction = LinearPolicy(), samples_of(), update()
    found = quadratic(policy, {"head.weight": direction}, samples, TEMPERATURE)
    assert found == pytest.approx(exact_form(policy, direction, samples) / 2, rel=1e-5)


def test_a_small_update_spends_what_the_quadratic_form_says():
    samples = samples_of()
    form = quadratic(LinearPolicy(), {"head.weight": update(0.02)}, samples, TEMPERATURE)
    kl = float(divergence(LinearPolicy(), moved(0.02), samples, TEMPERATURE).sum())
    assert kl / samples.answer_tokens == pytest.approx(form, rel=0.05)


def test_isotropic_updates_keep_the_norm_of_every_tensor():
    direction = {"a": torch.randn(3, 4), "b": torch.randn(5)}
    for name, drawn in isotropic(direction, 0).items():
        assert float(drawn.norm()) == pytest.approx(float(direction[name].norm()), rel=1e-5)
        assert not torch.equal(drawn, direction[name])


@pytest.fixture(scope="module")
def columns():
    """Curvatures from very many labels, so that they are near their expectation."""
    policy, samples = LinearPolicy(), samples_of()
    units, reasons = located(policy, [head_parameter()], samples.ids_NS[:1])
    assert reasons == {}
    updates = {5: update()}
    found = curvatures(policy, units, lambda unit, block: updates, samples, TEMPERATURE, 1000, 0)
    return found[KEY]


def test_curvature_along_the_update(columns):
    exact = exact_form(LinearPolicy(), update(), samples_of())
    expected = exact / float(update().square().sum())
    assert columns["curvature"] == pytest.approx(expected, rel=0.05)


def test_isotropic_curvature_is_the_trace(columns):
    policy, samples = LinearPolicy(), samples_of()
    traces = [
        float(
            (1 - chances(policy, t).square().sum()) * policy.table.weight[t].detach().square().sum()
        )
        for t, _ in positions(samples)
    ]
    expected = sum(traces) / len(traces) / TEMPERATURE**2 / (VOCABULARY * WIDTH)
    assert columns["curvature_isotropic"] == pytest.approx(expected, rel=0.05)
    ratio = columns["curvature"] / columns["curvature_isotropic"]
    assert columns["curvature_ratio"] == pytest.approx(ratio, rel=1e-5)


def test_curvature_of_random_updates_with_the_same_inputs(columns):
    """E over Z of Dᵀ F D, D = Z C^{1/2}: (1 - sum p²) xᵀ C x a token; E ‖D‖² = m tr C."""
    policy, samples = LinearPolicy(), samples_of()
    table = policy.table.weight.detach().double()
    inputs_TN = table[samples.ids_NS[samples.real_NS]]
    moment_NN = inputs_TN.T @ inputs_TN
    forms = [
        float((1 - chances(policy, t).square().sum()) * (table[t] @ moment_NN @ table[t]))
        for t, _ in positions(samples)
    ]
    expected = sum(forms) / len(forms) / TEMPERATURE**2 / (VOCABULARY * float(moment_NN.trace()))
    assert columns["curvature_inputs"] == pytest.approx(expected, rel=0.05)


def test_an_update_that_is_zero_has_no_curvature():
    policy, samples = LinearPolicy(), samples_of()
    units, _ = located(policy, [head_parameter()], samples.ids_NS[:1])
    still = {5: torch.zeros(VOCABULARY, WIDTH)}
    row = curvatures(policy, units, lambda unit, block: still, samples, TEMPERATURE, 2, 0)[KEY]
    assert "curvature_ratio" not in row
    assert math.isfinite(row["curvature_isotropic"])
