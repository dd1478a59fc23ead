"""What differs between two checkpoints: read once, tensor by tensor, nothing factored."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hodograph.checkpoints import Checkpoint, open_checkpoint
from hodograph.matrices.bits import bits_of, count_changed
from hodograph.matrices.pairing import FLOATS, by_canonical
from hodograph.matrices.ties import Ties, tied, ties_of

PIECE = 1 << 20  # entries compared at a time
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TensorPair:
    """One tensor that both checkpoints hold.

    Attributes:
        name: in A.
        entries: in A.
        dtypes: as stored in A and in B.
        shapes: in A and in B.
        changed: entries whose stored value, or dequantised one, differs (-0 equals +0, NaN equals
            NaN); None where the shapes differ.
        visible: entries whose bfloat16 value differs; None where the shapes differ or one is not
            floating point.
    """

    name: str
    entries: int
    dtypes: tuple[str, str]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    changed: int | None
    visible: int | None

    @property
    def same(self) -> bool:
        """Whether values, dtype and shape are the same."""
        return self.changed == 0 and self.dtypes[0] == self.dtypes[1]


@dataclass(frozen=True)
class Difference:
    """What differs between checkpoints A and B.

    Attributes:
        a: path of A.
        b: path of B.
        tensors: every tensor that both hold, by name.
        only_a: names of tensors that A alone holds.
        only_b: names of tensors that B alone holds.
        ties: what is surprising about tied weights, in words.
    """

    a: str
    b: str
    tensors: tuple[TensorPair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    ties: tuple[str, ...]

    @property
    def differing(self) -> list[TensorPair]:
        """Tensors whose values, dtype or shape differ."""
        return [pair for pair in self.tensors if not pair.same]

    @property
    def identical(self) -> bool:
        """Whether both hold the same tensors with the same dtypes, shapes and values."""
        return not (self.differing or self.only_a or self.only_b)

    @property
    def weights(self) -> int:
        """Entries of the tensors whose shapes agree."""
        return sum(pair.entries for pair in self.tensors if pair.changed is not None)

    @property
    def changed(self) -> int:
        """Entries among them whose stored value differs."""
        return sum(pair.changed or 0 for pair in self.tensors)

    @property
    def visible(self) -> int:
        """Entries among them whose bfloat16 value differs."""
        return sum(pair.visible or 0 for pair in self.tensors)

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for a JSON document; of the tensors those that differ."""
        return {
            "a": self.a,
            "b": self.b,
            "identical": self.identical,
            "tensors": len(self.tensors),
            "weights": self.weights,
            "changed": self.changed,
            "visible": self.visible,
            "differing": [asdict(pair) for pair in self.differing],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "ties": list(self.ties),
        }


def difference(
    a: str | Path,
    b: str | Path,
    *,
    dequantise: bool = False,
    on_progress: Progress = lambda done, total, name: None,
) -> Difference:
    """Compare two checkpoints entry by entry, wrapper prefixes of names removed.

    Args:
        a: a checkpoint, as `open_checkpoint` reads it.
        b: another, or an adapter of the first.
        dequantise: compare FP8 weights as codes times scales.
        on_progress: called with entries done, entries in all, and the tensor in work.

    Raises:
        CheckpointError: one of them cannot be read.
        PairingError: one of them holds a name twice once wrapper prefixes are removed.
    """
    one = open_checkpoint(a, dequantise=dequantise)
    other = open_checkpoint(b, one, dequantise=dequantise)
    names, others = by_canonical(one), by_canonical(other)
    shared = [(names[key], others[key]) for key in sorted(set(names) & set(others))]
    total, done, pairs = sum(one.headers[name].entries for name, _ in shared), 0, []
    for name, theirs in shared:
        on_progress(done, total, name)
        pairs.append(_compared(one, name, other, theirs))
        done += one.headers[name].entries
    on_progress(total, total, "")
    return Difference(
        a=str(a),
        b=str(b),
        tensors=tuple(pairs),
        only_a=tuple(sorted(names[key] for key in set(names) - set(others))),
        only_b=tuple(sorted(others[key] for key in set(others) - set(names))),
        ties=tuple(_surprises(one, other)),
    )


def count_different(a: Tensor, b: Tensor) -> int:
    """Entries whose values differ, of two tensors of one shape; -0 equals +0, NaN equals NaN."""
    if a.dtype == b.dtype and torch.equal(_bytes(a), _bytes(b)):
        return 0
    if a.dtype == b.dtype and a.dtype.itemsize == 1:  # 8-bit floats have no comparison
        a, b = _bytes(a), _bytes(b)
    return sum(_different(x, y) for x, y in zip(_pieces(a), _pieces(b), strict=True))


def _compared(one: Checkpoint, name: str, other: Checkpoint, theirs: str) -> TensorPair:
    mine, yours = one.headers[name], other.headers[theirs]
    changed = visible = None
    if mine.shape == yours.shape:
        a, b = one.read(name), other.read(theirs)
        changed = count_different(a, b)
        if {mine.dtype, yours.dtype} <= FLOATS:
            visible = count_changed(bits_of(a), bits_of(b)) if changed else 0
    return TensorPair(
        name, mine.entries, (mine.dtype, yours.dtype), (mine.shape, yours.shape), changed, visible
    )


def _different(a: Tensor, b: Tensor) -> int:
    if a.dtype != b.dtype:
        a, b = a.double(), b.double()  # exact for every float, and for integers below 2^53
    unequal = a != b
    if a.is_floating_point():
        unequal &= ~(a.isnan() & b.isnan())
    return int(unequal.sum())


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _pieces(tensor: Tensor) -> Iterator[Tensor]:
    return iter(tensor.contiguous().reshape(-1).split(PIECE))


def _surprises(one: Checkpoint, other: Checkpoint) -> Iterator[str]:
    """What a reader of either configuration would not expect of embedding and head."""
    a, b = ties_of(one), ties_of(other)
    same_a, same_b = tied(one, a), tied(other, b)
    yield from _inconsistent("A", a, same_a)
    yield from _inconsistent("B", b, same_b)
    if a.declared is not None and b.declared is not None and a.declared != b.declared:
        words = {True: "ties", False: "does not tie"}
        yield f"A's config.json {words[a.declared]} head and embedding, B's {words[b.declared]}."
    if same_a is not None and same_b is not None and same_a != same_b:
        first, second = ("A", "B") if same_a else ("B", "A")
        yield f"head and embedding are one in {first} and two different tensors in {second}."


def _inconsistent(letter: str, ties: Ties, same: bool | None) -> Iterator[str]:
    if ties.declared and ties.both and same is False:
        yield (
            f"{letter}'s config.json ties {ties.head} to {ties.embedding}, but both are stored and"
            " differ: a loader keeps one of them."
        )
    if ties.declared is False and ties.generates and ties.embedding and ties.head is None:
        yield (
            f"{letter}'s config.json does not tie head and embedding, but no head is stored:"
            " a loader would make a random one."
        )
