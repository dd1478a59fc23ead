"""Arms of a study, and the W0 each starts from: arms from different W0 are not ranked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hodograph.report.read import Measurement, Run


@dataclass(frozen=True)
class Arm:
    """One arm of a study: its runs, one a seed, and the measurements of those measured."""

    name: str
    runs: tuple[Run, ...]
    measurements: dict[int, Measurement]

    @property
    def origins(self) -> dict[int, str]:
        """Digest of W0 by seed, from the measurement where the run does not name it."""
        return {
            run.seed: run.w0_digest or self.measurements[run.seed].summary.base.digest
            for run in self.runs
            if run.w0_digest or run.seed in self.measurements
        }

    def only(self, seed: int) -> Arm:
        """Return the arm reduced to one seed."""
        runs = tuple(run for run in self.runs if run.seed == seed)
        found = {seed: self.measurements[seed]} if seed in self.measurements else {}
        return Arm(self.name, runs, found)


@dataclass
class Origin:
    """Arms that share their W0 in every seed they share."""

    digests: dict[int, str]
    arms: list[Arm] = field(default_factory=list)

    def takes(self, arm: Arm) -> bool:
        """Say whether the arm shares a seed with this origin, and its W0 in all shared seeds."""
        shared = self.digests.keys() & arm.origins.keys()
        return bool(shared) and all(self.digests[seed] == arm.origins[seed] for seed in shared)

    @property
    def label(self) -> str:
        """The start in words: the student's name, and the short digest of each seed's W0."""
        names = sorted({run.student for arm in self.arms for run in arm.runs if run.student})
        ordered = sorted(self.digests.items())
        if len(ordered) == 1:
            digests = short(ordered[0][1])
        else:
            digests = ", ".join(f"{short(digest)} (seed {seed})" for seed, digest in ordered)
        return f"From {' / '.join(names) or 'unnamed'}, W0 {digests or 'unknown'}"


def short(digest: str) -> str:
    """Return the first eight hexadecimal digits of a digest."""
    return digest.split(":")[-1][:8]


def origins(arms: Sequence[Arm]) -> list[Origin]:
    """Group arms by the W0 they start from, in the order they come."""
    groups: list[Origin] = []
    for arm in arms:
        home = next((group for group in groups if group.takes(arm)), None)
        if home is None:
            home = Origin({})
            groups.append(home)
        home.digests |= arm.origins
        home.arms.append(arm)
    return groups
