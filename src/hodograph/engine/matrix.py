"""One matrix along its trajectory, as one storage shows it: W0 factored once, the path so far.

M rows, N columns.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from hodograph.checkpoints import Product
from hodograph.diagnostics.energy import principal_energy
from hodograph.diagnostics.inputs import InputNull, beside_inputs
from hodograph.diagnostics.lock import lock_step
from hodograph.diagnostics.path import TopVectors, shared_size, similarity_to_end
from hodograph.diagnostics.rotation import ill_defined, principal_size, rotation
from hodograph.diagnostics.rotation_null import (
    IsotropicTurn,
    isotropic_means,
    isotropic_turn,
)
from hodograph.diagnostics.shift import spectral_shift
from hodograph.diagnostics.size import size
from hodograph.diagnostics.spectrum import resolution, update_spectrum
from hodograph.engine.ahead import Ahead
from hodograph.engine.asking import Task, change_factored
from hodograph.engine.settings import Settings
from hodograph.linalg.certificates import misses_target, shift_error, subspace_error
from hodograph.linalg.compared import believed, tuned_wanted
from hodograph.linalg.factors import Factors
from hodograph.matrices.update import Update, product_between

Row = dict[str, Any]


@dataclass
class MatrixPath:
    """Rows of one matrix in one storage, one a checkpoint.

    Attributes:
        settings: of the measurement.
        base: W0's factors, or None where only size and visibility are measured.
        seed: of the draws behind the null of the angles.
        ahead: compares with what comes after; None where W_T is not finite or has no spectrum.
        inputs: what the layers' inputs say, where they are known.
    """

    settings: Settings
    base: Factors | None
    seed: int
    ahead: Ahead | None = None
    inputs: InputNull | None = None
    _rows: list[Row] = field(default_factory=list)
    _tops: list[TopVectors | None] = field(default_factory=list)
    _reached_MN: Tensor | None = None
    _reached_product: Product | None = None
    _step_MN: Tensor | None = None
    _length: float = 0.0

    def add(self, update: Update, seen: Row) -> Task[None]:
        """Measure the next checkpoint's update.

        Args:
            update: as this path's storage shows it; finite.
            seen: columns that do not depend on the storage: identity, visibility, landing.
        """
        flags = _flags(update, seen)
        row = seen | {"storage": update.storage, "flags": flags} | size(update)
        row |= self._walked(update)
        top = None
        if self.base is not None and update.norm > 0:
            columns, top = yield from self._spectral(update, self.base, seen)
            if columns.pop("ill_defined"):
                flags.append("ill_defined")
            if misses_target(columns.get("certificate_angles"), columns["certificate_spectrum"]):
                flags.append("uncertified")
            row |= columns
        if self.ahead is not None and self._step_MN is not None:
            step_product = product_between(update.product, self._reached_product)
            before, here = yield from self.ahead.add(update, top, self._step_MN, step_product)
            if self._rows:
                self._rows[-1] |= before
            row |= here
        self._rows.append(row)
        self._tops.append(top)
        self._reached_MN, self._reached_product = update.tuned_MN, update.product

    def rows(self) -> list[Row]:
        """Every row, with the similarity of each update to the last one, and t*."""
        start = lock_step(self._rows, self.settings.lock)
        similar = similarity_to_end(self._tops, self.settings.similarity_k)
        for row, columns in zip(self._rows, similar, strict=True):
            row |= columns | {"lock_step": start}
            if columns and columns["sim16_k"] != self.settings.similarity_k:
                row["flags"].append("lowered_k")
        return self._rows

    def _spectral(self, update: Update, base: Factors, seen: Row) -> Task[tuple[Row, TopVectors]]:
        rows, cols = update.base_MN.shape
        k = principal_size(rows, cols, self.settings.angle_k)
        base, tuned = yield from self._compared(update, base, max(k, 1))
        wanted = self.settings.similarity_k
        change = yield from change_factored(
            update.difference_MN, update.product, wanted, exact=self.settings.exact
        )
        top = TopVectors(change, change.numerical_rank)
        columns: Row = _certified(base, tuned, top, self.settings.similarity_k)
        columns["ill_defined"] = ill_defined(base, k, float(change.sigma_R[0]))
        columns |= rotation(base, tuned, k, exact=self.settings.exact)
        columns |= isotropic_means(self._turn, update.norm / (rows * cols) ** 0.5)
        relative = update.norm / float(base.sigma_R.norm()) if base.sigma_R[0] > 0 else None
        columns |= spectral_shift(base.sigma_R, tuned.sigma_R, relative, max(rows, cols))
        if base.sigma_R[0] > 0:
            columns |= principal_energy(update.difference_MN, base, k)
        columns |= update_spectrum(change.sigma_R, top.rank)
        columns |= resolution(update, change.sigma_R, seen["density"])
        if self.inputs is not None and top.rank > 0:
            size = shared_size(top, top, self.settings.similarity_k)
            columns |= beside_inputs(self.inputs, update.difference_MN, change.v_NK[:, :size])
        return columns, top

    @cached_property
    def _turn(self) -> IsotropicTurn | None:
        """What an isotropic update would do to W0's subspaces: drawn once for all checkpoints."""
        if self.base is None:
            return None
        rows, cols = len(self.base.u_MK), len(self.base.v_NK)
        k = principal_size(rows, cols, self.settings.angle_k)
        return isotropic_turn(self.base, rows, cols, k, self.seed)

    def _compared(self, update: Update, base: Factors, k: int) -> Task[tuple[Factors, Factors]]:
        """Factors of W0 and W1, both by the reference where the shift between them needs it.

        Two spectra are compared by one method: their errors are then alike.
        """
        tuned = yield tuned_wanted(base, update.tuned_MN, k, exact=self.settings.exact)
        base, tuned = believed(base, update.base_MN, tuned, update.tuned_MN, k)
        self.base = base
        return base, tuned

    def _walked(self, update: Update) -> Row:
        """Length of the path through the checkpoints so far, and the turn it just took."""
        if self._reached_MN is None:
            step_MN, step_norm = update.difference_MN, update.norm
        else:
            step_MN = (update.tuned_MN - self._reached_MN).double()
            step_norm = float(torch.linalg.vector_norm(step_MN))
        self._length += step_norm
        columns: Row = {"path_length": self._length}
        if self._length > 0:
            columns["straightness"] = update.norm / self._length
        if self._step_MN is not None:
            norms = step_norm * float(torch.linalg.vector_norm(self._step_MN))
            if norms > 0:
                columns["step_cosine"] = float((step_MN * self._step_MN).sum()) / norms
        self._step_MN = step_MN
        return columns


def _certified(base: Factors, tuned: Factors, top: TopVectors, kept: int) -> Row:
    """How the numbers were computed, and bounds on the errors of the update's and of the shift."""
    methods = {base.method, tuned.method, top.factors.method}
    columns: Row = {"method": "+".join(sorted(methods))}
    size = min(kept, top.rank)
    if size >= 1:
        columns["certificate_similarity"] = subspace_error(top.factors, size)
    columns["certificate_spectrum"] = shift_error(base, tuned)
    return columns


def _flags(update: Update, seen: Row) -> list[str]:
    if update.norm == 0:
        return ["no_update"]
    return ["sub_ulp"] if seen["density"] == 0 else []
