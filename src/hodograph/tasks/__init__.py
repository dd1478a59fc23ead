"""What models are asked: prompts, demonstrations and verifiers, each a function of a seed."""

from hodograph.recipes import ChainMixtureTask, ChainTask, DatasetTask, ReasoningGymTask
from hodograph.recipes import Task as TaskSettings
from hodograph.tasks.chain import ChainProblems
from hodograph.tasks.mixture import ChainMixture
from hodograph.tasks.task import Completion, Example, Task

__all__ = ["Completion", "Example", "Task", "open_task"]


def open_task(settings: TaskSettings) -> Task:
    """Return the task that a recipe's settings describe.

    Raises:
        SettingsError: reasoning-gym has no such data set or refuses its settings, or a file of
            prompts and answers cannot be read as such.
    """
    match settings:
        case ChainTask():
            return ChainProblems(settings)
        case ChainMixtureTask():
            return ChainMixture(settings)
        case ReasoningGymTask():
            from hodograph.tasks.gym import GymProblems  # imports every data set: about a second

            return GymProblems(settings)
        case DatasetTask():
            from hodograph.tasks.dataset import DatasetProblems  # math-verify imports sympy

            return DatasetProblems(settings)
