"""One matrix along its training: its update, its early subspaces, and the lock so far.

M rows, N columns, K leading directions.
"""

from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor

from hodograph.diagnostics.lock import capture, counts, rounding_energy
from hodograph.diagnostics.path import Spent, displacement, similarity_size
from hodograph.diagnostics.size import size
from hodograph.diagnostics.spectrum import stable_rank
from hodograph.diagnostics.visibility import sparsity
from hodograph.linalg.factor import factor
from hodograph.linalg.subspaces import similarity
from hodograph.matrices.update import Update, stored_update
from hodograph.tables.lock import Verdict
from hodograph.tables.thresholds import LockThresholds

K = 16
Row = dict[str, Any]


@dataclass(frozen=True)
class Subspace:
    """The leading right singular vectors of an update D_t.

    Attributes:
        v_NK: orthonormal columns, in float64.
        rank: numerical rank of the update.
        side: shorter side of the matrix.
    """

    v_NK: Float[Tensor, "N K"]
    rank: int
    side: int

    def similarity(self, other: "Subspace") -> tuple[float, float]:
        """Sim_K with another subspace, and the K / n of random ones."""
        size = similarity_size(K, self.rank, other.rank, self.side)
        first_NK, second_NK = self.v_NK[:, :size], other.v_NK[:, :size]
        return similarity(first_NK, second_NK), size / len(self.v_NK)

    @property
    def basis_NK(self) -> Float[Tensor, "N K"]:
        """The directions in which later increments are looked for."""
        return self.v_NK[:, : similarity_size(K, self.rank, self.rank, self.side)]


@dataclass
class MatrixWalk:
    """What is remembered of one matrix: subspaces and numbers, never weights.

    Attributes:
        spectral: False for vectors and the like: size and visibility only.
        references: how many early subspaces are kept.
        thresholds: of the lock.
        early: subspace of D_s, by its step s.
        last: subspace of the update measured last, None where that was zero.
        last_step: step measured last.
        last_noise: rounding energy of the weights measured last, 0 before the first.
        captured: capture of every counted increment, by the early step.
    """

    spectral: bool
    references: int
    thresholds: LockThresholds
    early: dict[int, Subspace] = field(default_factory=dict)
    last: Subspace | None = None
    last_step: int = 0
    last_noise: float = 0.0
    captured: dict[int, list[float]] = field(default_factory=dict)

    def add(
        self, step: int, base_MN: Tensor, previous_MN: Tensor, tuned_MN: Tensor, spent: Spent
    ) -> Row:
        """Measure the matrix at the next step; columns are named as in measuring.

        Args:
            step: optimizer step.
            base_MN: W0 as stored.
            previous_MN: the weights measured last, as stored.
            tuned_MN: the weights now, as stored; finite, as the others are.
            spent: what the optimizer spent since W0.
        """
        update = stored_update(base_MN, tuned_MN)
        row: Row = sparsity(base_MN, tuned_MN) | size(update)
        row |= displacement(row["update_rms"], row["base_norm"], spent)
        return row | self._spectrum(step, update, previous_MN) if self.spectral else row

    @property
    def standing(self) -> tuple[Verdict, int | None]:
        """Whether the matrix is locked by now, and since which early step.

        Locked: every counted increment since an early step lies in its subspace, by the
        threshold of capture, and enough increments were counted.
        """
        enough = {s: c for s, c in self.captured.items() if len(c) >= self.thresholds.after}
        for step, captures in sorted(enough.items()):
            if min(captures) >= self.thresholds.capture:
                return "locked", step
        return ("not locked" if enough else "undetermined"), None

    def _spectrum(self, step: int, update: Update, previous_MN: Tensor) -> Row:
        noise = rounding_energy(update)
        row: Row = {"capture16": self._captures(update, previous_MN, noise + self.last_noise)}
        subspace = None
        if update.norm > 0:
            found = factor(update.difference_MN, K)
            v_NK = found.leading(K).v_NK.contiguous()
            subspace = Subspace(v_NK, found.numerical_rank, len(found.sigma_R))
            row |= {"stable_rank": stable_rank(found.sigma_R)} | self._similar(subspace)
            if len(self.early) < self.references:
                self.early[step] = subspace
        self.last, self.last_step, self.last_noise = subspace, step, noise
        return row

    def _similar(self, now: Subspace) -> Row:
        columns: Row = {"sim16": {s: early.similarity(now)[0] for s, early in self.early.items()}}
        if self.last is not None:
            columns["sim16_previous"], columns["sim16_chance"] = self.last.similarity(now)
        return columns

    def _captures(self, update: Update, previous_MN: Tensor, noise: float) -> dict[int, float]:
        """Capture of the last increment by every early subspace but the one it starts from."""
        rest_MN = (update.tuned_MN - previous_MN.float()).double()
        before = {s: early for s, early in self.early.items() if s < self.last_step}
        if not before or not bool(rest_MN.any()):
            return {}
        sigma_R = factor(rest_MN, 1).sigma_R
        energy = float(sigma_R.square().sum())
        share = energy / update.norm**2 if update.norm > 0 else None
        shares = {"rest_energy": share, "rest_over_noise": energy / noise}
        captured = {s: capture(rest_MN, sigma_R, early.basis_NK) for s, early in before.items()}
        for s, value in captured.items():
            if value is not None and counts({"capture16": value, **shares}, self.thresholds):
                self.captured.setdefault(s, []).append(value)
        return {s: value for s, value in captured.items() if value is not None}
