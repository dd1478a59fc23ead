"""Second moments of what the matrices of a model are multiplied with, by forward hooks.

B sequences, S tokens in each, N inputs of a matrix.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hodograph.matrices.naming import unwrapped

HELD = 2 << 30  # bytes of second moments kept at once; more sites take further passes
DOUBLE = 8
Batch = Int[Tensor, "B S"]


@dataclass(frozen=True)
class Site:
    """One tensor inside the model that one or several modules are multiplied with.

    Attributes:
        modules: their names, in the order of the calls; q, k and v share one site.
        size: N.
    """

    modules: tuple[str, ...]
    size: int


def modules_of(body: nn.Module, parameters: Sequence[str]) -> dict[str, str]:
    """Name of the module in `body` that holds each stored parameter; none where it has no own."""
    canonical = {unwrapped(f"{name}.weight"): name for name, _ in body.named_modules()}
    found = {parameter: canonical.get(unwrapped(parameter)) for parameter in parameters}
    return {parameter: name for parameter, name in found.items() if name is not None}


@torch.no_grad()
def find_sites(body: nn.Module, modules: Sequence[str], ids: Batch) -> list[Site]:
    """Which modules are given one and the same tensor, found by one pass; uncalled ones lack."""
    seen: list[tuple[Tensor, list[str]]] = []

    def notice(name: str, inputs: Tensor) -> None:
        if any(name in names for _, names in seen):
            return  # called again: its inputs add up
        for tensor, names in seen:
            if tensor is inputs:
                names.append(name)
                return
        seen.append((inputs, [name]))

    with _listening(body, modules, notice):
        body(input_ids=ids)
    return [Site(tuple(names), tensor.shape[-1]) for tensor, names in seen]


def passes(sites: Sequence[Site]) -> list[list[Site]]:
    """Sites in groups whose second moments fit into memory together."""
    groups: list[list[Site]] = []
    room = 0
    for site in sites:
        need = DOUBLE * site.size**2
        if need > room or not groups:
            groups.append([])
            room = HELD
        groups[-1].append(site)
        room -= need
    return groups


@torch.no_grad()
def second_moments(
    body: nn.Module, sites: Sequence[Site], batches: Sequence[Batch], on_batch: Callable[[], None]
) -> dict[Site, Float[Tensor, "N N"]]:
    """C = sum of x xᵀ over all tokens, in float64, for each site.

    Args:
        body: the model.
        sites: that are listened to.
        batches: token ids without padding, so that each row of an input is a token.
        on_batch: called after each.
    """
    of_module = {site.modules[0]: site for site in sites}
    sums = {site: torch.zeros(site.size, site.size, dtype=torch.float64) for site in sites}

    def add(name: str, inputs: Tensor) -> None:
        rows_TN = inputs.reshape(-1, inputs.shape[-1]).double()
        sums[of_module[name]] += (rows_TN.T @ rows_TN).cpu()  # multiplied where the model runs

    with _listening(body, list(of_module), add):
        for ids in batches:
            body(input_ids=ids)
            on_batch()
    return sums


@contextmanager
def _listening(
    body: nn.Module, modules: Sequence[str], heard: Callable[[str, Tensor], None]
) -> Iterator[None]:
    """Call `heard(name, inputs)` at each call of these modules."""

    def hook(name: str) -> Callable[..., None]:
        def listen(_: nn.Module, arguments: tuple[Any, ...]) -> None:
            given = arguments[0] if arguments else None
            if isinstance(given, Tensor) and given.is_floating_point():  # not an embedding's ids
                heard(name, given)

        return listen

    handles = [body.get_submodule(n).register_forward_pre_hook(hook(n)) for n in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
