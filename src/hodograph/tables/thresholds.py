"""The constants of the lock's verdict, apart from it: workers need them, and no data frames."""

from dataclasses import dataclass

from hodograph.errors import SettingsError


@dataclass(frozen=True)
class LockThresholds:
    """The constants of the verdict; all are printed with it.

    Attributes:
        capture: capture that counts as inside the early subspace.
        share: share of the matrices that must be locked.
        after: counted checkpoints needed after t*.
        noise: energy of the rest of the way, in units of its rounding noise, from which on a
            checkpoint counts.
        energy: energy of the rest of the way, as a share of the whole update's, from which on a
            checkpoint counts.
        inputs: part of the early update's capture that a random update with the same inputs must
            reach, of the run's rest and of another such update, to explain a matrix's lock.
    """

    capture: float = 0.5
    share: float = 0.8
    after: int = 2
    noise: float = 4.0
    energy: float = 0.01
    inputs: float = 0.8

    def __post_init__(self) -> None:
        for name in ("capture", "share", "energy", "inputs"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingsError(
                    f"lock.{name} is {getattr(self, name)}; it must be above 0, and at most 1."
                )
        for name, least in (("after", 1), ("noise", 0)):
            if not getattr(self, name) >= least:
                raise SettingsError(
                    f"lock.{name} is {getattr(self, name)}; it must be at least {least}."
                )

    @property
    def checkpoints(self) -> int:
        """Checkpoints a trajectory needs: t*, those after it, and two that are only compared."""
        return self.after + 3
