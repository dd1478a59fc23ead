"""What lies ahead of each checkpoint of one matrix: the next step, and the rest of the way.

M rows, N columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from hodograph.checkpoints import Product
from hodograph.diagnostics.inputs import InputNull, captured_by_inputs
from hodograph.diagnostics.lock import capture, counts, rounding_energy
from hodograph.diagnostics.path import TopVectors, shared_size, similarity_with_chance
from hodograph.engine.asking import Task, change_factored
from hodograph.engine.settings import Settings
from hodograph.linalg.certificates import subspace_error
from hodograph.matrices.update import Update, product_between

Row = dict[str, Any]


@dataclass
class Ahead:
    """Compares each update with what training does after it.

    W_T - W_t is factored once a checkpoint, for the disjoint similarity and for the capture, and
    each step update once; the first and the last step are known from elsewhere.

    Attributes:
        settings: of the measurement.
        end: the update to W_T, as the path's storage shows it.
        inputs: what the layers' inputs say, where they are known.
    """

    settings: Settings
    end: Update
    inputs: InputNull | None = None
    _update: TopVectors | None = None
    _step: TopVectors | None = None
    _rest: TopVectors | None = None
    _started: bool = False

    def add(
        self,
        update: Update,
        top: TopVectors | None,
        step_MN: Tensor,
        step_product: Product | None,
    ) -> Task[tuple[Row, Row]]:
        """Look ahead from the next checkpoint, and at it from the one before.

        Args:
            update: of this checkpoint.
            top: leading vectors of the update, None where it is zero.
            step_MN: W_t - W_{t-1}.
            step_product: its factors, where they are known.

        Returns:
            Columns to add to the row of the checkpoint before, and of this one.
        """
        rest_MN = (self.end.tuned_MN - update.tuned_MN).double()
        rest = yield from self._top(rest_MN, product_between(self.end.product, update.product))
        step = yield from self._step_top(top, rest, step_MN, step_product)
        adjacent = similarity_with_chance(self._step, step, self.settings.similarity_k)
        earlier = _named("sim16_adjacent", adjacent) | self._captured(update, rest_MN, rest)
        disjoint = similarity_with_chance(top, rest, self.settings.similarity_k)
        here = _named("sim16_disjoint", disjoint) | self._certified(step, rest)
        self._update, self._step, self._rest, self._started = top, step, rest, True
        return earlier, here

    def _step_top(
        self,
        top: TopVectors | None,
        rest: TopVectors | None,
        step_MN: Tensor,
        product: Product | None,
    ) -> Task[TopVectors | None]:
        if not self._started:
            return top  # the first step is the first update
        if rest is None:
            return self._rest  # the step that reaches W_T was all that was left
        return (yield from self._top(step_MN, product))

    def _top(self, matrix_MN: Tensor, product: Product | None) -> Task[TopVectors | None]:
        if not bool(matrix_MN.any()):
            return None
        wanted = self.settings.similarity_k
        found = yield from change_factored(matrix_MN, product, wanted, exact=self.settings.exact)
        return TopVectors(found, found.numerical_rank)

    def _captured(self, update: Update, rest_MN: Tensor, rest: TopVectors | None) -> Row:
        """Capture, by the update of the checkpoint before, of what is left to go from here."""
        early, k = self._update, self.settings.similarity_k
        if early is None or rest is None:
            return {}
        sigma_R = rest.factors.sigma_R
        energy = float(sigma_R.square().sum())
        whole = float((self.end.tuned_MN - update.base_MN).double().square().sum())
        basis = early.factors.leading(shared_size(early, early, k))
        noise = self._end_noise + rounding_energy(update)
        columns: Row = {
            "capture16": capture(rest_MN, sigma_R, basis.v_NK),
            "capture16_left": capture(rest_MN.T, sigma_R, basis.u_MK),
            "rest_energy": energy / whole if whole > 0 else None,
            "rest_over_noise": energy / noise,
        }
        columns["lock_counts"] = int(counts(columns, self.settings.lock))
        if self.inputs is not None and basis.kept > 0:
            columns |= captured_by_inputs(self.inputs, rest_MN, sigma_R, basis.kept)
        return columns

    @cached_property
    def _end_noise(self) -> float:
        return rounding_energy(self.end)

    def _certified(self, *tops: TopVectors | None) -> Row:
        """Bound on the error of the subspaces that were factored for what lies ahead."""
        k = self.settings.similarity_k
        found = [
            subspace_error(top.factors, min(k, top.rank)) for top in tops if top and top.rank > 0
        ]
        return {"certificate_ahead": max(found)} if found else {}


def _named(name: str, found: tuple[float, float] | None) -> Row:
    return {} if found is None else {name: found[0], f"{name}_chance": found[1]}
