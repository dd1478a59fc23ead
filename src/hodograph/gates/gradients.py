"""Gate II: the gradient of every matrix under each kind of coefficients, from one batch of samples.

B samples of one pass, S tokens, T predicted tokens, M rows, N columns, K principal directions.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from hodograph.diagnostics.spectrum import effective_rank
from hodograph.gates.coefficients import Coefficients
from hodograph.gates.matrices import (
    Key,
    Parts,
    Unit,
    gradient_parts,
    only_errors,
    passes,
    within_memory,
)
from hodograph.gates.policy import of_labels
from hodograph.gates.samples import Samples
from hodograph.linalg.factors import Factors
from hodograph.matrices.unfuse import Block

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = dict[str, Any]
DOUBLE = 8
RANDOM_TOKENS = "per_token_signs"


@dataclass
class Gradient:
    """Sums over the samples under one draw of coefficients.

    Attributes:
        whole_MN: G.
        covariance_NN: sum over samples of G_bᵀ G_b.
    """

    whole_MN: Float[Tensor, "M N"]
    covariance_NN: Float[Tensor, "N N"]

    def add(self, parts: Parts) -> None:
        """Add one pass: per sample G_bᵀ G_b = Xᵀ (E Eᵀ) X."""
        x_BSN, e_BSM = parts.inputs_BSN, parts.errors_BSM
        self.whole_MN += parts.gradient()
        turned_BSN = (e_BSM @ e_BSM.transpose(1, 2)) @ x_BSN
        self.covariance_NN += x_BSN.flatten(0, 1).T @ turned_BSN.flatten(0, 1)


@dataclass
class Passing:
    """Energy of a matrix's inputs and output errors, whole and on W0's principal directions."""

    base: Factors
    inside: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, name: str, vectors_BSN: Tensor, basis_NK: Tensor) -> None:
        """Add the energy of some vectors, those of filling set to 0."""
        vectors_BSN = vectors_BSN.double()
        self.inside[name] += float((vectors_BSN @ basis_NK).square().sum())
        self.inside[f"{name}_whole"] += float(vectors_BSN.square().sum())

    def share(self, name: str) -> float | None:
        """Share of the energy inside; None where there is none."""
        whole = self.inside[f"{name}_whole"]
        return self.inside[name] / whole if whole > 0 else None


def gradient_rows(
    model: "PreTrainedModel",
    units: list[Unit],
    base: Callable[[Unit, Block], Factors],
    samples: Samples,
    coefficients: Coefficients,
    temperature: float,
) -> dict[Key, Row]:
    """Ranks of the gradient of each matrix, and its energy on W0's principal directions.

    The gradient is that of the sum over tokens of coefficient x log-probability, as backpropagation
    gives it: a token's coefficient reaches the positions before it through attention.

    Args:
        model: W_t.
        units: whose matrices are asked for.
        base: factors of W0's matrix, with as many vectors as principal directions are wanted.
        samples: W_t's own.
        coefficients: draws of each kind.
        temperature: of the policy.

    Returns:
        Columns of hodograph.tables.gates by matrix.
    """
    only_errors(model)
    kept = sum(map(len, coefficients.values()))
    rows: dict[Key, Row] = {}
    for group in within_memory(units, lambda u: kept * DOUBLE * (u.cols**2 + u.entries)):
        factors = {key: base(unit, block) for unit in group for key, block in unit.matrices()}
        gradients, passing = _summed(model, group, factors, samples, coefficients, temperature)
        for key, found in gradients.items():
            rows[key] = _columns(found, passing[key])
    return rows


def _summed(
    model: "PreTrainedModel",
    units: list[Unit],
    factors: Mapping[Key, Factors],
    samples: Samples,
    coefficients: Coefficients,
    temperature: float,
) -> tuple[dict[Key, dict[str, list[Gradient]]], dict[Key, Passing]]:
    gradients = {
        key: {kind: [_empty(one) for _ in drawn] for kind, drawn in coefficients.items()}
        for key, one in factors.items()
    }
    passing = {key: Passing(one) for key, one in factors.items()}
    for rows, logps_BTV, heard in passes(model, units, samples, temperature):
        real_BS1 = samples.real_NS[rows][..., None]
        logps_BT = of_labels(logps_BTV, samples.ids_NS[rows][:, 1:])
        for kind, drawn in coefficients.items():
            for draw, weights_NT in enumerate(drawn):
                objective = (weights_NT[rows] * logps_BT).sum()
                for key, parts in gradient_parts(objective, units, heard):
                    gradients[key][kind][draw].add(parts)
                    if kind == RANDOM_TOKENS:
                        _pass_through(passing[key], parts, real_BS1, first=draw == 0)
    return gradients, passing


def _pass_through(passing: Passing, parts: Parts, real_BS1: Tensor, *, first: bool) -> None:
    passing.add("errors", parts.errors_BSM, passing.base.u_MK)
    if first:
        passing.add("inputs", parts.inputs_BSN * real_BS1, passing.base.v_NK)


def _empty(base: Factors) -> Gradient:
    rows, cols = len(base.u_MK), len(base.v_NK)
    double = torch.float64
    return Gradient(torch.zeros(rows, cols, dtype=double), torch.zeros(cols, cols, dtype=double))


def _columns(found: Mapping[str, list[Gradient]], passing: Passing) -> Row:
    (rows, k), cols = passing.base.u_MK.shape, len(passing.base.v_NK)
    row: Row = {
        "gradient_energy_k": k,
        "gradient_energy_right_isotropic": k / cols,
        "gradient_energy_left_isotropic": k / rows,
        "gradient_energy_right_inputs": passing.share("inputs"),
        "gradient_energy_left_errors": passing.share("errors"),
    }
    for kind, draws in found.items():
        each = [one for draw in draws if (one := gradient_numbers(draw, passing.base))]
        for name in each[0] if each else ():
            row[f"{name}_{kind}"] = sum(one[name] for one in each) / len(each)
    return row


def gradient_numbers(gradient: Gradient, base: Factors) -> dict[str, float]:
    """Effective ranks and principal energies of one gradient; nothing where it is zero."""
    whole_MN, covariance_NN = gradient.whole_MN, gradient.covariance_NN
    energy, trace = float(whole_MN.square().sum()), float(covariance_NN.trace())
    if energy == 0 or trace == 0:
        return {}
    spread_R = torch.linalg.eigvalsh(covariance_NN).flip(0).clamp(min=0).sqrt()
    u_MK, v_NK = base.u_MK, base.v_NK
    return {
        "gradient_effective_rank": effective_rank(torch.linalg.svdvals(whole_MN)),
        "covariance_effective_rank": effective_rank(spread_R),
        "gradient_energy_right": float((whole_MN @ v_NK).square().sum()) / energy,
        "gradient_energy_left": float((u_MK.T @ whole_MN).square().sum()) / energy,
        "covariance_energy_right": float(((v_NK.T @ covariance_NN) * v_NK.T).sum()) / trace,
    }
