"""Gate I, matrix by matrix: what the update spends of the divergence, and what others would.

To second order KL(W0 + D ‖ W0) = Dᵀ F D / 2, F the Fisher information. Labels v_t are drawn from
the policy itself at every token. The gradient G_b of their log-probability over sample b then has
mean zero and no correlation between tokens: Dᵀ F D = E <G_b, D>², tr F = E ‖G_b‖², summed over the
sample's tokens.

P prompts, B samples of one pass, S tokens, M rows, N columns, C second moment of the inputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

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
from hodograph.inputs.moments import find_sites, second_moments
from hodograph.inputs.tokens import Sequences
from hodograph.matrices.unfuse import Block
from hodograph.statistics.clusters import ratio_of_sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = dict[str, Any]
DOUBLE, SINGLE = 8, 4  # bytes
UPDATES = 4  # of each matrix, about; there are three by default


@dataclass(frozen=True)
class Matrix:
    """What curvatures are asked of.

    Attributes:
        updates: D by step; at least one.
        moment_NN: C, the second moment of its inputs.
    """

    updates: Mapping[int, Float[Tensor, "M N"]]
    moment_NN: Float[Tensor, "N N"]


@dataclass(frozen=True)
class Spent:
    """Sums over labels drawn, of each prompt: squared gradients along directions.

    Attributes:
        along_JP: <G_b, D_j>² for J updates.
        whole_P: ‖G_b‖².
        inputs_P: <G_b, Z C^{1/2}>², mean over Z.
    """

    along_JP: Float[Tensor, "J P"]
    whole_P: Float[Tensor, " P"]
    inputs_P: Float[Tensor, " P"]


def curvatures(
    model: "PreTrainedModel",
    units: list[Unit],
    updates: Callable[[Unit, Block], Mapping[int, Tensor]],
    samples: Samples,
    temperature: float,
    draws: int,
    seed: int,
) -> dict[tuple[Key, int], Row]:
    """Curvature of the policy's divergence along each matrix's update, beside two nulls.

    Args:
        model: W0.
        units: whose matrices are asked for.
        updates: D of one matrix by step.
        samples: W0's own.
        temperature: of the policy.
        draws: of labels.
        seed: of the labels.

    Returns:
        Columns of hodograph.tables.gates by matrix and step.
    """
    only_errors(model)
    rows: dict[tuple[Key, int], Row] = {}
    for group in within_memory(units, lambda u: DOUBLE * u.cols**2 + UPDATES * SINGLE * u.entries):
        matrices = {
            key: Matrix(updates(unit, block), moment)
            for unit, moment in zip(group, _moments(model, group, samples), strict=True)
            for key, block in unit.matrices()
        }
        spent = _spent(model, group, matrices, samples, temperature, draws, seed)
        for key, one in matrices.items():
            columns = _columns(one, spent[key], draws * samples.answer_tokens)
            rows |= {(key, step): found for step, found in columns.items()}
    return rows


def _moments(
    model: "PreTrainedModel", units: list[Unit], samples: Samples
) -> list[Float[Tensor, "N N"]]:
    """C of each unit's inputs, from the samples without filling."""
    batches = list(Sequences(samples.sequences(), 0).batches())
    sites = find_sites(model, sorted({unit.module for unit in units}), batches[0])
    sums = second_moments(model, sites, batches, lambda: None)
    of_module = {module: sums[site] for site in sites for module in site.modules}
    return [of_module[unit.module] for unit in units]


def _spent(
    model: "PreTrainedModel",
    units: list[Unit],
    matrices: Mapping[Key, Matrix],
    samples: Samples,
    temperature: float,
    draws: int,
    seed: int,
) -> dict[Key, Spent]:
    generator = torch.Generator().manual_seed(seed)
    sums: dict[Key, list[Tensor]] = {key: [] for key in matrices}
    for rows, logps_BTV, heard in passes(model, units, samples, temperature):
        for _ in range(draws):
            labels_BT = drawn_labels(logps_BTV, generator)
            score = (of_labels(logps_BTV, labels_BT) * samples.scored_NT[rows]).sum()
            for key, parts in gradient_parts(score, units, heard):
                sums[key].append(_along(parts, matrices[key]))
    return {key: _by_prompt(found, draws, samples) for key, found in sums.items()}


def drawn_labels(logps_BTV: Float[Tensor, "B T V"], generator: torch.Generator) -> Tensor:
    """One label a token, from the policy itself."""
    chances = logps_BTV.detach().exp().flatten(0, 1)
    labels = torch.multinomial(chances, 1, generator=generator)
    return labels.reshape(logps_BTV.shape[:2])


def _along(parts: Parts, matrix: Matrix) -> Float[Tensor, "J2 B"]:
    """Squared gradients of each sample along the updates, then whole, then along the inputs."""
    x_BSN, e_BSM = parts.inputs_BSN, parts.errors_BSM
    found = [
        (e_BSM * (x_BSN @ update_MN.T.to(x_BSN))).sum((1, 2)).square()
        for update_MN in matrix.updates.values()
    ]
    alike_BSS = e_BSM @ e_BSM.transpose(1, 2)
    for turned_BSN in (x_BSN, x_BSN @ matrix.moment_NN.to(x_BSN)):
        found.append((alike_BSS * (turned_BSN @ x_BSN.transpose(1, 2))).sum((1, 2)))
    return torch.stack(found).double()


def _by_prompt(found: list[Tensor], draws: int, samples: Samples) -> Spent:
    """Sums over draws; `found` has the draws of one chunk of samples side by side."""
    chunks = [
        torch.stack(found[start : start + draws]).sum(0) for start in range(0, len(found), draws)
    ]
    sums_JN = torch.cat(chunks, dim=1)
    sums_JP = torch.stack([samples.by_prompt(one_N) for one_N in sums_JN])
    return Spent(sums_JP[:-2], sums_JP[-2], sums_JP[-1])


def _columns(matrix: Matrix, spent: Spent, tokens: int) -> dict[int, Row]:
    """Columns of one matrix by step; the ratio to the isotropic curvature is one of sums."""
    rows, cols = next(iter(matrix.updates.values())).shape
    isotropic_P = spent.whole_P / (rows * cols)
    isotropic = float(isotropic_P.sum())
    inputs = float(spent.inputs_P.sum() / (rows * matrix.moment_NN.trace()))
    nulls: Row = {"curvature_isotropic": isotropic / tokens, "curvature_inputs": inputs / tokens}
    if isotropic > 0:
        nulls["curvature_ratio_inputs"] = inputs / isotropic
    found: dict[int, Row] = {}
    for (step, update_MN), along_P in zip(matrix.updates.items(), spent.along_JP, strict=True):
        energy = float(update_MN.double().square().sum())
        found[step] = dict(nulls)
        if energy > 0 and isotropic > 0:
            ratio = ratio_of_sums((along_P / energy).numpy(), isotropic_P.numpy())
            found[step] |= {
                "curvature": float(along_P.sum()) / energy / tokens,
                "curvature_ratio": ratio.value,
                "curvature_ratio_se": ratio.se,
            }
    return found
