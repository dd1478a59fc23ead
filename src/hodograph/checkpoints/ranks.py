"""One torch.save file a rank, as verl writes FSDP's shards: joined one tensor at a time.

Every file holds DTensors: a rank's part, and how the whole is cut over the mesh of ranks. They are
opened without a process group, which only their collectives would need.
"""

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.placement_types import _StridedShard

from hodograph.checkpoints.pickled import unpickled
from hodograph.checkpoints.source import DTYPE_NAMES, TensorHeader, by_name
from hodograph.errors import CheckpointError

RANK_FILE = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")
MERGE = (
    "  Join them with verl: python -m verl.model_merger merge --backend fsdp --local_dir FOLDER"
    " --target_dir OUT, and measure OUT."
)
logging.getLogger("torch.distributed.device_mesh").addFilter(
    lambda record: "unpickling of the DeviceMesh" not in record.getMessage()
)


@dataclass(frozen=True)
class RankFiles:
    """Tensors cut over ranks, a file each.

    Attributes:
        headers: of the whole tensors.
        files: by rank.
    """

    headers: dict[str, TensorHeader]
    files: tuple[Path, ...]

    def read(self, name: str) -> Tensor:
        """Join one tensor from every rank's part of it."""
        header = self.headers[name]
        first = _parts(self.files[0])[name]
        if not isinstance(first, DTensor):
            return self._replica(name, first.detach())
        whole = joined(
            _mesh(first, self.files[0]),
            list(first.placements),
            lambda rank: _local(self.files[rank], name, first),
        )
        if tuple(whole.shape) != header.shape:
            raise CheckpointError(
                f"{header.file.parent}: the parts of {name} make up {tuple(whole.shape)}, its"
                f" header says {header.shape}.\n{MERGE}"
            )
        return whole

    def _replica(self, name: str, first: Tensor) -> Tensor:
        """A tensor that is no part, and so the same on every rank."""
        for file in self.files[1:]:
            other = _parts(file).get(name)
            if other is None or not torch.equal(first, other):
                raise CheckpointError(
                    f"{file}: {name} is no part of a tensor, and not what rank 0 has.\n{MERGE}"
                )
        return first


def open_rank_files(folder: Path, files: Sequence[Path]) -> RankFiles:
    """Open one run's rank files from the first one's headers.

    Args:
        folder: what the user named.
        files: in it, every one named as `RANK_FILE`.

    Raises:
        CheckpointError: a missing rank, files of two runs, or tensors that are cut in an unknown
            way.
    """
    found = [match for file in files if (match := RANK_FILE.fullmatch(file.name))]
    worlds = {int(match[1]) for match in found}
    if len(worlds) > 1:
        raise CheckpointError(f"{folder}: holds files of worlds of {sorted(worlds)} ranks.")
    (world,) = worlds
    by_rank = {int(match[2]): folder / match[0] for match in found}
    if missing := sorted(set(range(world)) - set(by_rank)):
        raise CheckpointError(
            f"{folder}: {len(missing)} of {world} ranks' files are missing: rank"
            f" {', '.join(map(str, missing[:5]))}.\n  Copy the files of every rank into one folder."
        )
    first = _parts(by_rank[0])
    if world > 1 and not any(isinstance(part, DTensor) for part in first.values()):
        raise CheckpointError(
            f"{by_rank[0]}: plain tensors in one of {world} ranks' files, which do not say whether"
            f" they are whole.\n{MERGE}"
        )
    headers = [_header(name, part, by_rank[0]) for name, part in first.items()]
    return RankFiles(by_name(headers, folder), tuple(by_rank[rank] for rank in range(world)))


