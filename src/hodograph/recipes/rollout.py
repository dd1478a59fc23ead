"""Who answers the prompts an on-policy objective trains on."""

from typing import Annotated, Literal

from pydantic import Field

from hodograph.recipes.section import Section
from hodograph.recipes.tasks import Fraction

Behaviour = Literal["student", "teacher"]


class StudentRollout(Section):
    """The student answers: the objective is on-policy."""

    type: Literal["student"] = "student"
    behaviour: Literal["student"] = "student"


class _OffPolicy(Section):
    behaviour: Behaviour = "student"
    """Whose log-probabilities the ratio of the loss divides by.

    ``student`` keeps the ratio at 1, as if the student had sampled; ``teacher`` takes the true
    importance ratio p_student / p_teacher, clipped by the objective's ``eps_clip``.
    """


class TeacherRollout(_OffPolicy):
    """The teacher answers every prompt."""

    type: Literal["teacher"]


class MixtureRollout(_OffPolicy):
    """The teacher answers some of the prompts, the student the others."""

    type: Literal["mixture"]
    teacher_share: Fraction
    """Probability that a prompt's whole group is the teacher's."""


class FileRollout(_OffPolicy):
    """Completions were generated before."""

    type: Literal["file"]
    path: str = Field(min_length=1)
    """JSON Lines, or a folder saved by ``datasets``, with columns prompt and completion.

    A relative path is resolved against the recipe file.
    """


Rollout = Annotated[
    StudentRollout | TeacherRollout | MixtureRollout | FileRollout, Field(discriminator="type")
]
