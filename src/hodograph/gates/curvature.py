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
    Parts,
    Unit,
    errors_of,
    listening,
    only_errors,
    within_memory,
)
from hodograph.gates.policy import log_policy, of_labels, vocabulary_of
from hodograph.gates.samples import Samples
from hodograph.inputs.moments import find_sites, second_moments
from hodograph.inputs.tokens import Sequences
from hodograph.matrices.unfuse import Block
from hodograph.statistics.clusters import ratio_of_sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = dict[str, Any]
Key = tuple[str, str]  # parameter, module
DOUBLE, SINGLE = 8, 4


@dataclass
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
    for group in within_memory(units, lambda u: DOUBLE * u.cols**2 + 4 * SINGLE * u.entries):
        moments = _moments(model, group, samples)
        tuned = {_key(u, b): updates(u, b) for u in group for b in u.parameter.blocks}
        spent = _spent(model, group, tuned, moments, samples, temperature, draws, seed)
        tokens = draws * samples.answer_tokens
        for unit in group:
            for block in unit.parameter.blocks:
                key = _key(unit, block)
                found = _columns(block, tuned[key], spent[key], moments[unit.module], tokens)
                rows |= {(key, step): columns for step, columns in found.items()}
    return rows


def _moments(
    model: "PreTrainedModel", units: list[Unit], samples: Samples
) -> dict[str, Float[Tensor, "N N"]]:
    """C of each module, from the samples without filling."""
    batches = list(Sequences(samples.sequences(), 0).batches())
    sites = find_sites(model, sorted({unit.module for unit in units}), batches[0])
    sums = second_moments(model, sites, batches, lambda: None)
    return {module: sums[site] for site in sites for module in site.modules}


def _spent(
    model: "PreTrainedModel",
    units: list[Unit],
    tuned: Mapping[Key, Mapping[int, Tensor]],
    moments: Mapping[str, Tensor],
    samples: Samples,
    temperature: float,
    draws: int,
    seed: int,
) -> dict[Key, Spent]:
    generator = torch.Generator().manual_seed(seed)
    sums: dict[Key, list[Tensor]] = {}
    with listening(model, sorted({unit.module for unit in units})) as heard:
        for rows in samples.chunks(vocabulary_of(model)):
            logps_BTV = log_policy(model, samples.ids_NS[rows], temperature)
            for _ in range(draws):
                labels_BT = drawn_labels(logps_BTV, generator)
                score = (of_labels(logps_BTV, labels_BT) * samples.scored_NT[rows]).sum()
                parts = errors_of(score, units, heard)
                for unit in units:
                    for block in unit.parameter.blocks:
                        key, one = _key(unit, block), parts[unit.parameter.name].of(block)
                        along = _along(one, tuned[key], moments[unit.module])
                        sums.setdefault(key, []).append(along)
            for one in heard.values():
                one.inputs.clear()
                one.outputs.clear()
    return {key: _by_prompt(found, draws, samples) for key, found in sums.items()}


def drawn_labels(logps_BTV: Float[Tensor, "B T V"], generator: torch.Generator) -> Tensor:
    """One label a token, from the policy itself."""
    chances = logps_BTV.detach().exp().flatten(0, 1)
    labels = torch.multinomial(chances, 1, generator=generator)
    return labels.reshape(logps_BTV.shape[:2])


def _along(parts: Parts, updates: Mapping[int, Tensor], moment_NN: Tensor) -> Float[Tensor, "J2 B"]:
    """Squared gradients of each sample along the updates, then whole, then along the inputs."""
    x_BSN, e_BSM = parts.inputs_BSN, parts.errors_BSM
    found = [
        (e_BSM * (x_BSN @ update_MN.T.to(x_BSN))).sum((1, 2)).square()
        for update_MN in updates.values()
    ]
    alike_BSS = e_BSM @ e_BSM.transpose(1, 2)
    for turned_BSN in (x_BSN, x_BSN @ moment_NN.to(x_BSN)):
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


def _columns(
    block: Block, updates: Mapping[int, Tensor], spent: Spent, moment_NN: Tensor, tokens: int
) -> dict[int, Row]:
    """Columns of one matrix by step; the ratio to the isotropic curvature is one of sums."""
    isotropic_P = spent.whole_P / (block.rows * block.cols)
    inputs = float(spent.inputs_P.sum() / (block.rows * moment_NN.trace()))
    isotropic = float(isotropic_P.sum())
    rows: dict[int, Row] = {}
    for (step, update_MN), along_P in zip(updates.items(), spent.along_JP, strict=True):
        energy = float(update_MN.double().square().sum())
        rows[step] = {
            "curvature_isotropic": isotropic / tokens,
            "curvature_inputs": inputs / tokens,
        }
        if isotropic > 0:
            rows[step]["curvature_ratio_inputs"] = inputs / isotropic
        if energy > 0 and isotropic > 0:
            ratio = ratio_of_sums((along_P / energy).numpy(), isotropic_P.numpy())
            rows[step] |= {
                "curvature": float(along_P.sum()) / energy / tokens,
                "curvature_ratio": ratio.value,
                "curvature_ratio_se": ratio.se,
            }
    return rows


def _key(unit: Unit, block: Block) -> Key:
    return unit.parameter.name, block.module
