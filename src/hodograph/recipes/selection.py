"""Which tokens of a completion carry a signal."""

from typing import Annotated, Literal

from pydantic import Field

from hodograph.recipes.section import Section

Share = Annotated[float, Field(gt=0, le=1)]


class _Kept(Section):
    rho: Share
    """Share of each completion's tokens that is kept: round(rho T), and at least one."""
    compensate: bool = True
    """Scale what is kept by T / kept, so that a completion weighs as much as before."""


class RankedSelection(_Kept):
    """Keep the tokens that rank first.

    ``largest_gap`` and ``smallest_gap`` rank by the log-ratio r_t to the teacher, with its sign;
    ``entropy`` by the student's entropy, highest first; ``random`` by lot.
    """

    type: Literal["largest_gap", "smallest_gap", "entropy", "random"]


class PositionSelection(_Kept):
    """Keep the first or the last tokens."""

    type: Literal["position"]
    where: Literal["first", "last"] = "first"


Selection = Annotated[RankedSelection | PositionSelection, Field(discriminator="type")]
