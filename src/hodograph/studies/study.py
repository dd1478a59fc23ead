"""A study: stages, arms and seeds in one file, each run stating only what differs."""

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from hodograph.claims.declared import Claim, resolved
from hodograph.engine.settings import Scope, Settings
from hodograph.errors import SettingsError
from hodograph.recipes.section import Name, Section, Seed
from hodograph.studies.gates import GatesSection
from hodograph.studies.inheritance import Tree, read_study
from hodograph.studies.questions import Question, check_questions
from hodograph.tables.thresholds import LockThresholds

LOCK = LockThresholds()


class LockSection(Section):
    """Constants of the lock's verdict, those of hodograph.tables.thresholds.LockThresholds."""

    capture: float = LOCK.capture
    share: float = LOCK.share
    after: int = LOCK.after
    noise: float = LOCK.noise
    energy: float = LOCK.energy
    inputs: float = LOCK.inputs


class MeasureSection(Section):
    """How every arm is measured; the fields are those of hodograph.engine.settings.Settings."""

    scope: Scope = "linear"
    also_bf16: bool = True
    angle_k: PositiveInt = 512
    mask_rank: PositiveInt = 64
    permutations: PositiveInt = 4
    seed: NonNegativeInt = 0
    lock: LockSection = LockSection()
    inputs: Literal["none", "run"] = "none"
    """"run": see what the layers' inputs explain, on the prompts of each run's own task."""
    input_tokens: PositiveInt = 4096
    input_draws: PositiveInt = 4

    def settings(self) -> Settings:
        """The settings of every arm's measurement.

        Raises:
            SettingsError: one of them is out of range.
        """
        named = self.model_dump(exclude={"lock", "inputs"})
        return Settings(**named, lock=LockThresholds(**self.lock.model_dump()))


class Study(Section):
    """Arms x seeds, and the stages they start from.

    `shared` is inherited by every run, `arm` by every arm; a run's own table is laid over them,
    and over that of the run it is `like`. A path of the form "@anchor" is that run of the same
    seed. An arm's `seeds` are those of the study it is trained for; a stage is trained for the
    seeds of the runs that need it. `questions` group the arms on the page.
    """

    name: Name
    description: str = ""
    notes: tuple[str, ...] = ()
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    measure: MeasureSection = MeasureSection()
    gates: GatesSection | None = None
    """Measure the gates of arms; not at all when left out."""
    shared: Tree = Field(default_factory=dict)
    arm: Tree = Field(default_factory=dict)
    stages: dict[str, Tree] = Field(default_factory=dict)
    arms: dict[str, Tree] = Field(min_length=1)
    claims: dict[str, Claim] = Field(default_factory=dict)
    questions: dict[Name, Question] = Field(default_factory=dict)

    @field_validator("claims", mode="before")
    @classmethod
    def _whole(cls, claims: Any) -> Any:
        return resolved(claims) if isinstance(claims, dict) else claims

    @model_validator(mode="after")
    def _known_arms(self) -> "Study":
        for name, claim in self.claims.items():
            if unknown := [arm for arm in claim.arms if arm not in self.arms]:
                known = ", ".join(self.arms)
                raise ValueError(f"claims.{name} names {unknown[0]!r}, which is none of {known}")
        return self

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is named twice")
        return seeds


def load_study(path: Path) -> Study:
    """Read and validate a study; its runs are validated when it is planned.

    Raises:
        SettingsError: no such file, not TOML, an unknown key, a wrong type, a setting out of
            range, or a name used twice.
    """
    try:
        study = Study.model_validate(read_study(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = ", ".join(["extends", *Study.model_fields])
        raise SettingsError(
            f"{path}: {key}: {first['msg'].lower()}.\n  A study has the keys {known}."
        ) from None
    study.measure.settings()  # what is out of range is an error before hours of training
    if study.gates is not None:
        study.gates.settings()
        if unknown := sorted(set(study.gates.arms) - set(study.arms)):
            known = ", ".join(study.arms)
            raise SettingsError(f"{path}: [gates]: {unknown[0]} is no arm of this study ({known}).")
    if both := sorted(set(study.stages) & set(study.arms)):
        raise SettingsError(f"{path}: {both[0]} is a stage and an arm; rename one of them.")
    check_questions(study.questions, study.arms, path)
    return study
