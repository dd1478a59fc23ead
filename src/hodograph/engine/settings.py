"""What a measurement is asked to do; every default is printed with the result."""

import math
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Literal, get_args

from hodograph.diagnostics.inputs import LEAST_DRAWS
from hodograph.errors import SettingsError
from hodograph.matrices.pairing import Scope, Unpaired
from hodograph.tables.thresholds import LockThresholds

Nonfinite = Literal["error", "skip"]
Only = Literal["everything", "sparsity"]
DEVICE = r"cpu|cuda(:\d+)?"


CHOICES = {
    name: get_args(choices)
    for name, choices in (
        ("scope", Scope), ("only", Only), ("unpaired", Unpaired), ("nonfinite", Nonfinite),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Settings of one measurement.

    Attributes:
        scope: "linear" (q, k, v, o, gate, up, down), "attention" (q, k, v, o) or "all".
        only: "sparsity" counts visible changes and nothing else, at the speed of reading.
        also_bf16: add rows of what bfloat16 storage would show.
        angle_k: largest dimension of the principal subspaces; at most half of a side is used.
        mask_rank: rank of W0's part that the principal mask is cut from.
        similarity_k: K of Sim_K.
        permutations: draws of the within-matrix permutation null.
        exact: factor every matrix by a full SVD, the reference.
        device: where matrices are factored and subspaces compared: "cpu", "cuda" or "cuda:1".
        seed: of the permutations and the bootstrap.
        unpaired: "error" or "skip" tensors that are not in every checkpoint.
        nonfinite: "error" or "skip" the spectra of matrices with NaN or infinity.
        learning_rate: constant learning rate of the run, where no checkpoint records its own.
        lock: constants of the lock's verdict.
        input_tokens: most tokens whose inputs are looked at, where inputs are.
        input_draws: random updates with these inputs.
        dequantise: read FP8 weights as codes times scales.
    """

    scope: Scope = "linear"
    only: Only = "everything"
    also_bf16: bool = False
    angle_k: int = 512
    mask_rank: int = 64
    similarity_k: int = 16
    permutations: int = 4
    exact: bool = False
    device: str = "cpu"
    seed: int = 0
    unpaired: Unpaired = "error"
    nonfinite: Nonfinite = "error"
    learning_rate: float | None = None
    lock: LockThresholds = field(default_factory=LockThresholds)
    input_tokens: int = 4096
    input_draws: int = 4
    dequantise: bool = False

    def __post_init__(self) -> None:
        _check(self, "angle_k", "mask_rank", "similarity_k", "permutations", "input_tokens")
        if self.input_draws < LEAST_DRAWS:
            raise SettingsError(
                f"input_draws is {self.input_draws}; it must be at least {LEAST_DRAWS}."
            )
        rate = self.learning_rate
        if rate is not None and not (rate > 0 and math.isfinite(rate)):
            raise SettingsError(f"learning_rate is {rate}; it must be positive and finite.")

    def accepts(self, nonfinite: int) -> bool:
        """Whether rows with this many NaN or infinite weights may stand in the result."""
        return self.nonfinite == "skip" or nonfinite == 0

    def printed(self) -> dict[str, object]:
        """Every setting by name, for the record."""
        return asdict(self)


@dataclass(frozen=True)
class PairSettings:
    """Settings of one comparison of two runs.

    Attributes:
        scope: as in `Settings`.
        angle_k: largest dimension of the principal subspaces; at most half of a side is used.
        similarity_k: K of Sim_K.
        exact: factor every matrix by a full SVD, the reference.
        device: as in `Settings`.
        seed: of the bootstrap and of the permutations over layers.
        unpaired: "error" or "skip" tensors that are not in all three checkpoints.
        nonfinite: "error" or "skip" matrices with NaN or infinity.
        dequantise: as in `Settings`.
    """

    scope: Scope = "linear"
    angle_k: int = 512
    similarity_k: int = 16
    exact: bool = False
    device: str = "cpu"
    seed: int = 0
    unpaired: Unpaired = "error"
    nonfinite: Nonfinite = "error"
    dequantise: bool = False

    def __post_init__(self) -> None:
        _check(self, "angle_k", "similarity_k")

    def accepts(self, nonfinite: int) -> bool:
        """Whether rows with this many NaN or infinite weights may stand in the result."""
        return self.nonfinite == "skip" or nonfinite == 0

    def printed(self) -> dict[str, object]:
        """Every setting by name, for the record."""
        return asdict(self)


def _check(settings: Settings | PairSettings, *counts: str) -> None:
    for one in fields(settings):
        value, choices = getattr(settings, one.name), CHOICES.get(one.name)
        if choices and value not in choices:
            raise SettingsError(f"{one.name} is {value!r}; it is one of {', '.join(choices)}.")
    if settings.seed < 0:
        raise SettingsError(f"seed is {settings.seed}; it must not be negative.")
    if not re.fullmatch(DEVICE, settings.device):
        raise SettingsError(f"device is {settings.device!r}; it is cpu, cuda or, say, cuda:1.")
    for name in counts:
        if getattr(settings, name) < 1:
            raise SettingsError(f"{name} is {getattr(settings, name)}; it must be at least 1.")
