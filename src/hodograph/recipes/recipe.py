"""A recipe: everything that decides what a training run computes."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hodograph.recipes.models import Model, PathModel
from hodograph.recipes.monitoring import Monitoring
from hodograph.recipes.objectives import Objective, OpdObjective, SftObjective
from hodograph.recipes.schedule import Batch, Optimizer
from hodograph.recipes.section import Section
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

    name: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")]
    seed: NonNegativeInt = 0
    steps: PositiveInt
    student: Model
    teacher: PathModel | None = None
    """Who scores the student's tokens; for the objective ``opd`` alone."""
    objective: Objective
    task: Task
    batch: Batch
    optimizer: Optimizer
    sampling: Sampling = Sampling()
    save: Save = Save()
    evaluation: Evaluation | None = None
    stop: Stop | None = None
    monitor: Monitoring | None = None

    @model_validator(mode="after")
    def _teacher_iff_opd(self) -> "Recipe":
        if isinstance(self.objective, OpdObjective) and self.teacher is None:
            raise ValueError("objective.type 'opd' needs a [teacher] section")
        if self.teacher is not None and not isinstance(self.objective, OpdObjective):
            raise ValueError("a [teacher] section is only used by objective.type 'opd'; remove it")
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

    @property
    def on_policy(self) -> bool:
        """Whether the model trains on its own samples."""
        return not isinstance(self.objective, SftObjective)

    def as_json(self) -> dict[str, Any]:
        """Return the resolved recipe as JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Return a SHA-256 of the resolved recipe, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
