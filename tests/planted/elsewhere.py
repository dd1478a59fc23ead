"""A device that is not there: tensors on it are held on the CPU, and refuse to meet the CPU's.

What a run on a GPU gets wrong first is a tensor left behind. Under `Elsewhere()` every operation
runs for real, and mixing devices, or reading a tensor that was not moved back, fails as on a GPU.
"""

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
    """Run what concerns DEVICE on the CPU, and note which operations, and what was moved there."""

    def __init__(self):
        super().__init__()
        self.operations = set()
        self.moved = []

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
        self.operations.add(str(func))
        return tree_map(lambda a: _Held(a) if isinstance(a, torch.Tensor) else a, found)
