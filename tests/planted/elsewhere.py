"""A device that is not there: tensors on it are held on the CPU, and refuse to meet the CPU's.

What a run on a GPU gets wrong first is a tensor left behind. Under `Elsewhere()` every operation
runs for real, and mixing devices, or reading a tensor that was not moved back, fails as on a GPU.
"""

import weakref
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")  # the one type PyTorch takes everywhere and computes nothing on


class _Held(torch.Tensor):
    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=DEVICE
        )

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} outside of Elsewhere()")


class Elsewhere(TorchDispatchMode):
    """Run what concerns DEVICE on the CPU, and note what is done, moved there and held there.

    Attributes:
        operations: how often each was called.
        moved: tensors that were moved to it.
        peak: the most bytes that were held there at once.
    """

    def __init__(self):
        super().__init__()
        self.operations = Counter()
        self.moved = []
        self.peak = 0
        self._held = 0
        self._holders = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, torch.Tensor)]
        there = any(isinstance(a, _Held) for a in tensors)
        if kwargs.get("device") is not None:  # made on a device, or moved to one
            there = kwargs["device"] == DEVICE
            kwargs["device"] = torch.device("cpu")
            self.moved += [a for a in tensors if there and not isinstance(a, _Held)]
        elif there and any(not isinstance(a, _Held) and a.dim() > 0 for a in tensors):
            raise RuntimeError(f"{func}: tensors are on two devices")
        args, kwargs = tree_map(lambda a: a.held if isinstance(a, _Held) else a, (args, kwargs))
        found = func(*args, **kwargs)
        if not there:
            return found
        self.operations[str(func)] += 1
        return tree_map(lambda a: self._hold(a) if isinstance(a, torch.Tensor) else a, found)

    def _hold(self, tensor):
        held, storage = _Held(tensor), tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if not self._holders[place]:
            self._held += size
            self.peak = max(self.peak, self._held)
        self._holders[place] += 1
        weakref.finalize(held, self._let_go, place, size)
        return held

    def _let_go(self, place, size):
        self._holders[place] -= 1
        if not self._holders[place]:
            self._held -= size
