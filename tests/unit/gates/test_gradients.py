"""Gradients of gate II: rebuilt from errors and inputs, and their numbers on planted ones."""

import pytest
import torch

from hodograph.gates.coefficients import coefficients
from hodograph.gates.gradients import Gradient, gradient_numbers, gradient_rows
from hodograph.gates.matrices import Parts, gradient_parts, listening, located, only_errors
from hodograph.gates.policy import log_policy, of_labels
from hodograph.linalg.factor import factor
from hodograph.matrices.naming import role_of
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import blocks_of
from planted.policies import VOCABULARY, LinearPolicy, head_parameter, samples_of

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.train
KEY = ("head.weight", "q_proj")


def parameters_of(model):
    """Every projection of a model, as `pair` would give it."""
    found = []
    for name, weight in model.named_parameters():
        role, shape = role_of(name), tuple(weight.shape)
        if role.layer is not None and len(shape) == 2:
            blocks = blocks_of(name, shape, role, model.config.to_dict())
            found.append(Parameter(name, (name,), role, blocks, weight.numel()))
    return found


def qwen3():
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        head_dim=8, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
        max_position_embeddings=16, initializer_range=0.3,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config).eval()


def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_head=2, n_layer=2, n_positions=16,
        attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, initializer_range=0.3,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def weights_of(samples):
    generator = torch.Generator().manual_seed(5)
    drawn = torch.randn(samples.scored_NT.shape, generator=generator, dtype=torch.float64)
    return drawn * samples.scored_NT


def objective(model, samples, weights_NT, rows=slice(None)):
    logps_BTV = log_policy(model, samples.ids_NS[rows], 0.8)
    return (weights_NT[rows] * of_labels(logps_BTV, samples.ids_NS[rows][:, 1:])).sum()


@pytest.mark.parametrize("build", [qwen3, gpt2])
def test_parts_add_up_to_what_autograd_gives(build):
    """For q, k, v, o and the feed-forward matrices, fused and turned ones too."""
    model, samples = build().double(), samples_of()
    units, reasons = located(model, parameters_of(model), samples.ids_NS[:1])
    assert reasons == {}
    assert len(units) == len(parameters_of(model)) >= 8
    weights_NT = weights_of(samples)
    by_autograd = torch.autograd.grad(
        objective(model, samples, weights_NT),
        [model.get_parameter(unit.parameter.name) for unit in units],
    )
    only_errors(model)
    with listening(model, [unit.module for unit in units]) as heard:
        parts = dict(gradient_parts(objective(model, samples, weights_NT), units, heard))
    for unit, whole in zip(units, by_autograd, strict=True):
        for key, block in unit.matrices():
            rebuilt_MN = parts[key].gradient()
            assert torch.allclose(rebuilt_MN, block.of(whole), rtol=1e-6, atol=1e-6), block.module


def test_the_covariance_adds_up_the_gradients_of_samples():
    model, samples = qwen3().double(), samples_of()
    name = "model.layers.0.self_attn.k_proj.weight"
    weights_NT = weights_of(samples)
    expected_NN = 0.0
    for row in range(len(samples.ids_NS)):
        loss = objective(model, samples, weights_NT, slice(row, row + 1))
        (one_MN,) = torch.autograd.grad(loss, [model.get_parameter(name)])
        expected_NN = expected_NN + one_MN.T @ one_MN
    units, _ = located(model, parameters_of(model), samples.ids_NS[:1])
    (unit,) = (one for one in units if one.parameter.name == name)
    only_errors(model)
    with listening(model, [unit.module]) as heard:
        ((_, parts),) = gradient_parts(objective(model, samples, weights_NT), [unit], heard)
    found = Gradient(torch.zeros(8, 16).double(), torch.zeros(16, 16).double())
    found.add(parts)
    assert torch.allclose(found.covariance_NN, expected_NN, rtol=1e-6, atol=1e-9)


def rows_of(kinds, samples=None):
    policy, samples = LinearPolicy(), samples or samples_of()
    units, _ = located(policy, [head_parameter()], samples.ids_NS[:1])
    base = factor(policy.head.weight.detach(), 2).leading(2)
    return gradient_rows(policy, units, lambda unit, block: base, samples, kinds, 0.8)[KEY]


def kinds_of(samples):
    shared = torch.tensor([1.0, -1.0, 0.5, -0.5, 0.0, 0.0])
    ratios = torch.randn(samples.scored_NT.shape, generator=torch.Generator().manual_seed(2))
    return coefficients(shared, ratios, samples.scored_NT, 2, 0)


