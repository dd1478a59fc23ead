"""The callback: looks at the weights every so many steps, and logs through the trainer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_callback import CallbackHandler

from hodograph.diagnostics.path import Spent
from hodograph.errors import SettingsError
from hodograph.matrices.pairing import Scope
from hodograph.matrices.unfuse import Block
from hodograph.monitor.handler import calling_handler, log
from hodograph.monitor.live import Layers, LiveParameter, live_parameters
from hodograph.monitor.logged import logged
from hodograph.monitor.memory import Memory
from hodograph.monitor.walk import MatrixWalk, Row
from hodograph.tables.thresholds import LockThresholds

EVERY = 50


class Monitor(TrainerCallback):
    """Logs the geometry of the update while a transformers or TRL trainer runs.

    `trainer.add_callback(Monitor(every=50))`. Values go where the trainer logs (TensorBoard, W&B,
    trackio), under `geometry/`; docs/guides/monitor.md explains them. W0 is the model when training
    begins. Under DDP the first process measures.

    Args:
        every: look after every so many optimizer steps; 50 where no steps are listed.
        steps: further steps to look after.
        scope: "linear", "attention" or "all", as in measuring.
        layers: how many layers are looked at, evenly spread from the first to the last; or their
            indices; or "all". It bounds the cost.
        references: how many of the first looks are kept to compare later updates with.
        folder: for metrics.jsonl, and what resuming needs (W0 and the last weights). None: nothing
            is written, and a run cannot be resumed with its monitor.
        keep: where W0 and the last weights are held: "memory" (of the CPU), or "disk",
            memory-mapped in the folder.

    Raises:
        SettingsError: an argument that cannot be; on training, a model it cannot read.
    """

    def __init__(
        self,
        *,
        every: int | None = None,
        steps: Sequence[int] = (),
        scope: Scope = "linear",
        layers: Layers = 4,
        references: int = 8,
        folder: str | Path | None = None,
        keep: Literal["memory", "disk"] = "memory",
    ) -> None:
        _require_positive(every=every, references=references)
        if keep == "disk" and folder is None:
            raise SettingsError('Monitor(keep="disk") needs a folder to keep the weights in.')
        self._every = EVERY if every is None and not steps else every
        self._steps = frozenset(steps)
        self._scope: Scope = scope
        self._layers = layers
        self._references = references
        self._folder = None if folder is None else Path(folder)
        self._on_disk = keep == "disk"
        self._live: list[LiveParameter] = []
        self._memory: Memory | None = None
        self._groups: dict[int, int] = {}
        self._handler: CallbackHandler | None = None

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep W0, or take up what a resumed run left."""
        self._live = live_parameters(kwargs["model"], self._scope, self._layers)
        self._memory, self._groups = None, {}
        if not state.is_world_process_zero:
            return
        self._handler = calling_handler()
        memory = Memory(self._folder, self._on_disk, self._walks())
        if state.global_step == 0:
            memory.begin(self._live)
        else:
            memory.resume(state.global_step, self._live)
        self._memory = memory

    def on_pre_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add up the learning rate of a step that will move the weights."""
        if self._memory is None or not _has_gradient(kwargs["model"]):
            return
        groups = kwargs["optimizer"].param_groups
        if not self._groups:
            self._groups = {id(p): i for i, group in enumerate(groups) for p in group["params"]}
        self._memory.rates = self._memory.rates or [0.0] * len(groups)
        for index, group in enumerate(groups):
            self._memory.rates[index] += float(group["lr"])
        self._memory.steps += 1

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look at the weights if this step is due, and log what was found."""
        if self._memory is None or not self._due(state.global_step):
            return
        values = self._look(self._memory, state.global_step)
        self._memory.note(state.global_step, values)
        log(self._handler, args, state, control, values)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave what a run resumed from this checkpoint needs."""
        if self._memory is not None:
            self._memory.save(state.global_step, Path(args.output_dir))

    def _due(self, step: int) -> bool:
        return step in self._steps or (self._every is not None and step % self._every == 0)

    def _walks(self) -> dict[str, MatrixWalk]:
        return {
            _key(live, block): MatrixWalk(block.spectral, self._references, LockThresholds())
            for live in self._live
            for block in live.blocks
        }

    def _look(self, memory: Memory, step: int) -> dict[str, float]:
        weights = {live.name: live.read() for live in self._live}
        rows, nonfinite = list[Row](), 0
        for live in self._live:
            spent = self._spent(memory, live)
            for block in live.blocks:
                kinds = (memory.base, memory.last, weights)
                base, last, now = (block.of(kind[live.name]) for kind in kinds)
                if not all(bool(torch.isfinite(matrix).all()) for matrix in (base, last, now)):
                    nonfinite += 1
                    continue
                row = memory.walks[_key(live, block)].add(step, base, last, now, spent)
                rows.append(row | {"entries": now.numel()})
        memory.see(weights)
        return logged(rows, memory.walks.values(), nonfinite)

    def _spent(self, memory: Memory, live: LiveParameter) -> Spent:
        """What the optimizer spent on a matrix; unknown where it trains an adapter instead."""
        group = self._groups.get(id(live.parameter))
        if group is None or live.adapter is not None:
            return Spent()
        return Spent(memory.rates[group], None, memory.steps)


def _require_positive(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise SettingsError(f"Monitor: {name} is {value}; it must be at least 1.")


def _has_gradient(model: nn.Module) -> bool:
    return any(parameter.grad is not None for parameter in model.parameters())


def _key(live: LiveParameter, block: Block) -> str:
    return f"{live.name}:{block.module}"
