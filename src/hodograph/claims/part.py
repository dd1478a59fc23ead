"""What every kind of test of a claim states and answers."""

from abc import ABC, abstractmethod

from hodograph.claims.evidence import AbsentError, Evidence
from hodograph.claims.finding import Check, Finding, reason, verdict
from hodograph.claims.row import PartRow
from hodograph.recipes.section import Section


class Part(Section, ABC):
    """One test of a claim with its arms and thresholds; each kind has its own `type`."""

    type: str

    @property
    @abstractmethod
    def arms_named(self) -> tuple[str, ...]:
        """The arms it is judged on, controls included."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What is tested."""

    @abstractmethod
    def examine(self, evidence: Evidence) -> Finding:
        """Judge the study.

        Raises:
            AbsentError: something it needs was not trained or measured.
        """

    def finding(self, evidence: Evidence) -> Finding:
        """As `examine`; what is missing makes it undetermined."""
        try:
            return self.examine(evidence)
        except AbsentError as absent:
            return Finding((Check(self.words, "undetermined", str(absent)),))

    def row(self, found: Finding) -> PartRow:
        """This part in the ledger."""
        return PartRow(
            part=self.words,
            type=self.type,
            verdict=verdict(found.checks),
            reason="; ".join([reason(found.checks), *found.notes]),
            ours=found.ours,
            interval=found.interval,
            null=found.null,
            numbers=found.numbers,
            nulls=found.nulls,
            declared=self.model_dump(mode="json"),
        )
