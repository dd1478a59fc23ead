"""Which parameter of one checkpoint is which of another, and what has no partner."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from hodograph.checkpoints import Checkpoint, TensorHeader, Trajectory
from hodograph.checkpoints.source import FP8
from hodograph.errors import PairingError
from hodograph.matrices.naming import Role, canonical, in_tower, role_of
from hodograph.matrices.ties import tied, ties_of
from hodograph.matrices.unfuse import Block, blocks_of
from hodograph.modules import ATTENTION, LINEAR

Scope = Literal["linear", "attention", "all"]
Unpaired = Literal["error", "skip"]
LONGEST = 120  # characters of a name in a message
FLOATS = {"F64", "F32", "F16", "BF16", *FP8}  # FP8 is opened with its scales only


@dataclass(frozen=True)
class Parameter:
    """One stored tensor in every checkpoint of a trajectory, and the matrices in it.

    Attributes:
        name: its name in the base.
        tuned_names: its name in each tuned checkpoint.
        role: layer, module, expert.
        blocks: the matrices of it that are in scope.
        entries: number of its entries.
    """

    name: str
    tuned_names: tuple[str, ...]
    role: Role
    blocks: tuple[Block, ...]
    entries: int


@dataclass(frozen=True)
class Skipped:
    """A tensor that was left out, and why."""

    parameter: str
    reason: str


def pair(
    trajectory: Trajectory, scope: Scope, unpaired: Unpaired
) -> tuple[list[Parameter], list[Skipped]]:
    """Match the parameters of every checkpoint by canonical name, wrapper prefixes removed.

    Raises:
        PairingError: missing or extra tensors (unless unpaired is "skip"), other shapes, or
            nothing in scope.
    """
    names = by_canonical(trajectory.base)
    tuned_names = [by_canonical(checkpoint) for checkpoint in trajectory.tuned]
    tied_heads = _tied_heads(trajectory, [names, *tuned_names], scope)
    shared = set(names).intersection(*tuned_names)
    skipped = tied_heads + _unshared(trajectory, names, tuned_names, shared, unpaired)
    parameters = []
    for key in sorted(shared):
        others = tuple(checkpoint[key] for checkpoint in tuned_names)
        header = trajectory.base.headers[names[key]]
        if reason := _unmeasurable(trajectory, header, others, unpaired):
            skipped.append(Skipped(header.name, reason))
            continue
        role = role_of(header.name)
        blocks = blocks_of(header.name, header.shape, role, trajectory.base.config)
        blocks = tuple(block for block in blocks if in_scope(block, scope))
        if blocks:
            parameters.append(Parameter(header.name, others, role, blocks, header.entries))
        elif reason := _out_of_scope(header, scope):
            skipped.append(Skipped(header.name, reason))
    if not parameters:
        raise PairingError(
            f"{trajectory.base.path}: no tensor is in the scope {scope!r}.\n"
            f"  Tensors there: {listed(list(names.values()))}.\n"
            "  --scope all measures every tensor."
        )
    return parameters, skipped


def in_scope(block: Block, scope: Scope) -> bool:
    """Whether a matrix belongs to the scope."""
    if scope == "all":
        return True
    return block.spectral and block.module in (ATTENTION if scope == "attention" else LINEAR)


def listed(names: list[str], most: int = 4) -> str:
    """The first few names, the start of each, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    shown = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names[:most]]
    return (", ".join(shown) or "none") + more


def by_canonical(checkpoint: Checkpoint) -> dict[str, str]:
    """Stored names by their canonical names.

    Raises:
        PairingError: two stored names become one.
    """
    keys = {name: canonical(name) for name in checkpoint.headers}
    twice = [key for key, count in Counter(keys.values()).items() if count > 1]
    if twice:
        raise PairingError(
            f"{checkpoint.path}: {sum(key == twice[0] for key in keys.values())} tensors are called"
            f" {twice[0]} once wrapper prefixes are removed.\n  Save one model a folder."
        )
    return {key: name for name, key in keys.items()}


def _tied_heads(trajectory: Trajectory, names: list[dict[str, str]], scope: Scope) -> list[Skipped]:
    """Take out heads that are the embedding itself wherever they are stored: they count once.

    They are read and compared where one checkpoint stores the head and another does not, and
    where heads are in scope.
    """
    checkpoints = (trajectory.base, *trajectory.tuned)
    ties = [ties_of(checkpoint) for checkpoint in checkpoints]
    heads = {canonical(one.head) for one in ties if one.head is not None}
    asked = scope == "all" or any((one.head is None) != (ties[0].head is None) for one in ties)
    if len(heads) != 1 or not asked:
        return []
    pairs = zip(checkpoints, ties, strict=True)
    if not all(tied(checkpoint, one) for checkpoint, one in pairs if one.head is not None):
        return []
    (head,) = heads
    stored = [known.pop(head) for known in names if head in known]
    return [Skipped(stored[0], "tied: it is the embedding, which counts once")]


def _unshared(
    trajectory: Trajectory,
    names: dict[str, str],
    tuned_names: list[dict[str, str]],
    shared: set[str],
    unpaired: Unpaired,
) -> list[Skipped]:
    skipped = [Skipped(names[key], "only in the base") for key in sorted(set(names) - shared)]
    for checkpoint, tuned in zip(trajectory.tuned, tuned_names, strict=True):
        only_base, only_tuned = sorted(set(names) - set(tuned)), sorted(set(tuned) - set(names))
        if (only_base or only_tuned) and unpaired == "error":
            raise PairingError(
                f"{trajectory.base.path} and {checkpoint.path} have different parameters.\n"
                f"  only in base:  {listed(only_base)}\n"
                f"  only in tuned: {listed(only_tuned)}\n"
                "  Measure the shared ones with --unpaired skip (they are listed in the report)."
            )
        skipped += [Skipped(tuned[key], f"only in {checkpoint.path}") for key in only_tuned]
    return skipped


def _unmeasurable(
    trajectory: Trajectory, header: TensorHeader, others: tuple[str, ...], unpaired: Unpaired
) -> str | None:
    for checkpoint, name in zip(trajectory.tuned, others, strict=True):
        other = checkpoint.headers[name]
        if other.dtype not in FLOATS or header.dtype not in FLOATS:
            dtype = header.dtype if header.dtype not in FLOATS else other.dtype
            return f"not floating point ({dtype})"
        if header.entries == 0 and other.entries == 0:
            return "empty"
        if other.shape != header.shape:
            if unpaired == "skip":
                return f"shape {header.shape} in the base, {other.shape} in {checkpoint.path}"
            raise PairingError(
                f"{header.name}: shape {header.shape} in {trajectory.base.path},"
                f" {other.shape} in {checkpoint.path}.\n"
                "  Measure the others with --unpaired skip (it is listed in the report)."
            )
    return None


def _out_of_scope(header: TensorHeader, scope: Scope) -> str | None:
    """Only what a reader would expect in the scope is worth a line; embeddings are not."""
    if in_tower(header.name) and len(header.shape) == 2:
        return "in a vision or audio tower, outside the language model's layers"
    if len(header.shape) == 3 and "expert" in header.name and scope != "all":
        return "stacked experts (a 3-D tensor) of a layout that config.json does not tell"
    if "query_key_value" in header.name and header.name.endswith("weight"):
        return "a fused query_key_value of this layout is not split yet"
    return None