def test_one_coefficient_makes_a_gradient_of_effective_rank_one():
    samples = samples_of()
    alone = torch.zeros(samples.scored_NT.shape)
    alone[2, 2] = -3.0
    row = rows_of({"per_token": [alone]}, samples)
    assert row["gradient_effective_rank_per_token"] == pytest.approx(1, abs=1e-4)
    assert row["covariance_effective_rank_per_token"] == pytest.approx(1, abs=1e-4)
    assert "gradient_effective_rank_shared" not in row


@pytest.mark.parametrize("scale", [1e-6, 1e6, -1.0])
def test_scaling_all_coefficients_changes_nothing(scale):
    kinds = kinds_of(samples_of())
    scaled = {kind: [scale * one for one in draws] for kind, draws in kinds.items()}
    assert rows_of(scaled) == pytest.approx(rows_of(kinds), rel=1e-3)


def test_energies_lie_beside_their_references():
    samples = samples_of()
    row = rows_of(kinds_of(samples), samples)
    policy = LinearPolicy()
    inputs_TN = policy.table.weight.detach()[samples.ids_NS[samples.real_NS]].double()
    v_NK = factor(policy.head.weight.detach(), 2).leading(2).v_NK
    expected = float((inputs_TN @ v_NK).square().sum() / inputs_TN.square().sum())
    assert row["gradient_energy_right_inputs"] == pytest.approx(expected, rel=1e-5)
    assert row["gradient_energy_right_isotropic"] == 2 / 4
    assert row["gradient_energy_left_isotropic"] == pytest.approx(2 / VOCABULARY)
    assert 0 < row["gradient_energy_left_errors"] < 1


def test_many_passes_give_what_one_gives(monkeypatch):
    """Where memory holds one parameter at a time, and one sample a pass."""
    model, samples = qwen3(), samples_of()
    units, _ = located(model, parameters_of(model), samples.ids_NS[:1])
    base = {key: factor(block.of(model.get_parameter(key[0]).detach()), 2).leading(2)
            for unit in units for key, block in unit.matrices()}  # fmt: skip

    def rows():
        kinds = {"per_token": [weights_of(samples).float()]}
        return gradient_rows(
            model, units, lambda unit, block: base[unit.parameter.name, block.module], samples,
            kinds, 0.8,
        )  # fmt: skip

    expected = rows()
    monkeypatch.setattr("hodograph.gates.matrices.HELD", 1)
    monkeypatch.setattr("hodograph.gates.samples.AT_ONCE", 1)
    found = rows()
    assert set(found) == set(expected)
    for key, row in expected.items():
        known = {name: value for name, value in row.items() if value is not None}
        assert {n: found[key][n] for n in known} == pytest.approx(known, rel=1e-4)


def test_planted_gradients(planted):
    """Singular values 2, 2, 1 of energies 4, 4, 1; the first two directions are W0's own."""
    base = factor(planted([5.0, 4.0, 1e-6]), 2).leading(2)
    gradient_MN = planted([2.0, 2.0, 1.0])
    found = gradient_numbers(Gradient(gradient_MN, gradient_MN.T @ gradient_MN), base)
    shares = torch.tensor([4 / 9, 4 / 9, 1 / 9])
    rank = float(torch.exp(-(shares * shares.log()).sum()))
    assert found["gradient_effective_rank"] == pytest.approx(rank)
    assert found["covariance_effective_rank"] == pytest.approx(rank)
    for name in ("gradient_energy_right", "gradient_energy_left", "covariance_energy_right"):
        assert found[name] == pytest.approx(8 / 9, rel=1e-5)


def test_a_gradient_of_zero_has_no_numbers():
    base = factor(torch.randn(6, 4), 2).leading(2)
    assert gradient_numbers(Gradient(torch.zeros(6, 4), torch.zeros(4, 4)), base) == {}


def test_filling_has_no_part_in_a_gradient():
    x_BSN, e_BSM = torch.randn(1, 3, 4), torch.randn(1, 3, 2)
    e_BSM[:, 2] = 0  # filling gets no error
    cut = Parts(x_BSN[:, :2], e_BSM[:, :2])
    assert torch.allclose(Parts(x_BSN, e_BSM).gradient(), cut.gradient())


def test_rescaling_a_gated_layer_spends_no_divergence():
    """Why no bound on the update follows: F has exact zeros. W_up (1 + t), W_down / (1 + t)."""
    from hodograph.gates.quadratic import norm_of, quadratic

    model, samples = qwen3(), samples_of()
    model.set_attn_implementation("eager")
    up, down = (f"model.layers.0.mlp.{name}_proj.weight" for name in ("up", "down"))
    weights = {name: model.get_parameter(name).detach() for name in (up, down)}
    free = {up: weights[up], down: -weights[down]}
    bound = {up: weights[up], down: weights[down]}
    assert norm_of(free) == pytest.approx(norm_of(bound))
    spent = quadratic(model, bound, samples, 0.8)
    assert quadratic(model, free, samples, 0.8) < 1e-9 * spent
