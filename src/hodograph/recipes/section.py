"""The base of every part of a recipe, and what several parts are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
"""Names a folder; never one above it, nor a hidden one."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every generator that a run seeds can take."""


class Section(BaseModel):
    """An immutable part of a recipe; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
