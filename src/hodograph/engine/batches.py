"""Which parameters are measured together on a device: small ones of one shape.

A GPU is mostly idle while it decomposes one small matrix. What is put together follows from the
parameters and the settings alone, never from workers, shards or what is finished already, so that
every matrix is decomposed in the same company whoever does it, and its bytes are the same.
"""

from collections.abc import Sequence

from hodograph.engine.batch import batch_of
from hodograph.engine.plan import memory_of
from hodograph.engine.settings import Settings
from hodograph.matrices.pairing import Parameter

LARGEST = 1024  # shorter side; beyond, one matrix fills a GPU: see docs/design/numerics.md
MOST_BYTES = 2_000_000_000  # less than one matrix of 4096 x 12288 takes
MOST = 32  # matrices; more gain little, and another device should have some


def batched(parameters: Sequence[Parameter], settings: Settings) -> list[Parameter]:
    """The units of a measurement: batches of small parameters, and every other by itself."""
    if settings.device == "cpu" or settings.exact or settings.only == "sparsity":
        return list(parameters)
    alike: dict[tuple[tuple[int, int], ...], list[Parameter]] = {}
    units: list[Parameter] = []
    for one in sorted(parameters, key=lambda one: one.name):
        if _small(one):
            alike.setdefault(_sides(one), []).append(one)
        else:
            units.append(one)
    for members in alike.values():
        units += _batches(members, settings)
    return units


def _small(parameter: Parameter) -> bool:
    return all(
        block.spectral and 1 < min(block.rows, block.cols) <= LARGEST for block in parameter.blocks
    )


def _sides(parameter: Parameter) -> tuple[tuple[int, int], ...]:
    """Shorter and longer side of each matrix; a matrix and its transpose go together."""
    sides = [sorted((block.rows, block.cols)) for block in parameter.blocks]
    return tuple((shorter, longer) for shorter, longer in sides)


def _batches(members: list[Parameter], settings: Settings) -> list[Parameter]:
    """Parameters of one shape, as many together as the bounds allow."""
    first = members[0]
    bytes_each = memory_of(batch_of((first,)), settings)
    most = max(1, min(MOST // len(first.blocks), MOST_BYTES // bytes_each))
    cuts = [tuple(members[start : start + most]) for start in range(0, len(members), most)]
    return [batch_of(cut) if len(cut) * len(first.blocks) > 1 else cut[0] for cut in cuts]
