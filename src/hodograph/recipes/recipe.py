"""A recipe: everything that decides what a training run computes."""

import hashlib
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hodograph.recipes.adapter import Adapter, FrozenAAdapter
from hodograph.recipes.generation import Generation, TransformersGeneration
from hodograph.recipes.models import Model, PathModel, RandomModel, StoredModel
from hodograph.recipes.monitoring import Monitoring
from hodograph.recipes.objectives import MixObjective, Objective, OpdObjective, SftObjective
from hodograph.recipes.rollout import FileRollout, Rollout, StudentRollout
from hodograph.recipes.schedule import Batch, Optimizer
from hodograph.recipes.section import Name, Section, Seed
from hodograph.recipes.selection import Selection
from hodograph.recipes.subspace import Subspace
from hodograph.recipes.tasks import ChainMixtureTask, Fraction, Task

Steps = tuple[NonNegativeInt, ...]


class Sampling(Section):
    """How completions are drawn, in training and in evaluation."""

    temperature: PositiveFloat = 1.0
    max_completion_length: PositiveInt = 64


class Save(Section):
    """Which steps leave a checkpoint; step 0 and the last step always do."""

    steps: Steps = ()
    dtype: Literal["float32", "bfloat16"] = "float32"


class Evaluation(Section):
    """Accuracy on prompts that depend on ``seed`` here alone, never on the recipe's."""

    prompts: PositiveInt = 1024
    steps: Steps = ()
    """Steps to evaluate at; the last step always is."""
    seed: int = 7
    batch: PositiveInt = 512
    """Prompts answered at a time."""
    samples: PositiveInt = 1
    """Answers sampled to each prompt, for avg@k and pass@k."""
    pass_at: tuple[PositiveInt, ...] = ()
    """Each k of pass@k, at most ``samples``; by default ``samples`` itself."""

    @model_validator(mode="after")
    def _enough_samples(self) -> "Evaluation":
        if max(self.pass_at, default=0) > self.samples:
            raise ValueError(
                f"pass_at {max(self.pass_at)} needs as many samples, not {self.samples}"
            )
        return self


class Stop(Section):
    """End the run once greedy accuracy is reached; ``steps`` is the cap."""

    greedy_accuracy: Fraction
    every: PositiveInt = 25
    prompts: PositiveInt = 256


