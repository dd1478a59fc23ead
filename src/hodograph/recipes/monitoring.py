"""Which looks the monitor takes at the weights while a run trains."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from hodograph.recipes.section import Section


class Monitoring(Section):
    """The geometry of the update, in metrics.jsonl under ``geometry/``."""

    every: PositiveInt | None = None
    """Steps between two looks; 50 where ``steps`` lists none."""
    steps: tuple[PositiveInt, ...] = ()
    """Further steps to look after."""
    scope: Literal["linear", "attention", "all"] = "linear"
    layers: PositiveInt | tuple[NonNegativeInt, ...] | Literal["all"] = 4
    """How many layers, evenly spread; or their indices; or ``all``."""
    references: PositiveInt = 8
    """How many of the first looks later updates are compared with."""
    keep: Literal["memory", "disk"] = "memory"
    """Where W0 and the weights seen last are held."""
