"""The `[gates]` table of a study: which arms' gates are measured, and on how much."""

from typing import TYPE_CHECKING

from pydantic import NonNegativeInt, PositiveInt

from hodograph.errors import SettingsError
from hodograph.gates.settings import GatesSettings
from hodograph.recipes.section import Section

if TYPE_CHECKING:
    from hodograph.studies.plan import StudyRun

OF_GATES = GatesSettings()


class GatesSection(Section):
    """How the gates of arms are measured; the numbers are those of GatesSettings."""

    arms: tuple[str, ...] = ()
    """Arms looked at; empty for all."""
    teacher: str | None = None
    """Run of the same seed that scores tokens; by default each arm's own teacher."""
    prompts: PositiveInt = OF_GATES.prompts
    samples: PositiveInt = OF_GATES.samples
    tokens: PositiveInt = OF_GATES.tokens
    checkpoints: tuple[PositiveInt, ...] = OF_GATES.steps
    """Steps; empty for the first, the middle and the last."""
    draws: PositiveInt = OF_GATES.draws
    k: PositiveInt = OF_GATES.k
    seed: NonNegativeInt = OF_GATES.seed

    def settings(self) -> GatesSettings:
        """The settings of every arm.

        Raises:
            SettingsError: one of them is out of range.
        """
        named = self.model_dump(exclude={"arms", "teacher", "checkpoints"})
        return GatesSettings(**named, steps=self.checkpoints)

    def applies_to(self, run: "StudyRun") -> bool:
        """Whether the gates of a run are measured."""
        return run.role == "arm" and (not self.arms or run.name in self.arms)

    def teacher_of(self, run: "StudyRun", runs: list["StudyRun"]) -> "StudyRun | None":
        """The run that scores the tokens of another, or None for the other's own teacher.

        Raises:
            SettingsError: the study trains no such run for that seed.
        """
        if self.teacher is None:
            return None
        for one in runs:
            if one.name == self.teacher and one.seed == run.seed:
                return one
        raise SettingsError(
            f"[gates]: teacher = {self.teacher!r} names no run that this study trains for seed"
            f" {run.seed}.\n  Name a stage or an arm that its arms need."
        )
