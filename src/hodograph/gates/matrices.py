"""Which matrices of a run the gates look at, and what passes through them.

B samples of one pass, S tokens, T predicted tokens, V vocabulary, M rows (outputs), N columns
(inputs); a parameter may hold several matrices.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hodograph.gates.policy import log_policy, vocabulary_of
from hodograph.gates.samples import AT_ONCE, Samples
from hodograph.inputs.moments import modules_of
from hodograph.matrices.pairing import Parameter
from hodograph.matrices.unfuse import Block

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Key = tuple[str, str]  # parameter, module
HELD = 2 << 30  # bytes kept at once; more parameters take further passes
NO_MODULE = "transformers' model has no module for it alone (stacked experts)"
NOT_BY_POSITION = "its module is not given one input a token: an expert, or one not called"


@dataclass(frozen=True)
class Unit:
    """A stored parameter and the module of the model that multiplies with it."""

    parameter: Parameter
    module: str

    @property
    def entries(self) -> int:
        """Entries of the parameter."""
        return sum(block.rows * block.cols for block in self.parameter.blocks)

    @property
    def cols(self) -> int:
        """N."""
        return self.parameter.blocks[0].cols

    @property
    def passing(self) -> int:
        """Bytes of its inputs, outputs and errors in one pass of a model."""
        return 4 * AT_ONCE * (self.cols + 2 * self.entries // self.cols)

    def matrices(self) -> list[tuple[Key, Block]]:
        """Its matrices, each by parameter and module."""
        return [((self.parameter.name, block.module), block) for block in self.parameter.blocks]


@torch.no_grad()
def located(
    model: "PreTrainedModel", parameters: Sequence[Parameter], ids_BS: Int[Tensor, "B S"]
) -> tuple[list[Unit], dict[str, str]]:
    """The parameters whose gradient is a sum over tokens of error x input; others with a reason.

    Args:
        model: that runs.
        parameters: asked for.
        ids_BS: any tokens, to see what is called.
    """
    modules = modules_of(model, [one.name for one in parameters])
    with listening(model, sorted(set(modules.values()))) as heard:
        model(input_ids=ids_BS, use_cache=False)
    units, reasons = [], {}
    for parameter in parameters:
        module = modules.get(parameter.name)
        if module is None:
            reasons[parameter.name] = NO_MODULE
        elif not heard[module].by_position(ids_BS.shape):
            reasons[parameter.name] = NOT_BY_POSITION
        else:
            units.append(Unit(parameter, module))
    return units, reasons


def within_memory(units: Sequence[Unit], needed: Callable[[Unit], int]) -> Iterator[list[Unit]]:
    """Units in groups whose sums fit into memory together."""
    group: list[Unit] = []
    room = HELD
    for unit in units:
        size = needed(unit) + unit.passing
        if group and size > room:
            yield group
            group, room = [], HELD
        group.append(unit)
        room -= size
    if group:
        yield group


@dataclass
class Heard:
    """What one module was given and what it returned in one pass."""

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    def by_position(self, shape: Sequence[int]) -> bool:
        """Whether it was called once, with one vector a token."""
        return len(self.inputs) == 1 and tuple(self.inputs[0].shape[:2]) == tuple(shape)


@contextmanager
def listening(model: nn.Module, modules: Sequence[str]) -> Iterator[dict[str, Heard]]:
    """Keep inputs and outputs of modules in the passes inside the block; clear it between them."""
    heard = {module: Heard() for module in modules}

    def hook(module: str) -> Callable[..., None]:
        def listen(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            given = arguments[0] if arguments else None
            if isinstance(given, Tensor) and given.is_floating_point() and given.dim() == 3:
                heard[module].inputs.append(given.detach())
                heard[module].outputs.append(output)

        return listen

    handles = [model.get_submodule(m).register_forward_hook(hook(m)) for m in modules]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def only_errors(model: "PreTrainedModel") -> None:
    """Let gradients flow to every layer's output without forming those of the weights."""
    model.requires_grad_(False)
    model.get_input_embeddings().weight.requires_grad_(True)


@dataclass(frozen=True)
class Parts:
    """The gradient of one parameter in one pass: G = sum over tokens of e xᵀ.

    Attributes:
        inputs_BSN: x.
        errors_BSM: e, the gradient with respect to the module's output.
    """

    inputs_BSN: Float[Tensor, "B S N"]
    errors_BSM: Float[Tensor, "B S M"]

    def of(self, block: Block) -> "Parts":
        """The part of one matrix of the parameter."""
        batch, length, _ = self.errors_BSM.shape
        errors_TM = self.errors_BSM.flatten(0, 1)
        rows_MT = block.of(errors_TM if block.transposed else errors_TM.T)
        return Parts(self.inputs_BSN, rows_MT.T.reshape(batch, length, -1))

    def gradient(self) -> Float[Tensor, "M N"]:
        """G."""
        return self.errors_BSM.flatten(0, 1).T @ self.inputs_BSN.flatten(0, 1)


def passes(
    model: "PreTrainedModel", units: Sequence[Unit], samples: Samples, temperature: float
) -> Iterator[tuple[slice, Float[Tensor, "B T V"], dict[str, Heard]]]:
    """Run the samples through a model, some rows at a time, and listen to the units' modules."""
    with listening(model, sorted({unit.module for unit in units})) as heard:
        for rows in samples.chunks(vocabulary_of(model)):
            yield rows, log_policy(model, samples.ids_NS[rows], temperature), heard
            for one in heard.values():
                one.inputs.clear()
                one.outputs.clear()


def gradient_parts(
    objective: Float[Tensor, ""], units: Sequence[Unit], heard: dict[str, Heard]
) -> Iterator[tuple[Key, Parts]]:
    """The parts of every matrix's gradient of `objective`; its graph is kept."""
    outputs = [heard[unit.module].outputs[0] for unit in units]
    errors = torch.autograd.grad(
        objective, outputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    for unit, error_BSM in zip(units, errors, strict=True):
        whole = Parts(heard[unit.module].inputs[0], error_BSM)
        for key, block in unit.matrices():
            yield key, whole.of(block)
