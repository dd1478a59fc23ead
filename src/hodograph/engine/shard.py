"""A share of the units of a measurement, for jobs that cannot talk to each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hodograph.errors import SettingsError
from hodograph.matrices.pairing import Parameter


@dataclass(frozen=True)
class Shard:
    """One of several shares, numbered from 1.

    Attributes:
        number: this one.
        of: how many there are.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise SettingsError(f"shard {self.number}/{self.of}: shards are 1/{self.of} to"
                                f" {self.of}/{self.of}, and there is at least one.")  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that `I/N` names.

        Raises:
            SettingsError: something else, or I is not among 1 to N.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None:
            raise SettingsError(f"--shard {text}: I/N was expected, as in 1/8 to 8/8.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def dealt(units: Sequence[Parameter], costs: Sequence[float], shards: int) -> list[list[Parameter]]:
    """Units of each shard: dearest first, each to the shard that has the least work so far.

    Equal arguments give equal shards on every machine. The dearest shard has at most 4/3 - 1/(3N)
    of the best possible (Graham, 1969).
    """
    loads, found = [0.0] * shards, [[] for _ in range(shards)]
    order = sorted(zip(costs, units, strict=True), key=lambda pair: (-pair[0], pair[1].name))
    for cost, unit in order:
        least = loads.index(min(loads))
        loads[least] += cost
        found[least].append(unit)
    return found