def joined(mesh: Tensor, placements: list[Any], local: Callable[[int], Tensor]) -> Tensor:
    """Join a tensor that was cut over a mesh of ranks.

    The cut that was made first is undone last: the parts of each of its pieces are joined, and
    then the pieces along its dimension. Pieces have the sizes they have, so uneven cuts need
    nothing else; replicas are alike, and the first is taken.

    Args:
        mesh: ranks, with one dimension for each placement.
        placements: how each dimension of the mesh cuts the tensor; see `_check_placements`.
        local: a rank's part.
    """
    if not placements:
        return local(int(mesh))
    at = _first_cut(placements)
    placement, rest = placements[at], placements[:at] + placements[at + 1 :]
    if isinstance(placement, Replicate):
        return joined(mesh.select(at, 0), rest, local)
    pieces = [joined(part, rest, local) for part in mesh.unbind(at)]
    return torch.cat(pieces, placement.dim)


def _first_cut(placements: list[Any]) -> int:
    """The mesh dimension that cut first: from left to right, but strided shards come after others.

    A strided shard (FSDP over tensor parallelism) cuts what the later dimensions of the mesh that
    cut the same dimension of the tensor have left.
    """
    for at, placement in enumerate(placements):
        if not (isinstance(placement, _StridedShard) and _cut_before(placements, at)):
            return at
    raise AssertionError("the last placement has nothing after it")


def _cut_before(placements: list[Any], at: int) -> list[int]:
    """Later mesh dimensions that cut the tensor dimension of the placement at this one."""
    later = range(at + 1, len(placements))
    return [i for i in later if getattr(placements[i], "dim", None) == placements[at].dim]


def _mesh(part: DTensor, file: Path) -> Tensor:
    """The ranks that share a tensor, as rank 0 sees them.

    A slice of a larger mesh asks the process group for this process's rank; the file's is known.
    """
    mesh = part.device_mesh
    try:
        before_torch_2_10 = vars(mesh).get("mesh")
        if before_torch_2_10 is not None:
            return before_torch_2_10
        ranks = mesh._layout.remap_to_tensor(mesh._rank_map)
        return mesh._get_mesh_tensor_from_full_mesh(ranks, current_rank=0)
    except (AttributeError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: its mesh of ranks cannot be read by torch {torch.__version__} ({error}).\n"
            f"{MERGE}"
        ) from error


def _check_placements(name: str, part: DTensor, file: Path) -> None:
    """Refuse what is cut in a way that `joined` does not undo."""
    placements, mesh = list(part.placements), _mesh(part, file)
    order = getattr(part._spec, "shard_order", None) or ()
    if any(list(entry.mesh_dims) != sorted(entry.mesh_dims) for entry in order):
        raise CheckpointError(f"{file}: {name} is cut in the order {order}, unread.\n{MERGE}")
    for at, placement in enumerate(placements):
        strided = isinstance(placement, _StridedShard)
        cuts = [mesh.shape[i] for i in _cut_before(placements, at)] if strided else []
        if strided and math.prod(cuts) == placement.split_factor:
            continue
        if strided or not isinstance(placement, Shard | Replicate):
            raise CheckpointError(f"{file}: {name} is placed as {placement}, unread.\n{MERGE}")


def _header(name: str, part: Tensor, file: Path) -> TensorHeader:
    dtype = DTYPE_NAMES.get(part.dtype)
    if dtype is None:
        raise CheckpointError(f"{file}: {name} is stored in {part.dtype}, which is not read.")
    if isinstance(part, DTensor):
        _check_placements(name, part, file)
    return TensorHeader(name, dtype, tuple(part.shape), file)


def _local(file: Path, name: str, first: DTensor) -> Tensor:
    """A rank's part, cut as rank 0's is."""
    part = _parts(file).get(name)
    if not isinstance(part, DTensor) or (part.shape, part.dtype, part.placements) != (
        first.shape,
        first.dtype,
        first.placements,
    ):
        raise CheckpointError(
            f"{file}: {name} is missing, or cut otherwise than in rank 0's file.\n"
            "  The files are of two saves; copy the folder again."
        )
    return part.to_local().detach()


def _parts(file: Path) -> Mapping[str, Tensor]:
    """The parts that one rank's file holds.

    Raises:
        CheckpointError: something else than names and tensors.
    """
    content = unpickled(file)
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(part, Tensor) for name, part in content.items()
    ):
        raise CheckpointError(f"{file}: not a rank's state dict (names and tensors).\n{MERGE}")
    return content
