"""At which checkpoint a claim looks: the first, the last, or one of a step."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from hodograph.claims.evidence import AbsentError

Step = Literal["first", "last"] | Annotated[int, Field(ge=1)]


def until(table: pd.DataFrame, step: Step) -> pd.DataFrame:
    """A run's table up to a step, which is then its last.

    Raises:
        AbsentError: no checkpoint of that step.
    """
    if step == "last":
        return table
    end = table["step"].min() if step == "first" else step
    if not (table["step"] == end).any():
        raise AbsentError(f"no checkpoint at step {end}")
    return table[table["step"] <= end]