class Recipe(Section):
    """One training run.

    Two runs of equal recipes on one machine with one thread count give equal bytes.
    """

    name: Name
    seed: Seed = 0
    steps: PositiveInt
    student: Model
    teacher: StoredModel | None = None
    """Who scores the tokens, or samples them."""
    objective: Objective
    task: Task
    batch: Batch
    optimizer: Optimizer
    sampling: Sampling = Sampling()
    save: Save = Save()
    evaluation: Evaluation | None = None
    stop: Stop | None = None
    selection: Selection | None = None
    """Tokens that carry the signal; all of them when left out."""
    rollout: Rollout = StudentRollout()
    generation: Generation = TransformersGeneration()
    """The engine that samples completions."""
    monitor: Monitoring | None = None
    subspace: Subspace | None = None
    adapter: Adapter | None = None

    @model_validator(mode="after")
    def _interventions_are_on_policy(self) -> "Recipe":
        given = [name for name in ("selection", "rollout", "generation") if self._sets(name)]
        if given and not self.on_policy:
            raise ValueError(f"a [{given[0]}] section needs an on-policy objective, not 'sft'")
        return self

    @model_validator(mode="after")
    def _teacher_iff_used(self) -> "Recipe":
        users = self._teacher_users()
        if users and self.teacher is None:
            raise ValueError(f"{users[0]} needs a [teacher] section")
        if self.teacher is not None and not users:
            raise ValueError(
                "nothing uses the [teacher] section: objective.type 'opd' or 'mix', a rollout of"
                " the teacher or a selection by gap would; remove it"
            )
        return self

    @model_validator(mode="after")
    def _off_policy_fits_objective(self) -> "Recipe":
        objective = self.objective
        true_ratio = self.rollout.behaviour == "teacher"
        if true_ratio and getattr(objective, "kl", "sampled") != "sampled":
            raise ValueError(
                "rollout.behaviour 'teacher' is the ratio of a policy gradient: use it with"
                " objective.kl 'sampled'"
            )
        resamples = getattr(objective, "zero_variance", "mask") == "resample"
        if resamples and isinstance(self.rollout, FileRollout):
            raise ValueError(
                "objective.zero_variance 'resample' draws new prompts, which a file of"
                " completions does not answer: use 'mask' or 'keep'"
            )
        return self

    @model_validator(mode="after")
    def _generation_is_the_students(self) -> "Recipe":
        if self._sets("generation") and self._sets("rollout"):
            raise ValueError(
                f"generation.type {self.generation.type!r} samples from the student alone: a"
                " teacher's answers come from a file that any engine wrote (rollout.type 'file'),"
                " without [generation]"
            )
        return self

    @model_validator(mode="after")
    def _batch_fits_objective(self) -> "Recipe":
        if self.on_policy and self.batch.group_size < 2:
            raise ValueError("batch.group_size must be 2 or more for an on-policy objective")
        if self.batch.sequences % self.batch.accumulation:
            raise ValueError(
                f"batch.accumulation ({self.batch.accumulation}) does not divide the"
                f" {self.batch.sequences} sequences of a step"
            )
        return self

    @model_validator(mode="after")
    def _mixture_is_for_sft(self) -> "Recipe":
        if self.on_policy and isinstance(self.task, ChainMixtureTask):
            raise ValueError("task.type 'chain_mixture' has no reward: use it with 'sft'")
        return self

    @model_validator(mode="after")
    def _steps_within_run(self) -> "Recipe":
        sections = (self.save, self.evaluation, self.monitor)
        listed = [step for section in sections if section for step in section.steps]
        beyond = sorted({step for step in listed if step > self.steps})
        if beyond:
            raise ValueError(f"steps {beyond} are listed, but the run ends at step {self.steps}")
        return self

    @model_validator(mode="after")
    def _subspace_within_run(self) -> "Recipe":
        if self.subspace is None:
            return self
        if self.subspace.at_step >= self.steps:
            raise ValueError(
                f"subspace.at_step ({self.subspace.at_step}) leaves none of the {self.steps} steps"
            )
        if self.adapter is not None:
            raise ValueError("[subspace] and [adapter] exclude each other: remove one")
        return self

    @model_validator(mode="after")
    def _adapter_fits_its_weights(self) -> "Recipe":
        if self.adapter is None:
            return self
        if not isinstance(self.student, RandomModel) and self.student.round_to_bf16:
            raise ValueError(
                "an adapter is kept for the student's weights as they are stored: leave out"
                " student.round_to_bf16, and name a rounded checkpoint (step_0 of a run is one)"
            )
        if isinstance(self.adapter, FrozenAAdapter) and not isinstance(self.student, PathModel):
            raise ValueError(
                "adapter.type 'frozen_a' belongs to one checkpoint: student.type must be 'path'"
            )
        return self

    @property
    def on_policy(self) -> bool:
        """Whether the model trains on sampled completions, not on demonstrations."""
        return not isinstance(self.objective, SftObjective)

    def _sets(self, section: str) -> bool:
        return getattr(self, section) != type(self).model_fields[section].default

    def _teacher_users(self) -> list[str]:
        """Settings that need a teacher, in words."""
        gap = self.selection is not None and self.selection.type.endswith("_gap")
        behaviour = self.rollout.behaviour
        users = {
            f"objective.type {self.objective.type!r}": isinstance(
                self.objective, OpdObjective | MixObjective
            ),
            f"rollout.type {self.rollout.type!r}": self.rollout.type in ("teacher", "mixture"),
            f"rollout.behaviour {behaviour!r}": behaviour == "teacher",
            f"selection.type {getattr(self.selection, 'type', None)!r}": gap,
        }
        return [name for name, needed in users.items() if needed]

    def as_json(self) -> dict[str, Any]:
        """Return the resolved recipe as JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Return a SHA-256 of the resolved recipe, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
