"""The processes that train one model together: which one this is, and how they agree.

A launcher (accelerate, torchrun) starts them. Without one there is a single process, and
everything here passes through.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from safetensors import SafetensorError

from hodograph.errors import HodographError, SettingsError

if TYPE_CHECKING:
    from torch import Tensor

Answer = TypeVar("Answer")
PATIENCE = timedelta(minutes=60)  # how long one waits for the others before it gives up
FAILED = "hodograph/failed"  # key of the launcher's store: how many have failed


@dataclass(frozen=True)
class World:
    """The processes of a run.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are.
        sharded: whether each holds a part of every weight (FSDP2), not a copy (DDP).
    """

    rank: int = 0
    size: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    @property
    def engine(self) -> str:
        """How the work is spread: `none`, `ddp` or `fsdp2`."""
        return "none" if self.size == 1 else "fsdp2" if self.sharded else "ddp"

    def decided(self, decide: Callable[[], Answer]) -> Answer:
        """Return on every process what `decide` returns on the first; its error is raised on all.

        Every process must call this, and all must be past what came before it.
        """
        if self.size == 1:
            return decide()
        told = self.gathered(_tried(decide) if self.first else None)[0]
        assert told is not None
        answer, error = told
        if error is not None:
            raise error
        return answer

    def together(self, work: Callable[[], Answer]) -> Answer:
        """Do `work` on every process; where it fails on one, the error is raised on all."""
        if self.size == 1:
            return work()
        answer, error = _tried(work)
        failures = [failure for failure in self.gathered(error) if failure is not None]
        if failures:
            raise error or failures[0]
        return answer

    def gathered(self, value: Answer) -> list[Answer]:
        """The value of every process, in order."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def total(self, tensor: "Tensor") -> "Tensor":
        """The sum of a tensor over the processes; all hold one of its shape."""
        if self.size == 1:
            return tensor
        import torch.distributed as dist

        out = tensor.clone()
        dist.all_reduce(out)
        return out

    @contextmanager
    def ends_together(self) -> Iterator[None]:
        """End quietly where the others can no longer be reached because one failed and said why.

        Raises:
            HodographError: one of the others failed.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size > 1 and _failures():
                raise HodographError("another process of this run failed.") from error
            raise


ALONE = World()


def launched() -> bool:
    """Whether a launcher has started this process as one of several."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def require_alone(what: str) -> None:
    """Refuse a launcher for what starts its own processes.

    Raises:
        SettingsError: this process is one of several.
    """
    if launched():
        raise SettingsError(f"{what} starts its own processes: run it without accelerate.")


def join() -> World:
    """Meet the other processes that the launcher started; one process without a launcher."""
    if not launched():
        return ALONE
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # objects travel through gloo, so that they need no GPU memory
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return World(dist.get_rank(), dist.get_world_size(), sharded)


def leave() -> None:
    """Part from the other processes, once all are done."""
    if launched():
        import torch.distributed as dist

        dist.destroy_process_group()


def speaks() -> bool:
    """Whether this process tells the user of a failure: the first to fail does, alone."""
    if not launched():
        return True
    import torch.distributed as dist

    if not dist.is_initialized():
        return os.environ.get("RANK", "0") == "0"  # a bad command line is bad everywhere
    return _failures(1) == 1


def end(code: int) -> NoReturn:
    """End this process with an exit code; one of several ends at once.

    Interpreters that are taken apart before the processes have parted can abort, and the code is
    lost: a thread of gloo's may still hold a Python object (pytorch/pytorch#179291).
    """
    if not launched():
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _failures(more: int = 0) -> int:
    """How many processes have failed, `more` of them now."""
    import torch.distributed as dist

    # torch has no public name for the store that every process group is made with
    store = dist.distributed_c10d._get_default_store()
    try:
        return store.add(FAILED, more)
    except RuntimeError:
        return 2  # whoever kept the store has ended before


def _tried(work: Callable[[], Answer]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except (HodographError, OSError, RuntimeError, SafetensorError) as error:
        return None, error
