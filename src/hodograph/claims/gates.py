"""The three gates of an arm, each measured against its bound."""

from typing import Annotated, Literal

from pydantic import Field

from hodograph.claims.evidence import Evidence
from hodograph.claims.finding import Finding
from hodograph.claims.part import Part


class Gates(Part):
    """Placeholder until the gates are looked at."""

    type: Literal["gates"] = "gates"
    arms: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def arms_named(self) -> tuple[str, ...]:
        """The arms."""
        return self.arms

    @property
    def words(self) -> str:
        """Which gates."""
        return f"three gates of {', '.join(self.arms)}"

    def examine(self, evidence: Evidence) -> Finding:
        """Judge each gate of each arm."""
        found = {arm: evidence.gates(arm) for arm in self.arms}
        raise AssertionError(found)
