"""The subspace constraint in a transformers or TRL trainer: when it starts, resumes and reports."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState

from hodograph.atomic import write_atomically, write_json
from hodograph.errors import SettingsError
from hodograph.recipes import NoBasis
from hodograph.training.folder import RunFolder
from hodograph.training.interventions.subspace.basis import agreed, confinable
from hodograph.training.interventions.subspace.constraint import (
    CoordinateConstraint,
    GradientConstraint,
    UpdateConstraint,
)
from hodograph.training.interventions.subspace.opening import Confinement
from hodograph.training.interventions.subspace.projection import ConfinedMatrix, confined
from hodograph.training.interventions.subspace.refusals import (
    require_confinable,
    require_plain_gradients,
    require_saved_coordinates,
)
from hodograph.world import ALONE, World

Tensors = dict[str, Tensor]


class SubspaceCallback(TrainerCallback):
    """Confines a trainer's model from a step on.

    Args:
        confinement: what is confined, and how.
        folder: where the run's state and its subspace.json go.
        model: the model that trains.
        world: the processes that train it.
    """

    def __init__(
        self, confinement: Confinement, folder: RunFolder, model: nn.Module, world: World = ALONE
    ) -> None:
        self._settings = confinement.settings
        self._source = confinement.source
        self._folder = folder
        self._model = model
        self._world = world
        self._constraint: GradientConstraint | None = None
        self._measured: dict[str, float] = {}

    def on_gradients(self) -> None:
        """Constrain the gradients of a step, once they are whole and before they are clipped."""
        if self._constraint is not None:
            self._constraint.on_gradients()

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start at once, or take up the constraint where the resumed state left it."""
        if self._settings.mode == "adam_in_subspace":
            require_saved_coordinates(self._model)
        if state.global_step > 0 and state.global_step >= self._settings.at_step:
            kept = load_file(self._state(state.global_step))
            matrices = confined(self._weights(), _part(kept, "basis/"), _part(kept, "origin/"))
            coordinates = _part(kept, "coordinates/")
            self._constrain(kwargs["optimizer"].optimizer, matrices, coordinates)
        elif self._settings.at_step == 0:
            self._switch(kwargs["optimizer"].optimizer)

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure the step, or switch after it."""
        if self._constraint is not None:
            self._measured = self._constraint.measures()
        elif state.global_step == self._settings.at_step:
            self._switch(kwargs["optimizer"].optimizer)

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Add the step's numbers to what is logged."""
        if logs is not None and "loss" in logs:
            logs.update(self._measured)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep bases, origin and coordinates beside the trainer's state."""
        if self._constraint is not None:
            tensors = {k: v.contiguous() for k, v in self._constraint.state().items()}
            path = self._state(state.global_step)
            write_atomically(path, lambda temporary: save_file(tensors, temporary))

    def _state(self, step: int) -> Path:
        """Where this process keeps its part of the constraint."""
        return (
            self._folder.state / f"checkpoint-{step}" / f"subspace_{self._world.rank}.safetensors"
        )

    def _weights(self) -> dict[str, nn.Parameter]:
        """The weights that may be confined, as they are held now: a trainer may shard a model."""
        weights = confinable(self._model, self._settings.scope)
        require_confinable(self._model, weights)
        return weights

    def _switch(self, optimizer: Optimizer) -> None:
        weights = self._weights()
        bases = agreed(self._source(weights))
        if not isinstance(self._settings.basis, NoBasis):
            bases = {name: v_NK for name, v_NK in bases.items() if v_NK.shape[1]}
        if not bases:
            raise SettingsError(
                f"{self._folder.path}: every update is zero where the basis is taken from, so it"
                " names no subspace.\n  Take it from a later step."
            )
        self._constrain(optimizer, confined(weights, bases), None)
        self._world.decided(lambda: self._report(bases))

    def _constrain(
        self, optimizer: Optimizer, matrices: list[ConfinedMatrix], coordinates: Tensors | None
    ) -> None:
        frozen = self._frozen({matrix.name for matrix in matrices})
        settings = self._settings
        if settings.mode == "gradient":
            self._constraint = GradientConstraint(optimizer, matrices, frozen)
        elif settings.mode == "update":
            self._constraint = UpdateConstraint(
                optimizer, matrices, frozen, norm_matched=settings.norm_matched
            )
        else:
            self._constraint = CoordinateConstraint(
                optimizer, matrices, frozen, coordinates=coordinates
            )

    def _frozen(self, with_basis: set[str]) -> list[nn.Parameter]:
        trained = [(n, p) for n, p in self._model.named_parameters() if p.requires_grad]
        if isinstance(self._settings.basis, NoBasis):
            return [p for name, p in trained if name in with_basis]
        if self._settings.without_basis == "untouched":
            return []
        return [p for name, p in trained if name not in with_basis]

    def _report(self, bases: Tensors) -> None:
        names = [name for name, _ in self._model.named_parameters()]
        write_json(
            self._folder.path / "subspace.json",
            {
                **self._settings.model_dump(mode="json"),
                "matrices": {name: v_NK.shape[1] for name, v_NK in bases.items()},
                "parameters_without_basis": [name for name in names if name not in bases],
            },
        )


def confine(trainer: Trainer, callback: SubspaceCallback) -> None:
    """Let `callback` act in a trainer, on its gradients too.

    Trainers offer no callback between the backward pass and clipping. The end of the last
    micro-batch's `training_step` is that point: gradients are accumulated and synchronised.

    Raises:
        SettingsError: DeepSpeed or FSDP1.
    """
    require_plain_gradients(trainer)
    step = trainer.training_step

    def training_step(*args: Any, **kwargs: Any) -> Tensor:
        loss = step(*args, **kwargs)
        if trainer.accelerator.sync_gradients:
            callback.on_gradients()
        return loss

    trainer.training_step = training_step
    trainer.add_callback(callback)


def _part(kept: Tensors, prefix: str) -> Tensors:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in kept.items()
        if name.startswith(prefix)
    }
