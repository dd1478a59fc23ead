"""The map of names: where a checkpoint calls a parameter otherwise than the base does."""

import re
from collections import Counter
from collections.abc import Sequence

from hodograph.checkpoints import Trajectory
from hodograph.matrices.pairing import Parameter

NOTHING = "(no prefix)"


def renamed(parameters: Sequence[Parameter], trajectory: Trajectory) -> list[str]:
    """One line for each way in which names differ, with the number of parameters.

    Layers and experts are written as N, and what two names share is left out.
    """
    lines = []
    for index, checkpoint in enumerate(trajectory.tuned):
        ways = Counter(
            _difference(unit.tuned_names[index], unit.name)
            for unit in parameters
            if unit.tuned_names[index] != unit.name
        )
        for (theirs, ours), count in ways.items():
            lines.append(f"{checkpoint.path}: {theirs} is {ours} in the base ({count} parameters)")
    return lines


def _difference(theirs: str, ours: str) -> tuple[str, str]:
    """The parts between what two names begin and end with alike."""
    first, second = (re.sub(r"\d+", "N", name).split(".") for name in (theirs, ours))
    while first and second and first[-1] == second[-1]:
        del first[-1], second[-1]
    while first and second and first[0] == second[0]:
        del first[0], second[0]
    return ".".join(first) or NOTHING, ".".join(second) or NOTHING
