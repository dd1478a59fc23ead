"""Gate I from W0's side: its Fisher information along the updates, on its own samples."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from hodograph.checkpoints import Trajectory
from hodograph.engine.worker import identity
from hodograph.gates.curvature import curvatures
from hodograph.gates.matrices import Unit, located
from hodograph.gates.models import open_policy
from hodograph.gates.policy import divergence
from hodograph.gates.quadratic import isotropic, norm_of, quadratic, update_of
from hodograph.gates.run import Work
from hodograph.gates.samples import Samples, sample
from hodograph.inputs.model import open_tokenizer
from hodograph.matrices.unfuse import Block
from hodograph.statistics.clusters import ratio_of_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

Row = dict[str, Any]


def anchor_rows(work: Work, on_stage: "Callable[[str], None]") -> list[Row]:
    """Rows of every matrix and checkpoint with what W0's own policy says of the update.

    Raises:
        CheckpointError: a model cannot be run.
        SettingsError: too few tokens are allowed.
    """
    run, settings = work.run, work.settings
    base = open_policy(run.base)
    samples = sample(base, open_tokenizer(run.base), run.recipe, settings)
    on_stage("W0: samples")
    base.set_attn_implementation("eager")  # the fused kernels have no forward derivative
    of_step: dict[int, Row] = {}
    for step in run.steps:
        of_step[step] = _of_model(base, open_policy(run.checkpoints[step]), samples, work)
        on_stage(f"W0: step {step}")
    units, reasons = located(base, work.parameters, samples.ids_NS[:1])
    updates = partial(_updates, work.trajectory)
    found = curvatures(
        base, units, updates, samples, work.temperature, settings.draws, settings.seed
    )
    on_stage("W0: curvatures")
    rows = []
    for parameter in work.parameters:
        for block in parameter.blocks:
            about = identity(parameter, block) | {"reason": reasons.get(parameter.name)}
            for step, whole in of_step.items():
                own = found.get(((parameter.name, block.module), step), {})
                rows.append(about | {"step": step} | whole | own)
    return rows


def _of_model(
    base: "PreTrainedModel", tuned: "PreTrainedModel", samples: Samples, work: Work
) -> Row:
    """What the whole model's update spends, to second order and in full, beside its null."""
    temperature, settings = work.temperature, work.settings
    kl = kl_columns("kl_from_anchor", base, tuned, samples, temperature)
    update = update_of(base, tuned)
    drawn = [
        quadratic(base, isotropic(update, settings.seed + draw), samples, temperature)
        for draw in range(settings.draws)
    ]
    se = float(np.std(drawn, ddof=1) / len(drawn) ** 0.5) if len(drawn) > 1 else None
    return kl | {
        "quadratic": quadratic(base, update, samples, temperature),
        "quadratic_isotropic": float(np.mean(drawn)),
        "quadratic_isotropic_se": se,
        "relative_norm_model": norm_of(update) / norm_of(dict(base.named_parameters())),
    }


def kl_columns(
    name: str,
    model: "PreTrainedModel",
    other: "PreTrainedModel",
    samples: Samples,
    temperature: float,
) -> Row:
    """KL(model ‖ other) a token, with its standard error over prompts, as columns."""
    sums_P = samples.by_prompt(divergence(model, other, samples, temperature)).numpy()
    tokens_P = samples.by_prompt(samples.answer_NS.sum(dim=1).double()).numpy()
    found = ratio_of_sums(sums_P, tokens_P)
    return {name: found.value, f"{name}_se": found.se}


def _updates(trajectory: Trajectory, unit: Unit, block: Block) -> dict[int, Tensor]:
    parameter = unit.parameter
    base_MN = block.of(trajectory.base.read(parameter.name)).float()
    pairs = zip(trajectory.tuned, trajectory.steps, parameter.tuned_names, strict=True)
    updates = {}
    for checkpoint, step, name in pairs:
        updates[step] = block.of(checkpoint.read(name)).float() - base_MN
    return updates
