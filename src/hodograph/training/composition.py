"""From a recipe's objective and interventions to the arguments of the on-policy trainer."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from hodograph.recipes import (
    FileRollout,
    MixObjective,
    MixtureRollout,
    OpdObjective,
    Recipe,
    RlvrObjective,
    SftObjective,
    StudentRollout,
)
from hodograph.tasks import Example, Task
from hodograph.training.data import spare_prompts
from hodograph.training.interventions.divergence import FullKl
from hodograph.training.interventions.resampling import Resampling
from hodograph.training.interventions.rollout import RolloutSource, SampledRollout, read_rollout
from hodograph.training.interventions.selection import TokenSelection
from hodograph.world import ALONE, World


def composition(
    recipe: Recipe, task: Task, examples: list[Example], world: World = ALONE
) -> dict[str, Any]:
    """Return what an on-policy recipe sets of the trainer; what it leaves out stays off."""
    objective = recipe.objective
    assert not isinstance(objective, SftObjective)
    options: dict[str, Any] = {"alpha": objective.teacher_weight}
    if isinstance(objective, OpdObjective):
        options |= _kl(recipe, objective)
    else:
        options |= _rewarded(recipe, objective, task, examples, world)
    if recipe.selection is not None:
        options["selection"] = TokenSelection(recipe.selection, recipe.seed)
    options["corrected"] = getattr(recipe.generation, "correction", None) != "none"
    options["true_ratio"] = recipe.rollout.behaviour == "teacher"
    return options


def open_rollout(
    recipe: Recipe, task: Task, tokenizer: PreTrainedTokenizerBase, world: World = ALONE
) -> RolloutSource | None:
    """Return who answers the prompts, or None for the student.

    Raises:
        SettingsError: a file of completions cannot be read, or does not fit the prompts.
    """
    source, group_size = recipe.rollout, recipe.batch.group_size
    if isinstance(source, StudentRollout):
        return None
    if isinstance(source, FileRollout):
        examples = task.training(recipe.seed, recipe.steps * recipe.batch.prompts)
        longest = recipe.sampling.max_completion_length
        return read_rollout(Path(source.path), examples, tokenizer, group_size, longest)
    share = source.teacher_share if isinstance(source, MixtureRollout) else 1.0
    return SampledRollout(share, group_size, recipe.seed, world)


def _kl(recipe: Recipe, objective: OpdObjective) -> dict[str, Any]:
    options: dict[str, Any] = {"zero_variance": "mask"}  # no reward counts, but no zero step either
    if objective.kl != "sampled":
        options["full_kl"] = FullKl(objective.kl, recipe.sampling.temperature)
    return options


def _rewarded(
    recipe: Recipe,
    objective: RlvrObjective | MixObjective,
    task: Task,
    examples: list[Example],
    world: World,
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "zero_variance": "keep" if objective.zero_variance == "keep" else "mask"
    }
    if objective.zero_variance == "resample":
        spare = spare_prompts(task, recipe.seed, examples)
        group_size = recipe.batch.group_size
        options["resampling"] = Resampling(spare, objective.max_tries, group_size, world)
    if isinstance(objective, MixObjective):
        options["normalise"] = objective.normalise == "batch"
    return options
