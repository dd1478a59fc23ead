"""One checkpoint of a run: its divergences, its gradients and its visible changes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from hodograph.checkpoints import Trajectory
from hodograph.engine.worker import identity, seed_of
from hodograph.gates.anchor import kl_columns
from hodograph.gates.coefficients import Coefficients, coefficients, group_normalised
from hodograph.gates.gradients import gradient_rows
from hodograph.gates.matrices import Unit, located
from hodograph.gates.models import open_policy
from hodograph.gates.policy import sampled_log_probs
from hodograph.gates.run import Work
from hodograph.gates.samples import Samples, sample
from hodograph.gates.visible import visible_row
from hodograph.inputs.model import open_tokenizer
from hodograph.linalg.factor import factor
from hodograph.linalg.factors import Factors
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Row = dict[str, Any]


def checkpoint_rows(work: Work, step: int, on_stage: Callable[[str], None]) -> list[Row]:
    """Rows of every matrix at one checkpoint.

    Raises:
        CheckpointError: a model cannot be run.
        SettingsError: too few tokens are allowed.
    """
    run, settings = work.run, work.settings
    model = open_policy(run.checkpoints[step])
    samples = sample(model, open_tokenizer(run.checkpoints[step]), run.recipe, settings)
    on_stage(f"step {step}: samples")
    whole = _of_model(work, step, model, samples)
    weights = _coefficients(work, model, samples)
    on_stage(f"step {step}: divergences")
    units, _ = located(model, work.parameters, samples.ids_NS[:1])
    base = partial(_base_factors, work.trajectory, settings.k)
    gradients = gradient_rows(model, units, base, samples, weights, work.temperature)
    on_stage(f"step {step}: gradients")
    rows = []
    for parameter in work.parameters:
        for block in parameter.blocks:
            about = identity(parameter, block) | {"step": step}
            own = gradients.get((parameter.name, block.module), {})
            rows.append(about | whole | own | _visible(work, parameter, block, about))
    on_stage(f"step {step}: visible changes")
    return rows


def _of_model(work: Work, step: int, model: "PreTrainedModel", samples: Samples) -> Row:
    before = work.run.before(step)
    columns: Row = {
        "prompts": len(samples.ids_NS) // samples.group,
        "samples": len(samples.ids_NS),
        "tokens": samples.answer_tokens,
        "kl_step_length": step - before,
    }
    for name, other in (("kl_to_anchor", 0), ("kl_step", before)):
        policy = open_policy(work.run.checkpoints[other])
        columns |= kl_columns(name, model, policy, samples, work.temperature)
    if samples.rewards_N is not None:
        shared_N = group_normalised(samples.rewards_N, samples.group)
        columns["signal_shared"] = float((shared_N != 0).double().mean())
        columns["reward"] = float(samples.rewards_N.mean())
    return columns


def _coefficients(work: Work, model: "PreTrainedModel", samples: Samples) -> Coefficients:
    rewards_N, teacher = samples.rewards_N, work.run.teacher
    shared_N = None if rewards_N is None else group_normalised(rewards_N, samples.group).float()
    per_token_NT = None if teacher is None else _advantages(work, teacher, model, samples)
    settings = work.settings
    return coefficients(shared_N, per_token_NT, samples.scored_NT, settings.draws, settings.seed)


def _advantages(work: Work, teacher: Path, model: "PreTrainedModel", samples: Samples) -> Tensor:
    """-r_t: what the teacher's log-probability of each token has over the model's own."""
    theirs_NT = sampled_log_probs(open_policy(teacher), samples, work.temperature)
    return theirs_NT - sampled_log_probs(model, samples, work.temperature)


def _base_factors(trajectory: Trajectory, k: int, unit: Unit, block: Block) -> Factors:
    """W0's matrix with k principal directions, or half of its shorter side."""
    base_MN = block.of(trajectory.base.read(unit.parameter.name)).float()
    wanted = min(k, max(1, min(base_MN.shape) // 2))
    return factor(base_MN, wanted).leading(wanted)


def _visible(work: Work, parameter: Parameter, block: Block, about: Row) -> Row:
    trajectory, settings = work.trajectory, work.settings
    index = trajectory.steps.index(about["step"])
    tuned = trajectory.tuned[index].read(parameter.tuned_names[index])
    base = trajectory.base.read(parameter.name)
    seed = seed_of(about, settings.seed)
    return visible_row(block.of(base), block.of(tuned), settings.draws, seed)
