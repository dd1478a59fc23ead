"""The constraint itself: hooks around an optimizer's step, for any loop and any trainer.

M outputs, N inputs, K directions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hodograph.training.interventions.subspace.projection import ConfinedMatrix, like, local


class GradientConstraint:
    """Mode `gradient`, the paper's: g V Vᵀ takes the gradient's place.

    Under Adam the step leaves the span all the same: momentum from before the switch, entrywise
    scaling and weight decay do not respect it. The other modes override what they change.

    Args:
        optimizer: the plain torch optimizer that holds the weights.
        matrices: what is confined.
        frozen: parameters that shall not move at all; they get no gradient.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        matrices: Sequence[ConfinedMatrix],
        frozen: Sequence[nn.Parameter] = (),
    ) -> None:
        self.matrices = matrices
        self._frozen = frozen
        self._gradient_energies = torch.zeros(2)
        self._handles = (
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        )

    @torch.no_grad()
    def on_gradients(self) -> None:
        """Call once a step: when gradients are whole and synchronised, before they are clipped."""
        energies = torch.zeros(2)
        for matrix in self.matrices:
            if (gradient_MN := matrix.gradient_MN) is not None:
                energies = energies.to(gradient_MN.device) + matrix.energies(gradient_MN)
                self._constrain(matrix, gradient_MN)
        self._gradient_energies = energies
        for parameter in self._frozen:
            parameter.grad = None  # the optimizer passes it over: no momentum, no decay

    @torch.no_grad()
    def measures(self) -> dict[str, float]:
        """Numbers of the last step, over the confined matrices; a share of nothing is left out.

        `subspace/gradient_energy` is ‖G V‖² / ‖G‖² before projection and clipping,
        `subspace/update_energy` ‖(W - W_s) V‖² / ‖W - W_s‖², `subspace/displacement` ‖W - W_s‖_F.
        """
        energies = torch.zeros(2)
        for matrix in self.matrices:
            update_MN = matrix.weight_MN - matrix.origin_MN
            energies = energies.to(update_MN.device) + matrix.energies(update_MN)
        shares = {"gradient_energy": self._gradient_energies, "update_energy": energies}
        found = {
            f"subspace/{name}": 1 - float(pair[0]) / float(pair[1])
            for name, pair in shares.items()
            if pair[1] > 0
        }
        return found | {"subspace/displacement": float(energies[1].sqrt())}

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs, besides the weights and the optimizer's state."""
        out = {}
        for matrix in self.matrices:
            out[f"basis/{matrix.name}"] = matrix.v_NK
            out[f"origin/{matrix.name}"] = matrix.origin_MN
        return out

    def remove(self) -> None:
        """Take the hooks off the optimizer."""
        for handle in self._handles:
            handle.remove()

    def _constrain(self, matrix: ConfinedMatrix, gradient_MN: Tensor) -> None:
        gradient_MN.copy_(matrix.projected(gradient_MN))

    def _before_step(self, *_: Any) -> None:
        """Nothing to prepare."""

    def _after_step(self, *_: Any) -> None:
        """Nothing to repair: that is why this mode leaks."""


class UpdateConstraint(GradientConstraint):
    """Mode `update`: the optimizer sees the whole gradient, its step is projected, decay included.

    W becomes W_s + (W - W_s) V Vᵀ, so rounding does not add up over steps. With `norm_matched`
    each matrix's projected step is first scaled to the norm that it had.
    """

    def __init__(self, *args: Any, norm_matched: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._norm_matched = norm_matched
        self._before: list[Tensor] = []

    def _constrain(self, matrix: ConfinedMatrix, gradient_MN: Tensor) -> None:
        """The gradient stays whole."""

    @torch.no_grad()
    def _before_step(self, *_: Any) -> None:
        if self._norm_matched:
            self._before = [matrix.weight_MN.clone() for matrix in self.matrices]

    @torch.no_grad()
    def _after_step(self, *_: Any) -> None:
        for index, matrix in enumerate(self.matrices):
            if matrix.gradient_MN is not None:  # else the optimizer passed it over
                update_MN = matrix.weight_MN - matrix.origin_MN
                if self._norm_matched:
                    update_MN += self._missing(matrix, self._before[index])
                matrix.weight_MN.copy_(matrix.origin_MN + matrix.projected(update_MN))

    def _missing(self, matrix: ConfinedMatrix, before_MN: Tensor) -> Tensor:
        """What must be added to a step S so that ‖S V‖ becomes its ‖S‖; nothing where S V = 0."""
        step_MN = matrix.weight_MN - before_MN
        outside, whole = matrix.energies(step_MN)
        inside = whole - outside
        return step_MN * ((whole / inside).sqrt() - 1 if inside > 0 else 0.0)


class CoordinateConstraint(GradientConstraint):
    """Mode `adam_in_subspace`: W = W_s + B Vᵀ, and the optimizer moves B, from 0 and afresh.

    B takes the weight's place in the optimizer's groups, so that its state holds K numbers for N.
    Its gradient is G V. Decay pulls B to 0, that is W to W_s. This is a LoRA adapter on W_s with
    fixed A = Vᵀ and scale 1.

    Args:
        coordinates: B by parameter name, of a resumed run; the optimizer then keeps its state.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        matrices: Sequence[ConfinedMatrix],
        frozen: Sequence[nn.Parameter] = (),
        *,
        coordinates: dict[str, Tensor] | None = None,
    ) -> None:
        super().__init__(optimizer, matrices, frozen)
        self._coordinates = [
            _coordinates_of(matrix, (coordinates or {}).get(matrix.name)) for matrix in matrices
        ]
        for matrix, b_MK in zip(matrices, self._coordinates, strict=True):
            _replace(optimizer, matrix.weight, b_MK, keep_state=coordinates is not None)

    def state(self) -> dict[str, Tensor]:
        """As in every mode, and B."""
        pairs = zip(self.matrices, self._coordinates, strict=True)
        return super().state() | {f"coordinates/{m.name}": local(b_MK) for m, b_MK in pairs}

    @torch.no_grad()
    def _before_step(self, *_: Any) -> None:
        for matrix, b_MK in zip(self.matrices, self._coordinates, strict=True):
            gradient_MN, b_MK.grad = matrix.gradient_MN, None
            if gradient_MN is not None:
                part = matrix.coordinates(gradient_MN)
                b_MK.grad = like(part, b_MK, part.shape[1])

    @torch.no_grad()
    def _after_step(self, *_: Any) -> None:
        for matrix, b_MK in zip(self.matrices, self._coordinates, strict=True):
            if b_MK.grad is not None:
                matrix.weight_MN.copy_(matrix.origin_MN + matrix.spread(local(b_MK)))
            # the optimizer's own zero_grad no longer reaches the weight
            matrix.weight.grad = None


def _coordinates_of(matrix: ConfinedMatrix, start_MK: Tensor | None) -> nn.Parameter:
    rows, size = matrix.weight_MN.shape[0], matrix.v_NK.shape[1]
    b_MK = matrix.v_NK.new_zeros(rows, size) if start_MK is None else start_MK.to(matrix.v_NK)
    return nn.Parameter(like(b_MK, matrix.weight, size))


def _replace(
    optimizer: Optimizer, old: nn.Parameter, new: nn.Parameter, *, keep_state: bool
) -> None:
    """Let `new` stand where `old` stood in the optimizer, with its state or without."""
    state = optimizer.state.pop(old, None)
    if keep_state and state is not None:
        optimizer.state[new] = state
    for group in optimizer.param_groups:
        group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
